from __future__ import annotations

from typing import Any

import pytest
import torch
from stable_baselines3 import PPO, SAC
from torch import Tensor

from rover_cl_agents.methods.shrink_perturb import ShrinkPerturb, ShrinkPerturbConfig, mixture
from rover_cl_agents.units.initial_weights import all_learned_weights, sizes
from rover_cl_agents.vec_env import as_vec_env


def bound(bandit: Any, algorithm: Any = PPO, **settings: Any) -> ShrinkPerturb:
    method = ShrinkPerturb(**settings)
    method.bind(algorithm("MlpPolicy", as_vec_env(bandit(0, 2)), seed=0, device="cpu"), 0)
    method.on_task_start(0)
    return method


def weights(method: ShrinkPerturb) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in all_learned_weights(method.algorithm).items()}


def test_mixture_by_hand() -> None:
    assert mixture(torch.tensor([1.0]), torch.tensor([0.5]), 0.2).item() == pytest.approx(0.9)


def test_fresh_weights_come_in_at_each_task_but_the_first(bandit: Any) -> None:
    whole, part = bound(bandit, amount=1.0), bound(bandit, amount=0.25)
    start = weights(whole)
    assert all(torch.equal(start[name], value) for name, value in weights(part).items())
    for method in (whole, part):
        method.on_task_end()
        method.on_task_start(1)
    fresh, mixed = weights(whole), weights(part)
    for name, value in start.items():  # the same seed draws the same fresh weights
        torch.testing.assert_close(mixed[name], 0.75 * value + 0.25 * fresh[name])
    before, after = sizes(whole_of(start)), sizes(whole_of(fresh))
    name = "mlp_extractor.policy_net.2.weight"
    assert not torch.equal(fresh[name], start[name])
    assert after[name] == pytest.approx(before[name], rel=0.05)
    assert after["mlp_extractor.policy_net.2.bias"] == 0.0
    policy: Any = whole.algorithm.policy
    assert torch.equal(policy.log_std, torch.zeros(2))


def whole_of(values: dict[str, Tensor]) -> dict[str, torch.nn.Parameter]:
    return {name: torch.nn.Parameter(value) for name, value in values.items()}


def test_targets_are_mixed_alike(bandit: Any) -> None:
    method = bound(bandit, SAC, amount=0.5)
    method.on_task_end()
    method.on_task_start(1)
    policy: Any = method.algorithm.policy
    for p, q in zip(policy.critic.parameters(), policy.critic_target.parameters(), strict=True):
        assert torch.equal(p, q)


def test_soft_variant_by_hand(bandit: Any) -> None:
    method = bound(bandit, variant="soft", amount=0.25)
    policy: Any = method.algorithm.policy
    start = policy.action_net.bias.detach().clone()
    with torch.no_grad():
        policy.action_net.bias.add_(torch.tensor([4.0, -8.0]))
        policy.log_std.add_(4.0)
    parameters = policy.optimizer.param_groups[0]["params"]
    step = torch.full((sum(p.numel() for p in parameters),), 0.5)
    edited = torch.split(method.adjust_update("policy", step), [p.numel() for p in parameters])
    by_id = {id(p): values for p, values in zip(parameters, edited, strict=True)}
    assert by_id[id(policy.action_net.bias)].tolist() == [-0.5, 2.5]
    assert by_id[id(policy.log_std)].tolist() == [0.5, 0.5]
    assert method.cost().bytes == 4 * (step.numel() - 2)
    assert torch.equal(start, torch.zeros(2))


def test_refusals(bandit: Any) -> None:
    with pytest.raises(ValueError, match=r"amount is 1.5.*\[0, 1\]"):
        ShrinkPerturbConfig(amount=1.5)
    with pytest.raises(ValueError, match=r"variant is 'hard'.*switch, soft"):
        ShrinkPerturbConfig(variant="hard")
    method = bound(bandit)
    with pytest.raises(ValueError, match="needs 'learned'"):
        method.load_state_dict({})
    with pytest.raises(ValueError, match=r"no entry 'start.nowhere'"):
        method.load_state_dict({**method.state_dict(), "start.nowhere": torch.zeros(1)})
