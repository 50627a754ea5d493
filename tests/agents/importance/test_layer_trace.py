from __future__ import annotations

import copy
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3
from stable_baselines3.common.vec_env import DummyVecEnv
from torch import nn

from rover_cl_agents.importance.layer_trace import locate, probe, trace
from rover_cl_agents.outputs import read
from rover_cl_agents.step_hooks import optimizers, trained_parameters
from rover_cl_agents.vec_env import as_vec_env

NET = {"net_arch": [8, 8]}
BUILDS: list[tuple[Any, bool, dict[str, Any], int]] = [
    (PPO, False, {}, 3),
    (A2C, True, {}, 3),
    (SAC, False, {"buffer_size": 10}, 3),
    (TD3, False, {"buffer_size": 10}, 3),
    (DQN, True, {"buffer_size": 10}, 3),
]


def build(algorithm: Any, discrete: bool, settings: Any, bandit: Any) -> Any:
    env = as_vec_env(bandit(0, 2, discrete=discrete))
    return algorithm("MlpPolicy", env, policy_kwargs=copy.deepcopy(NET), seed=0, device="cpu", **settings)


@pytest.mark.parametrize(("algorithm", "discrete", "settings", "layers"), BUILDS)
def test_each_samples_gradient_is_autograds(
    algorithm: Any, discrete: bool, settings: Any, layers: int, bandit: Any
) -> None:
    model = build(algorithm, discrete, settings, bandit)
    model.policy.set_training_mode(False)
    observations = torch.as_tensor(bandit(0).draw(5))
    found = trace(model.policy, observations)
    assert len(found.layers) == layers
    assert not any("log_std" in name or "value" in name or "critic" in name for name in found.layers)
    directions = torch.randn(found.outputs.location.shape, generator=torch.Generator().manual_seed(0))
    rows = found.gradients(directions)
    for index in range(5):
        location = read(model.policy, observations[index : index + 1]).location
        expected = torch.autograd.grad((location * directions[index]).sum(), found.parameters)
        torch.testing.assert_close(rows[index], torch.cat([g.flatten() for g in expected]))


def test_inputs_are_what_the_layers_are_fed(bandit: Any) -> None:
    model = build(PPO, False, {}, bandit)
    observations = torch.as_tensor(bandit(0).draw(5))
    found = trace(model.policy, observations)
    names = list(found.layers)
    assert names == ["mlp_extractor.policy_net.0", "mlp_extractor.policy_net.2", "action_net"]
    assert torch.equal(found.inputs[names[0]], observations)
    for name, layer in found.layers.items():
        torch.testing.assert_close(layer(found.inputs[name]), found.results[name])
    assert not any(layer._forward_hooks for layer in found.layers.values())


def test_parameters_are_found_in_the_flat_update(bandit: Any) -> None:
    model = build(SAC, False, {"buffer_size": 10}, bandit)
    optimizer, parameters = optimizers(model)["actor"], probe(model).parameters
    flat = torch.cat([p.detach().flatten() for p in trained_parameters(optimizer)])
    for place, parameter in zip(locate(optimizer, parameters), parameters, strict=True):
        assert torch.equal(flat[place].view_as(parameter), parameter)
    with pytest.raises(ValueError, match=r"doesn't train parameters of shapes \[\(8, 4\)"):
        locate(optimizers(model)["critic"], parameters)


def test_a_layer_may_have_no_bias(bandit: Any) -> None:
    model = build(PPO, False, {}, bandit)
    model.policy.action_net = nn.Linear(8, 2, bias=False)
    found = probe(model)
    assert found.gradients(torch.ones(1, 2)).shape == (1, sum(p.numel() for p in found.parameters))
    assert len(found.parameters) == 5


def test_observations_may_be_discrete() -> None:
    class Letters(gymnasium.Env[Any, Any]):
        observation_space = spaces.Discrete(5)
        action_space = spaces.Discrete(2)

    model = PPO("MlpPolicy", DummyVecEnv([Letters]), n_steps=8, batch_size=8, device="cpu")
    assert probe(model).inputs["mlp_extractor.policy_net.0"].tolist() == [[1, 0, 0, 0, 0]]


def test_convolutions_are_refused_with_a_remedy() -> None:
    class Pictures(gymnasium.Env[Any, Any]):
        observation_space = spaces.Box(0, 255, (3, 36, 36), np.uint8)
        action_space = spaces.Discrete(2)

    model = PPO("CnnPolicy", DummyVecEnv([Pictures]), n_steps=8, batch_size=8, device="cpu")
    with pytest.raises(ValueError, match=r"aren't linear.*Use replay or agem"):
        probe(model)
