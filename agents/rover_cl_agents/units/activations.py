"""Activations that keep hidden layers sparse: few units speak for each input."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def winners(hidden: Tensor, k: int) -> Tensor:
    """Mark the k largest entries of each row: exactly k ones, shape (batch, units)."""
    return torch.zeros_like(hidden).scatter_(-1, hidden.topk(k, dim=-1).indices, 1.0)


def french_target(activation: Tensor, k: int, alpha: float) -> Tensor:
    """Sharpen: nudge the k most active units up and all others down.

    A′ = A + α (1 − A) for the winners, A′ = A − α A for the others.

    Args:
        activation: In [0, 1], shape (batch, units).
        k: Winners of each row, in [1, units].
        alpha: How far, in [0, 1].

    Returns:
        Shape (batch, units), in [0, 1].

    Source: French 1992, "Semi-distributed representations and catastrophic forgetting", activation
    sharpening.
    """
    return activation + alpha * (winners(activation, k) - activation)


class KWinners(nn.Module):
    """Lets only the k units of the largest size |h| through; the others give 0 and learn nothing.

    Args:
        k: In [1, units].

    Source: Ahmad and Scheinkman 2019, "How can we be so dense?", without its boosting.
    """

    def __init__(self, k: int) -> None:
        super().__init__()
        self.k = k

    def forward(self, hidden: Tensor) -> Tensor:
        """Mask `hidden`, shape (batch, units)."""
        return hidden * winners(hidden.detach().abs(), self.k)


class SoftmaxSharpening(nn.Module):
    """Gives softmax(sharpness · h): the units share an activity of one.

    Args:
        sharpness: Inverse temperature, > 0; the larger, the fewer units take nearly all.
    """

    def __init__(self, sharpness: float) -> None:
        super().__init__()
        self.sharpness = sharpness

    def forward(self, hidden: Tensor) -> Tensor:
        """Sharpen `hidden`, shape (batch, units)."""
        return torch.softmax(self.sharpness * hidden, dim=-1)


class FuzzyTiling(nn.Module):
    """Turns each unit into `tiles` of them, of which only those near its value are active.

    φ_i(z) = 1 − I_η(max(c_i − z, 0) + max(z − δ − c_i, 0)) with c_i = low + i δ, δ = (high − low) / tiles,
    and I_η(x) = x up to η and 1 above. Values outside [low, high] by more than η activate nothing: squash
    them first.

    Args:
        low: Lower bound of the values that are told apart.
        high: Upper bound, > low.
        tiles: >= 2.
        eta: Fuzziness η, > 0; None: δ.

    Source: Pan et al. 2021, "Fuzzy tiling activations", equations 4 to 6.
    """

    corners: Tensor

    def __init__(self, low: float, high: float, tiles: int, eta: float | None = None) -> None:
        super().__init__()
        self.delta = (high - low) / tiles
        self.eta = self.delta if eta is None else eta
        # Not persistent: it follows from the settings, and would change the names in a policy's state.
        self.register_buffer("corners", low + self.delta * torch.arange(tiles), persistent=False)

    def forward(self, hidden: Tensor) -> Tensor:
        """Give the tiles of `hidden`, shape (batch, units), as (batch, units · tiles), a unit's together."""
        value = hidden.unsqueeze(-1)
        off = (self.corners - value).clamp_min(0) + (value - self.delta - self.corners).clamp_min(0)
        return torch.where(off <= self.eta, 1.0 - off, torch.zeros_like(off)).flatten(-2)
