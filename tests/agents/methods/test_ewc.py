from __future__ import annotations

from typing import Any

import pytest
import torch
from stable_baselines3 import PPO

from rover_cl_agents import EWC, EWCConfig
from rover_cl_agents.vec_env import as_vec_env


@pytest.fixture
def ewc(bandit: Any) -> EWC:
    method = EWC(weight=10.0)
    model = PPO("MlpPolicy", as_vec_env(bandit(0, 2)), seed=0, device="cpu")
    method.bind(model, 0)
    return method


def place(method: EWC, values: list[float]) -> None:
    with torch.no_grad():
        dict(method.algorithm.policy.named_parameters())["action_net.bias"].copy_(torch.tensor(values))


def gradient(method: EWC) -> torch.Tensor:
    found = method.auxiliary_gradient("policy")
    assert found is not None
    return found[dict(method.algorithm.policy.named_parameters())["action_net.bias"]]


def test_value_and_gradient(ewc: EWC) -> None:
    place(ewc, [1.0, 2.0])
    ewc.anchor(0, {"action_net.bias": torch.tensor([4.0, 0.0])})
    place(ewc, [2.0, 5.0])
    assert ewc.penalty().item() == pytest.approx(20)
    assert gradient(ewc).tolist() == [40.0, 0.0]


def test_anchors_are_apart(ewc: EWC) -> None:
    for task, (value, place_at) in enumerate([(4.0, 0.0), (1.0, 10.0)]):
        place(ewc, [place_at, 0.0])
        ewc.anchor(task, {"action_net.bias": torch.tensor([value, 0.0])})
    place(ewc, [2.0, 0.0])
    assert gradient(ewc).tolist() == [0.0, 0.0]


def test_a_task_seen_again_replaces_its_anchor(ewc: EWC) -> None:
    for place_at in (0.0, 3.0):
        place(ewc, [place_at, 0.0])
        ewc.anchor(7, {"action_net.bias": torch.tensor([4.0, 0.0])})
    assert gradient(ewc).tolist() == [0.0, 0.0]
    assert ewc.penalty().item() == 0.0


def test_gradient_equals_finite_differences(ewc: EWC) -> None:
    policy = ewc.algorithm.policy.double()
    torch.manual_seed(0)
    for task in range(2):
        information = {n: torch.rand_like(p) for n, p in policy.named_parameters() if "policy_net" in n}
        ewc.anchor(task, information)
        with torch.no_grad():
            for p in policy.parameters():
                p.add_(0.1 * torch.randn_like(p))
    found = ewc.auxiliary_gradient("policy")
    assert found is not None
    name = "mlp_extractor.policy_net.0.weight"
    parameter = dict(policy.named_parameters())[name]
    for index in [(0, 0), (5, 3)]:
        values = []
        for step in (1e-6, -2e-6):
            with torch.no_grad():
                parameter[index] += step
            values.append(ewc.penalty().item())
        with torch.no_grad():
            parameter[index] += 1e-6
        assert (values[0] - values[1]) / 2e-6 == pytest.approx(found[parameter][index].item(), rel=1e-6)


def test_state_round_trip_and_refusals(ewc: EWC) -> None:
    place(ewc, [1.0, 2.0])
    ewc.anchor(3, {"action_net.bias": torch.tensor([4.0, 1.0])})
    other = EWC(weight=10.0)
    other.bind(ewc.algorithm, 1)
    other.load_state_dict(ewc.state_dict())
    place(ewc, [2.0, 2.5])
    assert torch.equal(gradient(other), gradient(ewc))
    assert other.cost() == ewc.cost()
    assert ewc.cost().bytes == 4 * 2 * 4
    with pytest.raises(ValueError, match=r"no entry 'fisher.3.nowhere'"):
        other.load_state_dict({"fisher.3.nowhere": torch.zeros(2)})
    with pytest.raises(ValueError, match=r"shape \(3,\)"):
        other.load_state_dict({"fisher.3.action_net.bias": torch.zeros(3)})
    with pytest.raises(ValueError, match="anchor"):
        other.load_state_dict({"fisher.3.action_net.bias": torch.zeros(2)})


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("weight", -1.0, ">= 0"),
        ("weight", float("nan"), ">= 0"),
        ("samples", 0, "at least 1"),
        ("cap_quantile", 0.0, "0, 1"),
    ],
)
def test_ranges(field: str, value: Any, expected: str) -> None:
    with pytest.raises(ValueError, match=f"{field} is {value}.*{expected}"):
        EWCConfig(**{field: value})
    with pytest.raises(ValueError, match="not both"):
        EWC(EWCConfig(), **{field: value})
