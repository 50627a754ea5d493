"""Learners that see pictures."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode
from stable_baselines3 import PPO
from stable_baselines3.common.policies import ActorCriticCnnPolicy
from stable_baselines3.common.torch_layers import NatureCNN
from stable_baselines3.common.vec_env import VecFrameStack, VecTransposeImage

from rover_cl_agents import ContinualLearner, PPOConfig, Replay
from rover_cl_agents.vec_env import VecEnvAdapter
from rover_cl_envs import Conditions, MarsRoverVectorEnv


def camera(mode: AutoresetMode = AutoresetMode.SAME_STEP, **conditions: float) -> MarsRoverVectorEnv:
    return MarsRoverVectorEnv(
        4,
        num_maps=1,
        observation="pixels",
        time_limit=4,
        autoreset_mode=mode,
        threads=1,
        conditions=Conditions(**conditions),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("mode", AutoresetMode)
def test_pictures_pass_the_adapter_as_they_are(mode: AutoresetMode) -> None:
    adapter = VecEnvAdapter(camera(mode))
    adapter.seed(0)
    assert np.asarray(adapter.reset()).dtype == np.uint8
    for _ in range(4):
        told, _, dones, infos = adapter.step(np.zeros((4, 2), dtype=np.float32))
        pictures = np.asarray(told)
        assert pictures.dtype == np.uint8 and pictures.shape == (4, 3, 64, 64)
    assert dones.all()
    last = infos[0]["terminal_observation"]
    assert last.dtype == np.uint8 and last.shape == (3, 64, 64) and not np.array_equal(last, pictures[0])


def test_a_convolutional_policy_learns_one_task_after_another() -> None:
    env = camera()
    config = PPOConfig(n_steps=4, batch_size=16, n_epochs=1, net=(8,))
    learner = ContinualLearner(config.build(env, 0), [Replay()])
    policy = learner.algorithm.policy
    assert isinstance(policy, ActorCriticCnnPolicy) and isinstance(policy.features_extractor, NatureCNN)
    assert not isinstance(learner.algorithm.env, VecTransposeImage)
    convolution = next(policy.features_extractor.parameters())
    before = convolution.detach().clone()
    learner.learn_task(env, total_timesteps=32)
    learner.learn_task(camera(target_b=1.0), total_timesteps=32)
    assert not torch.equal(before, convolution)
    observations = env.reset(seed=0)[0]
    assert learner.predict(observations).shape == (4, 2)
    assert learner.actor(4).act(observations, np.ones(4, dtype=bool)).shape == (4, 2)


def test_stacked_frames_are_learned_from() -> None:
    stacked = VecFrameStack(VecEnvAdapter(camera()), 2)
    assert stacked.observation_space.shape == (6, 64, 64)
    model = PPO("CnnPolicy", stacked, n_steps=4, batch_size=16, n_epochs=1, seed=0, device="cpu")
    assert not isinstance(model.env, VecTransposeImage)
    model.learn(16)
