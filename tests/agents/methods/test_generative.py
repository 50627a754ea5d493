from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3
from torch import Tensor

from rover_cl_agents import ContinualLearner, PPOConfig
from rover_cl_agents.memory.generator import Mixture
from rover_cl_agents.methods.generative import Generative, GenerativeConfig, Quality
from rover_cl_agents.vec_env import as_vec_env

SMALL = PPOConfig(n_steps=16, batch_size=128, n_epochs=4, net=(32, 32))
OFF = {"learning_starts": 32, "buffer_size": 500, "batch_size": 16, "policy_kwargs": {"net_arch": [16]}}
ALGORITHMS: list[tuple[Any, bool, dict[str, Any]]] = [
    (PPO, False, {"n_steps": 16, "batch_size": 32}),
    (A2C, True, {"n_steps": 16}),
    (SAC, False, OFF),
    (TD3, False, OFF),
    (DQN, True, OFF),
]
ACTING = 4 * (4 * 64 + 64 + 64 * 64 + 64 + 64 * 2 + 2 + 2)


def build(algorithm: Any, discrete: bool, settings: Any, bandit: Any, remedies: Any) -> ContinualLearner:
    env = as_vec_env(bandit(0, 2, discrete=discrete))
    return ContinualLearner(
        algorithm("MlpPolicy", env, seed=0, device="cpu", **copy.deepcopy(settings)), remedies
    )


def method(**settings: Any) -> Generative:
    return Generative(**{"components": 3, "samples": 80, "batch_size": 32, "weight": 1.0, **settings})


def weights(learner: ContinualLearner) -> list[Tensor]:
    return [p.detach().clone() for p in learner.algorithm.policy.state_dict().values()]


