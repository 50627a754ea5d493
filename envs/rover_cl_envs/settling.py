"""How rovers stand: six wheels each on the ground, pitch, roll, and the soil under each side.

Rocker-bogie settling in closed form, in the spirit of JPL's ACE (Otsu et al. 2018). The rovers of a block are
put down side by side, in lanes (footing.py): `tread`, `locate`, `look_down` at the map rover by rover,
`bear`; where there are landforms `look_down` again, `bear_forms` and `press`; `mix`, and `stand`, which
writes back what has come of it. `settle` does it all for one rover alone, at starts and in forecasts.
"""

from __future__ import annotations

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
from rover_cl_envs.footing import WHEELS, Corners, Footing, Stance, corners, footing, stance
from rover_cl_envs.grid import CELL, ORIGIN, cell_number, column_part, layers_of, row_part, words_in_cell
from rover_cl_envs.landforms import Broken, break_crust, cell_height, crest_share, has_crust, is_broken
from rover_cl_envs.lanes import Heading, heading_of
from rover_cl_envs.rocks import abundance_step, standing_height
from rover_cl_envs.soil import ALPHA, NO_WEIGHTS, blend, weigh
from rover_cl_envs.terrain import PATCH, PATCH_UNIT, RELIEF, RELIEF_UNIT, ROCK, outcrop_share, patch_share

CRUST_SOIL = 1 / 6  # fluffiness of a crust that holds: half way from bedrock to regolith


@compiled
def want_forms(c: Row) -> bool:
    """Whether conditions `c` ask for landforms."""
    return c[CRATERS] > 0.0 or c[RIPPLES] > 0.0 or c[TARS] > 0.0 or c[CRUST] > 0.0


@compiled
def has_forms(c: Row, words: Words) -> bool:
    """Whether conditions `c` ask for landforms, and the map has any: two words a cell."""
    return want_forms(c) and int(words_in_cell(words)) > 1


@compiled
def ground_pressure(c: Row, rover: Row) -> float:
    """Mean pressure under the rover's wheels [kPa], in proportion to its weight."""
    return rover[PRESSURE] * c[GRAVITY] / MARS_GRAVITY


@compiled_within
def tread(
    i: int, count: int, s: Row, heading: Heading, c: Row, rover: Row, wheels: Row, at: Footing, on: Stance
) -> None:
    """Write into lane i of `count` where the rover in state `s` (24,), so headed, sets its wheels.

    And what its conditions make of the ground.
    """
    (cos, sin), x, y = heading, s[X], s[Y]
    for w in range(WHEELS):
        at.x[w * count + i] = x + cos * wheels[w, 0] - sin * wheels[w, 1]
        at.y[w * count + i] = y + sin * wheels[w, 0] + cos * wheels[w, 1]
    on.x[i], on.y[i], on.climbed[i] = x, y, rover[OBSTACLE]
    on.rough[i], on.slope_east[i], on.slope_north[i] = c[ROUGH], c[EAST], c[NORTH]
    on.usual[i], on.patches[i], on.cover[i], on.outcrop[i] = c[GROUND], c[PATCHES], c[COVER], c[OUTCROP]
    on.rocks[i] = abundance_step(c[ROCKS])
    on.craters[i], on.ripples[i], on.tars[i] = c[CRATERS], c[RIPPLES], c[TARS]
    on.softness[i], on.crust[i] = c[SOFTNESS], c[CRUST]


@compiled_within
def locate(wheels: int, at: Footing) -> None:
    """Find the cells of the first so many wheels."""
    for j in range(wheels):
        at.own[j] = cell_number(at.x[j], at.y[j])
        u, v = at.x[j] / CELL + (ORIGIN - 0.5), at.y[j] / CELL + (ORIGIN - 0.5)
        column, row = np.int32(u), np.int32(v)
        at.east[j], at.north[j] = u - column, v - row
        west, east = column_part(column), column_part(column + np.int32(1))
        south, north = row_part(row), row_part(row + np.int32(1))
        at.south_west[j], at.south_east[j] = south + west, south + east
        at.north_west[j], at.north_east[j] = north + west, north + east


@compiled_within
def look_down(i: int, count: int, words: Words, which: int, at: Footing, cells: Corners) -> None:
    """Read the map under the wheels of lane i of `count`: word 0 of each cell, or 1, landforms."""
    each, word = words_in_cell(words), np.uint64(which)
    for w in range(WHEELS):
        j = w * count + i
        cells.own[j] = words[each * np.uint64(at.own[j]) + word]
        cells.south_west[j] = words[each * np.uint64(at.south_west[j]) + word]
        cells.south_east[j] = words[each * np.uint64(at.south_east[j]) + word]
        cells.north_west[j] = words[each * np.uint64(at.north_west[j]) + word]
        cells.north_east[j] = words[each * np.uint64(at.north_east[j]) + word]


