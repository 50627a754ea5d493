from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from rover_cl_envs import Conditions, MarsRoverVectorEnv, Mission
from rover_cl_envs.grid import CELL, PERIOD, SIDE, column_part, row_part
from rover_cl_envs.landforms import (
    APRON,
    CRATER,
    CRATER_UNIT,
    CRUST,
    DEPTH,
    LARGEST_CRATER,
    MOST_CRATERS,
    RIM,
    RIPPLE,
    SHARE_UNIT,
    SMALLEST_CRATER,
    TAR,
    Broken,
    break_crust,
    broken_cells,
    crater_profile,
    has_broken,
    has_crust,
    is_broken,
    landforms,
    mend_crust,
    sown,
)
from rover_cl_envs.rovers import MER
from rover_cl_envs.settling import CRUST_SOIL
from rover_cl_envs.terrain import terrain_bank

MAPS = 6
REPOSE = 33.0  # steepest slope that loose ground keeps [deg]
BARE = Conditions(relief=0, patch_cover=0, outcrop_cover=0, rock_abundance=0)
FAR_OFF = Mission(near=900, far=900, apart=2)
AHEAD = np.array([1.0, 0.0], dtype=np.float32)


@pytest.fixture(scope="module")
def forms() -> NDArray[np.int16]:
    return landforms(5, MAPS)


def steepest(heights: NDArray[np.floating]) -> float:
    """Steepest slope between cells that touch [deg]; heights (..., y, x) are periodic."""
    across, along = (np.roll(heights, 1, axis=axis) - heights for axis in (-1, -2))
    return math.degrees(math.atan(float(np.hypot(across, along).max()) / CELL))


def driven(
    conditions: Conditions, steps: int, rovers: int = 16
) -> tuple[MarsRoverVectorEnv, NDArray[np.float32]]:
    """Rovers driven straight ahead, and their last observations."""
    envs = MarsRoverVectorEnv(rovers, num_maps=2, conditions=conditions, mission=FAR_OFF, time_limit=10**6)
    observations = envs.reset(seed=0)[0]
    for _ in range(steps):
        observations = envs.step(np.tile(AHEAD, (rovers, 1)))[0]
    return envs, observations


def test_a_fresh_crater_has_its_depth_its_rim_and_its_ejecta() -> None:
    assert crater_profile(1.0, APRON) == pytest.approx(RIM)
    assert crater_profile(1.0, APRON) - crater_profile(0.0, APRON) == pytest.approx(DEPTH) == 0.2
    assert crater_profile(1.0 - 1e-9, APRON) == pytest.approx(crater_profile(1.0, APRON), abs=1e-8)
    assert crater_profile(APRON, APRON) == 0 == crater_profile(9.0, APRON)
    for share in (1.2, 1.5, 2.0):  # the cube law, but for the cut where the apron ends
        assert crater_profile(share, 1e3) == pytest.approx(RIM * share**-3, rel=1e-6)


def test_no_wall_is_steeper_than_the_angle_of_repose(forms: NDArray[np.int16]) -> None:
    profile = [crater_profile(share, APRON) for share in np.linspace(0, 5, 5001)]
    assert 30 < math.degrees(math.atan(2 * np.abs(np.diff(profile)).max() / 1e-3)) < REPOSE
    assert steepest(forms[..., CRATER] * CRATER_UNIT) < REPOSE
    assert steepest(forms[..., RIPPLE] * SHARE_UNIT * 0.3) < REPOSE
    assert steepest(forms[..., TAR] * SHARE_UNIT * 2.0) < REPOSE


def test_small_craters_number_as_the_inverse_square_of_their_diameter() -> None:
    diameters = [sown(np.random.default_rng(seed))[1] for seed in range(1000)]
    counts = np.array([len(d) for d in diameters])
    assert counts.min() == 1 and counts.max() == MOST_CRATERS
    assert counts.mean() == pytest.approx(3, abs=0.1)
    found = np.concatenate(diameters)
    assert found.min() >= SMALLEST_CRATER and found.max() <= LARGEST_CRATER
    end = (SMALLEST_CRATER / LARGEST_CRATER) ** 2
    for diameter in (4.0, 6.0, 10.0):
        expected = len(found) * ((SMALLEST_CRATER / diameter) ** 2 - end) / (1 - end)
        assert np.count_nonzero(found > diameter) == pytest.approx(expected, abs=4 * math.sqrt(expected))


