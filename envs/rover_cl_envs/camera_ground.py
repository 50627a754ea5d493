"""The ground as the camera sees it: albedo and height of each pixel, a row of pixels at a time.

As in the terrain ring, whose conditions count here too, the loops over a row are cut so that the processor
does several pixels at a time: where they lie, then the look at memory, then what is made of the cells.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from rover_cl_envs.air import HAZE, seen
from rover_cl_envs.compiled import Row, Words, compiled, compiled_within
from rover_cl_envs.dynamics import (
    CONTRAST,
    COVER,
    CRUST,
    CRUST_LOOK,
    EAST,
    HEIGHT_BIAS,
    HEIGHT_NOISE,
    NORTH,
    OPTICAL_DEPTH,
    OUTCROP,
    ROCKS,
    ROUGH,
    YAW,
    X,
    Y,
)
from rover_cl_envs.frame import AHEAD_ROWS, ALBEDO, HEIGHT, METRES, MIDDLE, PIXELS, SECTORS, Picture, byte
from rover_cl_envs.grid import ORIGIN, cell_number, column_part, layers_of, row_part, words_in_cell
from rover_cl_envs.instruments import HEIGHT_SCALE, dark_bearing, dark_count, heights_err
from rover_cl_envs.landforms import Broken
from rover_cl_envs.memory import scratch
from rover_cl_envs.randomness import branch_key, normal_at
from rover_cl_envs.ring import LIMIT, albedo, raise_forms, see_crust
from rover_cl_envs.rocks import abundance_step, standing_height
from rover_cl_envs.settling import has_forms
from rover_cl_envs.terrain import (
    CELL,
    PATCH,
    PATCH_UNIT,
    RELIEF,
    RELIEF_UNIT,
    ROCK,
    TEXTURE,
    TEXTURE_UNIT,
    outcrop_share,
    patch_share,
)

ALBEDO_GAIN = 80.0
HEIGHT_GAIN = 128.0  # [1/m]
HIGHEST = LIMIT / HEIGHT_SCALE  # as the ring has it, before dust hides any of it [m]
NOISE_BLOCK = 4  # rows and columns of pixels whose heights err alike
_BLOCKS = PIXELS // NOISE_BLOCK

# Places on the map are counted in 65536ths of a cell: cutting a cell's number out of an integer is a shift.
FRACTION = 16
_ONE = float(1 << FRACTION)

_numbers = scratch(PIXELS, np.int32)
_words = scratch(PIXELS, np.int64)
_bits = scratch(PIXELS, np.int32)
_values = scratch(PIXELS, np.float64)
_errors = scratch(_BLOCKS, np.float64)


@compiled_within
def _find(u: int, v: int, du: int, dv: int, numbers: Row) -> None:
    """Write the number of each pixel's cell, from the place u, v of the left one on."""
    for p in range(PIXELS):
        numbers[p] = column_part((u + p * du) >> FRACTION) + row_part((v + p * dv) >> FRACTION)


@compiled_within
def _raise(rough: float, plane: float, rise: float, cells: Words, heights: Row) -> None:
    """Write the height of each pixel, rocks and landforms left out, from the plane of the left one on."""
    for p in range(PIXELS):
        heights[p] = rough * layers_of(cells[p])[RELIEF] + plane + p * rise


@compiled_within
def _see(c: Row, cells: Words, heights: Row, shades: Row) -> None:
    """Add the rocks to the heights, and write the albedo of the ground."""
    cover, outcrop, contrast, step = c[COVER], c[OUTCROP], c[CONTRAST], abundance_step(c[ROCKS])
    for p in range(PIXELS):
        cell = layers_of(cells[p])
        field = cell[PATCH] * PATCH_UNIT
        soft, firm = patch_share(field, cover), outcrop_share(field, outcrop)
        shades[p] = albedo(soft, firm, cell[TEXTURE] * TEXTURE_UNIT, contrast)
        heights[p] = heights[p] + standing_height(cell[ROCK], step)


