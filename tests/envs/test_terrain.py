from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from rover_cl_envs import terrain
from rover_cl_envs.terrain import (
    CELL,
    HURST,
    PATCH,
    RELIEF,
    SIDE,
    TEXTURE,
    TerrainBank,
    outcrop_share,
    patch_share,
    terrain_bank,
    values,
)

MAPS = 6
AREA = MAPS * (SIDE * CELL) ** 2  # [m^2]


@pytest.fixture(scope="module")
def bank() -> TerrainBank:
    return terrain_bank(5, MAPS)


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
