"""Six wheels on the ground: what carries what, and relief and landforms between the cells."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rover_cl_envs import dynamics as d
from rover_cl_envs.compiled import Words
from rover_cl_envs.conditions import Conditions
from rover_cl_envs.grid import words_of
from rover_cl_envs.landforms import Broken, form_height
from rover_cl_envs.lanes import heading_of
from rover_cl_envs.rovers import MER
from rover_cl_envs.settling import settle
from rover_cl_envs.terrain import CELL, RELIEF, RELIEF_UNIT, ROCK, SIDE, TerrainBank, terrain_bank

NO_CRUST = Broken(cells=np.zeros(0, dtype=np.uint8), some=np.zeros(1, dtype=np.uint8))


def settled(
    words: Words, conditions: Conditions, x: float, y: float, yaw: float = 0.0
) -> tuple[NDArray[np.float32], float]:
    """State (24,) of a MER rover there, and the tallest rock under a wheel [m]."""
    state = np.zeros(d.STATE, dtype=np.float32)
    state[[d.X, d.Y, d.YAW]] = x, y, yaw
    soil = np.zeros((2, 9))
    c, rover, soils = conditions.to_array(), MER.to_array(), MER.soil_table()
    return state, settle(state, heading_of(state), c, rover, MER.wheels, words, NO_CRUST, soils, soil)


def test_a_rocker_carries_the_front_wheel_and_a_bogie_the_others() -> None:
    conditions = Conditions(relief=0.0, patch_cover=0.0, outcrop_cover=0.0, rock_abundance=0.01)
    expected = np.array([0.5, -0.25, -0.25] * 2) * 0.125 / (0.75 * MER.wheelbase)
    for wheel, pitch in enumerate(expected):
        ground = np.zeros((1, SIDE, SIDE, 4), dtype=np.int16)
        x, y = MER.wheels[wheel]
        ground[0, int((10.0 + y) / CELL), int((10.0 + x) / CELL), ROCK] = 256 + 32  # 0.125 m high
        state, tallest = settled(words_of(ground)[0], conditions, 10.0, 10.0)
        assert tallest == pytest.approx(0.125)
        assert state[d.PITCH] == pytest.approx(pitch)
        assert state[d.ROLL] == pytest.approx((1 if y > 0 else -1) * 0.125 / 3 / MER.track)


def test_a_rock_is_there_from_its_abundance_on() -> None:
    """Codes from 128 thousandths on fill the bit that is the sign of 16 bits."""
    ground = np.zeros((1, SIDE, SIDE, 4), dtype=np.int16)
    ground[..., ROCK] = 256 * 150 + 32 - 65536
    for abundance, height in ((0.1, 0.0), (0.149, 0.0), (0.15, 0.125), (0.2, 0.125)):
        conditions = Conditions(relief=0.0, patch_cover=0.0, outcrop_cover=0.0, rock_abundance=abundance)
        assert settled(words_of(ground)[0], conditions, 10.0, 10.0)[1] == pytest.approx(height)


def relief_at(ground: NDArray[np.int16], x: float, y: float) -> float:
    """Unit relief, bilinear between the centres of the cells, in the plainest way."""
    u, v = x / CELL - 0.5, y / CELL - 0.5
    west, south = math.floor(u), math.floor(v)
    return float(
        sum(
            (1 - abs(u - i)) * (1 - abs(v - j)) * ground[j % SIDE, i % SIDE, RELIEF] * RELIEF_UNIT
            for i in (west, west + 1)
            for j in (south, south + 1)
        )
    )


def tilt(heights: list[float]) -> tuple[float, float]:
    """Pitch and roll of MER as tangents, wheels at these heights [m]: rockers, bogies and a differential."""
    pitches = [heights[k] - (heights[k + 1] + heights[k + 2]) / 2 for k in (0, 3)]
    left, right = np.mean(heights[:3]), np.mean(heights[3:])
    return sum(pitches) / 2 / (0.75 * MER.wheelbase), float(left - right) / MER.track


@pytest.mark.parametrize("formed", [False, True])
def test_wheels_stand_where_relief_and_landforms_are(formed: bool) -> None:
    bank: TerrainBank = terrain_bank(3, 1)
    words = bank.formed_words[0] if formed else bank.words[0]
    forms: dict[str, Any] = (
        {"crater_freshness": 0.6, "ripple_height": 0.2, "tar_height": 0.7} if formed else {}
    )
    conditions = Conditions(relief=0.05, slope_east=0.03, slope_north=-0.02, rock_abundance=0.0, **forms)
    rng = np.random.default_rng(0)
    for x, y in rng.uniform(-SIDE * CELL, SIDE * CELL, (50, 2)).astype(np.float32).tolist():
        yaw = float(np.float32(rng.uniform(-3, 3)))
        state, tallest = settled(words, conditions, x, y, yaw)
        heights = []
        for ahead, left in MER.wheels.tolist():
            east = math.cos(yaw) * ahead - math.sin(yaw) * left
            north = math.sin(yaw) * ahead + math.cos(yaw) * left
            height = 0.05 * relief_at(bank.ground[0], x + east, y + north) + 0.03 * east - 0.02 * north
            if formed:
                height += form_height(words, x + east, y + north, 0.6, 0.2, 0.7)
            heights.append(height)
        assert tallest == 0.0
        assert (state[d.PITCH], state[d.ROLL]) == pytest.approx(tilt(heights), abs=2e-4)


def test_the_map_is_periodic() -> None:
    words, conditions = terrain_bank(0, 1).words[0], Conditions()
    for x, y in np.random.default_rng(0).uniform(0, SIDE * CELL, (50, 2)):
        x, y = round(x, 3), round(y, 3)  # far from where the next cell begins, so that rounding does not tell
        here = settled(words, conditions, x, y)[0][[d.PITCH, d.ROLL]]
        there = settled(words, conditions, x + SIDE * CELL, y - SIDE * CELL)[0][[d.PITCH, d.ROLL]]
        np.testing.assert_allclose(there, here, atol=1e-4)
