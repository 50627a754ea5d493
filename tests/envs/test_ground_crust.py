from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rover_cl_envs import MarsRoverEnv
from rover_cl_envs.conditions import Conditions
from rover_cl_envs.ground_tile import crack_tile, light_of, paint_tile
from rover_cl_envs.renderer import Renderer, draw
from rover_cl_envs.scene import Ground, Scene

SIDE, CELLS, PIXELS = 64, 32, 128
EACH = PIXELS // CELLS
"""Pixels along a cell."""


def slab() -> NDArray[np.bool_]:
    """Crust on the northern half of the tile in the south-west, and on nothing else."""
    crust = np.zeros((SIDE, SIDE), dtype=np.bool_)
    crust[16:32, :32] = True
    return crust


@pytest.fixture(scope="module")
def ground() -> Ground:
    nothing = np.zeros((SIDE, SIDE), dtype=np.float32)
    return Ground(
        heights=nothing,
        sand=np.ones_like(nothing),
        outcrop=nothing,
        albedo=nothing,
        rocks=nothing,
        cell=0.25,
        crust=slab(),
        below=nothing,
    )


def tile(ground: Ground, broken: NDArray[np.bool_] | None = None, **changes: Any) -> NDArray[np.int64]:
    return painted(replace(ground, **changes), 0, broken)


def painted(ground: Ground, column: int, broken: NDArray[np.bool_] | None) -> NDArray[np.int64]:
    """A tile of the southernmost row as the picture has it."""
    light = light_of(ground)
    whole, none = (paint_tile(ground, light, column, 0, CELLS, PIXELS, b) for b in (False, True))
    if broken is None:
        return whole.astype(np.int64)
    return crack_tile((whole, none), ground, light, column, 0, CELLS, broken).astype(np.int64)


def rut() -> NDArray[np.bool_]:
    """A wheel's track over the slab, from west to east, a cell wide."""
    broken = np.zeros((SIDE, SIDE), dtype=np.bool_)
    broken[24, 4:28] = True
    return broken


def test_crust_is_pale_where_it_lies_and_hides_what_is_below(ground: Ground) -> None:
    bare, crusted = tile(ground, crust=np.zeros_like(slab())), tile(ground)
    changed = (bare != crusted).any(axis=2)
    assert changed[:56, 12:116].mean() > 0.98
    assert not changed[72:].any()  # two cells away
    assert crusted[8:56, 12:116].mean() > bare[8:56, 12:116].mean() + 12
    grey = crusted[8:56, 12:116].mean(axis=(0, 1))
    was = bare[8:56, 12:116].mean(axis=(0, 1))
    assert grey[2] / grey[0] > was[2] / was[0] + 0.1
    firm = tile(ground, patch_soil=0.0)
    np.testing.assert_array_equal(firm[8:48, 12:116], crusted[8:48, 12:116])


