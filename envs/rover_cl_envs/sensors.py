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

from rover_cl_envs.air import HAZE, seen
from rover_cl_envs.compiled import Bits, Layers, Row, compiled
from rover_cl_envs.dynamics import (
    AHEAD,
    CONTRAST,
    COVER,
    CRATERS,
    CRUST,
    CRUST_LOOK,
    DRIVE,
    EAST,
    GRAVITY,
    HEALTH,
    NORTH,
    OPTICAL_DEPTH,
    OUTCROP,
    PITCH,
    RADIUS,
    REWARDED,
    RIPPLES,
    ROCKS,
    ROLL,
    ROUGH,
    SINK_L,
    SINK_R,
    SLIP_L,
    SLIP_R,
    STEER,
    STEP_LENGTH,
    STUCK,
    TARGET_AX,
    TARS,
    TORQUE_L,
    TORQUE_R,
    TURNED,
    WHEEL_L,
    WHEEL_R,
    YAW,
    X,
    Y,
    cell_index,
    has_forms,
    outcrop_share,
    patch_share,
)
from rover_cl_envs.dynamics import MARS_GRAVITY as MARS_GRAVITY
from rover_cl_envs.landforms import cell_height, has_crust, is_broken
from rover_cl_envs.terrain import (
    PATCH,
    PATCH_UNIT,
    RELIEF,
    RELIEF_UNIT,
    ROCK,
    SIDE,
    TEXTURE,
    TEXTURE_UNIT,
    rock_height,
)

BEARINGS = 8
RANGES = (0.75, 1.5, 3.0)  # [m]
RING = 32  # first index of the terrain ring
CUES = (30, 31)  # indices that `cues=False` blanks
RING_POINTS = BEARINGS * len(RANGES)
SIZE = RING + 2 * RING_POINTS
LIMIT = 5.0  # every value is clipped to +-LIMIT
BLOCKS: dict[str, int] = {"power": 11, "mission": 10, "bodies": 12}
"""Numbers that each system beyond driving adds to the observation, in the order of this table. What is
in a block is told by power.py, objectives.py (mission) and bodies.py."""
POWER_BLOCK, MISSION_BLOCK, BODIES_BLOCK = range(len(BLOCKS))
FLECKS = 0.15  # share of texture in the albedo


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


def ring_points() -> NDArray[np.float32]:
    """Points of the terrain ring (24, 2) in the body frame [m]: bearing by bearing, near to far."""
    angles = 2 * np.pi * np.arange(BEARINGS) / BEARINGS
    points = [(r * np.cos(a), r * np.sin(a)) for a in angles for r in RANGES]
    return np.array(points, dtype=np.float32)


@compiled
def albedo(soft: float, firm: float, texture: float, contrast: float) -> float:
    """What the camera sees of a cell, about -1 dark to 1 bright: a sign of the soil, and idle flecks."""
    return contrast * (soft - firm) + FLECKS * texture


@compiled
def _clip(value: float) -> float:
    return min(max(value, -LIMIT), LIMIT)


@compiled
def observe(
    s: Row,
    c: Row,
    rover: Row,
    ring: Row,
    ground: Layers,
    forms: Layers,
    broken: Bits,
    cues: bool,
    out: Row,
) -> None:
    """Write the observation (80,) of the rover in state `s` (24,) under conditions `c` (26,)."""
    cos, sin = math.cos(s[YAW]), math.sin(s[YAW])
    for t in range(2):
        dx, dy = s[TARGET_AX + 2 * t] - s[X], s[TARGET_AX + 2 * t + 1] - s[Y]
        d = math.sqrt(dx * dx + dy * dy) + 1e-6
        out[4 * t] = _clip(d / 20.0)
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
    _look_around(s, c, ring, ground, forms, broken, cos, sin, out)
    for k in (10, 11, 12, 13, 14, 15, 20, 27, 28):
        out[k] = _clip(out[k])


@compiled
def crusted(bare: float, look: float) -> float:
    """Albedo of crust over ground of the albedo `bare`, by the crust's contrast."""
    return (1.0 - abs(look)) * bare + look


