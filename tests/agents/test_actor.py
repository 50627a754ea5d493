"""Acting with a memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from stable_baselines3 import A2C, PPO, SAC
from stable_baselines3.common.envs import FakeImageEnv
from stable_baselines3.common.vec_env import VecCheckNan, VecFrameStack, VecNormalize

from rover_cl_agents import ContextConfig, ContinualLearner, HeadBank, VecHistory
from rover_cl_agents.recurrent import recurrent_ppo
from rover_cl_agents.vec_env import as_vec_env

Array = NDArray[Any]
SIZE: dict[str, Any] = {"n_steps": 8, "batch_size": 16, "n_epochs": 1, "seed": 0, "device": "cpu"}


def stacked(env: Any) -> PPO:
    return PPO("MlpPolicy", VecHistory(env, 3), **SIZE)


def attending(env: Any) -> PPO:
    context = ContextConfig(kind="attention", steps=3, width=4)
    return PPO("MlpPolicy", context.wrap(env), policy_kwargs=context.policy_kwargs(), **SIZE)


def recurrent(env: Any) -> Any:
    return recurrent_ppo()("MlpLstmPolicy", as_vec_env(env), policy_kwargs={"lstm_hidden_size": 4}, **SIZE)


BUILDS: tuple[Callable[[Any], Any], ...] = (stacked, attending, recurrent)


def trained(build: Callable[[Any], Any], bandit: Any) -> ContinualLearner:
    env = bandit(0, 4)
    learner = ContinualLearner(build(env), [])
    learner.learn_task(env, total_timesteps=32)
    # Answers of an untrained head differ too little to tell one history from another.
    with torch.no_grad():
        learner.algorithm.policy.action_net.weight.mul_(30)  # type: ignore[union-attr, operator]
    return learner


def episodes() -> tuple[Array, Array]:
    """Observations (steps, rows, 4) and starts (steps, rows); rows start anew at different steps."""
    generator = np.random.default_rng(0)
    starts = np.zeros((6, 5), dtype=np.bool_)
    starts[0] = starts[2, 1] = starts[3, 2] = starts[4, 1] = True
    return generator.standard_normal((6, 5, 4)).astype(np.float32), starts


def drive(learner: ContinualLearner, observations: Array, starts: Array) -> Array:
    actor = learner.actor(observations.shape[1])
    return np.array([actor.act(o, s) for o, s in zip(observations, starts, strict=True)])


@pytest.mark.parametrize("build", BUILDS)
def test_a_row_acts_as_it_would_alone(build: Callable[[Any], Any], bandit: Any) -> None:
    learner = trained(build, bandit)
    observations, starts = episodes()
    together = drive(learner, observations, starts)
    for row in range(5):
        alone = drive(learner, observations[:, row : row + 1], starts[:, row : row + 1])
        np.testing.assert_allclose(together[:, row], alone[:, 0], atol=1e-5)


@pytest.mark.parametrize("build", BUILDS)
def test_memory_reaches_back_to_the_episodes_start_and_no_further(
    build: Callable[[Any], Any], bandit: Any
) -> None:
    learner = trained(build, bandit)
    observations, starts = episodes()
    first = drive(learner, observations, starts)
    other = observations.copy()
    other[1] += 1.0  # the rest is seen again; rows 1 and 2 start anew after it
    second = drive(learner, other, starts)
    assert (np.abs(first[2] - second[2]).max(axis=1) > 1e-6).tolist() == [True, False, True, True, True]
    np.testing.assert_array_equal(first[2:, 1], second[2:, 1])
    np.testing.assert_array_equal(first[3:, 2], second[3:, 2])


def test_actions_are_those_of_training(bandit: Any) -> None:
    """The windows that the actor makes are those that the environment made."""
    env = bandit(0, 4)
    model = stacked(env)
    learner = ContinualLearner(model, [])
    assert model.env is not None
    seen, _ = env.reset(seed=0)
    actor = learner.actor(4)
    starts = np.ones(4, dtype=np.bool_)
    model.env.seed(0)
    windows = model.env.reset()
    for _ in range(3):
        expected = learner.predict(np.asarray(windows))
        np.testing.assert_array_equal(actor.act(seen, starts), expected)
        windows, _, starts, _ = model.env.step(expected)
        seen = env.observations


@pytest.mark.parametrize("algorithm", [PPO, SAC])
def test_without_a_memory_it_is_predict(algorithm: Any, bandit: Any) -> None:
    learner = ContinualLearner(algorithm("MlpPolicy", as_vec_env(bandit(0, 4)), seed=0, device="cpu"), [])
    observations, starts = episodes()
    for seen, new in zip(observations, starts, strict=True):
        np.testing.assert_array_equal(learner.actor(5).act(seen, new), learner.predict(seen))


def test_tasks_are_told_to_the_parts_of_a_network(bandit: Any) -> None:
    env = VecHistory(bandit(0, 4), 2)
    learner = ContinualLearner(PPO("MlpPolicy", env, **SIZE), [HeadBank()])
    for task in (0, 1):
        learner.learn_task(VecHistory(bandit(task, 4), 2), total_timesteps=64)
    observations, starts = episodes()
    told = np.array([0, 1, 0, 1, 1])
    windows = np.concatenate([np.zeros_like(observations[0]), observations[0]], axis=1)
    actions = learner.actor(5).act(observations[0], starts[0], task=told)
    np.testing.assert_array_equal(actions, learner.predict(windows, task=told))
    assert not np.array_equal(actions, learner.predict(windows, task=0))


def test_the_frame_stack_of_stable_baselines3_is_known(bandit: Any) -> None:
    observations, starts = episodes()
    ours, theirs = (
        ContinualLearner(PPO("MlpPolicy", env, **SIZE), [])
        for env in (VecHistory(bandit(0, 4), 3), VecCheckNan(VecFrameStack(as_vec_env(bandit(0, 4)), 3)))
    )
    np.testing.assert_array_equal(drive(ours, observations, starts), drive(theirs, observations, starts))


def test_what_cannot_act_is_refused(bandit: Any) -> None:
    learner = ContinualLearner(recurrent(bandit(0, 4)), [])
    with pytest.raises(ValueError, match="predict remembers nothing"):
        learner.predict(np.zeros((1, 4), dtype=np.float32))
    with pytest.raises(ValueError, match="count is 0; expected at least 1"):
        learner.actor(0)
    with pytest.raises(ValueError, match="observations has 2 rows and starts 3; expected 3 each"):
        learner.actor(3).act(np.zeros((2, 4)), np.ones(3, dtype=np.bool_))
    pictures = VecFrameStack(as_vec_env(FakeImageEnv(screen_height=36, screen_width=36)), 2)
    with pytest.raises(ValueError, match=r"VecFrameStack stacks Box.*expected a Box of one axis"):
        ContinualLearner(A2C("CnnPolicy", pictures, device="cpu"), []).actor(1)
    around = VecNormalize(VecHistory(bandit(0, 4), 3))
    with pytest.raises(ValueError, match="expected it inside"):
        ContinualLearner(PPO("MlpPolicy", around, **SIZE), []).actor(1)
