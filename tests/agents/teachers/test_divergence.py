from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from rover_cl_agents.outputs import Outputs
from rover_cl_agents.teachers.divergence import Direction, divergence, gaussian_divergence, logits_divergence

TEACHER, STUDENT = torch.tensor([[2.0, 0.0, -1.0]]).double(), torch.tensor([[0.0, 1.0, 0.0]]).double()


def gaussian(mean: float, log_std: float) -> tuple[Tensor, Tensor]:
    return torch.tensor([[mean]]).double(), torch.tensor([[log_std]]).double()


def test_gaussian_numbers() -> None:
    pair = gaussian(0, 0), gaussian(1, math.log(2))
    assert gaussian_divergence(*pair).item() == pytest.approx(0.4431471806)
    assert gaussian_divergence(*pair, direction="reverse").item() == pytest.approx(1.3068528194)


def test_gaussian_is_summed_over_dimensions_and_not_over_rows() -> None:
    teacher = torch.zeros(3, 2), torch.zeros(3, 2)
    student = torch.ones(3, 2), torch.full((3, 2), math.log(2))
    torch.testing.assert_close(gaussian_divergence(teacher, student), torch.full((3,), 0.8862943611))


@pytest.mark.parametrize(("temperature", "value"), [(1.0, 0.912983), (2.0, 1.091222), (4.0, 1.088009)])
def test_logits_numbers_and_gradient(temperature: float, value: float) -> None:
    student = STUDENT.clone().requires_grad_()
    found = logits_divergence(TEACHER, student, temperature=temperature)
    assert found.item() == pytest.approx(value, abs=1e-6)
    (gradient,) = torch.autograd.grad(found.sum(), student)
    p, q = (torch.softmax(logits / temperature, dim=1) for logits in (TEACHER, STUDENT))
    torch.testing.assert_close(gradient, temperature * (q - p))
    backward = logits_divergence(STUDENT, TEACHER, temperature=temperature, direction="reverse")
    assert backward.item() == pytest.approx(found.item())


def test_hot_logits_become_a_squared_distance() -> None:
    assert logits_divergence(TEACHER, STUDENT, temperature=1000.0).item() == pytest.approx(1.0005, abs=1e-4)


@pytest.mark.parametrize("direction", ["forward", "reverse"])
def test_gradients_equal_finite_differences(direction: Direction) -> None:
    generator = torch.Generator().manual_seed(0)
    mean, log_std, other, other_log_std = torch.randn(4, 3, 2, generator=generator).double()

    def of_gaussian(m: Tensor, s: Tensor) -> Tensor:
        return gaussian_divergence((mean, log_std), (m, s), direction=direction)

    def of_logits(logits: Tensor) -> Tensor:
        return logits_divergence(mean, logits, temperature=2.0, direction=direction)

    start = other.clone().requires_grad_()
    assert torch.autograd.gradcheck(of_gaussian, (start, other_log_std.clone().requires_grad_()))
    assert torch.autograd.gradcheck(of_logits, (start,))


def outputs(kind: Any, location: list[float], log_scale: list[float] | None = None) -> Outputs:
    scale = None if log_scale is None else torch.tensor([log_scale])
    return Outputs(kind=kind, location=torch.tensor([location]), log_scale=scale)


def test_gaussian_policies_keep_their_spread_unless_asked() -> None:
    teacher = outputs("gaussian", [0.0, 0.0], [math.log(0.5)] * 2)
    spread = torch.zeros(1, 2, requires_grad=True)
    student = Outputs(
        kind="gaussian", location=torch.tensor([[1.0, 2.0]], requires_grad=True), log_scale=spread
    )
    free = divergence(teacher, student)
    assert free.item() == pytest.approx(5 / (2 * 0.25))
    assert divergence(teacher, student, direction="reverse").item() == pytest.approx(free.item())
    assert torch.autograd.grad(free, spread, allow_unused=True)[0] is None
    held = divergence(teacher, student, spread=True)
    assert held.item() == pytest.approx(2 * math.log(2) + (0.5 + 5) / 2 - 1)
    assert torch.autograd.grad(held, spread)[0].abs().min() > 0


def test_action_values_are_compared_in_units_of_the_teachers_size() -> None:
    found = [
        divergence(
            outputs("values", [2.0 * size, 0.0, -1.0 * size], [math.log(size)] * 3),
            outputs("values", [0.0, 1.0 * size, 0.0], [7.0] * 3),
        ).item()
        for size in (1.0, 50.0)
    ]
    assert found == pytest.approx([0.912983, 0.912983], abs=1e-5)


def test_actions_without_a_spread_and_kinds() -> None:
    pair = outputs("deterministic", [0.0], [math.log(0.2)]), outputs("deterministic", [0.1], [math.log(0.2)])
    assert divergence(*pair).item() == pytest.approx(0.01 / 0.08)
    with pytest.raises(ValueError, match="'deterministic', the student's 'categorical'"):
        divergence(pair[0], outputs("categorical", [0.0]))


def test_equal_answers_are_at_no_distance_and_no_slope() -> None:
    for kind, scale in (("gaussian", [0.3, -1.0]), ("categorical", None), ("values", [0.5, 0.5])):
        logits = torch.log_softmax(torch.tensor([0.4, -0.2]), dim=0).tolist()
        teacher = outputs(kind, logits, scale)
        student = outputs(kind, logits, scale)
        student.location.requires_grad_()
        for direction in ("forward", "reverse"):
            found = divergence(teacher, student, direction=direction, spread=True)
            assert found.item() == pytest.approx(0, abs=1e-6)
            (gradient,) = torch.autograd.grad(found, student.location)
            assert gradient.abs().max() < 1e-6
