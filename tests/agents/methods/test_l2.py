from __future__ import annotations

from typing import Any

import pytest
import torch

from rover_cl_agents import ContinualLearner, PPOConfig
from rover_cl_agents.methods.l2 import L2

SMALL = PPOConfig(n_steps=16, batch_size=128, n_epochs=4, net=(32, 32))


def learned(bandit: Any, method: L2, tasks: int) -> ContinualLearner:
    learner = ContinualLearner(SMALL.build(bandit(0, 8), 0), [method])
    for task in range(tasks):
        learner.learn_task(bandit(task % 2, 8), total_timesteps=128)
    return learner


def move(method: L2, by: float) -> None:
    with torch.no_grad():
        for parameter in method.algorithm.policy.parameters():
            parameter.add_(by)


def test_every_acting_weight_counts_one(bandit: Any) -> None:
    method = L2(weight=4.0)
    learned(bandit, method, 1)
    assert method.penalty().item() == 0.0
    move(method, 0.5)
    numbers = 4 * 32 + 32 + 32 * 32 + 32 + 32 * 2 + 2
    assert method.penalty().item() == pytest.approx(0.5 * 4.0 * 0.25 * numbers, rel=1e-5)
    found = method.auxiliary_gradient("policy")
    assert found is not None
    assert sum(p.numel() for p in found) == numbers
    for gradient in found.values():
        torch.testing.assert_close(gradient, torch.full_like(gradient, 2.0), atol=1e-5, rtol=0)
    assert method.cost().bytes == 4 * 4 * numbers


def test_the_latest_task_is_the_anchor_and_the_pull_does_not_grow(bandit: Any) -> None:
    method = L2(weight=4.0)
    learned(bandit, method, 3)
    found = method.auxiliary_gradient("policy")
    assert found is not None
    assert not any(gradient.any() for gradient in found.values())
    move(method, 0.5)
    found = method.auxiliary_gradient("policy")
    assert found is not None
    for gradient in found.values():
        torch.testing.assert_close(gradient, torch.full_like(gradient, 2.0), atol=1e-5, rtol=0)


@pytest.mark.parametrize("seed", [0, 1])
def test_keeps_what_finetuning_loses(bandit: Any, seed: int) -> None:
    learner = ContinualLearner(SMALL.build(bandit(0), seed), [L2(weight=1.5)])
    for task in range(2):
        learner.learn_task(bandit(task), total_timesteps=6144)
    assert bandit(0).score(learner.predict) > -0.3  # finetuning: -1.44 and -0.95
    assert bandit(1).score(learner.predict) > -2.8  # -3.57 before it is learned
