"""What the rover is told: one documented layout, scaled by fixed physical ranges to about +-1.

No running statistics: a normaliser that moves with the stream forgets by itself.

What a rover is, no number says; it shows in how it slips and sinks (8-11), gets on (14-15) and labours
(27-28). Lengths are in metres whatever the rover; sinkage counts in its own wheels, their speed in its own
top speed.

| index | what | scale |
|---|---|---|
| 0-3 | target A: distance, cosine and sine of its bearing, nearness exp(-d / 2 m) | 20 m |
| 4-7 | target B, likewise | 20 m |
| 8-9 | slip left, right | 1 |
| 10-11 | sinkage left, right | half a wheel radius |
| 12-13 | pitch, roll, as grades | 0.5 |
| 14-15 | ground covered and yaw in the last step | 0.25 m, 0.4 rad |
| 16-17 | wheel speeds left, right | top speed |
| 18-19 | last command: drive, steer | full |
| 20 | steps spent spinning in place | 2 |
| 21-26 | state of each drive motor, -1 dead to 1 healthy | 1 |
| 27-28 | motor torque left, right over load times radius | 0.5 |
| 29 | accelerometer: gravity over that of Mars, minus 1 | 1 |
| 30 | site cue: +1 where bright ground is soft and dark is rock, -1 the other way round | 1 |
| 31 | order cue: +1 drive to A, -1 drive to B | 1 |
| 32-79 | terrain ring, 8 bearings from ahead counter-clockwise x ranges 0.75, 1.5, 3 m: \
height above the rover, then albedo | 0.5 m, 1 |

Above an optical depth of 2 the ring fades with distance: what is not seen reads 0, but for instruments that
err. Blocks of systems beyond driving follow, laid out in their own modules: power.py.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rover_cl_envs.compiled import Row, Words, compiled, compiled_within
from rover_cl_envs.dynamics import (
    AHEAD,
    CONTRAST,
    DRIVE,
    GRAVITY,
    HEALTH,
    PITCH,
    RADIUS,
    REWARDED,
    ROLL,
    SINK_L,
    SINK_R,
    SLIP_L,
    SLIP_R,
    STEER,
    STEP_LENGTH,
    STUCK,
    TARGET_AX,
    TORQUE_L,
    TORQUE_R,
    TURNED,
    WHEEL_L,
    WHEEL_R,
    X,
    Y,
)
from rover_cl_envs.dynamics import MARS_GRAVITY as MARS_GRAVITY
from rover_cl_envs.elementary import exp
from rover_cl_envs.instruments import distort, shift_heights
from rover_cl_envs.landforms import Broken
from rover_cl_envs.lanes import LANES, Heading, Lane
from rover_cl_envs.memory import scratch
from rover_cl_envs.ring import LIMIT as LIMIT
from rover_cl_envs.ring import RING, RING_POINTS, clip, look_around, ring_lane, write_ring

PER_DISTANCE = 1.0 / 20.0  # [1/m]; products cost less than quotients
PER_TURN, PER_GRAVITY = 1.0 / 0.4, 1.0 / MARS_GRAVITY  # [1/rad], [s^2/m]
CUES = (30, 31)  # indices that `cues=False` blanks
SIZE = RING + 2 * RING_POINTS
BLOCKS: dict[str, int] = {"power": 11, "mission": 10, "bodies": 12}
"""Numbers that each system beyond driving adds to the observation, in the order of this table. What is
in a block is told by power.py, objectives.py (mission) and bodies.py."""
POWER_BLOCK, MISSION_BLOCK, BODIES_BLOCK = range(len(BLOCKS))


def observation_size(systems: Collection[str]) -> int:
    """Numbers of an observation with those systems' blocks behind the first 80."""
    return SIZE + sum(size for name, size in BLOCKS.items() if name in systems)


def block_starts(systems: Collection[str]) -> NDArray[np.int64]:
    """First index of each block in the observation, (len(BLOCKS),); -1 where the system is off."""
    starts, at = [], SIZE
    for name, size in BLOCKS.items():
        starts.append(at if name in systems else -1)
        at += size if name in systems else 0
    return np.array(starts, dtype=np.int64)


