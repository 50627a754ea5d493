from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from rover_cl_envs import terrain
from rover_cl_envs.terrain import (
    ABUNDANCE_STEPS,
    CELL,
    COMMON_ABUNDANCE,
    HEIGHT_OVER_DIAMETER,
    HURST,
    MAX_ABUNDANCE,
    PATCH,
    RELIEF,
    ROCK,
    ROCK_UNIT,
    SIDE,
    SMALLEST_ROCK,
    TEXTURE,
    TerrainBank,
    outcrop_share,
    patch_share,
    rock_density,
    rock_height,
    rock_heights,
    scattered,
    terrain_bank,
    values,
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


@pytest.fixture(scope="module")
def bank() -> TerrainBank:
    return terrain_bank(5, MAPS)


def heights_of(codes: NDArray[np.int16], abundance: float) -> NDArray[np.float64]:
    """Rock heights of a rock layer at that abundance."""
    stones = np.array([rock_height(code, abundance) for code in codes[codes != 0]])
    out = np.zeros(codes.shape)
    out[codes != 0] = stones
    return out


def rocks_of(seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Place, diameter and first abundance of the rocks of one map."""
    return scattered(np.random.default_rng(seed))


def rise(heights: NDArray[np.float32], lag: int, axis: int) -> NDArray[np.float32]:
    return heights - np.roll(heights, lag, axis=axis)


def test_relief_rises_by_one_over_one_metre(bank: TerrainBank) -> None:
    for heights in values(bank.ground, RELIEF):
        steps = [rise(heights, round(1 / CELL), axis) for axis in (0, 1)]
        assert np.sqrt(np.mean(np.square(steps))) == pytest.approx(1, abs=1e-3)
        assert heights.mean() == pytest.approx(0, abs=1e-3)


def test_relief_is_self_affine(bank: TerrainBank) -> None:
    heights = values(bank.ground, RELIEF)
    metres = np.array([1, 2, 4])
    spread = [math.sqrt(np.mean(rise(heights, round(m / CELL), 2) ** 2)) for m in metres]
    slope = np.polyfit(np.log(metres), np.log(spread), 1)[0]
    assert slope == pytest.approx(HURST, abs=0.15)


def test_every_layer_runs_on_over_the_edge(bank: TerrainBank) -> None:
    for layer in (RELIEF, PATCH, TEXTURE):
        for axis in (1, 2):
            steps = np.abs(rise(values(bank.ground, layer), 1, axis))
            seam = np.take(steps, 0, axis=axis)
            assert seam.mean() == pytest.approx(steps.mean(), rel=0.25)
            assert seam.max() <= 1.5 * steps.max()


def test_patch_field_is_uniform(bank: TerrainBank) -> None:
    for field in values(bank.ground, PATCH):
        for cover in (0.05, 0.2, 0.5, 0.9):
            assert (field > 1 - cover).mean() == pytest.approx(cover, abs=1e-4)
        assert field.min() == 0 and field.max() == 1


def test_patches_are_about_as_large_as_they_should_be(bank: TerrainBank) -> None:
    """The patch field hardly changes over a tenth of a patch and is unrelated two patches away."""
    field = values(bank.ground, PATCH) - 0.5
    scale = (field**2).mean()

    def correlation(metres: float) -> float:
        return float((field * np.roll(field, round(metres / CELL), axis=2)).mean() / scale)

    assert correlation(0.1 * terrain.PATCH_LENGTH) > 0.9
    assert abs(correlation(2 * terrain.PATCH_LENGTH)) < 0.2


def test_texture_has_unit_variance(bank: TerrainBank) -> None:
    for texture in values(bank.ground, TEXTURE):
        assert texture.std() == pytest.approx(1, abs=1e-3)


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
    ground = np.zeros((SIDE, SIDE, 4), dtype=np.int16)
    place, diameter, appears = rocks_of(0)
    terrain._stamp(ground, place, diameter, appears)
    for (x, y), wide, first in zip(place, diameter, appears, strict=True):
        code = ground[int(y / CELL), int(x / CELL), ROCK]
        least = HEIGHT_OVER_DIAMETER * wide - ROCK_UNIT
        assert rock_height(code, MAX_ABUNDANCE) >= (least if first <= COMMON_ABUNDANCE else ROCK_UNIT)


def test_thinning_only_takes_rocks_away(bank: TerrainBank) -> None:
    codes = bank.ground[0, :, :, ROCK]
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
    both, alone = np.zeros((2, SIDE, SIDE, 4), dtype=np.int16)
    terrain._stamp(both, *rows)
    terrain._stamp(alone, *common)
    np.testing.assert_array_equal(
        rock_heights(both[..., ROCK], COMMON_ABUNDANCE), rock_heights(alone[..., ROCK], MAX_ABUNDANCE)
    )
    assert np.count_nonzero(both[..., ROCK]) > 1.4 * np.count_nonzero(alone[..., ROCK])


def test_maps_differ_by_seed_and_number(bank: TerrainBank) -> None:
    other = terrain_bank(6, 2)
    maps = [*bank.ground, *other.ground]
    for i, one in enumerate(maps):
        for two in maps[:i]:
            for layer in range(4):
                assert not np.array_equal(one[..., layer], two[..., layer])


def test_a_map_does_not_depend_on_how_many_there_are(bank: TerrainBank) -> None:
    np.testing.assert_array_equal(terrain_bank(5, 2).ground, bank.ground[:2])


def test_bank_is_shared_and_cannot_be_written(bank: TerrainBank) -> None:
    assert terrain_bank(5, MAPS) is bank
    assert bank.ground.shape == (MAPS, SIDE, SIDE, 4) and bank.ground.dtype == np.int16
    with pytest.raises(ValueError, match="read-only"):
        bank.ground[0, 0, 0, 0] = 1


@pytest.mark.parametrize(("seed", "count", "named"), [(-1, 1, "map_seed"), (0, 0, "num_maps")])
def test_wrong_arguments_are_named(seed: int, count: int, named: str) -> None:
    with pytest.raises(ValueError, match=f"{named} is {min(seed, count)}, expected"):
        terrain_bank(seed, count)


@pytest.mark.parametrize(
    "ground",
    [
        np.zeros((1, SIDE, SIDE, 4), dtype=np.float32),
        np.zeros((0, SIDE, SIDE, 4), dtype=np.int16),
        np.zeros((1, SIDE, SIDE // 2, 4), dtype=np.int16),
        np.zeros((2, SIDE, SIDE, 4), dtype=np.int16)[:, ::-1],
    ],
    ids=["another type", "no map", "another size", "not contiguous"],
)
def test_ground_that_kernels_could_not_read_is_refused(ground: NDArray[np.int16]) -> None:
    with pytest.raises(ValueError, match="expected contiguous int16"):
        TerrainBank(ground=ground, seed=0)


def test_shares_of_patch_and_outcrop() -> None:
    field = np.linspace(0, 1, 2001)
    for cover in (0.0, 0.1, 0.4, 0.5):
        soft = np.array([patch_share(f, cover) for f in field])
        firm = np.array([outcrop_share(f, cover) for f in field])
        assert (soft > 0).mean() == pytest.approx(cover, abs=2e-3)
        assert (firm > 0).mean() == pytest.approx(cover, abs=2e-3)
        assert not ((soft > 0) & (firm > 0)).any()
        assert soft.max() <= 1 and firm.max() <= 1
