"""Methods on convolutional policies, whose actor and critic share their features or have each its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from stable_baselines3 import DQN, PPO, SAC
from stable_baselines3.common.envs import FakeImageEnv
from stable_baselines3.common.policies import ActorCriticPolicy

from rover_cl_agents import ContinualLearner
from rover_cl_agents.methods import METHODS

SMALL = {"capacity": 8, "batch_size": 8, "samples": 8}
OFF = {"learning_starts": 8, "buffer_size": 50, "batch_size": 8}
ON = {"n_steps": 8, "batch_size": 8, "n_epochs": 1}
TAKEN = ("replay", "der", "clear", "distill", "sdft", "l2", "si", "agem", "slow-layers", "l2-init", "redo")
"""Methods that take any layers, of each way into training at least one."""


def images(algorithm: Any) -> FakeImageEnv:
    env = FakeImageEnv(screen_height=36, screen_width=36, discrete=algorithm is DQN)
    env.observation_space.seed(0)
    return env


def build(name: str, algorithm: Any, share: bool) -> ContinualLearner:
    config: Any
    config, method = METHODS[name]
    kwargs: dict[str, Any] = {"features_extractor_kwargs": {"features_dim": 8}, "net_arch": [8]}
    if algorithm is not DQN:
        kwargs["share_features_extractor"] = share
    settings = ON if algorithm is PPO else OFF
    model = algorithm("CnnPolicy", images(algorithm), seed=0, device="cpu", policy_kwargs=kwargs, **settings)
    small = {key: value for key, value in SMALL.items() if key in config.__dataclass_fields__}
    return ContinualLearner(model, [method(config(**small))])


@pytest.mark.parametrize(("algorithm", "share"), [(PPO, True), (PPO, False), (DQN, False), (SAC, True)])
@pytest.mark.parametrize("name", TAKEN)
def test_a_method_learns_from_pictures_as_if_never_stopped(
    name: str, algorithm: Any, share: bool, tmp_path: Path
) -> None:
    if algorithm is not PPO and name not in ("replay", "si"):
        return  # one of the losses, and one of the gradients: the rest is the same
    learner, other = (build(name, algorithm, share) for _ in range(2))
    learner.learn_task(images(algorithm), 16).save(tmp_path / "c")
    learner.learn_task(images(algorithm), 16)
    other.restore(tmp_path / "c").learn_task(images(algorithm), 16)
    ours, theirs = (each.algorithm.policy.state_dict() for each in (learner, other))
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    assert learner.cost() == other.cost()


@pytest.mark.parametrize("share", [True, False])
@pytest.mark.parametrize("name", ["replay", "der", "distill", "l2", "si"])
def test_what_the_actor_reads_is_held_and_the_critics_own_is_free(name: str, share: bool) -> None:
    learner = build(name, PPO, share)
    for _ in range(2):
        learner.learn_task(images(PPO), 16)
    method, policy = learner.methods[0], learner.algorithm.policy
    assert isinstance(policy, ActorCriticPolicy)
    parameters = list(policy.parameters())
    loss, gradient = method.auxiliary_loss("policy"), method.auxiliary_gradient("policy")
    touched = set(gradient or {})
    if loss is not None:
        found = torch.autograd.grad(loss, parameters, allow_unused=True)
        touched |= {p for p, g in zip(parameters, found, strict=True) if g is not None}
    assert set(policy.pi_features_extractor.parameters()) <= touched
    assert share == (policy.pi_features_extractor is policy.vf_features_extractor)
    assert share or not touched & set(policy.vf_features_extractor.parameters())
    assert not touched & {*policy.mlp_extractor.value_net.parameters(), *policy.value_net.parameters()}
