"""Bodies that move about the periodic map: dust devils, and one that must be avoided or waited out.

Dust devils cross the map on straight lines. While the rover is inside one, its terrain ring reads 0, and it
takes dust off the solar panels. Spirit saw hundreds of them, 2 to 276 m across, at up to 21 m/s (Greeley
et al. 2006, 2010); here they are scaled down with the map to 3 to 6 m, and to `devil_speed`.

The other one, the Martian, stands for whatever nobody foresaw. It walks up and down across the way from the
start to the rewarded target, so that it meets a rover which drives there at full speed; at a speed of 0 it
stands in the way. Within `martian_sight` it walks at the rover. Its touch ends the episode. All its numbers
are chosen. How many bodies there are is drawn when an episode begins; how fast they are and how far the
Martian sees may drift at any time.

The block "bodies" of the observation (12 numbers) tells of the nearest two bodies, the nearest first:

| number | what | scale |
|---|---|---|
| 0, 6 | distance to its rim, below 0 inside | 20 m |
| 1-2, 7-8 | cosine and sine of its bearing | 1 |
| 3-4, 9-10 | its velocity as the rover sees it, ahead and to the left | 0.25 m a step |
| 5, 11 | what it is: +1 dust devil, -1 Martian, 0 nothing, and then all of it reads 0 | 1 |
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from rover_cl_envs.compiled import Row, compiled
from rover_cl_envs.dynamics import (
    AHEAD,
    DEVIL_RATE,
    DEVIL_SPEED,
    MARTIAN,
    MARTIAN_SPEED,
    REWARDED,
    STEP_LENGTH,
    STEP_SECONDS,
    TARGET_AX,
    X,
    Y,
)
from rover_cl_envs.lanes import Heading
from rover_cl_envs.randomness import uniform
from rover_cl_envs.sensors import LIMIT, PER_DISTANCE
from rover_cl_envs.terrain import CELL, SIDE

DEVILS = 3  # at most, on a map
SLOTS = DEVILS + 1  # the last is the Martian's
KIND, EAST, NORTH, HEAD_EAST, HEAD_NORTH, RADIUS, GAP = range(7)
"""Columns of each slot: 0 nothing, 1 dust devil, -1 Martian; place [m]; heading, a unit vector; radius [m];
distance from the rover to its rim [m]."""
SLOT = 7
POST_EAST, POST_NORTH, ACROSS_EAST, ACROSS_NORTH, BLIND, CLEANED = range(SLOTS * SLOT, SLOTS * SLOT + 6)
"""Columns behind the slots: the middle of the Martian's walk, and the way from there to the end that it makes
for [m]; 1 while the rover is inside a dust devil; share of the dust on the panels that the last step took
away, 0 to 1, for `power.sweep`."""
BODIES = SLOTS * SLOT + 6
"""Columns of a bodies row."""
DEVIL, MONSTER = 1.0, -1.0
DEVIL_RADIUS = (1.5, 3.0)  # [m]
MARTIAN_RADIUS = 0.5  # [m]
WALK = 4.0  # how far the Martian walks to either side of the way [m]
WAY = (0.4, 0.7)  # where on the way from the start to the rewarded target it walks
CLEANING = 0.2  # share of the dust that a step inside a dust devil takes away
TOLD = 6  # numbers that the observation has of one body
PERIOD = SIDE * CELL  # of the map [m]
ROUNDS = 4096  # periods, added so that cutting off a fraction rounds down; `math.floor` is slow


@compiled
def off(difference: float) -> float:
    """A difference of coordinates on the periodic map, the short way round [m]."""
    return difference - PERIOD * (int(difference / PERIOD + (ROUNDS + 0.5)) - ROUNDS)


@compiled
def _measure(s: Row, b: Row, slot: int) -> float:
    """Write and return the distance from the rover to the body's rim [m]."""
    at = SLOT * slot
    dx, dy = off(b[at + EAST] - s[X]), off(b[at + NORTH] - s[Y])
    b[at + GAP] = math.sqrt(dx * dx + dy * dy) - b[at + RADIUS]
    return b[at + GAP]