def equal(a: list[Tensor], b: list[Tensor]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def learned(bandit: Any, tasks: tuple[int, ...] = (0,), **settings: Any) -> Generative:
    generative = method(**settings)
    learner = build(PPO, False, {"n_steps": 16, "batch_size": 32}, bandit, [generative])
    for task in tasks:
        learner.learn_task(bandit(task % 2, 2), total_timesteps=128, task=task)
    return generative


def loss_of(generative: Generative) -> Tensor:
    loss = generative.auxiliary_loss("policy")
    assert loss is not None
    return loss


def test_the_loss_is_weight_times_the_divergence(bandit: Any) -> None:
    generative = learned(bandit, weight=2.0)
    policy: Any = generative.algorithm.policy
    for bias in ([1.0, 2.0], [2.0, 5.0]):
        with torch.no_grad():
            policy.action_net.weight.zero_()
            policy.action_net.bias.copy_(torch.tensor(bias))
            policy.log_std.zero_()
        if bias[0] == 1:
            generative.teacher.copy()
    assert loss_of(generative).item() == pytest.approx(2 * 5)
    assert generative.auxiliary_loss("critic") is None


def test_no_loss_and_no_gradient_right_after_the_snapshot(bandit: Any) -> None:
    generative = learned(bandit)
    loss = loss_of(generative)
    assert loss.item() == pytest.approx(0, abs=1e-10)
    named = dict(generative.algorithm.policy.named_parameters())
    gradients = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
    found = {name: g for name, g in zip(named, gradients, strict=True) if g is not None}
    assert max(float(g.abs().max()) for g in found.values()) < 1e-5
    assert set(found) == {n for n in named if "policy_net" in n or "action_net" in n}


def test_gradient_equals_finite_differences(bandit: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("stable_baselines3.common.policies.preprocess_obs", lambda obs, *_a, **_k: obs)
    generative = learned(bandit)
    mixture = generative._mixture
    assert mixture is not None
    generative._mixture = Mixture(
        weights=mixture.weights.double(), means=mixture.means.double(), scales=mixture.scales.double()
    )
    generative.teacher._weights = {n: t.double() for n, t in generative.teacher._weights.items()}
    noise, policy = torch.Generator().manual_seed(0), generative.algorithm.policy.double()
    with torch.no_grad():
        for p in policy.parameters():
            p.add_(0.3 * torch.randn(p.shape, generator=noise))
    parameter = policy.get_parameter("mlp_extractor.policy_net.0.weight")
    generative._generator.manual_seed(1)
    (gradient,) = torch.autograd.grad(loss_of(generative), parameter)
    for index in [(0, 0), (5, 3)]:
        values = []
        for step in (1e-6, -2e-6, 1e-6):
            with torch.no_grad():
                parameter[index] += step
            generative._generator.manual_seed(1)
            values.append(loss_of(generative).item())
        assert (values[0] - values[1]) / 2e-6 == pytest.approx(gradient[index].item(), rel=1e-5)


def test_mixtures_by_task_and_bytes(bandit: Any) -> None:
    generative = learned(bandit, (3, 4))
    first = generative._mixture
    assert first is not None
    assert generative._owners.tolist() == [3] * 3 + [4] * 3
    assert generative.cost().bytes == ACTING + 6 * (4 * (2 * 4 + 1) + 8)
    torch.testing.assert_close(first.weights.sum(), torch.tensor(2.0))
    again = learned(bandit, (3, 4, 3))
    mixture = again._mixture
    assert mixture is not None
    assert again._owners.tolist() == [4] * 3 + [3] * 3
    assert torch.equal(mixture.means[:3], first.means[3:])
    assert not torch.equal(mixture.means[3:], first.means[:3])
    assert sorted(again.quality) == [3, 4]
    full = learned(bandit, covariance="full")
    assert full.cost().bytes == ACTING + 3 * (4 * (4 * 4 + 4 + 1) + 8)
    assert learned(bandit, weight=0.0).cost().bytes == 0


def test_generated_states_are_like_the_tasks_and_inside_its_space(bandit: Any) -> None:
    generative = learned(bandit, (0, 1))
    assert generative._mixture is not None
    drawn = generative._draw(generative._mixture, 4000)
    # One half about (1.5, 0, 0, 0), the other about (-1.5, 0, 0, 0); spread 0.5 in each dimension.
    assert (drawn[:, 0] > 0).float().mean().item() == pytest.approx(0.5, abs=0.05)
    for half in (drawn[drawn[:, 0] > 0], -drawn[drawn[:, 0] < 0]):
        torch.testing.assert_close(half.mean(dim=0), torch.tensor([1.5, 0, 0, 0]), atol=0.25, rtol=0)
        torch.testing.assert_close(half.std(dim=0), torch.full((4,), 0.5), atol=0.15, rtol=0)
    wide = Mixture(weights=torch.ones(1), means=torch.zeros(1, 4), scales=torch.full((1, 4), 50.0))
    assert generative._draw(wide, 100).abs().max() == 5


def test_quality_tells_a_good_generator_from_a_bad_one(bandit: Any) -> None:
    def measured(**bad: Any) -> Quality:
        class Blind(bandit):  # type: ignore[misc]
            """The old states lie on two lines, which one Gaussian can't tell."""

            def draw(self, n: int) -> Any:
                found = super().draw(n)
                found[:, 0] = np.sign(found[:, 1]) * 4
                return found

        generative = Generative(weight=1.0, batch_size=32, **bad)
        learner = ContinualLearner(SMALL.build(Blind(0, 8), 0), [generative])
        learner.learn_task(Blind(0, 8), total_timesteps=2048)
        assert learner.tasks == [0]
        return generative.quality[0]

    good, bad = measured(components=8), measured(components=1)
    assert good.real > 0
    assert good.ratio == good.generated / good.real
    assert abs(good.ratio - 1) < 0.1 < abs(bad.ratio - 1)
    assert Quality(generated=0.0, real=0.0).ratio == 0


@pytest.mark.parametrize(("algorithm", "discrete", "settings"), ALGORITHMS)
def test_weight_zero_is_finetuning_to_the_bit(
    algorithm: Any, discrete: bool, settings: Any, bandit: Any
) -> None:
    found = []
    for remedies in ([], [method(weight=0.0)], [method()]):
        learner = build(algorithm, discrete, settings, bandit, remedies)
        learner.learn_task(bandit(0, 2, discrete=discrete), total_timesteps=96)
        first = weights(learner)
        learner.learn_task(bandit(1, 2, discrete=discrete), total_timesteps=96)
        found.append((first, weights(learner)))
    assert equal(found[0][1], found[1][1])
    assert equal(found[0][0], found[2][0])  # the first task is learned plainly
    assert not equal(found[0][1], found[2][1])


@pytest.mark.parametrize(("algorithm", "discrete", "settings"), ALGORITHMS)
def test_a_restored_learner_goes_on_as_if_never_stopped(
    algorithm: Any, discrete: bool, settings: Any, bandit: Any, tmp_path: Path
) -> None:
    covariance = "full" if discrete else "diagonal"
    first, second = method(covariance=covariance), method(covariance=covariance)
    learner = build(algorithm, discrete, settings, bandit, [first])
    learner.learn_task(bandit(0, 2, discrete=discrete), total_timesteps=96).save(tmp_path / "checkpoint")
    other = build(algorithm, discrete, settings, bandit, [second])
    other.restore(tmp_path / "checkpoint")
    assert other.cost() == learner.cost()
    assert second.quality == first.quality
    for each in (learner, other):
        each.reseed(5)
        each.learn_task(bandit(1, 2, discrete=discrete), total_timesteps=96)
    assert equal(weights(learner), weights(other))
    assert second.quality == first.quality


def test_refusals(bandit: Any) -> None:
    class Listed(bandit):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(0, 2)
            self.single_observation_space = spaces.Discrete(7)

    model = PPO("MlpPolicy", as_vec_env(Listed()), device="cpu")
    with pytest.raises(ValueError, match=r"Discrete\(7\); expected a Box of floats.*use Replay"):
        method().bind(model, 0)
    generative = learned(bandit)
    state = generative.state_dict()
    with pytest.raises(ValueError, match="none of them"):
        generative.load_state_dict({n: v for n, v in state.items() if n != "owners"})
    with pytest.raises(ValueError, match=r"'means' has shape \(3, 4\); expected \(2, 4\)"):
        generative.load_state_dict({**state, "owners": torch.zeros(2, dtype=torch.int64)})
    with pytest.raises(ValueError, match="unknown weight"):
        generative.load_state_dict({**state, "teacher.nowhere": torch.zeros(1)})


def scores(bandit: Any, remedies: list[Any], seed: int) -> tuple[float, float]:
    learner = ContinualLearner(SMALL.build(bandit(0), seed), remedies)
    for task in range(2):
        learner.learn_task(bandit(task), total_timesteps=6144)
    return bandit(0).score(learner.predict), bandit(1).score(learner.predict)


@pytest.mark.parametrize("seed", [0, 1])
def test_it_keeps_what_finetuning_loses(bandit: Any, seed: int) -> None:
    lost, _ = scores(bandit, [], seed)
    generative = Generative(components=4, batch_size=128, weight=0.3)
    kept, new = scores(bandit, [generative], seed)
    assert lost < -0.7
    assert kept > lost / 3
    assert new > -1
    assert 0.8 < generative.quality[0].ratio < 1.25


@pytest.mark.parametrize(
    ("field", "value"),
    [("components", 0), ("samples", 1), ("batch_size", 0), ("covariance", "round"), ("weight", -0.1)],
)
def test_ranges(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{field} is {value!r}; expected"):
        GenerativeConfig(**{field: value})
    with pytest.raises(ValueError, match="not both"):
        Generative(GenerativeConfig(), **{field: value})
