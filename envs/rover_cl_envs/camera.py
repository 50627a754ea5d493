"""A picture for convolutional policies: the ground around the rover from above, ahead is up.

`World.observation="pixels"` gives `Box(0, 255, (3, 64, 64), uint8)` in place of the vector: channels first,
the smallest axis, so that Stable-Baselines3 takes it for a picture of channels first, transposes nothing
and stacks frames along the channels. A pixel is 0.2 m wide and shows the cell that its middle lies in. The
rover's middle is the corner that rows 47 and 48, columns 31 and 32 share: it sees 9.6 m ahead, 3.2 m back
and 6.4 m to each side.

| channel | what | value |
|---|---|---|
| 0 | albedo, as in the terrain ring; the soil of a cell is nowhere told | 128 + 80 a unit |
| 1 | height above the ground under the rover's middle, with slope and rocks | 128 + 128 a metre |
| 2 | marks on black: the targets, and the instruments at the lower edge | below |

Target A is a full square of 5 x 5 pixels, B its rim; the pixel in the middle lies in the target's place. A
target out of sight stands at the edge, on the straight line to it. With cues, the rewarded target is 255
bright and the other one 96; without, both are 192.

The instruments are the numbers that the vector has behind its targets and beside its ring, 8 to 31 and the
systems' blocks: each a square of 4 x 4 pixels, 128 + 100 times the number, from the left, 16 in a row, the
first row lowest. They cover marks but not the ground, which has its own channels. All values are rounded
and clipped to 0..255.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from rover_cl_envs.compiled import Row, Words, compiled
from rover_cl_envs.dynamics import (
    CONTRAST,
    COVER,
    EAST,
    NORTH,
    OUTCROP,
    REWARDED,
    ROCKS,
    ROUGH,
    TARGET_AX,
    YAW,
    X,
    Y,
)
from rover_cl_envs.grid import ORIGIN, cell_number, layers_of, words_in_cell
from rover_cl_envs.ring import RING, albedo
from rover_cl_envs.sensors import SIZE
from rover_cl_envs.terrain import (
    CELL,
    PATCH,
    PATCH_UNIT,
    RELIEF,
    RELIEF_UNIT,
    ROCK,
    SIDE,
    TEXTURE,
    TEXTURE_UNIT,
    outcrop_share,
    patch_share,
    rock_height,
)

Picture = NDArray[np.uint8]
"""(3, 64, 64)"""

CHANNELS = 3
PIXELS = 64  # rows and columns
METRES = 0.2  # width of a pixel [m]
AHEAD_ROWS = 48  # rows of pixels ahead of the rover's middle
ALBEDO, HEIGHT, MARKS = range(CHANNELS)
"""Channels of a picture."""
MIDDLE = 128  # value of albedo, height or an instrument at 0
ALBEDO_GAIN = 80.0
HEIGHT_GAIN = 128.0  # [1/m]
DIAL_GAIN = 100.0
DIAL = 4  # rows and columns of an instrument
DIALS_IN_ROW = PIXELS // DIAL
REACH = 2  # pixels of a target's mark on each side of its middle
TOLD, OTHER, UNTOLD = 255, 96, 192  # brightness of the rewarded target, the other one, and both without cues
FIRST_DIAL = 8  # first number of the vector that is an instrument

# Places on the map are counted in 65536ths of a cell: cutting a cell's number out of an integer is a shift.
FRACTION = 16
_ONE = float(1 << FRACTION)


@compiled
def _byte(value: float) -> int:
    """A value rounded and clipped to 0..255."""
    return int(min(max(value, 0.0), 255.0) + 0.5)


@compiled
def _ground(s: Row, c: Row, words: Words, picture: Picture) -> None:
    """Fill albedo and height, row by row from the upper left."""
    cos, sin = math.cos(s[YAW]), math.sin(s[YAW])
    rough, rocks = c[ROUGH] * RELIEF_UNIT, c[ROCKS]
    cover, outcrop, contrast = c[COVER], c[OUTCROP], c[CONTRAST]
    each = words_in_cell(words)
    here = rough * layers_of(words[each * cell_number(s[X], s[Y])])[RELIEF]
    # A column further right is a step to the rover's right: (sin, -cos) in the world.
    du, dv = int(sin * METRES / CELL * _ONE), int(-cos * METRES / CELL * _ONE)
    rise = (c[EAST] * sin - c[NORTH] * cos) * METRES
    for row in range(PIXELS):
        ahead, left = (AHEAD_ROWS - row - 0.5) * METRES, 0.5 * (PIXELS - 1) * METRES
        east, north = cos * ahead - sin * left, sin * ahead + cos * left
        u = int(((s[X] + east) / CELL + ORIGIN) * _ONE)
        v = int(((s[Y] + north) / CELL + ORIGIN) * _ONE)
        plane = c[EAST] * east + c[NORTH] * north - here
        for column in range(PIXELS):
            ix = ((u + column * du) >> FRACTION) & (SIDE - 1)
            iy = ((v + column * dv) >> FRACTION) & (SIDE - 1)
            cell = layers_of(words[each * (iy * SIDE + ix)])
            field = cell[PATCH] * PATCH_UNIT
            soft, firm = patch_share(field, cover), outcrop_share(field, outcrop)
            seen = albedo(soft, firm, cell[TEXTURE] * TEXTURE_UNIT, contrast)
            height = rough * cell[RELIEF] + plane + column * rise + rock_height(cell[ROCK], rocks)
            picture[ALBEDO, row, column] = _byte(MIDDLE + ALBEDO_GAIN * seen)
            picture[HEIGHT, row, column] = _byte(MIDDLE + HEIGHT_GAIN * height)


@compiled
def _mark(s: Row, target: int, value: int, lowest: int, picture: Picture) -> None:
    """Draw target 0 (A) or 1 (B) with its middle above row `lowest`, at the edge where it is out of sight."""
    cos, sin = math.cos(s[YAW]), math.sin(s[YAW])
    dx, dy = s[TARGET_AX + 2 * target] - s[X], s[TARGET_AX + 2 * target + 1] - s[Y]
    up, right = (cos * dx + sin * dy) / METRES, (sin * dx - cos * dy) / METRES
    # Pixels that a whole mark may be away from the rover: upward, downward, to either side.
    # Four rows of instruments reach up to the rover itself: what lies behind is then marked just above them.
    above, below = AHEAD_ROWS - REACH - 0.5, max(lowest - AHEAD_ROWS - REACH - 0.5, 0.5)
    beside = PIXELS / 2 - REACH - 0.5
    far = max(max(up / above, -up / below), max(abs(right) / beside, 1.0))
    row = min(int(AHEAD_ROWS - up / far), lowest - REACH - 1)
    column = int(PIXELS / 2 + right / far)
    for i in range(-REACH, REACH + 1):
        for j in range(-REACH, REACH + 1):
            if target == 0 or abs(i) == REACH or abs(j) == REACH:
                picture[MARKS, row + i, column + j] = value


@compiled
def photograph(s: Row, c: Row, vector: Row, words: Words, cues: bool, picture: Picture) -> None:
    """Take the picture (3, 64, 64) of the rover in state `s` under conditions `c`.

    Args:
        s: state, columns in dynamics.py.
        c: conditions, likewise.
        vector: the observation (80,) and the systems' blocks; its numbers are the instruments.
        words: the map.
        cues: whether the marks tell which target is rewarded.
        picture: is written.
    """
    _ground(s, c, words, picture)
    picture[MARKS] = 0
    dials = RING - FIRST_DIAL + vector.shape[0] - SIZE
    lowest = PIXELS - DIAL * ((dials + DIALS_IN_ROW - 1) // DIALS_IN_ROW)
    for target in range(2):
        value = TOLD if int(s[REWARDED]) == target else OTHER
        _mark(s, target, value if cues else UNTOLD, lowest, picture)
    for k in range(dials):
        number = vector[FIRST_DIAL + k] if k < RING - FIRST_DIAL else vector[SIZE + k - RING + FIRST_DIAL]
        row, column = PIXELS - DIAL * (k // DIALS_IN_ROW + 1), DIAL * (k % DIALS_IN_ROW)
        picture[MARKS, row : row + DIAL, column : column + DIAL] = _byte(MIDDLE + DIAL_GAIN * number)
