"""Where rovers and targets are put."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rover_cl_envs.conditions import Conditions
from rover_cl_envs.env import MarsRoverEnv
from rover_cl_envs.mission import Mission
from rover_cl_envs.placement import clearance
from rover_cl_envs.rovers import MER, ROVERS


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
