from __future__ import annotations

from typing import Any

import pytest
import torch
from stable_baselines3 import DQN, PPO, SAC
from torch import Tensor, nn

from rover_cl_agents.importance.quadratic import Quadratics
from rover_cl_agents.step_hooks import optimizers, trained_parameters
from rover_cl_agents.vec_env import as_vec_env

BIAS = "action_net.bias"


@pytest.fixture
def model(bandit: Any) -> PPO:
    return PPO("MlpPolicy", as_vec_env(bandit(0, 2)), learning_rate=0.1, seed=0, device="cpu")


def bias(model: Any) -> Tensor:
    parameter: Tensor = dict(model.policy.named_parameters())[BIAS]
    return parameter


def place(model: Any, values: list[float]) -> None:
    with torch.no_grad():
        bias(model).copy_(torch.tensor(values))


def held(model: Any, weight: float, *anchors: tuple[list[float], list[float]]) -> Quadratics:
    found = Quadratics(model, weight, "Test")
    for key, (importance, at) in enumerate(anchors):
        place(model, at)
        found.anchor(key, {BIAS: torch.tensor(importance)})
    return found


def gradient(model: Any, quadratics: Quadratics) -> list[float]:
    found = quadratics.gradient()
    assert found is not None
    return [float(value) for value in found[bias(model)]]  # type: ignore[index]


def flat(model: Any, role: str = "policy") -> Tensor:
    return torch.cat([p.detach().flatten() for p in trained_parameters(optimizers(model)[role])])


def step(model: Any, quadratics: Quadratics, delta: Tensor) -> Tensor:
    """Make the optimiser's step `delta`, edited by the proximal step."""
    quadratics.remember()
    return quadratics.proximal(delta)


def test_value_gradient_and_proximal_step(model: PPO) -> None:
    quadratics = held(model, 10.0, ([4.0, 0.0], [1.0, 2.0]))
    place(model, [2.0, 5.0])
    assert quadratics.penalty().item() == pytest.approx(20)
    assert gradient(model, quadratics) == [40.0, 0.0]
    delta = torch.zeros(len(flat(model)))
    moved = step(model, quadratics, delta)
    entries = torch.nonzero(moved).flatten()
    assert len(entries) == 1
    assert (flat(model) + moved)[entries].item() == pytest.approx(1.2)  # a step along the gradient: -2


def test_separate_anchors_meet_between_and_one_anchor_stays(model: PPO) -> None:
    apart = held(model, 1.0, ([4.0, 0.0], [0.0, 0.0]), ([1.0, 0.0], [10.0, 0.0]))
    place(model, [2.0, 0.0])
    assert gradient(model, apart) == [0.0, 0.0]
    single = held(model, 1.0)
    for importance, at in ((4.0, 0.0), (1.0, 10.0)):
        place(model, [at, 0.0])
        single.accumulate({BIAS: torch.tensor([importance, 0.0])}, decay=1.0)
    assert gradient(model, single) == [0.0, 0.0]
    place(model, [11.0, 0.0])
    assert gradient(model, single) == [5.0, 0.0]


def test_accumulation_fades_the_past(model: PPO) -> None:
    quadratics = held(model, 1.0)
    for importance in ([1.0, 2.0], [3.0, 0.0]):
        quadratics.accumulate({BIAS: torch.tensor(importance)}, decay=0.95)
    found = quadratics.state_dict()[f"importance.0.{BIAS}"]
    assert isinstance(found, Tensor)
    torch.testing.assert_close(found, torch.tensor([3.95, 1.9]))


def everything(model: Any, weight: float) -> Quadratics:
    """Two anchors over the policy network with random importances, in float64, and weights off both."""
    model.policy.double()
    generator = torch.Generator().manual_seed(0)
    quadratics = Quadratics(model, weight, "Test")
    for key in range(2):
        named = {n: p for n, p in model.policy.named_parameters() if "policy_net" in n}
        quadratics.anchor(
            key, {n: torch.rand(p.shape, generator=generator).double() for n, p in named.items()}
        )
        with torch.no_grad():
            for p in named.values():
                p.add_(0.1 * torch.randn(p.shape, generator=generator))
    return quadratics


def test_gradient_equals_finite_differences(model: PPO) -> None:
    quadratics = everything(model, 7.0)
    found = quadratics.gradient()
    assert found is not None
    for name, index in (
        ("mlp_extractor.policy_net.0.weight", (5, 3)),
        ("mlp_extractor.policy_net.2.bias", 7),
    ):
        parameter = dict(model.policy.named_parameters())[name]
        ends = []
        for shift in (1e-3, -2e-3):  # a quadratic's central difference is exact for any step
            with torch.no_grad():
                parameter[index] += shift
            ends.append(quadratics.penalty().item())
        with torch.no_grad():
            parameter[index] += 1e-3
        assert (ends[0] - ends[1]) / 2e-3 == pytest.approx(found[parameter][index].item(), rel=1e-6)


