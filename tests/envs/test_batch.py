"""In any world, what a rover does and sees depends on its seed, its conditions and its commands alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rover_cl_envs.conditions import Conditions
from rover_cl_envs.fuzz import missions_of, random_actions, random_conditions
from rover_cl_envs.sensors import BLOCKS
from rover_cl_envs.vector_env import MarsRoverVectorEnv
from rover_cl_envs.world import World

COUNT, STEPS = 89, 24  # not a whole number of blocks
WORLD = World(systems=tuple(BLOCKS), num_maps=2, time_limit=16)
MISSIONS = missions_of(WORLD)
MODES = ("SameStep", "NextStep")
SERIAL, PARALLEL, ALONE = (
    {mode: MarsRoverVectorEnv(count, threads=threads, autoreset_mode=mode, world=WORLD) for mode in MODES}
    for count, threads in ((COUNT, 1), (COUNT, 2), (1, 1))
)


@pytest.mark.parametrize("mode", MODES)
@given(seed=st.integers(0, 2**31 - COUNT), one=st.integers(0, COUNT - 1))
@settings(deadline=None, max_examples=8)
def test_neither_batch_nor_threads_change_a_rover_in_any_world(mode: str, seed: int, one: int) -> None:
    rng = np.random.default_rng(seed)
    worlds = [random_conditions(rng, MISSIONS) for _ in range(COUNT)]
    actions = [random_actions(rng, COUNT) for _ in range(STEPS)]

    def driven(envs: MarsRoverVectorEnv, first: int) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Observations (steps + 1, n, size) and rewards (steps, n) from that rover on."""
        rovers = slice(first, first + envs.num_envs)
        envs.set_conditions(worlds[rovers])
        observations, rewards = [envs.reset(seed=seed + first)[0]], []
        for step, commands in enumerate(actions):
            if step == STEPS // 2:  # other vehicles, soils and faults in the middle of an episode
                envs.set_conditions(worlds[::-1][rovers])
            observation, reward, *_ = envs.step(commands[rovers])
            observations.append(observation)
            rewards.append(reward)
        return np.array(observations), np.array(rewards)

    told, paid = driven(SERIAL[mode], 0)
    for again in (driven(SERIAL[mode], 0), driven(PARALLEL[mode], 0)):
        np.testing.assert_array_equal(again[0], told)
        np.testing.assert_array_equal(again[1], paid)
    lone_told, lone_paid = driven(ALONE[mode], one)
    np.testing.assert_array_equal(lone_told[:, 0], told[:, one])
    np.testing.assert_array_equal(lone_paid[:, 0], paid[:, one])


SEEN = replace(WORLD, observation="pixels", time_limit=6)
SHORT = missions_of(SEEN)
CAMERAS = {
    mode: [
        MarsRoverVectorEnv(count, threads=threads, world=SEEN, autoreset_mode=mode)
        for count, threads in ((COUNT, 1), (COUNT, 2), (1, 1))
    ]
    for mode in MODES
}
EVERYTHING: dict[str, Any] = {
    **{"crater_freshness": 0.5, "ripple_height": 0.2, "tar_height": 0.5, "crust_cover": 0.5},
    **{"crust_contrast": 0.7, "crust_strength": 5.0, "optical_depth": 3.0, "dark_bearings": 2.0},
    **{"height_bias": 0.1, "height_noise": 0.1, "bearing_bias": -0.1, "bearing_noise": 0.1},
    **{"devil_rate": 3.0, "martian": 1.0},
}


@pytest.mark.parametrize("mode", CAMERAS)
@given(seed=st.integers(0, 2**31 - COUNT), one=st.integers(0, COUNT - 1), mixed=st.booleans())
@settings(deadline=None, max_examples=5)
def test_neither_batch_nor_threads_change_a_picture_in_any_world(
    mode: str, seed: int, one: int, mixed: bool
) -> None:
    rng = np.random.default_rng(seed)
    worlds = [random_conditions(rng, SHORT) if mixed else Conditions(**EVERYTHING) for _ in range(COUNT)]
    actions = [random_actions(rng, COUNT) for _ in range(10)]

    def pictures(envs: MarsRoverVectorEnv, first: int) -> NDArray[np.uint8]:
        """Pictures (steps + 1, n, 3, 64, 64) from that rover on."""
        rovers = slice(first, first + envs.num_envs)
        envs.set_conditions(worlds[rovers])
        seen = [envs.reset(seed=seed + first)[0]]
        seen.extend(envs.step(commands[rovers])[0] for commands in actions)
        return np.array(seen)

    serial, parallel, alone = CAMERAS[mode]
    seen = pictures(serial, 0)
    np.testing.assert_array_equal(pictures(parallel, 0), seen)
    np.testing.assert_array_equal(pictures(alone, one)[:, 0], seen[:, one])
