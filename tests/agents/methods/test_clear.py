from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3 import A2C, PPO, SAC
from stable_baselines3.common.vec_env import DummyVecEnv

from rover_cl_agents import ContinualLearner, PPOConfig
from rover_cl_agents.methods.clear import CLEAR, CLEARConfig
from rover_cl_agents.vec_env import as_vec_env

CASES: list[tuple[Any, bool, dict[str, Any]]] = [
    (PPO, False, {"n_steps": 16, "batch_size": 32}),
    (PPO, True, {"n_steps": 16, "batch_size": 32}),
    (A2C, True, {"n_steps": 16}),
    (A2C, False, {"n_steps": 16}),
]


def build(algorithm: Any, discrete: bool, settings: Any, bandit: Any, remedies: Any) -> ContinualLearner:
    env = as_vec_env(bandit(0, 2, discrete=discrete))
    return ContinualLearner(algorithm("MlpPolicy", env, seed=0, device="cpu", **settings), remedies)


def weights(learner: ContinualLearner) -> list[torch.Tensor]:
    return [p.detach().clone() for p in learner.algorithm.policy.state_dict().values()]


def equal(a: list[torch.Tensor], b: list[torch.Tensor]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def in_double(policy: Any) -> None:
    """Let a policy work in float64, though Stable-Baselines3 turns observations into float32."""
    policy.double()
    for module in policy.modules():
        if isinstance(module, torch.nn.Linear):
            module.register_forward_pre_hook(lambda _, inputs: (inputs[0].double(),))


def after_one_rollout(bandit: Any, discrete: bool = False, **settings: Any) -> CLEAR:
    """A policy that hasn't been trained since it filled the memory: the learning rate is zero."""
    method = CLEAR(capacity=200, batch_size=200, **settings)
    own = {"n_steps": 16, "batch_size": 32, "n_epochs": 1, "learning_rate": 0.0}
    learner = build(PPO, discrete, own, bandit, [method])
    learner.learn_task(bandit(0, 2, discrete=discrete), total_timesteps=32)
    return method


@pytest.mark.parametrize("discrete", [False, True])
def test_cloning_is_zero_on_the_moment_itself_and_grows_from_there(discrete: bool, bandit: Any) -> None:
    method = after_one_rollout(bandit, discrete, weight=1.0, value_weight=0.0)
    loss = method.auxiliary_loss("policy")
    assert loss is not None
    assert loss.item() == pytest.approx(0, abs=1e-10)
    policy: Any = method.algorithm.policy
    with torch.no_grad():
        policy.action_net.bias[0].add_(2.0)
    grown = method.auxiliary_loss("policy")
    assert grown is not None
    assert grown.item() > 0.1
    if not discrete:  # (2 / σ)² / 2 with σ = 1
        assert grown.item() == pytest.approx(2, rel=1e-5)
    assert method.auxiliary_loss("critic") is None


def test_value_cloning(bandit: Any) -> None:
    method = after_one_rollout(bandit, weight=0.0, value_weight=0.5)
    policy: Any = method.algorithm.policy
    with torch.no_grad():
        policy.value_net.bias.add_(3.0)
    loss = method.auxiliary_loss("policy")
    assert loss is not None
    assert loss.item() == pytest.approx(0.5 * 9, rel=1e-5)
    named = dict(method.algorithm.policy.named_parameters())
    gradients = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
    touched = {name for name, g in zip(named, gradients, strict=True) if g is not None}
    assert touched == {name for name in named if "value" in name}


@pytest.mark.parametrize("discrete", [False, True])
def test_replayed_one_step_episodes(discrete: bool, bandit: Any) -> None:
    """On-policy and with an end after each step, V-trace is r − V."""
    method = after_one_rollout(bandit, discrete, weight=0.0, value_weight=0.0, replay_weight=1.0, unroll=4)
    rows = method.memory.at(torch.arange(len(method.memory)))
    assert rows["rewards"].shape == (8, 4)
    assert bool((rows["ends"] == 1).all())
    advantage = (rows["rewards"] - rows["values"])[:, :-1]
    policy_part = -(advantage * rows["log_probs"][:, :-1]).mean()
    value_part = 0.5 * method.algorithm.vf_coef * advantage.square().mean()
    loss = method.auxiliary_loss("policy")
    assert loss is not None
    assert loss.item() == pytest.approx((policy_part + value_part).item(), rel=1e-4)


def test_the_gradient_of_cloning_equals_finite_differences(bandit: Any) -> None:
    method = after_one_rollout(bandit, weight=0.7, value_weight=0.2)
    policy = method.algorithm.policy
    in_double(policy)
    columns = method.memory._columns
    method.memory._columns = {k: v.double() if v.is_floating_point() else v for k, v in columns.items()}
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.add_(torch.sin(torch.arange(parameter.numel()) + 1.0).view_as(parameter), alpha=0.1)

    def loss() -> torch.Tensor:
        found = method.auxiliary_loss("policy")
        assert found is not None
        return found

    for name in ("mlp_extractor.policy_net.0.weight", "mlp_extractor.value_net.0.weight"):
        parameter = dict(policy.named_parameters())[name]
        gradient = torch.autograd.grad(loss(), parameter)[0]
        values = []
        for step in (1e-6, -2e-6):
            with torch.no_grad():
                parameter[5, 3] += step
            values.append(loss().item())
        with torch.no_grad():
            parameter[5, 3] += 1e-6
        assert (values[0] - values[1]) / 2e-6 == pytest.approx(gradient[5, 3].item(), rel=1e-5)


def test_trajectories_are_one_environment_step_after_step(countdown: Any) -> None:
    env = DummyVecEnv([lambda: countdown(3), lambda: countdown(4)])
    method = CLEAR(replay_weight=0.1, unroll=5)
    ContinualLearner(PPO("MlpPolicy", env, n_steps=12, batch_size=8, device="cpu"), [method]).learn_task(
        env, total_timesteps=24
    )
    rows = method.memory.at(torch.arange(len(method.memory)))
    found = [row.flatten().int().tolist() for row in rows["observations"]]
    assert sorted(found) == [[0, 1, 2, 0, 1], [0, 1, 2, 3, 0], [1, 2, 3, 0, 1], [2, 0, 1, 2, 0]]
    for observations, ends in zip(found, rows["ends"].int().tolist(), strict=True):
        assert [bool(end) for end in ends[:-1]] == [after == 0 for after in observations[1:]]


@pytest.mark.parametrize(("algorithm", "discrete", "settings"), CASES)
def test_without_weights_it_is_finetuning_to_the_bit(
    algorithm: Any, discrete: bool, settings: Any, bandit: Any
) -> None:
    found = []
    off = CLEAR(weight=0.0, value_weight=0.0)
    for remedies in ([], [off], [CLEAR(capacity=64, batch_size=16)]):
        learner = build(algorithm, discrete, settings, bandit, remedies)
        for task in range(2):
            learner.learn_task(bandit(task, 2, discrete=discrete), total_timesteps=96)
        found.append(weights(learner))
    assert equal(found[0], found[1])
    assert not equal(found[0], found[2])
    assert off.cost().bytes == 0


@pytest.mark.parametrize("seed", [0, 1])
def test_it_keeps_what_finetuning_loses(bandit: Any, seed: int) -> None:
    scores = []
    for remedies in ([], [CLEAR(weight=1.0, capacity=2000, batch_size=128)]):
        config = PPOConfig(n_steps=16, batch_size=128, n_epochs=4, learning_rate=3e-3, net=(32,))
        learner = ContinualLearner(config.build(bandit(0), seed), remedies)
        for task in range(2):
            learner.learn_task(bandit(task), total_timesteps=5120)
        scores.append(bandit(0).score(learner.predict))
    assert scores[0] < -1
    assert scores[1] > scores[0] / 3


def test_refusals(bandit: Any) -> None:
    with pytest.raises(ValueError, match=r"algorithm is SAC; expected PPO or A2C.*Use DER"):
        build(SAC, False, {"buffer_size": 100}, bandit, [CLEAR()])
    with pytest.raises(ValueError, match="unroll is 20; expected at most n_steps, 16"):
        build(PPO, False, {"n_steps": 16, "batch_size": 32}, bandit, [CLEAR(replay_weight=1.0)])
    with pytest.raises(ValueError, match="capacity is 10; expected at least unroll"):
        CLEARConfig(capacity=10, replay_weight=1.0)
    for field, value in (
        ("weight", -1.0),
        ("value_weight", np.inf),
        ("replay_weight", -1.0),
        ("capacity", 0),
        ("batch_size", 0),
        ("unroll", 1),
        ("insertion", "episodes"),
        ("eviction", "lru"),
        ("precision", "int8"),
    ):
        settings: dict[str, Any] = {field: value}
        with pytest.raises(ValueError, match=f"{field} is {value!r}; expected"):
            CLEARConfig(**settings)
