"""A generator of states: a mixture of Gaussians, fitted by expectation maximisation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Covariance = Literal["diagonal", "full"]
COVARIANCES: tuple[Covariance, ...] = ("diagonal", "full")

FLOOR = 1e-4
"""Least variance of a component, as a share of the states' own variance in that dimension."""


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """A mixture of k Gaussians over states of d dimensions."""

    weights: Tensor  # (k,), > 0
    """Shares of the components; they need not sum to one."""
    means: Tensor  # (k, d)
    """Their centres."""
    scales: Tensor  # (k, d) or (k, d, d)
    """Standard deviations, or lower Cholesky factors of the covariances."""

    def __post_init__(self) -> None:
        k, d = self.means.shape if self.means.dim() == 2 else (0, 0)
        if self.weights.shape != (k,) or self.scales.shape not in ((k, d), (k, d, d)) or not k:
            shapes = [tuple(t.shape) for t in (self.weights, self.means, self.scales)]
            raise ValueError(f"a mixture has shapes {shapes}; expected (k,), (k, d) and (k, d) or (k, d, d).")

    @property
    def bytes(self) -> int:
        """Exactly what is held [bytes]."""
        return sum(t.numel() * t.element_size() for t in (self.weights, self.means, self.scales))

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw `count` states by the given generator, shape (count, d)."""
        chosen = torch.multinomial(self.weights, count, replacement=True, generator=generator)
        noise = torch.randn(count, self.means.shape[1], generator=generator, dtype=self.means.dtype)
        scales = self.scales[chosen]
        if scales.dim() == 2:
            return self.means[chosen] + scales * noise
        return self.means[chosen] + torch.einsum("nij,nj->ni", scales, noise)

    def log_density(self, states: Tensor) -> Tensor:
        """Give the log of the mixture's density at `states` (n, d), shape (n,), in float64."""
        mixture = Mixture(
            weights=self.weights.double(), means=self.means.double(), scales=self.scales.double()
        )
        return torch.logsumexp(_joint(mixture, states.double()), dim=1)

    def __getitem__(self, index: Tensor) -> Mixture:
        """Give some of the components."""
        return Mixture(weights=self.weights[index], means=self.means[index], scales=self.scales[index])

    def __add__(self, other: Mixture) -> Mixture:
        """Put two mixtures side by side, each with the share that its weights sum to."""
        return Mixture(
            weights=torch.cat([self.weights, other.weights]),
            means=torch.cat([self.means, other.means]),
            scales=torch.cat([self.scales, other.scales]),
        )


def fit(
    states: Tensor,
    components: int,
    generator: torch.Generator,
    *,
    covariance: Covariance = "diagonal",
    iterations: int = 100,
    tolerance: float = 1e-4,
) -> Mixture:
    """Fit a mixture of Gaussians by expectation maximisation, begun at k-means++ centres.

    Everything is computed in float64, on states brought to mean 0 and variance 1.

    Args:
        states: Shape (n, d), n >= 1.
        components: >= 1; n at most are used.
        generator: Draws the first centres; the fit is determined by its state.
        covariance: `diagonal` k(2d + 1) numbers, `full` k(d² + d + 1).
        iterations: Steps at most, >= 1.
        tolerance: Stop when a step raises the mean log-likelihood by less [nats per state].

    Returns:
        A mixture in float32 whose weights sum to one.

    Raises:
        ValueError: if an argument is out of its range.

    Source: Dempster, Laird and Rubin 1977, "Maximum likelihood from incomplete data via the EM algorithm";
    Arthur and Vassilvitskii 2007, "k-means++".
    """
    if states.dim() != 2 or not len(states):
        raise ValueError(f"states has shape {tuple(states.shape)}; expected (n, d) with n >= 1.")
    if components < 1 or iterations < 1:
        raise ValueError(f"components is {components}, iterations {iterations}; expected at least 1.")
    centre, unit = states.double().mean(dim=0), states.double().std(dim=0, correction=0).clamp_min(1e-6)
    points = (states.double() - centre) / unit
    shares = _first_shares(points, min(components, len(points)), generator)
    mixture, likelihood = _maximise(points, shares, covariance), -math.inf
    for _ in range(iterations):
        joint = _joint(mixture, points)
        total = torch.logsumexp(joint, dim=1, keepdim=True)
        if total.mean().item() - likelihood < tolerance:
            break
        likelihood = total.mean().item()
        mixture = _maximise(points, torch.exp(joint - total), covariance)
    scales = mixture.scales * (unit if covariance == "diagonal" else unit[:, None])
    return Mixture(
        weights=mixture.weights.float(), means=(mixture.means * unit + centre).float(), scales=scales.float()
    )


def _first_shares(points: Tensor, components: int, generator: torch.Generator) -> Tensor:
    """Give each point wholly to the nearest of some centres, each drawn by its squared distance from those
    before it; shape (n, components).
    """
    chosen = torch.randint(len(points), (1,), generator=generator)
    nearest = torch.full((len(points),), math.inf, dtype=points.dtype)
    owner = torch.zeros(len(points), dtype=torch.int64)
    for index in range(components):
        away = (points - points[chosen]).square().sum(dim=1)
        owner = torch.where(away < nearest, index, owner)
        nearest = torch.minimum(nearest, away)
        # Where all points coincide with centres, any will do.
        chosen = torch.multinomial(nearest + 1e-12, 1, generator=generator)
    return torch.nn.functional.one_hot(owner, components).to(points.dtype)


def _maximise(points: Tensor, shares: Tensor, covariance: Covariance) -> Mixture:
    """Give the mixture under which the points, so shared out (n, k), are most likely."""
    mass = shares.sum(dim=0) + 1e-9  # an empty component stays, at the states' mean and with no weight
    means = shares.T @ points / mass[:, None]
    if covariance == "diagonal":
        variances = shares.T @ points.square() / mass[:, None] - means.square()
        scales = variances.clamp_min(FLOOR).sqrt()
    else:
        floor = FLOOR * torch.eye(points.shape[1], dtype=points.dtype)
        covariances = []
        for share, mean, total in zip(shares.T, means, mass, strict=True):
            away = points - mean
            covariances.append((share[:, None] * away).T @ away / total + floor)
        scales = torch.linalg.cholesky(torch.stack(covariances))
    return Mixture(weights=mass / mass.sum(), means=means, scales=scales)


def _joint(mixture: Mixture, points: Tensor) -> Tensor:
    """Give the log of weight × density of each component at each point, shape (n, k)."""
    d = points.shape[1]
    if mixture.scales.dim() == 2:
        precision = mixture.scales.square().reciprocal()
        centred = mixture.means * precision
        squares = (
            points.square() @ precision.T - 2 * points @ centred.T + (mixture.means * centred).sum(dim=1)
        )
        volume = mixture.scales.log().sum(dim=1)
    else:
        away = (points[None] - mixture.means[:, None]).transpose(1, 2)  # (k, d, n)
        solved = torch.linalg.solve_triangular(mixture.scales, away, upper=False)
        squares = solved.square().sum(dim=1).T
        volume = mixture.scales.diagonal(dim1=1, dim2=2).log().sum(dim=1)
    return mixture.weights.log() - 0.5 * squares - volume - 0.5 * d * math.log(2 * math.pi)