@compiled
def appear(s: Row, c: Row, b: Row, generator: NDArray[np.uint64]) -> None:
    """Draw the bodies of an episode, once rover and targets are placed."""
    b[:] = 0.0
    if c[DEVIL_RATE] > 0.0:
        for k in range(DEVILS):
            at = SLOT * k
            b[at + KIND] = DEVIL if uniform(generator) < c[DEVIL_RATE] / DEVILS else 0.0
            b[at + EAST], b[at + NORTH] = PERIOD * uniform(generator), PERIOD * uniform(generator)
            heading = 2.0 * math.pi * uniform(generator)
            b[at + HEAD_EAST], b[at + HEAD_NORTH] = math.cos(heading), math.sin(heading)
            b[at + RADIUS] = DEVIL_RADIUS[0] + (DEVIL_RADIUS[1] - DEVIL_RADIUS[0]) * uniform(generator)
        _weather(s, b)
    if c[MARTIAN] > 0.0 and uniform(generator) < c[MARTIAN]:
        share = WAY[0] + (WAY[1] - WAY[0]) * uniform(generator)
        _post(s, c, b, share, 1.0 if uniform(generator) < 0.5 else -1.0)


@compiled
def _post(s: Row, c: Row, b: Row, share: float, side: float) -> None:
    """Put the Martian where it will cross that share of a straight rover's way just as it gets there."""
    at, column = SLOT * DEVILS, TARGET_AX + 2 * int(s[REWARDED])
    dx, dy = s[column] - s[X], s[column + 1] - s[Y]
    way = math.sqrt(dx * dx + dy * dy)
    across_x, across_y = -dy / way * side, dx / way * side
    # So much of its walk, there and back again, lies before the moment when it crosses the way.
    before = c[MARTIAN_SPEED] * STEP_SECONDS * share * way / STEP_LENGTH
    before -= 4.0 * WALK * int(before / (4.0 * WALK))
    off, ahead = -before, 1.0
    if before > 3.0 * WALK:
        off = 4.0 * WALK - before
    elif before > WALK:
        off, ahead = before - 2.0 * WALK, -1.0
    b[at + KIND], b[at + RADIUS] = MONSTER, MARTIAN_RADIUS
    b[POST_EAST], b[POST_NORTH] = s[X] + share * dx, s[Y] + share * dy
    b[at + EAST], b[at + NORTH] = b[POST_EAST] + off * across_x, b[POST_NORTH] + off * across_y
    b[at + HEAD_EAST], b[at + HEAD_NORTH] = ahead * across_x, ahead * across_y
    b[ACROSS_EAST], b[ACROSS_NORTH] = ahead * WALK * across_x, ahead * WALK * across_y
    _measure(s, b, DEVILS)


@compiled
def _weather(s: Row, b: Row) -> None:
    """Whether the rover is inside a dust devil, and what that does."""
    b[BLIND] = b[CLEANED] = 0.0
    for k in range(DEVILS):
        if b[SLOT * k + KIND] == DEVIL and _measure(s, b, k) < 0.0:
            b[BLIND], b[CLEANED] = 1.0, CLEANING


@compiled
def watch(s: Row, heading: Heading, c: Row, b: Row, out: Row) -> None:
    """Write the block "bodies" into `out` (12,)."""
    for k in range(2 * TOLD):
        out[k] = 0.0
    first, second = -1, -1
    for k in range(SLOTS):
        if b[SLOT * k + KIND] == 0.0:
            continue
        if first < 0 or b[SLOT * k + GAP] < b[SLOT * first + GAP]:
            first, second = k, first
        elif second < 0 or b[SLOT * k + GAP] < b[SLOT * second + GAP]:
            second = k
    if first < 0:
        return
    cos, sin = heading
    _describe(s, c, b, first, cos, sin, out[:TOLD])
    if second >= 0:
        _describe(s, c, b, second, cos, sin, out[TOLD:])


@compiled
def _describe(s: Row, c: Row, b: Row, slot: int, cos: float, sin: float, out: Row) -> None:
    """Write what the rover sees of one body into `out` (6,)."""
    at = SLOT * slot
    dx, dy = off(b[at + EAST] - s[X]), off(b[at + NORTH] - s[Y])
    per_distance = 1.0 / (b[at + GAP] + b[at + RADIUS] + 1e-6)
    step = (c[DEVIL_SPEED] if b[at + KIND] == DEVIL else c[MARTIAN_SPEED]) * STEP_SECONDS
    east, north = step * b[at + HEAD_EAST], step * b[at + HEAD_NORTH]
    out[0] = b[at + GAP] * PER_DISTANCE
    out[1], out[2] = (cos * dx + sin * dy) * per_distance, (cos * dy - sin * dx) * per_distance
    out[3] = min(max((cos * east + sin * north - s[AHEAD]) / STEP_LENGTH, -LIMIT), LIMIT)
    out[4] = min(max((cos * north - sin * east) / STEP_LENGTH, -LIMIT), LIMIT)
    out[5] = b[at + KIND]