@compiled_within
def _fade(ahead: float, depth: float, heights: Row, shades: Row) -> None:
    """Take from what is seen what the dust hides, by each pixel's distance from the rover's middle."""
    for p in range(PIXELS):
        left = (0.5 * (PIXELS - 1) - p) * METRES
        share = seen(math.sqrt(ahead * ahead + left * left), depth)
        heights[p] = share * min(max(heights[p], -HIGHEST), HIGHEST)
        shades[p] = share * shades[p]


@compiled_within
def _err(row: int, c: Row, key: np.uint64, errors: Row, heights: Row) -> None:
    """Add bias and noise to the heights; draws a number for each block of pixels."""
    bias, noise = c[HEIGHT_BIAS], c[HEIGHT_NOISE]
    for b in range(_BLOCKS):
        draw = np.uint64(_BLOCKS * (row // NOISE_BLOCK) + b + 1)
        errors[b] = bias + noise * normal_at(key, draw)
    for p in range(PIXELS):
        heights[p] = heights[p] + errors[p // NOISE_BLOCK]


@compiled
def show_ground(
    s: Row, c: Row, words: Words, broken: Broken, generator: NDArray[np.uint64], picture: Picture
) -> None:
    """Fill albedo and height, row by row from the upper left; dark bearings are left to `hide_sectors`.

    The noise of the heights is drawn from a branch of the generator, which itself stays as it is.
    """
    numbers, cells, forms, bits = _numbers(), _words(), _words(), _bits()
    heights, shades, errors = _values(), _values(), _errors()
    cos, sin = math.cos(s[YAW]), math.sin(s[YAW])
    rough, each, formed = c[ROUGH] * RELIEF_UNIT, words_in_cell(words), has_forms(c, words)
    foot = each * np.uint64(cell_number(s[X], s[Y]))
    here, key = rough * layers_of(words[foot])[RELIEF], branch_key(generator)
    crust, err = formed and c[CRUST] * c[CRUST_LOOK] != 0.0, heights_err(c)
    # A column further right is a step to the rover's right: (sin, -cos) in the world.
    du, dv = int(sin * METRES / CELL * _ONE), int(-cos * METRES / CELL * _ONE)
    rise = (c[EAST] * sin - c[NORTH] * cos) * METRES
    for row in range(PIXELS):
        ahead, left = (AHEAD_ROWS - row - 0.5) * METRES, 0.5 * (PIXELS - 1) * METRES
        east, north = cos * ahead - sin * left, sin * ahead + cos * left
        u = int(((s[X] + east) / CELL + ORIGIN) * _ONE)
        v = int(((s[Y] + north) / CELL + ORIGIN) * _ONE)
        _find(u, v, du, dv, numbers)
        for p in range(PIXELS):
            cells[p] = words[each * np.uint64(numbers[p])]
        _raise(rough, c[EAST] * east + c[NORTH] * north - here, rise, cells, heights)
        if formed:
            for p in range(PIXELS):
                forms[p] = words[each * np.uint64(numbers[p]) + np.uint64(1)]
            raise_forms(PIXELS, c, words[foot + np.uint64(1)], forms, heights)
        _see(c, cells, heights, shades)
        if crust:
            see_crust(PIXELS, c, numbers, forms, broken, bits, shades)
        if c[OPTICAL_DEPTH] > HAZE:
            _fade(ahead, c[OPTICAL_DEPTH], heights, shades)
        if err:
            _err(row, c, key, errors, heights)
        for p in range(PIXELS):
            picture[ALBEDO, row, p] = byte(MIDDLE + ALBEDO_GAIN * shades[p])
            picture[HEIGHT, row, p] = byte(MIDDLE + HEIGHT_GAIN * heights[p])


@compiled
def hide_ground(picture: Picture) -> None:
    """Show no ground."""
    picture[ALBEDO] = MIDDLE
    picture[HEIGHT] = MIDDLE


@compiled
def hide_sectors(c: Row, picture: Picture) -> None:
    """Show no ground in the sectors of the bearings that are dark."""
    dark, hidden = dark_count(c), 0
    if dark == 0:
        return
    for k in range(dark):
        hidden |= 1 << dark_bearing(k)
    for row in range(PIXELS):
        for column in range(PIXELS):
            if (hidden >> SECTORS[row, column]) & 1 == 1:
                picture[ALBEDO, row, column] = picture[HEIGHT, row, column] = MIDDLE