def test_ridges_and_crust_are_in_normal_form(forms: NDArray[np.int16]) -> None:
    for m in range(MAPS):
        for layer in (RIPPLE, TAR):
            heights = forms[m, :, :, layer] * SHARE_UNIT
            assert heights.min() >= 0 and heights.max() == pytest.approx(1, abs=0.01)
        for cover in (0.1, 0.5):
            assert (forms[m, :, :, CRUST] * SHARE_UNIT >= 1 - cover).mean() == pytest.approx(cover, abs=1e-3)


@pytest.mark.parametrize(("layer", "shortest", "longest"), [(RIPPLE, 2.5, 3.5), (TAR, 18.0, 33.0)])
def test_ridges_have_their_wavelength(
    forms: NDArray[np.int16], layer: int, shortest: float, longest: float
) -> None:
    frequency = np.hypot(np.fft.fftfreq(SIDE, CELL)[:, None], np.fft.rfftfreq(SIDE, CELL)[None, :])
    for m in range(MAPS):
        power = np.abs(np.fft.rfft2(forms[m, :, :, layer].astype(float))) ** 2
        power[frequency == 0] = 0
        first = frequency < 1.5 / shortest  # the overtones make the ridges sharp and lean
        wave = power[first].sum() / (power * frequency)[first].sum()
        assert shortest < wave < longest


def test_every_layer_runs_on_over_the_edge(forms: NDArray[np.int16]) -> None:
    for layer in range(4):
        for axis in (1, 2):
            steps = np.abs(np.diff(forms[..., layer].astype(int), axis=axis, append=0))
            inner = np.take(steps, range(SIDE - 1), axis=axis)
            seam = np.take(forms[..., layer].astype(int), 0, axis=axis)
            seam = np.abs(seam - np.take(forms[..., layer].astype(int), SIDE - 1, axis=axis))
            assert seam.max() <= 1.5 * inner.max()


def test_a_map_does_not_depend_on_how_many_there_are(forms: NDArray[np.int16]) -> None:
    np.testing.assert_array_equal(landforms(5, 2), forms[:2])
    assert not np.array_equal(landforms(6, 1)[0], forms[0])
    assert terrain_bank(5, MAPS).forms is terrain_bank(5, MAPS).forms


def test_a_rover_stands_on_the_landforms() -> None:
    craters, ripples = replace(BARE, crater_freshness=1.0), replace(BARE, ripple_height=0.3)
    for world in (craters, ripples, replace(BARE, tar_height=2.0)):
        envs, _ = driven(world, 1, rovers=64)
        scenes = [envs.scene(i) for i in range(64)]
        slopes = np.array([np.hypot(math.tan(s.pitch), math.tan(s.roll)) for s in scenes])
        assert slopes.max() > 0.03
    flat, _ = driven(BARE, 1)
    assert flat.scene().pitch == 0 == flat.scene().roll


def test_crests_are_softer_than_troughs() -> None:
    hard, soft = (
        driven(replace(BARE, ripple_height=0.2, ripple_softness=s), 20)[1][:, 8:10] for s in (0.0, 0.6)
    )
    assert soft.mean() > hard.mean() + 0.05


def test_crust_carries_below_its_strength_and_breaks_above() -> None:
    crusted = replace(BARE, crust_cover=1.0, patch_fluffiness=2 / 3)
    firm = replace(BARE, ground_fluffiness=CRUST_SOIL)
    soft = replace(BARE, ground_fluffiness=2 / 3)
    held = driven(replace(crusted, crust_strength=MER.ground_pressure + 0.1), 6)
    gone = driven(replace(crusted, crust_strength=MER.ground_pressure - 0.1), 6)
    np.testing.assert_allclose(held[1][:, 8:12], driven(firm, 6)[1][:, 8:12], rtol=1e-5)
    np.testing.assert_allclose(gone[1][:, 8:12], driven(soft, 6)[1][:, 8:12], rtol=1e-5)
    assert len(held[0].scene().broken) == 0 and len(gone[0].scene().broken) >= 6
    light = replace(crusted, crust_strength=MER.ground_pressure - 0.1, gravity=3.0)
    assert len(driven(light, 6)[0].scene().broken) == 0


