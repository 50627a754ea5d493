"""How a rover stands: six wheels on the ground, pitch, roll, and the soil under each side.

Rocker-bogie settling in closed form, in the spirit of JPL's ACE (Otsu et al. 2018). All functions work in
place on one rover's row. The loops over the wheels are cut so that the processor does several at a time.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rover_cl_envs.compiled import Coefficients, Row, Words, compiled, compiled_within
from rover_cl_envs.dynamics import (
    AHEAD,
    COVER,
    CRATERS,
    CRUST,
    DRIVE,
    EAST,
    GRAVITY,
    GROUND,
    MARS_GRAVITY,
    NORTH,
    OBSTACLE,
    OUTCROP,
    PATCHES,
    PITCH,
    PRESSURE,
    RADIUS,
    RIPPLES,
    ROCKS,
    ROLL,
    ROUGH,
    SINK_L,
    SOFTNESS,
    STEER,
    STRENGTH,
    STUCK,
    TARS,
    THIRD,
    TRACK,
    WHEEL_L,
    WHEELBASE,
    X,
    Y,
)
from rover_cl_envs.elementary import exp
from rover_cl_envs.grid import CELL, ORIGIN, SIDE, cell_number, layers_of, words_in_cell
from rover_cl_envs.landforms import Broken, break_crust, cell_height, crest_share, has_crust, is_broken
from rover_cl_envs.lanes import Heading, heading_of
from rover_cl_envs.memory import scratch
from rover_cl_envs.soil import ALPHA, NO_WEIGHTS, blend, weigh
from rover_cl_envs.terrain import (
    PATCH,
    PATCH_UNIT,
    RELIEF,
    RELIEF_UNIT,
    ROCK,
    outcrop_share,
    patch_share,
    rock_height,
)

WHEELS = 6
CRUST_SOIL = 1 / 6  # fluffiness of a crust that holds: half way from bedrock to regolith

_singles, _doubles = scratch(WHEELS, np.float32), scratch(WHEELS, np.float64)
_integers, _words = scratch(WHEELS, np.int32), scratch(WHEELS, np.int64)


class Footing(NamedTuple):
    """Where the wheels stand, (6,) each."""

    x: Row
    y: Row
    """[m]"""
    own: Row
    """number of the cell"""
    column: Row
    row: Row
    """of the cell whose centre lies next to the west and south"""
    east: Coefficients
    north: Coefficients
    """how far the wheel is from there, in cells, 0 to 1"""


class Corners(NamedTuple):
    """Words of the cells that a wheel stands on and between, (6,) each."""

    own: Words
    south_west: Words
    south_east: Words
    north_west: Words
    north_east: Words


class Ground(NamedTuple):
    """What the wheels stand on, (6,) each."""

    height: Coefficients
    """[m], rocks included, landforms left out"""
    rock: Coefficients
    """height of the rock [m]"""
    soil: Coefficients
    """fluffiness, landforms left out"""
    lift: Coefficients
    """height of the landforms [m]"""


@compiled
def want_forms(c: Row) -> bool:
    """Whether conditions `c` ask for landforms."""
    return c[CRATERS] > 0.0 or c[RIPPLES] > 0.0 or c[TARS] > 0.0 or c[CRUST] > 0.0


@compiled
def has_forms(c: Row, words: Words) -> bool:
    """Whether conditions `c` ask for landforms, and the map has any: two words a cell."""
    return want_forms(c) and words_in_cell(words) > 1


@compiled
def ground_pressure(c: Row, rover: Row) -> float:
    """Mean pressure under the rover's wheels [kPa], in proportion to its weight."""
    return rover[PRESSURE] * c[GRAVITY] / MARS_GRAVITY


