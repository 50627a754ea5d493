from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from rover_cl_agents.memory.generator import FLOOR, Covariance, Mixture, fit


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def clusters(n: int = 2000) -> Tensor:
    """A quarter of the states about (5, 0), spread (1, 0.1); the rest about (-5, 2), spread (0.5, 2)."""
    noise = torch.randn(n, 2, generator=seeded(1))
    near, far = noise[: n // 4], noise[n // 4 :]
    parts = [
        near * torch.tensor([1, 0.1]) + torch.tensor([5, 0]),
        far * torch.tensor([0.5, 2]) + torch.tensor([-5, 2]),
    ]
    return torch.cat(parts)


@pytest.mark.parametrize("covariance", ["diagonal", "full"])
def test_one_component_has_the_states_moments(covariance: Covariance) -> None:
    states = torch.tensor([[0.0, 1.0], [2.0, 5.0], [4.0, 3.0]])
    mixture = fit(states, 1, seeded(), covariance=covariance)
    assert mixture.weights.tolist() == [1.0]
    torch.testing.assert_close(mixture.means, torch.tensor([[2.0, 3.0]]))
    if covariance == "diagonal":
        torch.testing.assert_close(mixture.scales.square(), torch.full((1, 2), 8 / 3))
    else:
        expected = torch.tensor([[8 / 3, 4 / 3], [4 / 3, 8 / 3]]) + FLOOR * 8 / 3 * torch.eye(2)
        torch.testing.assert_close(mixture.scales[0] @ mixture.scales[0].T, expected)


def test_density_is_scipys() -> None:
    full = torch.tensor([[[2.0, 0.0], [1.0, 0.5]], [[1.0, 0.0], [0.0, 3.0]]])
    weights, means = torch.tensor([0.25, 0.75]), torch.tensor([[1.0, -1.0], [0.0, 2.0]])
    points = torch.randn(6, 2, generator=seeded())
    for scales in (torch.tensor([[2.0, 0.5], [1.0, 3.0]]), full):
        factors = torch.diag_embed(scales) if scales.dim() == 2 else scales
        expected = sum(
            w * np.asarray(stats.multivariate_normal(m.numpy(), (f @ f.T).numpy()).pdf(points.numpy()))
            for w, m, f in zip(weights.tolist(), means, factors, strict=True)
        )
        found = Mixture(weights=weights, means=means, scales=scales).log_density(points)
        np.testing.assert_allclose(found.exp().numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("covariance", ["diagonal", "full"])
def test_clusters_are_found(covariance: Covariance) -> None:
    mixture = fit(clusters(), 2, seeded(), covariance=covariance)
    order = mixture.means[:, 0].argsort(descending=True)
    torch.testing.assert_close(mixture.weights[order], torch.tensor([0.25, 0.75]), atol=1e-3, rtol=0)
    expected = torch.tensor([[5.0, 0.0], [-5.0, 2.0]])
    torch.testing.assert_close(mixture.means[order], expected, atol=0.2, rtol=0)
    scales = mixture.scales[order]
    spreads = scales if covariance == "diagonal" else scales.square().sum(dim=2).sqrt()
    torch.testing.assert_close(spreads, torch.tensor([[1.0, 0.1], [0.5, 2.0]]), atol=0, rtol=0.1)


@pytest.mark.parametrize("covariance", ["diagonal", "full"])
def test_each_step_raises_the_likelihood(covariance: Covariance) -> None:
    states = clusters(400)
    found = [
        fit(states, 5, seeded(2), covariance=covariance, iterations=n, tolerance=0.0)
        .log_density(states)
        .mean()
        .item()
        for n in range(1, 12)
    ]
    slack = (
        1e-6 if covariance == "diagonal" else 1e-3
    )  # the full one has the floor added, which costs a little
    assert all(after >= before - slack for before, after in pairwise(found))
    assert found[-1] > found[0] + 0.01


@pytest.mark.parametrize("covariance", ["diagonal", "full"])
def test_samples_have_the_mixtures_moments(covariance: Covariance) -> None:
    mixture = fit(clusters(), 4, seeded(), covariance=covariance)
    n = 20_000
    drawn = mixture.sample(n, seeded(5)).double()
    weights, means = (mixture.weights / mixture.weights.sum()).double(), mixture.means.double()
    factors = mixture.scales.double()
    factors = torch.diag_embed(factors) if factors.dim() == 2 else factors
    mean = weights @ means
    away = means - mean
    second = torch.einsum("k,kij->ij", weights, factors @ factors.mT + away[:, :, None] * away[:, None, :])
    error = (second.diagonal() / n).sqrt()
    assert bool(((drawn.mean(dim=0) - mean).abs() < 3 * error).all())
    squares = (drawn - mean)[:, :, None] * (drawn - mean)[:, None, :]
    assert bool(((squares.mean(dim=0) - second).abs() < 3 * squares.std(dim=0) / math.sqrt(n)).all())


def test_a_seed_decides_and_global_generators_are_left_alone() -> None:
    states, drawn = clusters(), torch.get_rng_state()
    first, second, third = (fit(states, 6, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(first.means, second.means)
    assert not torch.equal(first.means, third.means)
    assert torch.equal(first.sample(9, seeded(4)), second.sample(9, seeded(4)))
    assert torch.equal(torch.get_rng_state(), drawn)


@pytest.mark.parametrize("covariance", ["diagonal", "full"])
def test_states_that_never_vary_are_generated_so(covariance: Covariance) -> None:
    states = torch.cat([torch.full((50, 1), 3.0), torch.randn(50, 1, generator=seeded())], dim=1)
    drawn = fit(states, 3, seeded(), covariance=covariance).sample(100, seeded())
    assert (drawn[:, 0] - 3).abs().max() < 1e-4
    assert fit(states[:2], 9, seeded(), covariance=covariance).means.shape == (2, 2)
    same = fit(torch.ones(20, 2), 3, seeded(), covariance=covariance)
    assert (same.sample(50, seeded()) - 1).abs().max() < 1e-4


def test_bytes_parts_and_sums() -> None:
    diagonal, full = fit(clusters(), 4, seeded()), fit(clusters(), 4, seeded(), covariance="full")
    assert diagonal.bytes == 4 * 4 * (2 * 2 + 1)
    assert full.bytes == 4 * 4 * (2 * 2 + 2 + 1)
    part = diagonal[torch.tensor([2, 0])]
    assert torch.equal(part.means, diagonal.means[[2, 0]])
    assert torch.equal((part + diagonal).scales, torch.cat([part.scales, diagonal.scales]))


@pytest.mark.parametrize(
    ("states", "settings", "message"),
    [
        (torch.zeros(0, 2), {}, "n >= 1"),
        (torch.zeros(3), {}, r"states has shape \(3,\)"),
        (torch.zeros(3, 2), {"components": 0}, "components is 0"),
        (torch.zeros(3, 2), {"iterations": 0}, "iterations 0"),
    ],
)
def test_refusals(states: Tensor, settings: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit(states, **{"components": 2, "generator": seeded(), **settings})
    with pytest.raises(ValueError, match="expected"):
        Mixture(weights=torch.ones(2), means=torch.ones(2, 3), scales=torch.ones(2, 2))
