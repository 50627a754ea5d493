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

Above an optical depth of 2 the ring fades with distance: what is not seen reads 0. Blocks of systems beyond
driving follow, laid out in their own modules: power.py.
"""

from __future__ import annotations

import math
from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from rover_cl_envs.compiled import Bits, Row, Words, compiled
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
    YAW,
    X,
    Y,
)
from rover_cl_envs.dynamics import MARS_GRAVITY as MARS_GRAVITY
from rover_cl_envs.ring import LIMIT as LIMIT
from rover_cl_envs.ring import RING, RING_POINTS, clip, look_around

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


@compiled
def observe(
    s: Row,
    c: Row,
    rover: Row,
    ring: Row,
    words: Words,
    broken: Bits,
    cues: bool,
    out: Row,
) -> None:
    """Write the observation (80,) of the rover in state `s` (24,) under conditions `c` (26,)."""
    cos, sin = math.cos(s[YAW]), math.sin(s[YAW])
    for t in range(2):
        dx, dy = s[TARGET_AX + 2 * t] - s[X], s[TARGET_AX + 2 * t + 1] - s[Y]
        d = math.sqrt(dx * dx + dy * dy) + 1e-6
        out[4 * t] = clip(d / 20.0)
        out[4 * t + 1] = (cos * dx + sin * dy) / d
        out[4 * t + 2] = (cos * dy - sin * dx) / d
        out[4 * t + 3] = math.exp(-0.5 * d)
    out[8], out[9] = s[SLIP_L], s[SLIP_R]
    out[10], out[11] = s[SINK_L] / (0.5 * rover[RADIUS]), s[SINK_R] / (0.5 * rover[RADIUS])
    out[12], out[13] = 2.0 * s[PITCH], 2.0 * s[ROLL]
    out[14], out[15] = s[AHEAD] / STEP_LENGTH, s[TURNED] / 0.4
    out[16], out[17], out[18], out[19] = s[WHEEL_L], s[WHEEL_R], s[DRIVE], s[STEER]
    out[20] = s[STUCK] / 2.0
    for w in range(6):
        out[21 + w] = 2.0 * c[HEALTH + w] - 1.0
    out[27], out[28] = 2.0 * s[TORQUE_L], 2.0 * s[TORQUE_R]
    out[29] = c[GRAVITY] / MARS_GRAVITY - 1.0
    out[30] = c[CONTRAST] if cues else 0.0
    out[31] = 1.0 - 2.0 * s[REWARDED] if cues else 0.0
    look_around(s, c, ring, words, broken, cos, sin, out)
    for k in (10, 11, 12, 13, 14, 15, 20, 27, 28):
        out[k] = clip(out[k])
