from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from stable_baselines3 import DQN, PPO, SAC
from torch import Tensor
from torch.nn import Parameter

from rover_cl_agents import ContinualLearner, Method
from rover_cl_agents.step_hooks import StepHooks, add_clipped, optimizers
from rover_cl_agents.vec_env import as_vec_env


class Count(Method):
    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()

    def auxiliary_loss(self, role: str) -> Tensor | None:
        self.calls[f"{role} before"] += 1
        return None

    def adjust_update(self, role: str, delta: Tensor) -> Tensor:
        self.calls[f"{role} after"] += 1
        return delta


class Nothing(Method):
    """A loss times zero, with noise of its own or of everyone's."""

    def __init__(self, *, own: bool) -> None:
        self.generator = torch.Generator().manual_seed(0) if own else None

    def auxiliary_loss(self, role: str) -> Tensor | None:
        noise = torch.randn(1, generator=self.generator)
        return 0.0 * torch.stack([(p * noise).sum() for p in self.algorithm.policy.parameters()]).sum()

    def adjust_update(self, role: str, delta: Tensor) -> Tensor:
        return delta


class Freeze(Method):
    def adjust_update(self, role: str, delta: Tensor) -> Tensor:
        return torch.zeros_like(delta)


class Pull(Method):
    """A gradient of 1 on every parameter, by whichever door."""

    def __init__(self, door: str) -> None:
        self.door = door

    def auxiliary_loss(self, role: str) -> Tensor | None:
        ps = optimizers(self.algorithm)[role].param_groups[0]["params"]
        return torch.stack([p.sum() for p in ps]).sum() if self.door == "loss" else None

    def auxiliary_gradient(self, role: str) -> Mapping[Parameter, Tensor] | None:
        ps = optimizers(self.algorithm)[role].param_groups[0]["params"]
        return {p: torch.ones_like(p) for p in ps} if self.door == "gradient" else None


def ppo(bandit: Any, seed: int = 0, envs: int = 1) -> PPO:
    env = as_vec_env(bandit(0, envs))
    return PPO("MlpPolicy", env, n_steps=64, batch_size=32, n_epochs=2, seed=seed, device="cpu")


def weights(model: Any) -> list[Tensor]:
    return [p.detach().clone() for p in model.policy.parameters()]


def equal(a: list[Tensor], b: list[Tensor]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def trained(bandit: Any, *methods: Method, steps: int = 512) -> list[Tensor]:
    model = ppo(bandit)
    assert model.env is not None
    ContinualLearner(model, methods).learn_task(model.env, total_timesteps=steps)
    return weights(model)


def test_ppo_calls(bandit: Any) -> None:
    count = Count()
    trained(bandit, count, steps=128)
    assert count.calls == {"policy before": 8, "policy after": 8}


def test_sac_calls(bandit: Any) -> None:
    count, env = Count(), as_vec_env(bandit(0, 1))
    model = SAC("MlpPolicy", env, learning_starts=32, buffer_size=200, batch_size=8, device="cpu")
    assert model.ent_coef_optimizer is not None
    model.ent_coef_optimizer.register_step_post_hook(lambda *_: count.calls.update(["entropy"]))
    ContinualLearner(model, [count]).learn_task(env, total_timesteps=128)
    assert set(count.calls.values()) == {96}
    assert count.calls.pop("entropy") == 96
    assert set(count.calls) == {"actor before", "actor after", "critic before", "critic after"}
    assert model._n_updates == 96


def test_nothing_added_changes_nothing_and_the_global_generator_would(bandit: Any) -> None:
    vanilla = weights(ppo(bandit).learn(512))
    assert equal(vanilla, trained(bandit))
    assert equal(vanilla, trained(bandit, Nothing(own=True)))
    assert not equal(vanilla, trained(bandit, Nothing(own=False)))


def test_an_edited_step_is_the_step_made(bandit: Any) -> None:
    assert equal(weights(ppo(bandit)), trained(bandit, Freeze()))


def test_both_gradient_doors_add_the_same(bandit: Any) -> None:
    found = [trained(bandit, Pull(door), steps=64) for door in ("loss", "gradient")]
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)
    assert not equal(found[0], trained(bandit, steps=64))


def test_no_hook_without_need_and_none_left_behind(bandit: Any) -> None:
    model = ppo(bandit)
    hooks = StepHooks(model, [Method()])
    hooks.attach()
    assert not model.policy.optimizer._optimizer_step_pre_hooks
    hooks = StepHooks(model, [Count()])
    hooks.attach()
    hooks.attach()
    assert len(model.policy.optimizer._optimizer_step_pre_hooks) == 1
    hooks.detach()
    assert not model.policy.optimizer._optimizer_step_pre_hooks
    assert not model.policy.optimizer._optimizer_step_post_hooks


def test_sac_penalty_reaches_the_actor_alone(bandit: Any) -> None:
    env = as_vec_env(bandit(0, 1))
    model = SAC("MlpPolicy", env, device="cpu")
    roles = optimizers(model)
    assert set(roles) == {"actor", "critic"}
    assert set(optimizers(DQN("MlpPolicy", as_vec_env(bandit(0, 1, discrete=True)), device="cpu"))) == {
        "policy"
    }


def test_clipping_bounds_the_joint_norm_and_adds() -> None:
    a, b = Parameter(torch.zeros(1)), Parameter(torch.zeros(1))
    a.grad = torch.ones(1)
    add_clipped({a: torch.tensor([3.0]), b: torch.tensor([4.0])}, 0.5)
    assert b.grad is not None
    assert a.grad.item() == pytest.approx(1 + 0.3, abs=1e-5)
    assert b.grad.item() == pytest.approx(0.4, abs=1e-5)
    add_clipped({b: torch.tensor([4.0])}, None)
    assert b.grad.item() == pytest.approx(4.4, abs=1e-5)
