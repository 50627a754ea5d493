from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from stable_baselines3 import PPO
from stable_baselines3.common.envs import FakeImageEnv
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv, VecFrameStack, VecNormalize

from rover_cl_agents import ContinualLearner, Replay, VecEnvAdapter
from rover_cl_agents.checkpoints.checkpoint import CheckpointError
from rover_cl_agents.vec_env import as_vec_env, enter, holds

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


def pictures(kind: str) -> Any:
    plain: Any = partial(FakeImageEnv, screen_height=36, screen_width=36, n_channels=3, channel_first=False)
    if kind == "gymnasium":
        return SyncVectorEnv([plain], autoreset_mode=AutoresetMode.SAME_STEP)
    return VecFrameStack(DummyVecEnv([plain]), 2) if kind == "stacked" else DummyVecEnv([plain])


@pytest.mark.parametrize("kind", ["plain", "stacked", "gymnasium"])
def test_pictures_with_their_channels_last_are_learned(kind: str) -> None:
    first = pictures(kind)
    model = PPO("CnnPolicy", as_vec_env(first), n_steps=16, batch_size=8, n_epochs=1, device="cpu")
    built_on = model.env
    learner = ContinualLearner(model, [Replay(batch_size=8, capacity=8)])
    learner.learn_task(first, 16)
    assert model.env is built_on, "the same environment isn't wrapped again"
    second = pictures(kind)
    learner.learn_task(second, 16)
    assert holds(model.env, second) and not holds(model.env, first)


def small(env: VecEnv) -> PPO:
    return PPO("MlpPolicy", env, n_steps=16, batch_size=16, n_epochs=1, device="cpu")


def test_a_normaliser_neither_goes_nor_comes_in_silence(bandit: Any, tmp_path: Path) -> None:
    inner = as_vec_env(bandit(0, 2))
    normalised = VecNormalize(inner)
    learner = ContinualLearner(small(normalised)).learn_task(inner, 32)
    assert learner.algorithm.env is normalised, "it stands on the environment that was given"
    with pytest.raises(ValueError, match=r"env has no VecNormalize.*new = VecNormalize\(env\)"):
        learner.learn_task(bandit(1, 2), 32)
    learner.learn_task(VecNormalize(as_vec_env(bandit(1, 2))), 32).save(tmp_path / "c")
    with pytest.raises(CheckpointError, match="observations was normalised by a VecNormalize, here it is as"):
        ContinualLearner.load(tmp_path / "c", bandit(1, 2))
    assert ContinualLearner.load(tmp_path / "c", VecNormalize(as_vec_env(bandit(1, 2)))).tasks == [0, 1]
    plain = ContinualLearner(small(as_vec_env(bandit(0, 2)))).learn_task(bandit(0, 2), 32)
    with pytest.raises(ValueError, match="the algorithm has learned without one"):
        plain.learn_task(VecNormalize(as_vec_env(bandit(1, 2))), 32)
    plain.algorithm.save(tmp_path / "plain.zip")
    again = ContinualLearner(PPO.load(tmp_path / "plain.zip", device="cpu"))
    assert again.learn_task(VecNormalize(as_vec_env(bandit(1, 2))), 32).steps == 32


def test_one_of_several_environments_is_not_all_of_them(countdown: Any) -> None:
    one, other = countdown(3), countdown(3)
    model = small(DummyVecEnv([lambda: one, lambda: other]))
    with pytest.raises(ValueError, match="num_envs 1; expected 2"):
        enter(model, one)
    assert holds(small(DummyVecEnv([lambda: one])).env, one)


def test_the_remedy_for_environments_that_take_no_mode_works() -> None:
    silent = Deaf()
    silent.metadata = {}
    with pytest.raises(ValueError, match='vectorization_mode="sync"'):
        VecEnvAdapter(silent)
    env = gymnasium.make_vec("CartPole-v1", 2, vectorization_mode="sync")
    ContinualLearner(small(VecEnvAdapter(env))).learn_task(env, 256)