def test_broken_crust_stays_broken_until_the_episode_ends() -> None:
    weak = replace(BARE, crust_cover=1.0, crust_strength=1.0, crust_contrast=1.0, patch_fluffiness=0.5)
    envs, _ = driven(weak, 8, rovers=2)
    tracks = {tuple(cell) for cell in envs.scene(0).broken.tolist()}
    envs.set_conditions(replace(weak, crust_strength=30.0))  # what is broken does not heal
    back = np.tile(-AHEAD, (2, 1))
    observations = [envs.step(back)[0] for _ in range(4)]
    assert {tuple(cell) for cell in envs.scene(0).broken.tolist()} == tracks
    slip = driven(replace(BARE, ground_fluffiness=0.5), 3, rovers=2)[1][0, 8]
    assert observations[3][0, 8] == pytest.approx(slip, rel=0.05)
    assert (observations[0][0, 33::2] < 0.9).any() and (observations[0][0, 33::2] == 1.0).any()
    envs.reset(options={"reset_mask": np.array([True, False])}, seed=None)
    assert len(envs.scene(0).broken) == 0 and len(envs.scene(1).broken) > 0


def test_bits_name_their_cells() -> None:
    broken, rng = broken_crust(SIDE * SIDE // 8), np.random.default_rng(0)
    cells = np.unique(rng.integers(0, SIDE, (300, 2)), axis=0)
    for iy, ix in cells:
        number = column_part(ix) + row_part(iy)
        assert not is_broken(broken, number)
        break_crust(broken, number)
        assert is_broken(broken, number) and has_broken(broken)
    np.testing.assert_array_equal(broken_cells(broken.cells), cells)
    mend_crust(broken)
    assert not has_broken(broken) and not broken.cells.any()
    nothing = broken_crust(0)
    break_crust(nothing, 3 * SIDE + 4)
    assert not is_broken(nothing, 3 * SIDE + 4) and len(broken_cells(nothing.cells)) == 0


def broken_crust(size: int) -> Broken:
    """A rover's crust, none of it broken."""
    return Broken(cells=np.zeros(size, dtype=np.uint8), some=np.zeros(1, dtype=np.uint8))


def test_nobody_starts_on_crust_that_breaks_or_on_a_wall(forms: NDArray[np.int16]) -> None:
    world = replace(BARE, crust_cover=0.3, crust_strength=5.0, crater_freshness=1.0)
    envs = MarsRoverVectorEnv(64, num_maps=2, conditions=world)
    envs.reset(seed=0)
    for i in range(64):
        scene = envs.scene(i)
        assert len(scene.broken) == 0 and abs(scene.pitch) < math.radians(25)
        for x, y in scene.targets:
            assert not scene.ground.crust[int(y % PERIOD / CELL), int(x % PERIOD / CELL)]


def test_memory_is_taken_only_by_worlds_that_need_it() -> None:
    envs = MarsRoverVectorEnv(4, num_maps=1)
    batch = envs._batch
    assert batch.forms.shape == (1, 1, 1, 4) and batch.broken(0).size == 0
    envs.set_conditions(Conditions(ripple_height=0.1))
    assert batch.forms.shape == (1, SIDE, SIDE, 4) and batch.broken(0).size == 0
    envs.set_conditions([Conditions()] * 3 + [Conditions(crust_cover=0.1)])
    assert batch.broken(0).size == SIDE * SIDE // 8
    assert has_crust(np.array([0] * 3 + [32767], dtype=np.int16), 0.1)
    assert not has_crust(np.array([0] * 7 + [32767], dtype=np.int16), 0.0)
