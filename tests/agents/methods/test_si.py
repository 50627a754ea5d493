from __future__ import annotations

from typing import Any

import pytest
import torch
from stable_baselines3 import PPO
from torch import Tensor

from rover_cl_agents import EWC, ContinualLearner, Method, PPOConfig
from rover_cl_agents.methods.si import SI, SIConfig
from rover_cl_agents.step_hooks import StepHooks
from rover_cl_agents.vec_env import as_vec_env

BIAS = "action_net.bias"
SMALL = PPOConfig(n_steps=16, batch_size=128, n_epochs=4, net=(32, 32))
CURVATURE = torch.tensor([1.0, 4.0])


class Halve(Method):
    """Makes half of every step."""

    def adjust_update(self, role: str, delta: Tensor) -> Tensor:
        return 0.5 * delta


def descend(bandit: Any, methods: list[Method], steps: int = 200) -> Any:
    """Minimise a (theta - 1)^2 / 2 over `action_net.bias` from 0 by plain steps of 0.1, through the hooks."""
    model = PPO("MlpPolicy", as_vec_env(bandit(0, 2)), max_grad_norm=1e9, seed=0, device="cpu")
    policy: Any = model.policy
    bias = policy.action_net.bias
    policy.optimizer = torch.optim.SGD(policy.parameters(), lr=0.1)
    for method in methods:
        method.bind(model, 0)
        method.on_task_start(0)
        if isinstance(method, EWC):
            method.anchor(0, {BIAS: torch.tensor([3.0, 3.0])})
    hooks = StepHooks(model, methods)
    hooks.attach()
    for _ in range(steps):
        policy.optimizer.zero_grad()
        bias.grad = CURVATURE * (bias.detach() - 1)
        policy.optimizer.step()
    hooks.detach()
    return bias


def omega(si: SI) -> Tensor:
    assert si.path is not None
    si.path.advance()
    return si.path.omega[BIAS]


def test_a_quadratic(bandit: Any) -> None:
    si = SI()
    descend(bandit, [si])
    torch.testing.assert_close(omega(si), torch.tensor([0.526316, 2.5]), atol=1e-5, rtol=0)
    assert si.path is not None
    found = si.path.importance(damping=0.1)
    torch.testing.assert_close(found[BIAS], torch.tensor([0.4785, 2.2727]), atol=1e-4, rtol=0)
    assert not any(value.any() for name, value in found.items() if name != BIAS)
    numbers = sum(value.numel() for value in found.values())
    assert si.cost().bytes == 4 * 4 * numbers
    si.on_task_end()
    assert si.path is None
    assert si.cost().bytes == 4 * 4 * numbers


@pytest.mark.parametrize("first", [True, False])
def test_other_penalties_are_no_part_of_the_gradient_but_of_the_way(bandit: Any, first: bool) -> None:
    si, ewc = SI(), EWC(weight=1.0)
    descend(bandit, [si, ewc] if first else [ewc, si], steps=30)
    expected, theta = torch.zeros(2), torch.zeros(2)
    for _ in range(30):
        own = CURVATURE * (theta - 1)
        after = theta - 0.1 * (own + 3.0 * theta)
        expected -= own * (after - theta)
        theta = after
    torch.testing.assert_close(omega(si), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("first", [True, False])
def test_the_way_is_that_of_the_edited_step(bandit: Any, first: bool) -> None:
    si = SI()
    bias = descend(bandit, [si, Halve()] if first else [Halve(), si], steps=1)
    # One half step of 0.1 from 0: theta = 0.05 a, omega = a theta.
    torch.testing.assert_close(bias.detach(), 0.05 * CURVATURE)
    torch.testing.assert_close(omega(si), 0.05 * CURVATURE.square())


def test_movement_against_the_loss_has_no_importance(bandit: Any) -> None:
    si = SI()
    bias = descend(bandit, [si], steps=1)
    assert si.path is not None
    with torch.no_grad():
        bias.copy_(torch.tensor([-1.0, 0.4]))
    assert omega(si)[0] < 0 < omega(si)[1]
    assert si.path.importance(0.1)[BIAS][0] == 0.0


def test_importance_adds_up_and_the_path_starts_anew(bandit: Any) -> None:
    method = SI(cap_quantile=1.0)
    learner = ContinualLearner(SMALL.build(bandit(0, 8), 0), [method])
    for task in range(3):
        learner.learn_task(bandit(task % 2, 8), total_timesteps=128)
        found = [v for n, v in method.state_dict().items() if n.startswith("importance.0.")]
        everything = torch.cat([torch.as_tensor(tensor).flatten() for tensor in found])
        assert everything.mean().item() == pytest.approx(task + 1, rel=1e-4)
        assert method.penalty().item() == 0.0  # the anchor is where the task ended
        assert method.path is None


@pytest.mark.parametrize("seed", [0, 1])
def test_keeps_what_finetuning_loses(bandit: Any, seed: int) -> None:
    learner = ContinualLearner(SMALL.build(bandit(0), seed), [SI(weight=0.1)])
    for task in range(2):
        learner.learn_task(bandit(task), total_timesteps=6144)
    assert bandit(0).score(learner.predict) > -0.24  # finetuning: -1.44 and -0.95
    assert bandit(1).score(learner.predict) > -1.5  # -3.57 before it is learned


@pytest.mark.parametrize(
    ("field", "value"), [("weight", -1.0), ("damping", 0.0), ("damping", float("inf")), ("cap_quantile", 0.0)]
)
def test_ranges(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{field} is {value}; expected"):
        SIConfig(**{field: value})
