from __future__ import annotations

from typing import Any

import pytest
import torch
from stable_baselines3 import PPO, SAC
from torch import Tensor

from rover_cl_agents import ContinualLearner, PPOConfig
from rover_cl_agents.methods.slow_layers import SlowLayers, SlowLayersConfig
from rover_cl_agents.vec_env import as_vec_env

SMALL = PPOConfig(n_steps=16, batch_size=128, n_epochs=4, net=(32, 32))


def test_the_first_layers_steps_are_scaled_from_the_second_task_on(bandit: Any) -> None:
    model = PPO("MlpPolicy", as_vec_env(bandit(0, 2)), device="cpu")
    method = SlowLayers(factor=0.25)
    method.bind(model, 0)
    parameters = model.policy.optimizer.param_groups[0]["params"]
    slow = list(model.policy.mlp_extractor.policy_net[0].parameters())
    delta = torch.ones(sum(p.numel() for p in parameters))
    method.on_task_start(0)
    assert method.adjust_update("policy", delta) is delta
    method.on_task_end()
    method.on_task_start(1)
    edited = torch.split(method.adjust_update("policy", delta), [p.numel() for p in parameters])
    for p, values in zip(parameters, edited, strict=True):
        assert (values == (0.25 if any(p is each for each in slow) else 1.0)).all()


def test_critics_are_left_alone(bandit: Any) -> None:
    method = SlowLayers(layers=2, after=0)
    method.bind(SAC("MlpPolicy", as_vec_env(bandit(0, 2)), device="cpu"), 0)
    method.on_task_start(0)
    delta = torch.ones(3)
    assert method.adjust_update("critic", delta) is delta


def first_layer(learner: ContinualLearner) -> Tensor:
    policy: Any = learner.algorithm.policy
    values: Tensor = policy.mlp_extractor.policy_net[0].weight
    return values.detach().clone()


def test_the_second_task_is_learned_while_the_layer_stands_still(bandit: Any) -> None:
    moved = {}
    for factor in (1.0, 0.1, 0.0):
        learner = ContinualLearner(SMALL.build(bandit(0), 0), [SlowLayers(factor=factor)])
        learner.learn_task(bandit(0), total_timesteps=512)
        before = first_layer(learner)
        learner.learn_task(bandit(1), total_timesteps=4096)
        moved[factor] = float((first_layer(learner) - before).norm())
        assert bandit(1).score(learner.predict) > -0.8
    assert moved[0.0] == 0.0
    assert 0.0 < moved[0.1] < 0.5 * moved[1.0]


def test_refusals(bandit: Any) -> None:
    for field, value in (("layers", 0), ("factor", 1.5), ("after", -1)):
        with pytest.raises(ValueError, match=f"{field} is {value}"):
            SlowLayersConfig(**{field: value})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="layers is 3; expected at most 2"):
        SlowLayers(layers=3).bind(PPO("MlpPolicy", as_vec_env(bandit(0, 2)), device="cpu"), 0)
    with pytest.raises(ValueError, match="'learned' alone"):
        SlowLayers().load_state_dict({})
