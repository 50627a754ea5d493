from __future__ import annotations

from functools import partial
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv

from rover_cl_agents import VecEnvAdapter
from rover_cl_agents.vec_env import as_vec_env, holds

MODES = [AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP, AutoresetMode.DISABLED]


def make(countdown: Any, mode: AutoresetMode) -> VecEnvAdapter:
    cases = [(3, 1000), (5, 1000), (1000, 2), (4, 4)]
    return VecEnvAdapter(SyncVectorEnv([partial(countdown, *case) for case in cases], autoreset_mode=mode))


def monitored(countdown: Any, length: int, limit: int) -> Monitor[Any, Any]:
    return Monitor(countdown(length, limit))


@pytest.mark.parametrize("mode", MODES)
def test_episodes_as_sb3s_own_vector_environment_gives_them(countdown: Any, mode: AutoresetMode) -> None:
    cases = [(3, 1000), (5, 1000), (1000, 2), (4, 4)]
    ours, theirs = (
        make(countdown, mode),
        DummyVecEnv([partial(monitored, countdown, *case) for case in cases]),
    )
    np.testing.assert_array_equal(ours.reset(), theirs.reset())
    for _ in range(23):
        actions = np.zeros(4, dtype=np.int64)
        mine, expected = ours.step(actions), theirs.step(actions)
        for a, b in zip(mine[:3], expected[:3], strict=True):
            np.testing.assert_array_equal(a, b)
        for done, info, other in zip(expected[2], mine[3], expected[3], strict=True):
            if not done:
                assert info == {}
                continue
            np.testing.assert_array_equal(info["terminal_observation"], other["terminal_observation"])
            assert info["TimeLimit.truncated"] == other["TimeLimit.truncated"]
            assert {k: info["episode"][k] for k in "rl"} == {k: other["episode"][k] for k in "rl"}
            assert info["is_success"] == other["success"]


@pytest.mark.parametrize("mode", MODES)
def test_one_seed_reaches_each_environment(countdown: Any, mode: AutoresetMode) -> None:
    adapter = make(countdown, mode)
    adapter.seed(7)
    adapter.reset()
    assert isinstance(adapter.vector_env, SyncVectorEnv)
    assert adapter.get_attr("np_random_seed") == [7, 8, 9, 10]
    assert adapter.get_attr("length", indices=[1]) == [5]
    assert adapter.env_is_wrapped(Monitor) == [True] * 4


def test_arrays_of_numbers_serve_as_final_observations(bandit: Any) -> None:
    adapter = VecEnvAdapter(bandit(0, 3))
    first = adapter.reset()
    _, rewards, dones, infos = adapter.step(np.zeros((3, 2), dtype=np.float32))
    assert rewards.dtype == np.float32
    assert dones.all()
    np.testing.assert_array_equal([info["terminal_observation"] for info in infos], first)


class Deaf(VectorEnv[Any, Any, Any]):
    """Resets everything, whatever the mask."""

    metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP}  # noqa: RUF012
    num_envs = 2
    single_observation_space = gymnasium.spaces.Box(-9, 9, (1,))
    single_action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        return np.zeros((2, 1), dtype=np.float32), {}

    def step(self, actions: Any) -> Any:
        over = np.array([True, False])
        return np.ones((2, 1), dtype=np.float32), np.ones(2), over, ~over & False, {}


def test_an_environment_that_cannot_restart_in_time_is_refused() -> None:
    adapter = VecEnvAdapter(Deaf())
    adapter.reset()
    with pytest.raises(ValueError, match=r"Deaf ignores.*SAME_STEP"):
        adapter.step(np.zeros(2))


def test_an_environment_without_a_mode_is_refused() -> None:
    silent = Deaf()
    silent.metadata = {}
    with pytest.raises(ValueError, match="autoreset_mode'] is None"):
        VecEnvAdapter(silent)


def test_anything_becomes_a_vec_env_and_is_known_again(countdown: Any, bandit: Any) -> None:
    for env in (countdown(3), bandit(0, 2), make(countdown, AutoresetMode.SAME_STEP)):
        vec_env = as_vec_env(env)
        assert holds(vec_env, env)
        assert not holds(vec_env, countdown(3))
    wrong: Any = "CartPole-v1"
    with pytest.raises(ValueError, match=r"env is str; expected a gymnasium.Env"):
        as_vec_env(wrong)