@pytest.mark.parametrize("weight", [0.5, 100.0])
def test_proximal_step_is_the_minimum_it_claims(model: PPO, weight: float) -> None:
    quadratics = everything(model, weight)
    before = flat(model)
    delta = 0.1 * torch.randn(len(before), generator=torch.Generator().manual_seed(1), dtype=before.dtype)
    moved = step(model, quadratics, delta)
    nn.utils.vector_to_parameters(before + moved, trained_parameters(model.policy.optimizer))
    found = quadratics.gradient()
    assert found is not None
    # At the minimum of |t - t'|^2 / 2 eta + penalty(t): (t - t') / eta + gradient = 0.
    away = dict(
        zip(
            trained_parameters(model.policy.optimizer),
            torch.split(moved - delta, [p.numel() for p in trained_parameters(model.policy.optimizer)]),
            strict=True,
        )
    )
    for parameter, value in away.items():
        if parameter in found:
            torch.testing.assert_close(
                value.view_as(parameter) / 0.1, -found[parameter], rtol=1e-9, atol=1e-9
            )
        else:
            assert not value.any()
    assert len(found) == 4


def test_proximal_step_takes_the_learning_rate_of_the_moment(model: PPO) -> None:
    quadratics = held(model, 10.0, ([4.0, 0.0], [1.0, 2.0]))
    place(model, [2.0, 5.0])
    ends = []
    for rate in (0.1, 0.0, 1e9):
        for group in model.policy.optimizer.param_groups:
            group["lr"] = rate
        ends.append(2.0 + step(model, quadratics, torch.zeros(len(flat(model)))).sum().item())
    assert ends == pytest.approx([1.2, 2.0, 1.0])


@pytest.mark.parametrize(
    ("algorithm", "discrete", "name"), [(SAC, False, "actor.mu.weight"), (DQN, True, "q_net.q_net.4.weight")]
)
def test_proximal_step_finds_its_place_in_any_optimiser(
    algorithm: Any, discrete: bool, name: str, bandit: Any
) -> None:
    model = algorithm("MlpPolicy", as_vec_env(bandit(0, 2, discrete=discrete)), seed=0, device="cpu")
    quadratics = Quadratics(model, 1e9, "Test")
    parameter = dict(model.policy.named_parameters())[name]
    quadratics.anchor(0, {name: torch.ones_like(parameter)})
    role = "actor" if algorithm is SAC else "policy"
    delta = torch.ones(len(flat(model, role)))
    moved = step(model, quadratics, delta)
    nn.utils.vector_to_parameters(moved, trained_parameters(optimizers(model)[role]))
    assert parameter.abs().max().item() < 1e-4  # held: no movement
    assert int((moved != 1.0).sum()) == parameter.numel()


def test_nothing_held_adds_nothing(model: PPO) -> None:
    for quadratics in (held(model, 1.0), held(model, 0.0, ([1.0, 1.0], [0.0, 0.0]))):
        place(model, [1.0, 1.0])
        delta = torch.ones(len(flat(model)))
        assert quadratics.gradient() is None
        assert step(model, quadratics, delta) is delta
        assert quadratics.penalty().item() == 0.0


def test_parameters_that_are_not_trained_are_left_alone(model: PPO) -> None:
    quadratics = held(model, 1.0, ([1.0, 1.0], [0.0, 0.0]))
    bias(model).requires_grad_(False)
    assert quadratics.gradient() == {}


def test_an_exchanged_layer_is_refused_and_found_anew(model: PPO) -> None:
    quadratics = held(model, 1.0, ([1.0, 1.0], [0.0, 0.0]))
    policy: Any = model.policy
    policy.action_net = nn.Linear(64, 2)
    policy.optimizer = torch.optim.Adam(policy.parameters())
    quadratics.refresh()
    place(model, [3.0, 4.0])
    assert gradient(model, quadratics) == [3.0, 4.0]
    policy.action_net = nn.Linear(64, 3)
    quadratics.refresh()
    with pytest.raises(ValueError, match=r"Test holds 'action_net.bias' of shape \(2,\)"):
        quadratics.gradient()


def test_state_round_trip_and_refusals(model: PPO) -> None:
    quadratics = held(model, 3.0, *[([k + 0.1, 1 / (k + 3)], [k * 0.7, -k]) for k in range(12)])
    other = Quadratics(model, 3.0, "Test")
    # A file gives its entries in the order of their names, 10 before 2.
    other.load_state_dict(dict(sorted(quadratics.state_dict().items())))
    place(model, [2.0, 2.5])
    assert gradient(model, other) == gradient(model, quadratics)
    assert other.bytes == quadratics.bytes == (12 * 2 + 2) * 2 * 4
    with pytest.raises(ValueError, match=r"no entry 'importance.3.nowhere'"):
        other.load_state_dict({"importance.3.nowhere": torch.zeros(2)})
    with pytest.raises(ValueError, match=r"no entry 'generator'"):
        other.load_state_dict({"generator": torch.zeros(2)})
    with pytest.raises(ValueError, match=r"shape \(3,\)"):
        other.load_state_dict({f"importance.3.{BIAS}": torch.zeros(3)})
    with pytest.raises(ValueError, match="anchor"):
        other.load_state_dict({f"importance.3.{BIAS}": torch.zeros(2)})
