"""Where rovers and targets are put."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from rover_cl_envs import dynamics as d
from rover_cl_envs.compiled import Row, Words
from rover_cl_envs.conditions import Conditions
from rover_cl_envs.env import MarsRoverEnv
from rover_cl_envs.grid import PERIOD
from rover_cl_envs.mission import APART, FAR, NEAR, Mission
from rover_cl_envs.placement import GROUP, GROUPS, begin, clearance, is_clear
from rover_cl_envs.randomness import seeded, uniform
from rover_cl_envs.rovers import MER, ROVERS
from rover_cl_envs.terrain import terrain_bank


def test_start_is_as_the_mission_says() -> None:
    mission = Mission(near=5.0, far=9.0, apart=3.0)
    env = MarsRoverEnv(num_maps=4, mission=mission)
    headings = []
    for seed in range(200):
        env.reset(seed=seed)
        scene = env.scene()
        headings.append(scene.pose[2])
        assert mission.near - 1e-3 <= math.dist(scene.pose[:2], scene.targets[0]) <= mission.far + 1e-3
        assert mission.near - 1e-3 <= math.dist(scene.pose[:2], scene.targets[1]) <= mission.far + 1e-3
        assert math.dist(*scene.targets) >= mission.apart - 1e-3
        for x, y in (scene.pose[:2], *scene.targets):
            clear = clearance(MER.to_array())
            offsets = np.arange(-clear, clear + 1)
            columns = (math.floor(x / scene.ground.cell) + offsets) % 256
            rows = (math.floor(y / scene.ground.cell) + offsets) % 256
            around = np.ix_(rows, columns)
            assert not scene.ground.sand[around].any() and scene.ground.rocks[around].max() <= MER.obstacle
        assert scene.slip == (0, 0) and scene.step == 0 and scene.outcome == "running"
    assert np.abs(np.mean(np.exp(1j * np.array(headings)))) < 0.2


def plainly(s: Row, c: Row, mission: Row, words: Words, generator: NDArray[np.uint64]) -> None:
    """Place a MER rover and its targets, one draw after the other: `begin` as anybody would write it."""
    rover, near, far = MER.to_array(), float(mission[NEAR]), float(mission[FAR])
    for _ in range(GROUP * GROUPS):
        s[[d.X, d.Y]] = PERIOD * uniform(generator), PERIOD * uniform(generator)
        if is_clear(words, s[d.X], s[d.Y], c, rover):
            break
    s[d.YAW], rewarded = math.pi * (2 * uniform(generator) - 1), uniform(generator)
    s[d.REWARDED] = float(rewarded < c[d.TARGET_B])
    for column, apart in ((d.TARGET_AX, 0.0), (d.TARGET_BX, mission[APART])):
        for _ in range(GROUP * GROUPS):
            distance = near + (far - near) * uniform(generator)
            bearing = 2 * math.pi * uniform(generator)
            s[column] = float(s[d.X]) + distance * math.cos(bearing)
            s[column + 1] = float(s[d.Y]) + distance * math.sin(bearing)
            gap = math.dist(s[[d.TARGET_AX, d.TARGET_AY]], s[[column, column + 1]])
            if gap >= apart and is_clear(words, s[column], s[column + 1], c, rover):
                break


@pytest.mark.parametrize(("patches", "crust"), [(0.0, 0.0), (0.2, 0.2), (0.4, 0.5), (0.2, 1.0)])
def test_places_drawn_together_are_those_drawn_one_by_one(patches: float, crust: float) -> None:
    """What was drawn behind the place taken counts as not drawn; under crust all over, no place is clear."""
    conditions = Conditions(
        patch_cover=patches, crust_cover=crust, crust_strength=2.0, crater_freshness=1.0, outcrop_cover=0.0
    )
    c, mission, words = conditions.to_array(), Mission().to_array(), terrain_bank(0, 1).formed_words[0]
    one, other = seeded(3, 60), seeded(3, 60)
    for i in range(len(one)):
        here, there = np.zeros((2, d.STATE), dtype=np.float32)
        begin(here, c, mission, MER.to_array(), words, one[i])
        plainly(there, c, mission, words, other[i])
        here[d.TO_GO] = 0.0
        np.testing.assert_allclose(here, there, rtol=1e-6)
        assert one[i].tolist() == other[i].tolist()
    assert (one[:, 1] == 2 + 6 * GROUP * GROUPS).all() == (crust == 1.0)


def test_clearance_is_that_of_the_wheels() -> None:
    assert [clearance(rover.to_array()) for rover in ROVERS.values()] == [2, 4, 7, 7]


def test_target_is_drawn_with_its_probability() -> None:
    env = MarsRoverEnv(num_maps=1, conditions=Conditions(target_b=0.3))
    env.reset(seed=0)
    rewarded = []
    for _ in range(400):
        env.reset()
        rewarded.append(env.scene().rewarded)
    assert np.mean(rewarded) == pytest.approx(0.3, abs=0.08)
