"""Where an episode begins: a place for the rover and two targets, on clear ground.

Most places that are drawn won't do. So they are drawn `GROUP` at a time, which costs hardly more than one:
their middles are on the way from memory together, and those that lie on anything drop out at once. What was
drawn behind the place that is taken counts as not drawn.
"""

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
    TARS,
    TO_GO,
    TRACK,
    WHEELBASE,
    YAW,
    X,
)
from rover_cl_envs.elementary import sin_cos
from rover_cl_envs.grid import CELL, PERIOD, cell_number, column_part, layers_of, row_part, words_in_cell
from rover_cl_envs.landforms import form_height, has_crust
from rover_cl_envs.memory import scratch
from rover_cl_envs.mission import APART, FAR, NEAR, distance_to
from rover_cl_envs.randomness import COUNTER, KEY, uniform, uniform_at
from rover_cl_envs.rocks import rock_height
from rover_cl_envs.settling import ground_pressure, has_forms
from rover_cl_envs.terrain import PATCH, PATCH_UNIT, ROCK, patch_share

STEEP_START = 0.36  # grade of landforms, 20 degrees, on which nobody starts and no target lies
SPAN = 64  # cells along a side of the largest rover's clear ground, and more
GROUP = 8  # places drawn together
GROUPS = 8  # drawn before an unlucky place is taken
_cells, _taken, _places = scratch(SPAN, np.int64), scratch(SPAN, np.int64), scratch(GROUP, np.float32)


@compiled
def clearance(rover: Row) -> int:
    """Cells of free ground on each side of a start or a target: the rover's wheels, whatever its yaw."""
    length, width = float(rover[WHEELBASE]), float(rover[TRACK])
    return math.ceil(0.5 * math.sqrt(length * length + width * width) / CELL)


@compiled
def _is_even(words: Words, x: float, y: float, c: Row, rover: Row) -> bool:
    """Whether the landforms under a rover at x, y are no steep wall."""
    reach = clearance(rover) * CELL
    craters, tars = c[CRATERS], c[TARS]
    rise_x = form_height(words, x + reach, y, craters, 0.0, tars)
    rise_x -= form_height(words, x - reach, y, craters, 0.0, tars)
    rise_y = form_height(words, x, y + reach, craters, 0.0, tars)
    rise_y -= form_height(words, x, y - reach, craters, 0.0, tars)
    return math.sqrt(rise_x * rise_x + rise_y * rise_y) <= 2.0 * reach * STEEP_START


@compiled
def _take_stock(
    cells: Words, forms: Words, count: int, breaks: bool, c: Row, rover: Row, taken: Words
) -> int:
    """Count what lies on the first `count` cells: patches, rocks too high, and crust if that `breaks`.

    Args:
        cells: words of the ground.
        forms: words of the landforms.
        count: how many cells.
        breaks: whether crust is too weak for the rover.
        c: conditions.
        rover: its obstacle limit is the height that counts.
        taken: gets the count of each cell, 0 where it is free.

    Returns:
        Their sum.
    """
    cover, rocks, crust, climbed, total = c[COVER], c[ROCKS], c[CRUST], rover[OBSTACLE], 0
    for k in range(count):
        cell = layers_of(cells[k])
        patch = 1 if patch_share(cell[PATCH] * PATCH_UNIT, cover) > 0.0 else 0
        taken[k] = patch + (1 if rock_height(cell[ROCK], rocks) > climbed else 0)
    if breaks:
        for k in range(count):
            taken[k] = taken[k] + (1 if has_crust(layers_of(forms[k]), crust) else 0)
    for k in range(count):
        total += taken[k]
    return total


