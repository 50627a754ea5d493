"""Where an episode begins: a place for the rover and two targets, on clear ground."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from rover_cl_envs.compiled import Row, Words, compiled
from rover_cl_envs.dynamics import (
    COVER,
    CRATERS,
    CRUST,
    OBSTACLE,
    REWARDED,
    ROCKS,
    STRENGTH,
    TARGET_AX,
    TARGET_AY,
    TARGET_B,
    TARGET_BX,
    TARGET_BY,
    TARS,
    TO_GO,
    TRACK,
    WHEELBASE,
    YAW,
    X,
    Y,
)
from rover_cl_envs.grid import CELL, SIDE, layers_of, words_in_cell
from rover_cl_envs.landforms import form_height, has_crust
from rover_cl_envs.memory import scratch
from rover_cl_envs.mission import APART, FAR, NEAR, distance_to
from rover_cl_envs.randomness import uniform
from rover_cl_envs.settling import ground_pressure, has_forms
from rover_cl_envs.terrain import PATCH, PATCH_UNIT, ROCK, patch_share, rock_height

STEEP_START = 0.36  # grade of landforms, 20 degrees, on which nobody starts and no target lies
SPAN = 64  # cells along a side of the largest rover's clear ground, and more
_cells = scratch(SPAN, np.int64)
TRIES = 64  # draws of a place before an unlucky one is taken


@compiled
def clearance(rover: Row) -> int:
    """Cells of free ground on each side of a start or a target: the rover's wheels, whatever its yaw."""
    return math.ceil(0.5 * math.hypot(rover[WHEELBASE], rover[TRACK]) / CELL)


@compiled
def _is_even(words: Words, x: float, y: float, c: Row, rover: Row) -> bool:
    """Whether the landforms under a rover at x, y are no steep wall."""
    reach = clearance(rover) * CELL
    craters, tars = c[CRATERS], c[TARS]
    rise_x = form_height(words, x + reach, y, craters, 0.0, tars)
    rise_x -= form_height(words, x - reach, y, craters, 0.0, tars)
    rise_y = form_height(words, x, y + reach, craters, 0.0, tars)
    rise_y -= form_height(words, x, y - reach, craters, 0.0, tars)
    return math.hypot(rise_x, rise_y) <= 2.0 * reach * STEEP_START


@compiled
def _are_free(cells: Words, forms: Words, count: int, breaks: bool, c: Row, rover: Row) -> bool:
    """Whether the first `count` cells have no patch, no rock too high, and no crust if that `breaks`.

    Args:
        cells: words of the ground.
        forms: words of the landforms.
        count: how many cells.
        breaks: whether crust is too weak for the rover.
        c: conditions.
        rover: its obstacle limit is the height that counts.
    """
    cover, rocks, crust, climbed = c[COVER], c[ROCKS], c[CRUST], rover[OBSTACLE]
    taken = 0
    for k in range(count):
        cell = layers_of(cells[k])
        taken += 1 if patch_share(cell[PATCH] * PATCH_UNIT, cover) > 0.0 else 0
        taken += 1 if rock_height(cell[ROCK], rocks) > climbed else 0
    if breaks:
        for k in range(count):
            taken += 1 if has_crust(layers_of(forms[k]), crust) else 0
    return taken == 0


@compiled
def is_clear(words: Words, x: float, y: float, c: Row, rover: Row) -> bool:
    """Whether the ground under a rover at x, y has no patch, and no rock higher than it climbs.

    Where there are landforms, no crust that breaks and no steep wall either.
    """
    formed = has_forms(c, words)
    breaks = formed and ground_pressure(c, rover) > c[STRENGTH]
    column, row, clear, each = (
        math.floor(x / CELL),
        math.floor(y / CELL),
        clearance(rover),
        words_in_cell(words),
    )
    cells, forms = _cells(), _cells()
    # The middle and the edges first: most places that won't do show there, and every cell is far in memory.
    for i in range(row - clear, row + clear + 1, clear):
        for j in range(column - clear, column + clear + 1, clear):
            at = each * ((i & (SIDE - 1)) * SIDE + (j & (SIDE - 1)))
            cells[0], forms[0] = words[at], words[at + each - 1]
            if not _are_free(cells, forms, 1, breaks, c, rover):
                return False
    for i in range(row - clear, row + clear + 1):
        for k in range(2 * clear + 1):
            at = each * ((i & (SIDE - 1)) * SIDE + ((column - clear + k) & (SIDE - 1)))
            cells[k], forms[k] = words[at], words[at + each - 1]
        if not _are_free(cells, forms, 2 * clear + 1, breaks, c, rover):
            return False
    return not formed or _is_even(words, x, y, c, rover)


@compiled
def draw_around(s: Row, column: int, middle: int, mission: Row, generator: NDArray[np.uint64]) -> None:
    """Draw a place as far as the mission's targets are from the place in the column `middle` and the next."""
    distance = mission[NEAR] + (mission[FAR] - mission[NEAR]) * uniform(generator)
    bearing = 2.0 * math.pi * uniform(generator)
    s[column] = s[middle] + distance * math.cos(bearing)
    s[column + 1] = s[middle + 1] + distance * math.sin(bearing)


@compiled
def _place_target(
    s: Row,
    c: Row,
    mission: Row,
    rover: Row,
    words: Words,
    generator: NDArray[np.uint64],
    column: int,
) -> None:
    """Draw target A (column TARGET_AX) or B around the rover, on clear ground and apart from the other."""
    for _ in range(TRIES):
        draw_around(s, column, X, mission, generator)
        gap = math.hypot(s[TARGET_BX] - s[TARGET_AX], s[TARGET_BY] - s[TARGET_AY])
        if column == TARGET_BX and gap < mission[APART]:
            continue
        if is_clear(words, s[column], s[column + 1], c, rover):
            return


@compiled
def begin(
    s: Row,
    c: Row,
    mission: Row,
    rover: Row,
    words: Words,
    generator: NDArray[np.uint64],
) -> None:
    """Place the rover of state `s` (24,) and its two targets, and draw which target is rewarded."""
    for _ in range(TRIES):
        s[X], s[Y] = SIDE * CELL * uniform(generator), SIDE * CELL * uniform(generator)
        if is_clear(words, s[X], s[Y], c, rover):
            break
    s[YAW] = math.pi * (2.0 * uniform(generator) - 1.0)
    s[REWARDED] = 1.0 if uniform(generator) < c[TARGET_B] else 0.0
    _place_target(s, c, mission, rover, words, generator, TARGET_AX)
    _place_target(s, c, mission, rover, words, generator, TARGET_BX)
    s[TO_GO] = distance_to(s, s[REWARDED])
