"""How far a student's answers are from its teacher's."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from rover_cl_agents.outputs import Outputs, distance

Direction = Literal["forward", "reverse"]
DIRECTIONS: tuple[Direction, ...] = ("forward", "reverse")
"""`forward`: KL(teacher ‖ student), which covers all that the teacher does; `reverse`: KL(student ‖ teacher),
which keeps to what it does most."""


def logits_divergence(
    teacher: Tensor, student: Tensor, *, temperature: float = 1.0, direction: Direction = "forward"
) -> Tensor:
    """Give T² × the KL divergence of the two softmaxes at temperature T.

    The factor keeps the gradient's size, T (q − p) by the student's logits (forward), from falling as 1/T².

    Args:
        teacher: Logits or log-probabilities, shape (n, d).
        student: The same, with their graph.
        temperature: > 0.
        direction: Which of the two stands first.

    Returns:
        One value >= 0 for each row, shape (n,).

    Source: Hinton et al. 2015, "Distilling the knowledge in a neural network", section 2.
    """
    p = torch.log_softmax(teacher / temperature, dim=-1)
    q = torch.log_softmax(student / temperature, dim=-1)
    first, second = (p, q) if direction == "forward" else (q, p)
    return temperature**2 * (first.exp() * (first - second)).sum(dim=-1)


def gaussian_divergence(
    teacher: tuple[Tensor, Tensor], student: tuple[Tensor, Tensor], *, direction: Direction = "forward"
) -> Tensor:
    """Give the KL divergence of two diagonal Gaussians.

    KL(1 ‖ 2) = Σ_d log σ₂ − log σ₁ + (σ₁² + (μ₁ − μ₂)²) / (2σ₂²) − ½. A tanh behind both changes nothing: it
    is a bijection.

    Args:
        teacher: Mean and log of the standard deviation, each of shape (n, d).
        student: The same, with their graph.
        direction: Which of the two stands first.

    Returns:
        One value >= 0 for each row, shape (n,).
    """
    first, second = (teacher, student) if direction == "forward" else (student, teacher)
    (mean, log_std), (other_mean, other_log_std) = first, second
    spread = torch.exp(2 * (log_std - other_log_std))
    shift = ((mean - other_mean) * torch.exp(-other_log_std)).square()
    return (other_log_std - log_std + 0.5 * (spread + shift) - 0.5).sum(dim=-1)


def divergence(
    teacher: Outputs,
    student: Outputs,
    *,
    temperature: float = 1.0,
    direction: Direction = "forward",
    spread: bool = False,
) -> Tensor:
    """Give the mean divergence of a student from its teacher over a batch.

    * `categorical`: `logits_divergence`.
    * `values`: the same, the centred action values standing for logits, both in units of the teacher's size.
    * `gaussian`: the means alone, Σ (μ − μ*)² / (2σ*²) with the teacher's σ*, which is the KL divergence of
      either direction at equal spreads; the whole `gaussian_divergence` with `spread`.
    * `deterministic`: as the means of `gaussian`.

    Args:
        teacher: Without a graph.
        student: With its graph, of the same kind and shape.
        temperature: > 0; only for `categorical` and `values`.
        direction: Which of the two stands first.
        spread: Hold a Gaussian's spread too. A forward divergence then blows the exploration up again to what
            it was.

    Returns:
        A scalar >= 0.

    Raises:
        ValueError: if the two are of different kinds.

    Source: Rusu et al. 2016, "Policy distillation", equation 3 for action values.
    """
    if teacher.kind != student.kind:
        raise ValueError(f"the teacher's outputs are {teacher.kind!r}, the student's {student.kind!r}.")
    if teacher.kind == "categorical" or (teacher.kind == "values" and teacher.log_scale is not None):
        scale = 1.0 if teacher.log_scale is None else torch.exp(-teacher.log_scale)
        return logits_divergence(
            teacher.location * scale, student.location * scale, temperature=temperature, direction=direction
        ).mean()
    if teacher.kind == "gaussian" and spread and teacher.log_scale is not None:
        assert student.log_scale is not None, "Gaussian outputs have a scale"
        pair = (teacher.location, teacher.log_scale), (student.location, student.log_scale)
        return gaussian_divergence(*pair, direction=direction).mean()
    return distance(student, teacher)
