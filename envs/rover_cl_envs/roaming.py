"""How bodies move in a step, around rovers side by side (lanes.py): dust devils, and Martians.

What they are is told in bodies.py.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from rover_cl_envs.bodies import (
    ACROSS_EAST,
    ACROSS_NORTH,
    BLIND,
    CLEANED,
    CLEANING,
    DEVIL,
    DEVILS,
    EAST,
    GAP,
    HEAD_EAST,
    HEAD_NORTH,
    KIND,
    MARTIAN_RADIUS,
    NORTH,
    POST_EAST,
    POST_NORTH,
    RADIUS,
    SLOT,
    off,
)
from rover_cl_envs.compiled import Row, compiled_within
from rover_cl_envs.dynamics import DEVIL_SPEED, MARTIAN_SIGHT, MARTIAN_SPEED, STEP_SECONDS, WHEELBASE
from rover_cl_envs.lanes import LANES, Body, Lane, lane
from rover_cl_envs.memory import scratch

_each = scratch(DEVILS * LANES, np.float64)


class Devil(NamedTuple):
    """The dust devils, DEVILS LANES of them: slot by slot, and in each slot rover by rover."""

    x: Lane
    y: Lane
    """place of its rover [m]"""
    east: Lane
    north: Lane
    """[m]"""
    head_east: Lane
    head_north: Lane
    radius: Lane
    gap: Lane
    """[m]"""
    step: Lane
    """how far it moves in a step [m]"""


class Martian(NamedTuple):
    """The Martians, one for each rover."""

    east: Lane
    north: Lane
    """[m]"""
    head_east: Lane
    head_north: Lane
    gap: Lane
    """[m]"""
    end_east: Lane
    end_north: Lane
    """of the walk that it makes for [m]"""
    step: Lane
    sight: Lane
    """[m]"""
    turns: Lane
    """1 where it has come to the end of its walk"""


@compiled_within
def devil_lanes() -> Devil:
    """Lanes on the stack of the kernel that asks for them, not yet written."""
    return Devil(_each(), _each(), _each(), _each(), _each(), _each(), _each(), _each(), _each())


@compiled_within
def martian_lanes() -> Martian:
    """Likewise."""
    return Martian(
        *(lane(), lane(), lane(), lane(), lane()),
        *(lane(), lane(), lane(), lane(), lane()),
    )


@compiled_within
def let_loose(i: int, slot: int, x: float, y: float, b: Row, c: Row, devil: Devil) -> None:
    """Write one slot of the bodies `b` of a rover at x, y into lane i."""
    at = SLOT * slot
    devil.x[i], devil.y[i], devil.east[i], devil.north[i] = x, y, b[at + EAST], b[at + NORTH]
    devil.head_east[i], devil.head_north[i] = b[at + HEAD_EAST], b[at + HEAD_NORTH]
    devil.radius[i], devil.step[i] = b[at + RADIUS], c[DEVIL_SPEED] * STEP_SECONDS


@compiled_within
def let_walk(i: int, b: Row, c: Row, martian: Martian) -> None:
    """Write a rover's Martian into lane i."""
    at = SLOT * DEVILS
    martian.east[i], martian.north[i], martian.gap[i] = b[at + EAST], b[at + NORTH], b[at + GAP]
    martian.head_east[i], martian.head_north[i] = b[at + HEAD_EAST], b[at + HEAD_NORTH]
    martian.end_east[i] = b[POST_EAST] + b[ACROSS_EAST]
    martian.end_north[i] = b[POST_NORTH] + b[ACROSS_NORTH]
    martian.step[i], martian.sight[i] = c[MARTIAN_SPEED] * STEP_SECONDS, c[MARTIAN_SIGHT]


@compiled_within
def whirl(count: int, devil: Devil) -> None:
    """Move the dust devils of the first `count` lanes by one step."""
    for i in range(count):
        east = float(np.float32(devil.east[i] + devil.head_east[i] * devil.step[i]))
        north = float(np.float32(devil.north[i] + devil.head_north[i] * devil.step[i]))
        dx, dy = off(east - devil.x[i]), off(north - devil.y[i])
        devil.east[i], devil.north[i] = east, north
        devil.gap[i] = math.sqrt(dx * dx + dy * dy) - devil.radius[i]


@compiled_within
def walk(count: int, body: Body, martian: Martian) -> None:
    """Move the Martians: each at the rover that it sees, or else on along its walk."""
    for i in range(count):
        dx, dy = off(body.x[i] - martian.east[i]), off(body.y[i] - martian.north[i])
        far = math.sqrt(dx * dx + dy * dy)
        on_x, on_y = (
            off(martian.end_east[i] - martian.east[i]),
            off(martian.end_north[i] - martian.north[i]),
        )
        on = math.sqrt(on_x * on_x + on_y * on_y)
        sees = far < martian.sight[i]
        martian.turns[i] = 0.0 if sees else (1.0 if on <= martian.step[i] else 0.0)
        dx, dy, far = dx if sees else on_x, dy if sees else on_y, far if sees else on
        over = 1.0 / max(far, 1e-30)
        east, north = (
            dx * over if far > 0.0 else martian.head_east[i],
            dy * over if far > 0.0 else martian.head_north[i],
        )
        step = min(martian.step[i], far)
        martian.head_east[i], martian.head_north[i] = east, north
        martian.east[i] = float(np.float32(martian.east[i] + east * step))
        martian.north[i] = float(np.float32(martian.north[i] + north * step))
        dx, dy = off(martian.east[i] - body.x[i]), off(martian.north[i] - body.y[i])
        martian.gap[i] = math.sqrt(dx * dx + dy * dy) - MARTIAN_RADIUS


@compiled_within
def call_back(i: int, slot: int, b: Row, devil: Devil) -> None:
    """Write a dust devil back into its rover's row; one that holds the rover blinds it."""
    if b[SLOT * slot + KIND] == DEVIL:
        at = SLOT * slot
        b[at + EAST], b[at + NORTH], b[at + GAP] = devil.east[i], devil.north[i], devil.gap[i]
        if devil.gap[i] < 0.0:
            b[BLIND], b[CLEANED] = 1.0, CLEANING


@compiled_within
def halt(i: int, b: Row, rover: Row, martian: Martian) -> bool:
    """Write the Martian back; returns whether it touches the rover.

    It touches it where the rover's middle is within half a wheelbase of the Martian's rim.
    """
    at = SLOT * DEVILS
    if b[at + KIND] == 0.0:
        return False
    b[at + EAST], b[at + NORTH], b[at + GAP] = martian.east[i], martian.north[i], martian.gap[i]
    b[at + HEAD_EAST], b[at + HEAD_NORTH] = martian.head_east[i], martian.head_north[i]
    if martian.turns[i] == 1.0:  # at the end of the walk: back to the other one
        b[ACROSS_EAST], b[ACROSS_NORTH] = -b[ACROSS_EAST], -b[ACROSS_NORTH]
    return martian.gap[i] < 0.5 * rover[WHEELBASE]
