from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rover_cl_envs import MarsRoverEnv
from rover_cl_envs.conditions import Conditions
from rover_cl_envs.ground_soil import bedrock_in, ripples_on
from rover_cl_envs.ground_tile import light_of, paint_tile
from rover_cl_envs.renderer import draw
from rover_cl_envs.scene import Ground, Scene

SIDE, CELLS, PIXELS = 64, 32, 128
PATCH, ROCK, PLAIN = np.s_[8:52, 8:40], np.s_[8:52, 92:120], np.s_[96:124, 8:120]
"""Pixels well within the patch in the north-west, the outcrop in the north-east and the ground between."""


@pytest.fixture(scope="module")
def ground() -> Ground:
    """Level ground; of its tile in the south-west the north-west is a patch, the north-east an outcrop."""
    nothing = np.zeros((SIDE, SIDE), dtype=np.float32)
    sand, outcrop = nothing.copy(), nothing.copy()
    sand[16:32, :12] = 1
    outcrop[16:32, 20:32] = 1
    return Ground(heights=nothing, sand=sand, outcrop=outcrop, albedo=nothing, rocks=nothing, cell=0.25)


def tile(ground: Ground, **changes: Any) -> NDArray[np.int64]:
    changed = replace(ground, **changes)
    return paint_tile(changed, light_of(changed), 0, 0, CELLS, PIXELS).astype(np.int64)


def differ(a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.bool_]:
    different: NDArray[np.bool_] = (a != b).any(axis=2)
    return different


@pytest.mark.parametrize("soil", [0.0, 0.2, 0.5, 1.0])
def test_soil_between_patches_shows_there_alone(ground: Ground, soil: float) -> None:
    changed = differ(tile(ground, soil=soil), tile(ground))
    assert changed[PLAIN].mean() > 0.5
    assert not changed[PATCH].any() and not changed[ROCK].any()


@pytest.mark.parametrize("soil", [0.0, 1 / 3, 2 / 3])
def test_soil_of_patches_shows_there_alone(ground: Ground, soil: float) -> None:
    changed = differ(tile(ground, patch_soil=soil), tile(ground))
    assert changed[PATCH].mean() > 0.5
    assert not changed[PLAIN].any() and not changed[ROCK].any()


def test_equal_soils_of_patch_and_ground_look_alike(ground: Ground) -> None:
    """Ripples as high, cracks as many: relief in the light, measured over many ripples, hardly differs."""
    for soil, least in ((0.0, 9.0), (1.0, 9.0)):
        light = tile(ground, soil=soil, patch_soil=soil).mean(axis=2)
        patch, plain = light[PATCH].std(), light[PLAIN].std()
        assert patch > least and abs(patch - plain) < 0.3 * max(patch, plain)
    regolith = tile(ground, patch_soil=1 / 3).mean(axis=2)
    assert regolith[PATCH].std() < 6 and regolith[PLAIN].std() < 6


def test_soils_go_over_smoothly_from_paved_and_pale_to_rippled(ground: Ground) -> None:
    soils = np.linspace(0, 1, 25)
    pictures = [tile(ground, soil=soil)[PLAIN] for soil in soils.tolist()]
    steps = [np.abs(a - b).mean() for a, b in pairwise(pictures)]
    ends = np.abs(pictures[0] - pictures[-1]).mean()
    assert min(steps) > 0 and max(steps) < 0.35 * ends
    greyness = [float((p[..., 2] / p[..., 0]).mean()) for p in (pictures[0], pictures[4], pictures[8])]
    assert greyness[0] > greyness[1] > greyness[2]
    assert [bedrock_in(soil) for soil in (0.0, 1 / 3, 1.0)] == [1, 0, 0]
    assert [ripples_on(soil) for soil in (0.0, 1 / 3, 1.0)] == [0, 0, 1]


def test_loose_crests_are_golden_and_nothing_else_changes(ground: Ground) -> None:
    crests = np.zeros((SIDE, SIDE), dtype=np.float32)
    crests[:8] = 0.35  # the south of the map and of its tile: the last 32 rows of pixels
    plain, loose = tile(ground), tile(ground, crests=crests)
    changed = differ(plain, loose)
    assert changed[100:].all() and not changed[8:84].any()
    more = (loose - plain)[100:].mean(axis=(0, 1))
    assert more[1] > 5 and more[1] > more[2]  # more yellow
    softer = tile(ground, crests=2 * crests)
    assert (softer - loose)[100:, :, 1].mean() > 2


def scene_of(**changes: Any) -> Scene:
    env = MarsRoverEnv(num_maps=1, conditions=Conditions(**changes))
    env.reset(seed=3)
    return env.scene()


@pytest.fixture(scope="module")
def usual() -> Scene:
    return scene_of(patch_cover=0.4, ripple_height=0.1)


def test_the_same_pose_looks_otherwise_on_other_soil(usual: Scene) -> None:
    """What the simulator is told reaches the picture, and nothing but it: the scene is the same otherwise."""
    plain = draw(usual, layers=["ground"])
    for change in ({"ground_fluffiness": 0.0}, {"patch_fluffiness": 0.0}, {"ripple_softness": 0.4}):
        other = scene_of(patch_cover=0.4, ripple_height=0.1, **change).ground
        changed = draw(replace(usual, ground=other), layers=["ground"]) != plain
        assert changed.any(axis=2).sum() > 10_000, change
    again = scene_of(patch_cover=0.4, ripple_height=0.1, ground_fluffiness=1 / 3, patch_fluffiness=1.0)
    np.testing.assert_array_equal(draw(replace(usual, ground=again.ground), layers=["ground"]), plain)


def test_soft_crests_need_ripples() -> None:
    assert scene_of(ripple_softness=1.0).ground.crests.size == 1
    ground = scene_of(ripple_softness=0.5, ripple_height=0.1).ground
    assert ground.crests.max() == pytest.approx(0.5, abs=0.01) and ground.crests.min() < 0.01
    high = ground.crests > 0.4
    assert ground.heights[high].mean() > ground.heights[~high].mean()
    low = scene_of(ripple_softness=0.5, ripple_height=0.025).ground
    assert low.crests.max() == pytest.approx(0.25, abs=0.01)
