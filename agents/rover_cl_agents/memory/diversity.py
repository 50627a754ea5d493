"""Few states that stand for many: which answers, once held, hold the most of the others."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.policies import BasePolicy
from torch import Tensor

from rover_cl_agents.importance.fisher import score_vectors
from rover_cl_agents.importance.layer_trace import trace

RIDGE = 0.01
"""How loosely a stored answer is held, as a share of the kernel's mean diagonal."""


def select(kernel: Tensor, count: int, *, ridge: float = RIDGE) -> NDArray[np.int64]:
    """Choose states one by one, each the one that leaves the least uncertainty over all of them.

    The answers drift as a Gaussian process with covariance `kernel`; holding the answer at state j takes
    K[:, j] K[j, :] / (K[j, j] + ridge) from what is left. The choice minimises the trace that remains, the
    mean expected drift over the states. (The farthest-point rule, which picks the greatest K[j, j] instead,
    spends a small memory on outliers: it kept less than a uniform sample.)

    Args:
        kernel: Symmetric, positive semi-definite, shape (n, n).
        count: >= 1; no more than n are chosen.
        ridge: > 0, in units of the kernel's mean diagonal.

    Returns:
        Different indices in the order of choice, shape (min(count, n),).

    Source: Cohn, Ghahramani & Jordan 1996, "Active learning with statistical models"; Seo et al. 2000,
    "Gaussian process regression: active data selection".
    """
    left = kernel.detach().clone()
    loose = ridge * float(left.diagonal().mean().clamp_min(1e-30))
    chosen: list[int] = []
    for _ in range(min(count, len(left))):
        gain = left.square().sum(dim=0) / (left.diagonal().clamp_min(0) + loose)
        gain[chosen] = -1.0
        best = int(gain.argmax())
        chosen.append(best)
        column = left[:, best].clone()
        left.addr_(column, column, alpha=-1.0 / (float(column[best]) + loose))
    return np.asarray(chosen, dtype=np.int64)


def observation_kernel(observations: Tensor) -> Tensor:
    """Give exp(−d² / mean d²) of standardised observations, shape (n, n); the policy plays no part.

    Args:
        observations: Shape (n, *observation).
    """
    flat = observations.flatten(1).float()
    scale = flat.std(dim=0, unbiased=False)
    scaled = (flat - flat.mean(dim=0)) / torch.where(scale > 1e-6, scale, 1.0)
    norms = scaled.square().sum(dim=1)
    squares = (norms[:, None] + norms[None] - 2 * scaled @ scaled.T).clamp_min(0)
    return torch.exp(-squares / squares.mean().clamp_min(1e-12))


def gradient_kernel(policy: BasePolicy, observations: Tensor) -> Tensor:
    """Give the inner products of the outputs' gradients with respect to the acting network's weights.

    Two states with a large product drift together, whatever moves the weights. Of a linear layer with
    inputs a and output gradients δ it is (a·a' + 1)(δ·δ'), so no gradient is ever written out.

    Args:
        policy: Of a PPO, A2C, SAC, TD3 or DQN, its acting network built of linear layers.
        observations: Shape (n, *observation).

    Returns:
        Symmetric, shape (n, n), summed over outputs in units of their spread.

    Raises:
        ValueError: if the acting network has a layer with parameters that isn't linear.

    Source: Jacot et al. 2018, "Neural tangent kernel", at a finite width.
    """
    traced = trace(policy, observations)
    kernel = torch.zeros(len(observations), len(observations), device=observations.device)
    for vector in score_vectors(traced.outputs):
        results = list(traced.results.values())
        deltas = torch.autograd.grad(traced.outputs.location, results, vector, retain_graph=True)
        for inputs, delta in zip(traced.inputs.values(), deltas, strict=True):
            kernel += (inputs @ inputs.T + 1) * (delta @ delta.T)
    return kernel
