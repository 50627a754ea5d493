from __future__ import annotations

from typing import Any

import pytest
import torch
from stable_baselines3 import PPO, SAC

from rover_cl_agents.methods.l2_init import L2Init, L2InitConfig
from rover_cl_agents.vec_env import as_vec_env


def bound(bandit: Any, algorithm: Any = PPO, weight: float = 0.5) -> L2Init:
    model = algorithm("MlpPolicy", as_vec_env(bandit(0, 2)), seed=0, device="cpu")
    method = L2Init(weight=weight)
    method.bind(model, 0)
    method.on_task_start(0)
    return method


def test_value_and_gradient_by_hand(bandit: Any) -> None:
    method = bound(bandit)
    weights = dict(method.algorithm.policy.named_parameters())
    with torch.no_grad():
        weights["action_net.bias"].add_(torch.tensor([3.0, -1.0]))
        weights["log_std"].add_(9.0)
    assert method.penalty().item() == pytest.approx(5.0)  # 0.5 · (9 + 1)
    gradient = method.auxiliary_gradient("policy")
    assert gradient is not None
    assert gradient[weights["action_net.bias"]].tolist() == [3.0, -1.0]
    assert weights["log_std"] not in gradient
    assert sum(float(g.abs().sum()) for g in gradient.values()) == 4.0
    method.on_task_start(1)  # a later task doesn't move the start
    assert method.penalty().item() == pytest.approx(5.0)
    assert method.cost().bytes == 4 * sum(p.numel() for n, p in weights.items() if n != "log_std")


def test_gradient_equals_finite_differences(bandit: Any) -> None:
    method = bound(bandit)
    method.algorithm.policy.double()
    again = L2Init(weight=0.5)
    again.bind(method.algorithm, 0)
    again.on_task_start(0)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in method.algorithm.policy.parameters():
            p.add_(torch.randn(p.shape, generator=generator, dtype=p.dtype))
    gradient = again.auxiliary_gradient("policy")
    assert gradient is not None
    weight = dict(method.algorithm.policy.named_parameters())["mlp_extractor.value_net.0.weight"]
    values = []
    for step in (1e-6, -2e-6):
        with torch.no_grad():
            weight[5, 3] += step
        values.append(again.penalty().item())
    assert (values[0] - values[1]) / 2e-6 == pytest.approx(gradient[weight][5, 3].item(), rel=1e-5)


def test_each_optimiser_gets_its_own(bandit: Any) -> None:
    method = bound(bandit, SAC)
    policy: Any = method.algorithm.policy
    for role in ("actor", "critic"):
        gradient = method.auxiliary_gradient(role)
        assert gradient is not None
        assert {id(p) for p in gradient} == {id(p) for p in getattr(policy, role).parameters()}


def test_refusals(bandit: Any) -> None:
    method = bound(bandit)
    with pytest.raises(ValueError, match="weight is -1"):
        L2InitConfig(weight=-1.0)
    with pytest.raises(ValueError, match="no entry 'nowhere'"):
        method.load_state_dict({"nowhere": torch.zeros(1)})
    with pytest.raises(ValueError, match=r"shape \(3,\); expected \(2,\)"):
        method.load_state_dict({"action_net.bias": torch.zeros(3)})
