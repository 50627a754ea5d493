"""Rocks: as many as at the landing sites, and never one that moves."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from rover_cl_envs.grid import CELL, SIDE
from rover_cl_envs.rocks import (
    ABUNDANCE_STEPS,
    COMMON_ABUNDANCE,
    HEIGHT_OVER_DIAMETER,
    MAX_ABUNDANCE,
    ROCK_UNIT,
    SMALLEST_ROCK,
    rock_density,
    rock_height,
    rock_heights,
    scattered,
    stamp,
)

MAPS = 6
AREA = MAPS * (SIDE * CELL) ** 2  # [m^2]

# Rocks larger than D [m] on 100 m^2, by share of the ground covered: Golombek et al. (2003), integrated.
GOLOMBEK = {
    0.02: {0.2: 5.3, 0.25: 2.3},
    0.03: {0.2: 11.4, 0.25: 5.7, 0.5: 0.33},
    0.05: {0.2: 24.0, 0.25: 13.5, 0.5: 1.36},
    0.07: {0.2: 36.0, 0.25: 21.0, 0.5: 2.7},
    0.10: {0.2: 53.0, 0.25: 32.0, 0.5: 5.0},
    0.19: {0.2: 99.0, 0.25: 64.0, 0.5: 12.0},
}


def heights_of(codes: NDArray[np.int16], abundance: float) -> NDArray[np.float64]:
    """Rock heights of a rock layer at that abundance."""
    stones = np.array([rock_height(code, abundance) for code in codes[codes != 0]])
    out = np.zeros(codes.shape)
    out[codes != 0] = stones
    return out


def rocks_of(seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Place, diameter and first abundance of the rocks of one map."""
    return scattered(np.random.default_rng(seed))


@pytest.mark.parametrize("abundance", GOLOMBEK)
def test_rock_density_is_golombeks(abundance: float) -> None:
    for diameter, per_100 in GOLOMBEK[abundance].items():
        assert 100 * rock_density(diameter, abundance) == pytest.approx(per_100, rel=0.05)


@pytest.mark.parametrize("abundance", GOLOMBEK)
def test_rock_counts_are_golombeks_within_poisson_bounds(abundance: float) -> None:
    shown = [diameter[appears <= abundance + 1e-9] for _, diameter, appears in map(rocks_of, range(MAPS))]
    for diameter, per_100 in GOLOMBEK[abundance].items():
        if diameter < SMALLEST_ROCK:
            continue
        expected = per_100 * AREA / 100
        number = np.count_nonzero(np.concatenate(shown) > diameter)
        assert number == pytest.approx(expected, abs=4 * math.sqrt(expected))


def test_every_rock_stands_on_the_map_unless_a_larger_one_does() -> None:
    codes = np.zeros((SIDE, SIDE), dtype=np.int16)
    place, diameter, appears = rocks_of(0)
    stamp(codes, place, diameter, appears)
    for (x, y), wide, first in zip(place, diameter, appears, strict=True):
        code = codes[int(y / CELL), int(x / CELL)]
        least = HEIGHT_OVER_DIAMETER * wide - ROCK_UNIT
        assert rock_height(code, MAX_ABUNDANCE) >= (least if first <= COMMON_ABUNDANCE else ROCK_UNIT)


def test_thinning_only_takes_rocks_away() -> None:
    codes = np.zeros((SIDE, SIDE), dtype=np.int16)
    stamp(codes, *rocks_of(5))
    before = np.zeros(codes.shape)
    for abundance in (0.0, 0.001, 0.01, 0.02, 0.05, COMMON_ABUNDANCE, 0.13, MAX_ABUNDANCE):
        now = heights_of(codes, abundance)
        assert ((now == before) | (before == 0)).all()
        assert np.count_nonzero(now) >= np.count_nonzero(before)
        before = now
    assert not heights_of(codes, 0.0).any()
    assert np.count_nonzero(before) == np.count_nonzero(codes)


def test_rock_height_reads_the_code() -> None:
    code = 256 * 20 + 64  # 64 / 256 m high, from 20 thousandths on
    assert rock_height(0, MAX_ABUNDANCE) == 0
    assert rock_height(code, 19 / ABUNDANCE_STEPS) == 0
    assert rock_height(code, 20 / ABUNDANCE_STEPS) == 0.25
    assert rock_height(code, float(np.float32(20 / ABUNDANCE_STEPS))) == 0.25
    from_200 = 256 * 200 + 64 - 65536  # 51264, but for the sign
    many = np.array([0, code, 256 * 20 + 255, from_200], dtype=np.int16)
    for abundance in (0.0, 0.019, 0.02, 0.199, MAX_ABUNDANCE):
        expected = [rock_height(one, abundance) for one in many]
        np.testing.assert_array_equal(rock_heights(many, abundance), np.array(expected, dtype=np.float32))
    assert rock_heights(many, MAX_ABUNDANCE).tolist() == [0.0, 0.25, 255 / 256, 0.25]


def test_rocks_that_stand_only_above_the_common_abundance_leave_the_others_as_they_are() -> None:
    rows = rocks_of(3)
    common = [part[rows[2] <= COMMON_ABUNDANCE] for part in rows]
    both, alone = np.zeros((2, SIDE, SIDE), dtype=np.int16)
    stamp(both, *rows)
    stamp(alone, *common)
    here, there = rock_heights(both, COMMON_ABUNDANCE), rock_heights(alone, MAX_ABUNDANCE)
    np.testing.assert_array_equal(here, there)
    assert np.count_nonzero(both) > 1.4 * np.count_nonzero(alone)
