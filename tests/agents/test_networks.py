from __future__ import annotations

from typing import Any

import pytest
import torch
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3
from torch import nn

from rover_cl_agents.networks import acting_stack, hidden_stacks, rebuild_optimizers
from rover_cl_agents.step_hooks import optimizers
from rover_cl_agents.vec_env import as_vec_env

ALGORITHMS: list[tuple[Any, bool, list[str], list[str]]] = [
    (PPO, False, ["Linear", "Tanh"] * 2, ["mlp_extractor.policy_net", "mlp_extractor.value_net"]),
    (A2C, True, ["Linear", "Tanh"] * 2, ["mlp_extractor.policy_net", "mlp_extractor.value_net"]),
    (SAC, False, ["Linear", "ReLU"] * 2, ["actor.latent_pi", "critic.qf0", "critic.qf1"]),
    (TD3, False, [*["Linear", "ReLU"] * 2, "Linear", "Tanh"], ["actor.mu", "critic.qf0", "critic.qf1"]),
    (DQN, True, [*["Linear", "ReLU"] * 2, "Linear"], ["q_net.q_net"]),
]


def build(algorithm: Any, bandit: Any, discrete: bool = False, **policy: Any) -> Any:
    env = as_vec_env(bandit(0, 2, discrete=discrete))
    return algorithm("MlpPolicy", env, seed=0, device="cpu", policy_kwargs={"net_arch": [8, 8], **policy})


@pytest.mark.parametrize(("algorithm", "discrete", "layers", "stacks"), ALGORITHMS)
def test_the_stacks_are_found(
    algorithm: Any, discrete: bool, layers: list[str], stacks: list[str], bandit: Any
) -> None:
    policy = build(algorithm, bandit, discrete).policy
    assert [type(layer).__name__ for layer in acting_stack(policy)] == layers
    assert list(hidden_stacks(policy)) == stacks


def test_a_policy_without_hidden_layers_is_refused(bandit: Any) -> None:
    with pytest.raises(ValueError, match="at least one hidden layer"):
        acting_stack(build(PPO, bandit, net_arch=[]).policy)


@pytest.mark.parametrize(("algorithm", "discrete"), [(a, d) for a, d, _, _ in ALGORITHMS])
def test_new_optimizers_are_like_the_old(algorithm: Any, discrete: bool, bandit: Any) -> None:
    model = build(algorithm, bandit, discrete)
    old = optimizers(model)
    rebuild_optimizers(model)
    new = optimizers(model)
    assert list(new) == list(old)
    for role in old:
        assert new[role] is not old[role]
        assert type(new[role]) is type(old[role])
        assert new[role].defaults == old[role].defaults
        groups = [[p for g in o.param_groups for p in g["params"]] for o in (old[role], new[role])]
        assert [id(p) for p in groups[0]] == [id(p) for p in groups[1]]


@pytest.mark.parametrize("kind", [torch.optim.AdamW, torch.optim.SGD, torch.optim.RMSprop])
def test_any_of_torchs_optimizers_is_made_anew(kind: Any, bandit: Any) -> None:
    settings = {"weight_decay": 0.1}
    model = build(PPO, bandit, optimizer_class=kind, optimizer_kwargs=settings)
    before = model.policy.optimizer.defaults
    rebuild_optimizers(model)
    assert type(model.policy.optimizer) is kind
    assert model.policy.optimizer.defaults == before


def test_what_is_frozen_leaves_the_optimizer_and_what_is_new_comes_in(bandit: Any) -> None:
    model = build(PPO, bandit)
    stack = acting_stack(model.policy)
    stack[0].requires_grad_(False)
    weight: Any = stack[0].weight
    weight.grad = torch.ones_like(weight)
    stack[2] = nn.Linear(8, 8)
    rebuild_optimizers(model)
    held = {id(p) for p in model.policy.optimizer.param_groups[0]["params"]}
    assert not held & {id(p) for p in stack[0].parameters()}
    assert weight.grad is None, "it would count in the gradient's norm"
    assert held >= {id(p) for p in stack[2].parameters()}
