"""The terrain ring: heights and albedo that the rover sees around it, 24 points on three circles.

The loops are cut so that the processor does several points at a time: where the points lie, then the look at
memory, one cell after the other, then what is made of the cells. The first of these goes on ahead for all the
rovers of a block, so that their cells are on the way from memory while others are looked at.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rover_cl_envs.air import HAZE, seen
from rover_cl_envs.compiled import Row, Words, compiled, compiled_within
from rover_cl_envs.dynamics import (
    CONTRAST,
    COVER,
    CRATERS,
    CRUST,
    CRUST_LOOK,
    EAST,
    NORTH,
    OPTICAL_DEPTH,
    OUTCROP,
    RIPPLES,
    ROCKS,
    ROUGH,
    TARS,
    X,
    Y,
)
from rover_cl_envs.grid import cell_number, layers_of, words_in_cell
from rover_cl_envs.landforms import Broken, bit_in, byte_of, cell_height, has_broken, has_crust
from rover_cl_envs.lanes import LANES, Heading
from rover_cl_envs.memory import prefetch, scratch
from rover_cl_envs.rocks import rock_height
from rover_cl_envs.settling import has_forms
from rover_cl_envs.terrain import (
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

BEARINGS = 8
RANGES = (0.75, 1.5, 3.0)  # [m]
RING = 32  # first index of the terrain ring in the observation
RING_POINTS = BEARINGS * len(RANGES)
LIMIT = 5.0  # every value of the observation is clipped to +-LIMIT
_RANGE_OF = np.tile(np.array(RANGES), BEARINGS)  # of each point [m]
FLECKS = 0.15  # share of texture in the albedo

block_points = scratch(RING_POINTS * LANES, np.int32)
"""The numbers of the cells of a block's rings (768,), rover by rover, on the stack."""
_words = scratch(RING_POINTS, np.int64)
_bits = scratch(RING_POINTS, np.int32)
ring_lane = scratch(RING_POINTS, np.float32)
"""A number for each point (24,), on the stack of the kernel that asks for it."""


def ring_points() -> NDArray[np.float32]:
    """Points of the terrain ring in the body frame (2, 24): how far ahead, and to the left [m].

    Bearing by bearing, near to far.
    """
    angles = 2 * np.pi * np.arange(BEARINGS) / BEARINGS
    points = [(r * np.cos(a), r * np.sin(a)) for a in angles for r in RANGES]
    return np.array(points, dtype=np.float32).T.copy()


@compiled
def albedo(soft: float, firm: float, texture: float, contrast: float) -> float:
    """What the camera sees of a cell, about -1 dark to 1 bright: a sign of the soil, and idle flecks."""
    return contrast * (soft - firm) + FLECKS * texture


@compiled
def crusted(bare: float, look: float) -> float:
    """Albedo of crust over ground of the albedo `bare`, by the crust's contrast."""
    return (1.0 - abs(look)) * bare + look


@compiled
def clip(value: float) -> float:
    """The value within +-`LIMIT`."""
    return min(max(value, -LIMIT), LIMIT)


@compiled_within
def find_ring(s: Row, heading: Heading, ring: Row, words: Words, numbers: Row) -> None:
    """Write the numbers of the cells of the ring's points (24,), and ask memory for them."""
    (cos, sin), x, y, ahead, left, each = heading, s[X], s[Y], ring[0], ring[1], words_in_cell(words)
    for p in range(RING_POINTS):
        east, north = cos * ahead[p] - sin * left[p], sin * ahead[p] + cos * left[p]
        numbers[p] = cell_number(x + east, y + north)
    prefetch(words, each * np.uint64(cell_number(x, y)))
    for p in range(RING_POINTS):
        prefetch(words, each * np.uint64(numbers[p]))


@compiled_within
def _raise(c: Row, cos: float, sin: float, ahead: Row, left: Row, foot: int, cells: Words, out: Row) -> None:
    """Write the height of each point above the rover, whose cell is `foot`; rocks and landforms left out."""
    rough, slope_east, slope_north = c[ROUGH] * RELIEF_UNIT, c[EAST], c[NORTH]
    here = rough * layers_of(foot)[RELIEF]
    for p in range(RING_POINTS):
        east, north = cos * ahead[p] - sin * left[p], sin * ahead[p] + cos * left[p]
        relief = layers_of(cells[p])[RELIEF]
        out[p] = rough * relief + slope_east * east + slope_north * north - here