@compiled_within
def _find(s: Row, heading: Heading, wheels: Row, at: Footing) -> None:
    """Write where the wheels stand."""
    (cos, sin), middle_x, middle_y = heading, s[X], s[Y]
    for w in range(WHEELS):
        x = middle_x + cos * wheels[w, 0] - sin * wheels[w, 1]
        y = middle_y + sin * wheels[w, 0] + cos * wheels[w, 1]
        at.x[w], at.y[w], at.own[w] = x, y, cell_number(x, y)
        u, v = x / CELL + (ORIGIN - 0.5), y / CELL + (ORIGIN - 0.5)
        column, row = np.int32(u), np.int32(v)
        at.column[w], at.row[w] = column, row
        at.east[w], at.north[w] = u - column, v - row


@compiled_within
def _read(words: Words, each: int, layer: int, at: Footing, cells: Corners) -> None:
    """Read the words of the wheels' cells: of `each` a cell, that one."""
    for w in range(WHEELS):
        west, east = at.column[w] & (SIDE - 1), (at.column[w] + 1) & (SIDE - 1)
        south, north = (at.row[w] & (SIDE - 1)) * SIDE, ((at.row[w] + 1) & (SIDE - 1)) * SIDE
        cells.own[w] = words[each * np.uint64(at.own[w]) + layer]
        cells.south_west[w] = words[each * np.uint64(south + west) + layer]
        cells.south_east[w] = words[each * np.uint64(south + east) + layer]
        cells.north_west[w] = words[each * np.uint64(north + west) + layer]
        cells.north_east[w] = words[each * np.uint64(north + east) + layer]


@compiled_within
def _stand(s: Row, c: Row, rover: Row, at: Footing, cells: Corners, ground: Ground) -> None:
    """Write height, rock and soil under each wheel; relief is bilinear between the cells' centres."""
    middle_x, middle_y, climbed = s[X], s[Y], rover[OBSTACLE]
    rough, slope_east, slope_north, rocks = c[ROUGH], c[EAST], c[NORTH], c[ROCKS]
    usual, patches, cover, outcrop = c[GROUND], c[PATCHES], c[COVER], c[OUTCROP]
    for w in range(WHEELS):
        south = (1.0 - at.east[w]) * layers_of(cells.south_west[w])[RELIEF]
        south = south + at.east[w] * layers_of(cells.south_east[w])[RELIEF]
        north = (1.0 - at.east[w]) * layers_of(cells.north_west[w])[RELIEF]
        north = north + at.east[w] * layers_of(cells.north_east[w])[RELIEF]
        relief = ((1.0 - at.north[w]) * south + at.north[w] * north) * RELIEF_UNIT
        own = layers_of(cells.own[w])
        rock = rock_height(own[ROCK], rocks)
        height = rough * relief + slope_east * (at.x[w] - middle_x) + slope_north * (at.y[w] - middle_y)
        ground.rock[w], ground.height[w] = rock, height + min(rock, climbed)
        field = own[PATCH] * PATCH_UNIT
        soft, firm = patch_share(field, cover), outcrop_share(field, outcrop)
        ground.soil[w] = usual * (1.0 - soft - firm) + soft * patches


@compiled_within
def _lift(c: Row, at: Footing, forms: Corners, ground: Ground) -> None:
    """Write the height of the landforms under each wheel, bilinear as the relief."""
    craters, ripples, tars = c[CRATERS], c[RIPPLES], c[TARS]
    for w in range(WHEELS):
        south = (1.0 - at.east[w]) * cell_height(layers_of(forms.south_west[w]), craters, ripples, tars)
        south += at.east[w] * cell_height(layers_of(forms.south_east[w]), craters, ripples, tars)
        north = (1.0 - at.east[w]) * cell_height(layers_of(forms.north_west[w]), craters, ripples, tars)
        north += at.east[w] * cell_height(layers_of(forms.north_east[w]), craters, ripples, tars)
        ground.lift[w] = (1.0 - at.north[w]) * south + at.north[w] * north


@compiled_within
def _loosen(c: Row, forms: Corners, ground: Ground, crusted: Row) -> None:
    """Change the soil under each wheel to that of the crests of ridges, and note where there is crust."""
    softness, ripples, tars, cover = c[SOFTNESS], c[RIPPLES], c[TARS], c[CRUST]
    for w in range(WHEELS):
        form = layers_of(forms.own[w])
        loose = softness * crest_share(form, ripples, tars)
        ground.soil[w] = ground.soil[w] + loose * (1.0 - ground.soil[w])
        crusted[w] = 1 if has_crust(form, cover) else 0


