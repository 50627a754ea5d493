from __future__ import annotations

from typing import Any

import pytest
import torch
from stable_baselines3 import PPO, SAC
from torch import Tensor

from rover_cl_agents import ContinualLearner, PPOConfig
from rover_cl_agents.methods.slow_layers import SlowLayers, SlowLayersConfig
from rover_cl_agents.step_hooks import optimizers, trained_parameters
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


@pytest.mark.parametrize("algorithm", [PPO, SAC])
def test_all_layers_are_the_acting_network_alone(algorithm: Any, bandit: Any) -> None:
    model = algorithm("MlpPolicy", as_vec_env(bandit(0, 2)), policy_kwargs={"net_arch": [8]}, device="cpu")
    method = SlowLayers(layers=0, factor=0.25, after=0)
    method.bind(model, 0)
    method.on_task_start(0)
    role = "policy" if algorithm is PPO else "actor"
    parameters = trained_parameters(optimizers(model)[role])
    names = {id(p): name for name, p in model.policy.named_parameters()}
    delta = torch.ones(sum(p.numel() for p in parameters))
    edited = torch.split(method.adjust_update(role, delta), [p.numel() for p in parameters])
    slow = {names[id(p)] for p, part in zip(parameters, edited, strict=True) if (part == 0.25).all()}
    free = {names[id(p)] for p in parameters} - slow
    assert slow
    assert all("value" in name or "log_std" in name for name in free)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_low_learning_rate_keeps_the_old_task_at_the_cost_of_the_new(bandit: Any, seed: int) -> None:
    found = []
    for methods in ([], [SlowLayers(layers=0, factor=0.1)]):
        learner = ContinualLearner(SMALL.build(bandit(0), seed), methods)
        for task in range(2):
            learner.learn_task(bandit(task), total_timesteps=6144)
        found.append([bandit(task).score(learner.predict) for task in range(2)])
    (lost, new), (kept, paid) = found
    assert kept > lost / 3
    assert paid < new - 1.0


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
    for field, value in (("layers", -1), ("factor", 1.5), ("after", -1)):
        with pytest.raises(ValueError, match=f"{field} is {value}"):
            SlowLayersConfig(**{field: value})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="layers is 3; expected at most 2"):
        SlowLayers(layers=3).bind(PPO("MlpPolicy", as_vec_env(bandit(0, 2)), device="cpu"), 0)
    with pytest.raises(ValueError, match="'learned' alone"):
        SlowLayers().load_state_dict({})