@compiled_within
def raise_forms(count: int, c: Row, foot: int, forms: Words, heights: Row) -> None:
    """Add the heights of landforms above those under the rover, whose cell has those of `foot`."""
    craters, ripples, tars = c[CRATERS], c[RIPPLES], c[TARS]
    lift = cell_height(layers_of(foot), craters, ripples, tars)
    for p in range(count):
        heights[p] = heights[p] + (cell_height(layers_of(forms[p]), craters, ripples, tars) - lift)


@compiled_within
def _see(c: Row, cells: Words, heights: Row, shades: Row) -> None:
    """Write heights with their rocks, as observed, and the albedo of the ground."""
    rocks, cover, outcrop, contrast = c[ROCKS], c[COVER], c[OUTCROP], c[CONTRAST]
    for p in range(RING_POINTS):
        cell = layers_of(cells[p])
        field = cell[PATCH] * PATCH_UNIT
        soft, firm = patch_share(field, cover), outcrop_share(field, outcrop)
        heights[p] = clip(2.0 * (heights[p] + rock_height(cell[ROCK], rocks)))
        shades[p] = clip(albedo(soft, firm, cell[TEXTURE] * TEXTURE_UNIT, contrast))


@compiled_within
def see_crust(count: int, c: Row, numbers: Row, forms: Words, broken: Broken, bits: Row, shades: Row) -> None:
    """Write the albedo of crust over that of the ground, where none of it is broken."""
    cover, look = c[CRUST], c[CRUST_LOOK]
    for p in range(count):
        bits[p] = 0
    if has_broken(broken):
        for p in range(count):
            bits[p] = byte_of(numbers[p])
        for p in range(count):
            bits[p] = broken.cells[np.uint64(bits[p])]
    for p in range(count):
        whole = bit_in(bits[p], numbers[p]) == 0
        bare = shades[p]
        over = clip(crusted(float(bare), look))
        over = over if has_crust(layers_of(forms[p]), cover) else bare
        shades[p] = over if whole else bare


@compiled_within
def _fade(depth: float, heights: Row, shades: Row) -> None:
    """Take from what is seen what the dust hides."""
    for p in range(RING_POINTS):
        share = seen(_RANGE_OF[p], depth)
        heights[p] *= share
        shades[p] *= share


@compiled_within
def look_around(
    s: Row,
    heading: Heading,
    c: Row,
    ring: Row,
    numbers: Row,
    words: Words,
    broken: Broken,
    heights: Row,
    shades: Row,
) -> None:
    """Write the terrain ring of the rover in state `s` (24,), heights above it and albedo, (24,) each.

    Args:
        s: state.
        heading: cosine and sine of its yaw.
        c: conditions.
        ring: (2, 24) points.
        numbers: (24,) of their cells, which `find_ring` has found.
        words: the map.
        broken: crust that the rover has broken.
        heights: as observed, within +-`LIMIT`.
        shades: likewise.
    """
    cells, forms, formed, each = _words(), _words(), has_forms(c, words), words_in_cell(words)
    ahead, left = ring[0], ring[1]
    cos, sin = heading
    for p in range(RING_POINTS):
        cells[p] = words[each * np.uint64(numbers[p])]
    foot = each * np.uint64(cell_number(s[X], s[Y]))
    _raise(c, cos, sin, ahead, left, words[foot], cells, heights)
    if formed:
        for p in range(RING_POINTS):
            forms[p] = words[each * np.uint64(numbers[p]) + np.uint64(1)]
        raise_forms(RING_POINTS, c, words[foot + np.uint64(1)], forms, heights)
    _see(c, cells, heights, shades)
    if formed and c[CRUST] * c[CRUST_LOOK] != 0.0:
        see_crust(RING_POINTS, c, numbers, forms, broken, _bits(), shades)
    if c[OPTICAL_DEPTH] > HAZE:
        _fade(c[OPTICAL_DEPTH], heights, shades)


@compiled_within
def write_ring(heights: Row, shades: Row, out: Row) -> None:
    """Write heights and albedo (24,), as observed, into the observation, in turn."""
    for p in range(RING_POINTS):
        out[RING + 2 * p], out[RING + 2 * p + 1] = heights[p], shades[p]
