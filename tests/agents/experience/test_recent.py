"""Whoever stores answers refuses an algorithm without known ones before it learns."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import PPO, SAC

from rover_cl_agents import ContinualLearner
from rover_cl_agents.experience.recent import refuse_unanswered
from rover_cl_agents.methods import METHODS

STORING = ("replay", "echo-replay", "der", "clear", "distill", "sdft", "generative", "agem")
OFF: dict[str, dict[str, Any]] = {"agem": {"strength": 0.0}, "clear": {"value_weight": 0.0}}
SHORT: dict[str, Any] = {"n_steps": 16, "batch_size": 16, "n_epochs": 1}


class Any4(gymnasium.Env[Any, Any]):
    """Four numbers to see, and any actions."""

    def __init__(self, actions: spaces.Space[Any]) -> None:
        self.observation_space, self.action_space = spaces.Box(-1, 1, (4,)), actions

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return np.zeros(4, dtype=np.float32), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return np.zeros(4, dtype=np.float32), 0.0, False, False, {}


def built(kind: str) -> Any:
    box = Any4(spaces.Box(-1, 1, (2,)))
    if kind == "multidiscrete":
        return PPO("MlpPolicy", Any4(spaces.MultiDiscrete([2, 3])), device="cpu", **SHORT)
    if kind == "multibinary":
        return PPO("MlpPolicy", Any4(spaces.MultiBinary(3)), device="cpu", **SHORT)
    if kind == "ppo-sde":
        return PPO("MlpPolicy", box, use_sde=True, device="cpu", **SHORT)
    if kind == "sac-sde":
        return SAC("MlpPolicy", box, use_sde=True, device="cpu")
    contrib = pytest.importorskip("sb3_contrib")
    algorithm = {"qrdqn": contrib.QRDQN, "maskable": contrib.MaskablePPO}[kind]
    return algorithm("MlpPolicy", Any4(spaces.Discrete(3)), device="cpu")


@pytest.mark.parametrize("kind", ["multidiscrete", "multibinary", "ppo-sde", "sac-sde", "qrdqn", "maskable"])
@pytest.mark.parametrize("name", STORING)
def test_unknown_answers_are_refused_at_once(name: str, kind: str) -> None:
    config, method = METHODS[name]
    with pytest.raises(ValueError, match=r"expected"):
        ContinualLearner(built(kind), [method(config())])


@pytest.mark.parametrize("name", [name for name in STORING if name != "distill"])
def test_who_is_switched_off_asks_nothing(name: str) -> None:
    config: Any
    config, method = METHODS[name]
    settings = OFF.get(name, {}) | ({} if name == "agem" else {"weight": 0.0})
    model = built("multidiscrete")
    ContinualLearner(model, [method(config(**settings))]).learn_task(model.env, total_timesteps=16)


def test_the_look_leaves_no_trace() -> None:
    model = PPO("MlpPolicy", Any4(spaces.Discrete(2)), device="cpu", **SHORT)
    norm = model.policy.mlp_extractor.policy_net.append(torch.nn.BatchNorm1d(64))[-1]
    model.policy.mlp_extractor.policy_net.append(torch.nn.Dropout(0.5))
    state = torch.get_rng_state()
    refuse_unanswered(model)
    assert torch.equal(torch.get_rng_state(), state)
    assert model.policy.training and norm.num_batches_tracked == 0