_each = scratch(2 * LANES, np.float64)


class Aim(NamedTuple):
    """Targets as rovers side by side see them: 2 LANES lanes (lanes.py), all targets A and then all B."""

    east: Lane
    north: Lane
    """of the rover [m]"""
    cos: Lane
    sin: Lane
    """of its yaw"""
    distance: Lane
    ahead: Lane
    left: Lane
    nearness: Lane
    """as observed"""
    error: Lane
    """of the bearing [rad]"""


@compiled_within
def aim_lanes() -> Aim:
    """Lanes on the stack of the kernel that asks for them, not yet written."""
    return Aim(_each(), _each(), _each(), _each(), _each(), _each(), _each(), _each(), _each())


@compiled_within
def sight(i: int, target: int, s: Row, heading: Heading, aim: Aim) -> None:
    """Write where target 0 (A) or 1 (B) of the rover in state `s` (24,), so headed, lies into lane i."""
    column = TARGET_AX + 2 * target
    aim.east[i], aim.north[i] = s[column] - s[X], s[column + 1] - s[Y]
    aim.cos[i], aim.sin[i] = heading


@compiled_within
def measure(count: int, aim: Aim) -> None:
    """Work out what the first `count` lanes observe of the target."""
    for i in range(count):
        dx, dy, cos, sin = aim.east[i], aim.north[i], aim.cos[i], aim.sin[i]
        d = math.sqrt(dx * dx + dy * dy) + 1e-6
        per_distance = 1.0 / d
        aim.distance[i], aim.nearness[i] = clip(d * PER_DISTANCE), exp(-0.5 * d)
        aim.ahead[i], aim.left[i] = (cos * dx + sin * dy) * per_distance, (cos * dy - sin * dx) * per_distance


@compiled_within
def report(i: int, target: int, aim: Aim, out: Row) -> None:
    """Write what lane i observes of the target into the observation."""
    at = 4 * target
    out[at], out[at + 1], out[at + 2], out[at + 3] = (
        aim.distance[i],
        aim.ahead[i],
        aim.left[i],
        aim.nearness[i],
    )


@compiled
def observe(
    s: Row,
    heading: Heading,
    c: Row,
    rover: Row,
    ring: Row,
    words: Words,
    broken: Broken,
    cues: bool,
    numbers: Row,
    generator: NDArray[np.uint64],
    out: Row,
) -> None:
    """Write the observation (80,) of the rover in state `s` (24,), so headed, under conditions `c`.

    The first eight numbers, of the targets, are left to `report`; `numbers` (24,) are those of the ring's
    cells. Draws where heights are noisy.
    """
    out[8], out[9] = s[SLIP_L], s[SLIP_R]
    per_sinkage = 2.0 / rover[RADIUS]
    out[10], out[11] = s[SINK_L] * per_sinkage, s[SINK_R] * per_sinkage
    out[12], out[13] = 2.0 * s[PITCH], 2.0 * s[ROLL]
    out[14], out[15] = s[AHEAD] / STEP_LENGTH, s[TURNED] * PER_TURN
    out[16], out[17], out[18], out[19] = s[WHEEL_L], s[WHEEL_R], s[DRIVE], s[STEER]
    out[20] = s[STUCK] / 2.0
    for w in range(6):
        out[21 + w] = 2.0 * c[HEALTH + w] - 1.0
    out[27], out[28] = 2.0 * s[TORQUE_L], 2.0 * s[TORQUE_R]
    out[29] = c[GRAVITY] * PER_GRAVITY - 1.0
    out[30] = c[CONTRAST] if cues else 0.0
    out[31] = 1.0 - 2.0 * s[REWARDED] if cues else 0.0
    for k in (10, 11, 12, 13, 14, 15, 20, 27, 28):
        out[k] = clip(out[k])
    heights, shades = ring_lane(), ring_lane()
    look_around(s, heading, c, ring, numbers, words, broken, heights, shades)
    shift_heights(c, generator, heights)
    write_ring(heights, shades, out)
    distort(s, c, out)
