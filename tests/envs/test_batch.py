"""In any world, what a rover does depends on its seed, its conditions and its commands alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rover_cl_envs.fuzz import missions_of, random_actions, random_conditions
from rover_cl_envs.sensors import BLOCKS
from rover_cl_envs.vector_env import MarsRoverVectorEnv
from rover_cl_envs.world import World

COUNT, STEPS = 96, 24
WORLD = World(systems=tuple(BLOCKS), num_maps=2, time_limit=16)
MISSIONS = missions_of(WORLD)
TOLD: dict[str, Any] = {"world": WORLD, "autoreset_mode": "SameStep"}
SERIAL = MarsRoverVectorEnv(COUNT, threads=1, **TOLD)
PARALLEL = MarsRoverVectorEnv(COUNT, threads=2, **TOLD)
ALONE = MarsRoverVectorEnv(1, threads=1, **TOLD)


@given(seed=st.integers(0, 2**31 - COUNT), one=st.integers(0, COUNT - 1))
@settings(deadline=None, max_examples=12)
def test_neither_batch_nor_threads_change_a_rover_in_any_world(seed: int, one: int) -> None:
    rng = np.random.default_rng(seed)
    worlds = [random_conditions(rng, MISSIONS) for _ in range(COUNT)]
    actions = [random_actions(rng, COUNT) for _ in range(STEPS)]

    def driven(envs: MarsRoverVectorEnv, first: int) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Observations (steps + 1, n, size) and rewards (steps, n) from that rover on."""
        rovers = slice(first, first + envs.num_envs)
        envs.set_conditions(worlds[rovers])
        observations, rewards = [envs.reset(seed=seed + first)[0]], []
        for commands in actions:
            observation, reward, *_ = envs.step(commands[rovers])
            observations.append(observation)
            rewards.append(reward)
        return np.array(observations), np.array(rewards)

    told, paid = driven(SERIAL, 0)
    for again in (driven(SERIAL, 0), driven(PARALLEL, 0)):
        np.testing.assert_array_equal(again[0], told)
        np.testing.assert_array_equal(again[1], paid)
    lone_told, lone_paid = driven(ALONE, one)
    np.testing.assert_array_equal(lone_told[:, 0], told[:, one])
    np.testing.assert_array_equal(lone_paid[:, 0], paid[:, one])