def test_broken_crust_is_dark_along_the_track_and_nowhere_else(ground: Ground) -> None:
    whole, cracked = tile(ground), tile(ground, rut())
    changed = (whole != cracked).any(axis=2)
    north = PIXELS - 25 * EACH  # upper edge of the broken row
    track = np.s_[north : north + EACH, 5 * EACH : 27 * EACH]
    assert changed[track].mean() > 0.95
    assert (whole - cracked)[track].mean() > 40
    rows, columns = np.nonzero(changed)
    assert north - 3 * EACH <= rows.min() and rows.max() < north + 4 * EACH
    assert columns.min() >= EACH and columns.max() < 31 * EACH
    edge = changed[: north + EACH // 2].argmax(axis=0)[6 * EACH : 26 * EACH]
    assert np.ptp(edge) >= 2  # crumbled, no straight line


def test_the_albedo_below_shows_where_it_broke(ground: Ground) -> None:
    bright = np.ones((SIDE, SIDE), dtype=np.float32)
    dark, light = tile(ground, rut()), tile(ground, rut(), below=bright)
    changed = np.argwhere((dark != light).any(axis=2))
    middle = PIXELS - 24.5 * EACH
    assert len(changed) > 200 and np.abs(changed[:, 0] - middle).max() < 3 * EACH
    assert (light - dark).min() >= 0
    np.testing.assert_array_equal(tile(ground), tile(ground, below=bright))


@pytest.mark.parametrize("soil", [0.0, 0.2, 1.0])
def test_tiles_fit_together(ground: Ground, soil: float) -> None:
    """Across the edge of two tiles, brightness jumps no more than within them; crust ends in their midst."""
    whole = replace(ground, soil=soil, sand=np.zeros_like(ground.sand), crust=np.roll(slab(), 20, axis=1))
    pair = [painted(whole, k, rut()) for k in (0, 1)]
    jumps = np.abs(np.diff(np.hstack(pair).sum(axis=2), axis=1)).mean(axis=0)
    assert jumps[PIXELS - 1] < 1.5 * np.percentile(jumps, 90)


def test_cells_without_crust_do_not_break(ground: Ground) -> None:
    beside = np.zeros((SIDE, SIDE), dtype=np.bool_)
    beside[4, :] = True
    np.testing.assert_array_equal(tile(ground, beside), tile(ground))


@pytest.fixture(scope="module")
def drive() -> list[Scene]:
    """A rover that breaks some of the crust that it drives on, step by step."""
    world = Conditions(crust_cover=0.5, crust_strength=1.0, patch_fluffiness=0.5, rock_abundance=0.0)
    env = MarsRoverEnv(num_maps=1, conditions=world)
    for seed in range(8):
        env.reset(seed=seed)
        scenes = [env.scene()]
        for _ in range(40):
            ended = env.step(np.array([1.0, 0.0], dtype=np.float32))[2]
            scenes.append(env.scene())
            if ended:
                break
        if len(scenes[-1].broken) > 20:
            return scenes
    pytest.fail("no rover broke crust")


def test_what_the_wheels_broke_shows_at_once_and_heals_with_the_next_episode(drive: list[Scene]) -> None:
    """Tiles are kept, but each picture is the same as one that is painted from nothing."""
    renderer, size, centre = Renderer((360, 360)), (360, 360), drive[-1].pose[:2]
    for scene in (*drive[::8], drive[-1], drive[0]):
        kept = renderer.picture(scene, ["ground"], centre)
        np.testing.assert_array_equal(kept, draw(scene, size=size, layers=["ground"], centre=centre))
    first, last = (draw(s, size=size, layers=["ground"], centre=centre) for s in (drive[0], drive[-1]))
    assert (first != last).any(axis=2).sum() > 300


def test_crust_shows_whatever_the_agent_sees(drive: list[Scene]) -> None:
    """With a contrast of 0 the camera sees no crust: the person does."""
    scene = drive[0]
    np.testing.assert_array_equal(scene.ground.albedo, scene.ground.below)
    hidden = replace(scene, ground=replace(scene.ground, crust=np.zeros((1, 1), dtype=np.bool_)))
    a, b = (draw(s, size=(360, 360), layers=["ground"]) for s in (scene, hidden))
    assert (a != b).any(axis=2).sum() > 10_000


def test_only_the_tiles_that_broke_are_painted_anew(
    drive: list[Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    painted: list[tuple[int, int]] = []

    def counting(ground: Ground, light: Any, column: int, row: int, *rest: Any) -> NDArray[np.uint8]:
        painted.append((column, row))
        return paint_tile(ground, light, column, row, *rest)

    monkeypatch.setattr("rover_cl_envs.ground_picture.paint_tile", counting)
    renderer, centre = Renderer((360, 360)), drive[-1].pose[:2]
    renderer.picture(drive[0], ["ground"], centre)
    everything = len(painted)
    painted.clear()
    renderer.picture(drive[-1], ["ground"], centre)
    cells = len(drive[0].ground.heights) // 8
    near = {(x // cells, y // cells) for y, x in drive[-1].broken.tolist()}
    assert near <= set(painted) and len(painted) < everything
    painted.clear()
    renderer.picture(drive[-1], ["ground"], centre)
    assert not painted