@compiled_within
def bear(count: int, cells: Corners, at: Footing, on: Stance) -> None:
    """Height, rock and soil under the wheels of `count` rovers, and what that makes of their sides and pitch.

    Relief is bilinear between the cells' centres.
    """
    for w in range(WHEELS):
        for i in range(count):
            j = w * count + i
            south = (1.0 - at.east[j]) * layers_of(cells.south_west[j])[RELIEF]
            south = south + at.east[j] * layers_of(cells.south_east[j])[RELIEF]
            north = (1.0 - at.east[j]) * layers_of(cells.north_west[j])[RELIEF]
            north = north + at.east[j] * layers_of(cells.north_east[j])[RELIEF]
            relief = ((1.0 - at.north[j]) * south + at.north[j] * north) * RELIEF_UNIT
            own = layers_of(cells.own[j])
            rock = standing_height(own[ROCK], on.rocks[i])
            # Rounded as a rover's place is, so that trajectories stay what they were.
            height = on.rough[i] * relief + on.slope_east[i] * (np.float32(at.x[j]) - on.x[i])
            height = height + on.slope_north[i] * (np.float32(at.y[j]) - on.y[i])
            at.rock[j], at.height[j] = rock, height + min(rock, on.climbed[i])
            field = own[PATCH] * PATCH_UNIT
            soft, firm = patch_share(field, on.cover[i]), outcrop_share(field, on.outcrop[i])
            at.soil[j] = on.usual[i] * (1.0 - soft - firm) + soft * on.patches[i]
    for i in range(count):
        on.left[i], on.right[i], on.pitch[i] = _balance(i, count, at.height)
        on.tallest[i] = 0.0
    for w in range(WHEELS):
        for i in range(count):
            on.tallest[i] = max(on.tallest[i], at.rock[w * count + i])


@compiled_within
def bear_forms(count: int, forms: Corners, at: Footing, on: Stance) -> None:
    """Add to what `bear` found the landforms: their height, and the loose sand of crests; note crust."""
    for w in range(WHEELS):
        for i in range(count):
            j, craters, ripples, tars = w * count + i, on.craters[i], on.ripples[i], on.tars[i]
            south = (1.0 - at.east[j]) * cell_height(layers_of(forms.south_west[j]), craters, ripples, tars)
            south += at.east[j] * cell_height(layers_of(forms.south_east[j]), craters, ripples, tars)
            north = (1.0 - at.east[j]) * cell_height(layers_of(forms.north_west[j]), craters, ripples, tars)
            north += at.east[j] * cell_height(layers_of(forms.north_east[j]), craters, ripples, tars)
            at.lift[j] = (1.0 - at.north[j]) * south + at.north[j] * north
            own = layers_of(forms.own[j])
            loose = on.softness[i] * crest_share(own, ripples, tars)
            at.soil[j] = at.soil[j] + loose * (1.0 - at.soil[j])
            at.crusted[j] = 1 if has_crust(own, on.crust[i]) else 0
    for i in range(count):
        left, right, pitch = _balance(i, count, at.lift)
        on.left[i], on.right[i] = on.left[i] + left, on.right[i] + right
        on.pitch[i] = on.pitch[i] + pitch


@compiled
def _balance(i: int, count: int, heights: Coefficients) -> tuple[float, float, float]:
    """Mean height of the wheels on the left and on the right, and the pitch summed up over all six [m]."""
    pitch, left, right = 0.0, 0.0, 0.0
    for k in range(3):
        left += heights[k * count + i] * THIRD
        # The bogie's pivot is halfway between middle and rear wheel, 0.75 wheelbase behind the front one.
        pitch += (0.5 if k == 0 else -0.25) * heights[k * count + i]
    for k in range(3):
        right += heights[(3 + k) * count + i] * THIRD
        pitch += (0.5 if k == 0 else -0.25) * heights[(3 + k) * count + i]
    return left, right, pitch


@compiled_within
def press(i: int, count: int, c: Row, rover: Row, broken: Broken, at: Footing) -> None:
    """Change the soil under the wheels of lane i of `count` that stand on crust; weak crust breaks."""
    for w in range(WHEELS):
        j = w * count + i
        if at.crusted[j] == 1:
            at.soil[j] = _crust_soil(int(at.own[j]), c, rover, broken)


@compiled
def _crust_soil(number: int, c: Row, rover: Row, broken: Broken) -> float:
    """Fluffiness under a wheel on crust, which breaks if it is too weak."""
    if not is_broken(broken, number):
        if ground_pressure(c, rover) <= c[STRENGTH]:
            return CRUST_SOIL
        break_crust(broken, number)
    return c[PATCHES]


@compiled_within
def mix(count: int, at: Footing, on: Stance) -> None:
    """Weigh the soils under each side of `count` rovers."""
    for side in range(2):
        for i in range(count):
            weights = NO_WEIGHTS
            for k in range(3):
                weights = weigh(at.soil[(3 * side + k) * count + i], THIRD, weights)
            j = side * count + i
            on.bedrock[j], on.regolith[j], on.sand[j], on.drift[j] = weights


@compiled_within
def stand(
    i: int, count: int, s: Row, rover: Row, soils: Coefficients, soil: Coefficients, on: Stance
) -> None:
    """Write how the rover of lane i of `count` stands: pitch and roll, and the soil under each side."""
    s[PITCH] = on.pitch[i] / (0.75 * rover[WHEELBASE])
    s[ROLL] = (on.left[i] - on.right[i]) / rover[TRACK]
    for side in range(2):
        j = side * count + i
        blend(soils, (on.bedrock[j], on.regolith[j], on.sand[j], on.drift[j]), soil[side])


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
    at, cells, on = footing(), corners(), stance()
    tread(0, 1, s, heading, c, rover, wheels, at, on)
    locate(WHEELS, at)
    look_down(0, 1, words, 0, at, cells)
    bear(1, cells, at, on)
    if has_forms(c, words):
        look_down(0, 1, words, 1, at, cells)
        bear_forms(1, cells, at, on)
        press(0, 1, c, rover, broken, at)
    mix(1, at, on)
    stand(0, 1, s, rover, soils, soil, on)
    return on.tallest[0]


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
