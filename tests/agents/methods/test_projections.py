"""What OGD, GPM and A-GEM have in common: they edit the updates of the acting network, of any algorithm."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3
from torch import Tensor

from rover_cl_agents import ContinualLearner, Method
from rover_cl_agents.methods.agem import AGEM
from rover_cl_agents.methods.freeze import Freeze
from rover_cl_agents.methods.gpm import GPM
from rover_cl_agents.methods.ogd import OGD
from rover_cl_agents.state import State
from rover_cl_agents.step_hooks import optimizers, trained_parameters
from rover_cl_agents.vec_env import as_vec_env

OFF = {"learning_starts": 32, "buffer_size": 500, "batch_size": 16, "policy_kwargs": {"net_arch": [16]}}
ALGORITHMS: list[tuple[Any, bool, dict[str, Any]]] = [
    (PPO, False, {"n_steps": 16, "batch_size": 32}),
    (PPO, True, {"n_steps": 16, "batch_size": 32}),
    (A2C, False, {"n_steps": 16}),
    (A2C, True, {"n_steps": 16}),
    (SAC, False, OFF),
    (TD3, False, OFF),
    (DQN, True, OFF),
]


def remedies() -> list[Method]:
    return [
        OGD(vectors=20, gradients=40, directions="sampled"),
        GPM(threshold=0.9, samples=50),
        AGEM(capacity=50, batch_size=16),
    ]


def switched_off() -> list[Method]:
    return [OGD(vectors=0, gradients=40), GPM(threshold=0, samples=50), AGEM(strength=0, capacity=50)]


def build(algorithm: Any, discrete: bool, settings: Any, bandit: Any, methods: Any) -> ContinualLearner:
    env = as_vec_env(bandit(0, 2, discrete=discrete))
    own = copy.deepcopy(settings)  # SB3 writes into policy_kwargs
    return ContinualLearner(algorithm("MlpPolicy", env, seed=0, device="cpu", **own), methods)


def weights(learner: ContinualLearner) -> list[Tensor]:
    return [p.detach().clone() for p in learner.algorithm.policy.state_dict().values()]


def equal(a: list[Tensor], b: list[Tensor]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize(("algorithm", "discrete", "settings"), ALGORITHMS)
def test_switched_off_they_are_finetuning_to_the_bit(
    algorithm: Any, discrete: bool, settings: Any, bandit: Any
) -> None:
    found: list[list[list[Tensor]]] = []
    for methods in ([], switched_off(), remedies()):
        learner = build(algorithm, discrete, settings, bandit, methods)
        found.append([])
        for task in range(2):
            learner.learn_task(bandit(task, 2, discrete=discrete), total_timesteps=96)
            found[-1].append(weights(learner))
    finetuned, off, on = found
    assert equal(finetuned[1], off[1])
    assert equal(finetuned[0], on[0]), "in the first task nothing is protected"
    assert not equal(finetuned[1], on[1])


@pytest.mark.parametrize("method", remedies(), ids=lambda m: m.name)
@pytest.mark.parametrize(("algorithm", "settings"), [(PPO, ALGORITHMS[0][2]), (SAC, OFF)])
def test_value_networks_and_the_spread_are_free(
    method: Method, algorithm: Any, settings: Any, bandit: Any
) -> None:
    learner = build(algorithm, False, settings, bandit, [copy.deepcopy(method)])
    learner.learn_task(bandit(0, 2), total_timesteps=96)
    policy, bound = learner.algorithm.policy, learner.methods[0]
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.add_(0.01)
    for role, optimizer in optimizers(learner.algorithm).items():
        names = {id(p): name for name, p in policy.named_parameters()}
        parameters = trained_parameters(optimizer)
        step = torch.randn(sum(p.numel() for p in parameters), generator=torch.Generator().manual_seed(3))
        touched = set()
        for delta in (step, -step):  # A-GEM lets one of the two through
            bound.auxiliary_gradient(role)
            edited = bound.adjust_update(role, delta)
            parts = torch.split(edited != delta, [p.numel() for p in parameters])
            touched |= {names[id(p)] for p, part in zip(parameters, parts, strict=True) if part.any()}
        free = {n for n in names.values() if "value" in n or "log_std" in n or "critic" in n}
        own = {names[id(p)] for p in parameters}
        assert touched == (set() if role == "critic" else own - free)


@pytest.mark.parametrize("first", [True, False], ids=["before", "behind"])
def test_beside_a_frozen_layer_the_others_alone_leave_the_old_answers(first: bool, bandit: Any) -> None:
    def learned(method: Method) -> tuple[State, dict[str, Tensor]]:
        """What the method held after the first task, and how far the second moved the weights."""
        methods = [Freeze(layers=1), method] if first else [method, Freeze(layers=1)]
        learner = build(*ALGORITHMS[0], bandit, methods)
        learner.learn_task(bandit(0, 2), total_timesteps=96)
        held = method.state_dict()
        start = {name: p.detach().clone() for name, p in learner.algorithm.policy.named_parameters()}
        learner.learn_task(bandit(1, 2), total_timesteps=96)
        named = learner.algorithm.policy.named_parameters()
        return held, {name: p.detach() - start[name] for name, p in named}

    held, moved = learned(OGD(vectors=20, gradients=40))
    names, directions = str(held["parameters"]).split(), held["directions"]
    step = torch.cat([moved[name].flatten() for name in names])
    assert len(names) == 6 and not moved["mlp_extractor.policy_net.0.weight"].any()
    assert isinstance(directions, Tensor) and step.norm() > 0.01
    assert float((directions @ step).norm() / step.norm()) < 1e-4
    held, moved = learned(GPM(threshold=0.9, samples=50))
    for name in ("mlp_extractor.policy_net.2", "action_net"):
        basis = held[f"basis.{name}"]
        step = torch.cat([moved[f"{name}.weight"], moved[f"{name}.bias"][:, None]], dim=1)
        assert isinstance(basis, Tensor) and step.norm() > 0.01
        assert float((step @ basis.T).norm() / step.norm()) < 1e-4