@compiled
def _crust_soil(number: int, c: Row, rover: Row, broken: Broken) -> float:
    """Fluffiness under a wheel on crust, which breaks if it is too weak."""
    if not is_broken(broken, number):
        if ground_pressure(c, rover) <= c[STRENGTH]:
            return CRUST_SOIL
        break_crust(broken, number)
    return c[PATCHES]


@compiled_within
def _balance(heights: Coefficients) -> tuple[float, float, float]:
    """Mean height of the wheels on the left and on the right, and the pitch summed up over all six [m]."""
    pitch, left, right = 0.0, 0.0, 0.0
    for k in range(3):
        left += heights[k] * THIRD
        # The bogie's pivot is halfway between middle and rear wheel, 0.75 wheelbase behind the front one.
        pitch += (0.5 if k == 0 else -0.25) * heights[k]
    for k in range(3):
        right += heights[3 + k] * THIRD
        pitch += (0.5 if k == 0 else -0.25) * heights[3 + k]
    return left, right, pitch


@compiled
def settle(
    s: Row,
    heading: Heading,
    c: Row,
    rover: Row,
    wheels: Row,
    words: Words,
    broken: Broken,
    soils: Coefficients,
    soil: Coefficients,
) -> float:
    """Put the rover's six wheels on the ground.

    Writes pitch and roll into the state `s` (24,), as tangents, and the mean soil of each side into
    `soil` (2, 9). Crust that gives way is noted in `broken`.
    The differential halves the pitch of the two rockers; each rocker's pitch is that of the line from
    the middle of its bogie, which carries the middle and the rear wheel, to its front wheel.

    Returns:
        Height of the tallest rock under a wheel [m].
    """
    at = Footing(_singles(), _singles(), _integers(), _integers(), _integers(), _doubles(), _doubles())
    cells = Corners(_words(), _words(), _words(), _words(), _words())
    ground = Ground(_doubles(), _doubles(), _doubles(), _doubles())
    each = words_in_cell(words)
    _find(s, heading, wheels, at)
    _read(words, each, 0, at, cells)
    _stand(s, c, rover, at, cells, ground)
    left, right, pitch = _balance(ground.height)
    if has_forms(c, words):
        _read(words, each, 1, at, cells)
        _lift(c, at, cells, ground)
        crusted = _integers()
        _loosen(c, cells, ground, crusted)
        for w in range(WHEELS):
            if crusted[w] == 1:
                ground.soil[w] = _crust_soil(int(at.own[w]), c, rover, broken)
        lifts = _balance(ground.lift)
        left, right, pitch = left + lifts[0], right + lifts[1], pitch + lifts[2]
    s[PITCH] = pitch / (0.75 * rover[WHEELBASE])
    s[ROLL] = (left - right) / rover[TRACK]
    tallest = 0.0
    for side in range(2):
        weights = NO_WEIGHTS
        for k in range(3):
            tallest = max(tallest, ground.rock[3 * side + k])
            weights = weigh(ground.soil[3 * side + k], THIRD, weights)
        blend(soils, weights, soil[side])
    return tallest


@compiled
def rest(
    s: Row,
    c: Row,
    rover: Row,
    wheels: Row,
    words: Words,
    broken: Broken,
    soils: Coefficients,
    soil: Coefficients,
) -> None:
    """Put a rover that has just been placed at rest: settled on the ground, nothing turning."""
    s[WHEEL_L : AHEAD + 2] = 0.0
    s[DRIVE], s[STEER], s[STUCK] = 0.0, 0.0, 0.0
    settle(s, heading_of(s), c, rover, wheels, words, broken, soils, soil)
    for side in range(2):
        s[SINK_L + side] = rover[RADIUS] * exp(soil[side, ALPHA])
