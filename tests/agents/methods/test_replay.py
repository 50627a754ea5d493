from __future__ import annotations

from typing import Any

import pytest
import torch

from rover_cl_agents import PPOConfig, Replay, ReplayConfig
from rover_cl_agents.learner import ContinualLearner


def learned(bandit: Any, steps: int = 640) -> Replay:
    replay = Replay(capacity=50, batch_size=16, weight=1.0)
    env = bandit(0, 8)
    learner = ContinualLearner(PPOConfig(n_steps=16, batch_size=64, net=(16,)).build(env, 0), [replay])
    learner.learn_task(env, total_timesteps=steps)
    return replay


def test_stores_capacity_states_of_the_latest_rollouts(bandit: Any) -> None:
    replay = learned(bandit)
    assert len(replay.memory) == 50
    assert replay.cost().bytes == 50 * (4 * 4 + 2 * 4 + 2 * 4 + 8)
    assert len(learned(bandit, steps=8).memory) == 50


def test_no_loss_and_no_gradient_right_after_the_snapshot(bandit: Any) -> None:
    replay = learned(bandit)
    loss = replay.auxiliary_loss("policy")
    assert loss is not None
    assert loss.item() == pytest.approx(0, abs=1e-10)
    gradients = torch.autograd.grad(loss, list(replay.algorithm.policy.parameters()), allow_unused=True)
    assert max(float(g.abs().max()) for g in gradients if g is not None) < 1e-5
    assert replay.auxiliary_loss("critic") is None


def test_the_value_network_and_the_spread_are_free(bandit: Any) -> None:
    replay = learned(bandit)
    loss = replay.auxiliary_loss("policy")
    assert loss is not None
    named = dict(replay.algorithm.policy.named_parameters())
    gradients = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
    touched = {name for name, g in zip(named, gradients, strict=True) if g is not None}
    assert touched == {n for n in named if "policy_net" in n or "action_net" in n}


def test_the_next_sample_is_the_same_after_restoring(bandit: Any) -> None:
    replay, other = learned(bandit), Replay(capacity=50, batch_size=16, weight=1.0)
    other.bind(replay.algorithm, 77)
    other.load_state_dict(replay.state_dict())
    assert torch.equal(replay.memory.sample(16)[0], other.memory.sample(16)[0])
    assert replay._reservoir_generator.random() == other._reservoir_generator.random()


@pytest.mark.parametrize(("field", "value"), [("capacity", 0), ("batch_size", 0), ("weight", -0.1)])
def test_ranges(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{field} is {value}; expected"):
        ReplayConfig(**{field: value})
