from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from stable_baselines3 import PPO

from rover_cl_agents.methods.weight_decay import WeightDecay, WeightDecayConfig
from rover_cl_agents.step_hooks import StepHooks
from rover_cl_agents.vec_env import as_vec_env


def test_equals_adamw_and_leaves_the_spread_alone(bandit: Any) -> None:
    model = PPO("MlpPolicy", as_vec_env(bandit(0, 2)), seed=0, device="cpu", learning_rate=0.01)
    method = WeightDecay(weight=0.3)
    method.bind(model, 0)
    method.on_task_start(0)
    policy: Any = model.policy
    with torch.no_grad():
        policy.log_std.fill_(0.7)
    mine = list(policy.parameters())
    theirs = copy.deepcopy(mine)
    spread = [i for i, p in enumerate(mine) if p is policy.log_std]
    groups: list[dict[str, Any]] = [
        {"params": [p for i, p in enumerate(theirs) if i not in spread]},
        {"params": [theirs[i] for i in spread], "weight_decay": 0.0},
    ]
    reference = torch.optim.AdamW(groups, lr=0.01, eps=1e-5, weight_decay=0.3)
    hooks = StepHooks(model, [method])
    hooks.attach()
    generator = torch.Generator().manual_seed(0)
    for _ in range(5):
        for p, q in zip(mine, theirs, strict=True):
            p.grad = torch.randn(p.shape, generator=generator)
            q.grad = p.grad.clone()
        policy.optimizer.step()
        reference.step()
    for p, q in zip(mine, theirs, strict=True):
        torch.testing.assert_close(p, q, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_ranges(value: float) -> None:
    with pytest.raises(ValueError, match=r"weight is .*finite number >= 0"):
        WeightDecayConfig(weight=value)
