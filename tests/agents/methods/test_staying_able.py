"""What the plasticity kit claims, in whole runs: sick networks learn again, weights stay small or near."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from stable_baselines3 import PPO
from torch import Tensor, nn

from rover_cl_agents import CBP, ContinualLearner, L2Init, LayerNorm, Method, ReDo, ShrinkPerturb, WeightDecay
from rover_cl_agents.outputs import read
from rover_cl_agents.probes import layer_health, update_norm, weight_norm
from rover_cl_agents.step_hooks import StepHooks
from rover_cl_agents.vec_env import as_vec_env


def learner(bandit: Any, seed: int, activation: type[nn.Module], *methods: Method) -> ContinualLearner:
    model = PPO(
        "MlpPolicy",
        as_vec_env(bandit(0)),
        n_steps=16,
        batch_size=128,
        n_epochs=4,
        learning_rate=1e-3,
        seed=seed,
        device="cpu",
        policy_kwargs={"net_arch": [32, 32], "activation_fn": activation},
    )
    return ContinualLearner(model, methods)


def linear(found: ContinualLearner) -> list[nn.Linear]:
    policy: Any = found.algorithm.policy
    return [part for part in policy.mlp_extractor.policy_net if isinstance(part, nn.Linear)]


def fitted(bandit: Any, seed: int, *methods: Method) -> tuple[float, float]:
    """Fit answers that are no linear map of the observation, with all units dead but one of each layer.

    Returns:
        The mean squared error, and the share of dormant units in the first layer.
    """
    found = learner(bandit, seed, nn.ReLU, *methods)
    policy: Any = found.algorithm.policy
    for method in methods:
        method.on_task_start(0)  # notes what fresh weights are like
        method.on_task_end()
    with torch.no_grad():
        for layer in linear(found):
            layer.bias[:-1] = -5.0
    for method in methods:
        method.on_task_start(1)
    hooks, generator = StepHooks(found.algorithm, methods), torch.Generator().manual_seed(seed)
    hooks.attach()
    policy.set_training_mode(True)
    policy.optimizer.param_groups[0]["lr"] = 5e-3
    states = 2 * torch.rand(256, 4, generator=generator) - 1
    for _ in range(400):
        loss = (read(policy, states).location - (2 * states[:, :2].abs() - 1)).square().mean()
        policy.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        policy.optimizer.step()
    hooks.detach()
    return float(loss.detach()), next(iter(layer_health(policy, states).values())).dormant


@pytest.mark.parametrize("seed", [0, 1])
def test_units_that_have_died_live_again_and_learn(bandit: Any, seed: int) -> None:
    plain, dead = fitted(bandit, seed)
    assert dead == 31 / 32
    for method in (
        ReDo(period=50),
        CBP(replacement_rate=1e-2, maturity=20),
        ShrinkPerturb(amount=0.9),
    ):
        error, left = fitted(bandit, seed, method)
        assert error < 0.1 * plain, method.name
        assert left < 0.8, method.name


@pytest.mark.parametrize("seed", [0, 1])
def test_saturated_units_work_again_behind_a_layer_norm(bandit: Any, seed: int) -> None:
    scores, saturated = [], []
    for methods in ((), (LayerNorm(),)):
        found = learner(bandit, seed, nn.Tanh, *methods)
        with torch.no_grad():
            for layer in linear(found):
                layer.weight.mul_(100.0)
        found.learn_task(bandit(0), 4096)
        health = layer_health(found.algorithm.policy, torch.as_tensor(bandit(0).draw(512)))
        saturated.append(next(iter(health.values())).saturated)
        scores.append(bandit(0).score(found.predict))
    assert saturated[0] > 0.8 and saturated[1] < 0.2
    assert scores[1] > scores[0]


@pytest.mark.parametrize("seed", [0, 1])
def test_weights_end_smaller_or_nearer_to_where_they_began(bandit: Any, seed: int) -> None:
    def ends(*methods: Method) -> tuple[float, float]:
        found = learner(bandit, seed, nn.Tanh, *methods)
        state = found.algorithm.policy.state_dict()
        start: dict[str, Tensor] = {n: t.clone() for n, t in state.items() if n.endswith("weight")}
        found.learn_task(bandit(0), 1024).learn_task(bandit(1), 1024)
        state = found.algorithm.policy.state_dict()
        now = {name: state[name] for name in start}
        return weight_norm(now.values()), update_norm(start, now)

    size, way = ends()
    assert ends(WeightDecay(weight=1.0))[0] < 0.95 * size
    assert ends(L2Init(weight=1e-2))[1] < 0.95 * way