@compiled
def is_clear(words: Words, x: float, y: float, c: Row, rover: Row) -> bool:
    """Whether the ground under a rover at x, y has no patch, and no rock higher than it climbs.

    Where there are landforms, no crust that breaks and no steep wall either.
    """
    formed, each, clear = has_forms(c, words), words_in_cell(words), clearance(rover)
    breaks = formed and ground_pressure(c, rover) > c[STRENGTH]
    column, row = math.floor(x / CELL), math.floor(y / CELL)
    cells, forms, taken, count = _cells(), _cells(), _taken(), 0
    # The middle and the edges first: most places that won't do show there, and every cell is far in memory.
    for i in range(-clear, clear + 1, clear):
        for j in range(-clear, clear + 1, clear):
            at = each * np.uint64(row_part(row + i) + column_part(column + j))
            cells[count], forms[count] = words[at], words[at + each - np.uint64(1)]
            count += 1
    if _take_stock(cells, forms, count, breaks, c, rover, taken) > 0:
        return False
    for i in range(row - clear, row + clear + 1):
        for k in range(2 * clear + 1):
            at = each * np.uint64(row_part(i) + column_part(column - clear + k))
            cells[k], forms[k] = words[at], words[at + each - np.uint64(1)]
        if _take_stock(cells, forms, 2 * clear + 1, breaks, c, rover, taken) > 0:
            return False
    return not formed or _is_even(words, x, y, c, rover)


@compiled
def _take_first(
    s: Row,
    column: int,
    xs: Row,
    ys: Row,
    apart: float,
    c: Row,
    rover: Row,
    words: Words,
    generator: NDArray[np.uint64],
) -> bool:
    """Take the first of the places (GROUP,) that is clear, and at least `apart` from target A [m].

    It is written into `column` of the state `s` (24,) and the next; if there is none, the last one is. The
    generator is left where the draw of that place ended.

    Returns:
        Whether there is one.
    """
    each, cells, forms, taken = words_in_cell(words), _cells(), _cells(), _taken()
    breaks = has_forms(c, words) and ground_pressure(c, rover) > c[STRENGTH]
    for k in range(GROUP):
        at = each * np.uint64(cell_number(xs[k], ys[k]))
        cells[k], forms[k] = words[at], words[at + each - np.uint64(1)]
    _take_stock(cells, forms, GROUP, breaks, c, rover, taken)
    found, last = False, GROUP - 1
    for k in range(GROUP):
        dx, dy = float(xs[k]) - s[TARGET_AX], float(ys[k]) - s[TARGET_AY]
        if taken[k] > 0 or math.sqrt(dx * dx + dy * dy) < apart:
            continue
        if is_clear(words, xs[k], ys[k], c, rover):
            found, last = True, k
            break
    s[column], s[column + 1] = xs[last], ys[last]
    generator[COUNTER] += np.uint64(2 * last + 2)
    return found


@compiled
def place_target(
    s: Row,
    column: int,
    middle: int,
    apart: float,
    c: Row,
    mission: Row,
    rover: Row,
    words: Words,
    generator: NDArray[np.uint64],
) -> None:
    """Draw the target in `column` of the state `s` (24,) and the next, on clear ground.

    It lies as far from the place in the column `middle` and the next as the mission says, and at least
    `apart` from target A [m].
    """
    xs, ys, x, y = _places(), _places(), s[middle], s[middle + 1]
    near, wide, key = mission[NEAR], mission[FAR] - mission[NEAR], generator[KEY]
    for _ in range(GROUPS):
        drawn = generator[COUNTER]
        for k in range(GROUP):
            distance = near + wide * uniform_at(key, drawn + np.uint64(2 * k + 1))
            sin, cos = sin_cos(2.0 * math.pi * uniform_at(key, drawn + np.uint64(2 * k + 2)))
            xs[k], ys[k] = x + distance * cos, y + distance * sin
        if _take_first(s, column, xs, ys, apart, c, rover, words, generator):
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
    xs, ys, key = _places(), _places(), generator[KEY]
    for _ in range(GROUPS):
        drawn = generator[COUNTER]
        for k in range(GROUP):
            xs[k] = PERIOD * uniform_at(key, drawn + np.uint64(2 * k + 1))
            ys[k] = PERIOD * uniform_at(key, drawn + np.uint64(2 * k + 2))
        if _take_first(s, X, xs, ys, 0.0, c, rover, words, generator):
            break
    s[YAW] = math.pi * (2.0 * uniform(generator) - 1.0)
    s[REWARDED] = 1.0 if uniform(generator) < c[TARGET_B] else 0.0
    place_target(s, TARGET_AX, X, 0.0, c, mission, rover, words, generator)
    place_target(s, TARGET_BX, X, mission[APART], c, mission, rover, words, generator)
    s[TO_GO] = distance_to(s, s[REWARDED])