@compiled
def _ask(s: Row, c: Row, ring: Row, ground: Layers, cos: float, sin: float, out: Row) -> None:
    """First pass over the terrain ring: heights without rocks, not yet scaled, and the cells' numbers."""
    x, y, rough = s[X], s[Y], c[ROUGH] * RELIEF_UNIT
    here = rough * ground[cell_index(y), cell_index(x), RELIEF]
    for p in range(RING_POINTS):
        east = cos * ring[p, 0] - sin * ring[p, 1]
        north = sin * ring[p, 0] + cos * ring[p, 1]
        iy, ix = cell_index(y + north), cell_index(x + east)
        out[RING + 2 * p] = rough * ground[iy, ix, RELIEF] + c[EAST] * east + c[NORTH] * north - here
        out[RING + 2 * p + 1] = iy * SIDE + ix


@compiled
def _ask_forms(s: Row, c: Row, ring: Row, forms: Layers, cos: float, sin: float, out: Row) -> None:
    """`_ask` where there are landforms."""
    x, y, rough = s[X], s[Y], c[ROUGH] * RELIEF_UNIT
    craters, ripples, tars = c[CRATERS], c[RIPPLES], c[TARS]
    foot = forms[cell_index(y), cell_index(x)]
    here, lift = rough * foot[RELIEF], cell_height(foot, craters, ripples, tars)
    for p in range(RING_POINTS):
        east = cos * ring[p, 0] - sin * ring[p, 1]
        north = sin * ring[p, 0] + cos * ring[p, 1]
        iy, ix = cell_index(y + north), cell_index(x + east)
        cell = forms[iy, ix]
        bare = np.float32(rough * cell[RELIEF] + c[EAST] * east + c[NORTH] * north - here)
        out[RING + 2 * p] = bare + (cell_height(cell, craters, ripples, tars) - lift)
        out[RING + 2 * p + 1] = iy * SIDE + ix


@compiled
def _look_around(
    s: Row,
    c: Row,
    ring: Row,
    ground: Layers,
    forms: Layers,
    broken: Bits,
    cos: float,
    sin: float,
    out: Row,
) -> None:
    """Write the terrain ring: heights above the rover, and albedo.

    In two passes: a cell is mostly far away in memory, and the first, short one asks for many at a time. It
    leaves the cells' numbers where the albedo goes.
    """
    formed = has_forms(c, forms)
    if formed:
        _ask_forms(s, c, ring, forms, cos, sin, out)
    else:
        _ask(s, c, ring, ground, cos, sin, out)
    crust = formed and c[CRUST] * c[CRUST_LOOK] != 0.0
    rocks, cover, outcrop, contrast = c[ROCKS], c[COVER], c[OUTCROP], c[CONTRAST]
    for p in range(RING_POINTS):
        at = int(out[RING + 2 * p + 1])
        iy, ix = at >> 8, at & (SIDE - 1)
        cell = ground[iy, ix]
        height = out[RING + 2 * p] + rock_height(cell[ROCK], rocks)
        field = cell[PATCH] * PATCH_UNIT
        soft, firm = patch_share(field, cover), outcrop_share(field, outcrop)
        out[RING + 2 * p] = _clip(2.0 * height)
        shade = np.float32(_clip(albedo(soft, firm, cell[TEXTURE] * TEXTURE_UNIT, contrast)))
        if crust and has_crust(forms[iy, ix], c[CRUST]) and not is_broken(broken, iy, ix):
            shade = np.float32(_clip(crusted(float(shade), c[CRUST_LOOK])))
        out[RING + 2 * p + 1] = shade
    if c[OPTICAL_DEPTH] > HAZE:
        _fade(c[OPTICAL_DEPTH], out)


@compiled
def _fade(depth: float, out: Row) -> None:
    """Take from the terrain ring what the dust hides; all bearings have the same ranges."""
    for r in range(len(RANGES)):
        share = seen(RANGES[r], depth)
        for k in range(RING + 2 * r, SIZE, 2 * len(RANGES)):
            out[k] *= share
            out[k + 1] *= share
