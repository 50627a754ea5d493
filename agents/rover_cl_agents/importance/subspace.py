"""Orthonormal directions: found among vectors, kept within a capacity, taken out of a vector."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

TOLERANCE = 1e-5
"""Directions weaker than this share of the strongest are rounding noise, and dropped."""


def without(rows: Tensor, basis: Tensor) -> Tensor:
    """Take the span of `basis` out of each row: one pass of Gram-Schmidt.

    Args:
        rows: Shape (m, n).
        basis: Orthonormal rows, shape (k, n).

    Returns:
        Shape (m, n). Rows that lie almost inside the span need a second pass, once they are scaled to 1.
    """
    return rows - (rows @ basis.T) @ basis


def project_out(vector: Tensor, basis: Tensor) -> Tensor:
    """Take the span of `basis`, orthonormal rows of shape (k, n), out of one `vector` of shape (n,)."""
    return torch.addmv(vector, basis.T, torch.mv(basis, vector), alpha=-1)


def principal(rows: Tensor, count: int, *, floor: float = 0.0) -> tuple[Tensor, Tensor]:
    """Find the strongest orthonormal directions of `rows`, not centred.

    By QR, then the singular values of the small triangle: the squares of `rows` are never formed, which
    would cost half the digits.

    Args:
        rows: Shape (m, n), m >= 1.
        count: Directions wanted at most, >= 0.
        floor: Singular values up to this count as zero, >= 0, beside those up to TOLERANCE × the largest.

    Returns:
        The directions, strongest first, shape (k, n), and their singular values, shape (k,); k is the rank
        or `count`, whichever is less.
    """
    factor, triangle = torch.linalg.qr(rows.T)
    left, strengths, _ = torch.linalg.svd(triangle, full_matrices=False)
    noise = max(floor, TOLERANCE * float(strengths[0]))
    kept = min(count, int((strengths > noise).sum()))
    return (factor @ left[:, :kept]).T.contiguous(), strengths[:kept]


def orthonormal(directions: Tensor, basis: Tensor) -> Tensor:
    """Make `directions`, shape (m, n), near orthonormal, exactly so, among themselves and against `basis`.

    The second pass of Gram-Schmidt; directions must be unit vectors that a first pass has gone over.

    Source: Giraud, Langou and Rozloznik 2005, "The loss of orthogonality in the Gram-Schmidt
    orthogonalization process" ("twice is enough").
    """
    factor: Tensor = torch.linalg.qr(without(directions, basis).T)[0]
    return factor.T


def covering(rows: Tensor, basis: Tensor, share: float) -> Tensor:
    """Extend `basis` by as few directions as hold `share` of the energy of `rows`.

    Args:
        rows: Shape (m, n), m >= 1.
        basis: Orthonormal rows, shape (k, n).
        share: Of the sum of squares, in [0, 1].

    Returns:
        Orthonormal rows, those of `basis` first, shape (k', n), k <= k' <= n.

    Source: Saha et al. 2021, "Gradient projection memory for continual learning", equation 9.
    """
    total = float(rows.square().sum())
    rest = without(without(rows, basis), basis)
    held = total - float(rest.square().sum())
    directions, strengths = principal(rest, rows.shape[1], floor=TOLERANCE * total**0.5)
    energy = torch.cat([strengths.new_zeros(1), strengths.square().cumsum(0)]) + held
    needed = min(int((energy < share * total).sum()), len(directions))
    return torch.cat([basis, orthonormal(directions[:needed], basis)])


@dataclass(frozen=True, kw_only=True)
class Basis:
    """Orthonormal directions, each with the strength it had in the vectors they were found among.

    Together they stand for a second moment: Σ strength² direction directionᵀ.
    """

    directions: Tensor  # (k, n)
    """Orthonormal rows, strongest first."""
    strengths: Tensor  # (k,)
    """Root of the mean square of the vectors along each direction, summed over the calls of `extended`."""

    @classmethod
    def empty(cls, size: int, device: torch.device | None = None) -> Basis:
        """Give the basis of nothing, for vectors of `size` entries on `device`; None: the CPU."""
        return cls(directions=torch.zeros(0, size, device=device), strengths=torch.zeros(0, device=device))

    def __len__(self) -> int:
        return len(self.directions)

    @property
    def bytes(self) -> int:
        """Exactly what is held [bytes]."""
        return sum(t.numel() * t.element_size() for t in (self.directions, self.strengths))

    def extended(self, rows: Tensor, *, count: int, capacity: int) -> Basis:
        """Add the `count` strongest directions of `rows`; then keep the `capacity` strongest of all.

        The second moments add up, in the joint span, and are turned to their principal axes. As long as the
        capacity isn't reached nothing that was in the span leaves it.

        Args:
            rows: Shape (m, n), m >= 1.
            count: >= 0.
            capacity: >= 0.
        """
        directions, strengths = principal(rows / len(rows) ** 0.5, count)
        if not len(directions):
            return self
        if not len(self):  # they are orthonormal already, and in order
            return Basis(directions=directions[:capacity].clone(), strengths=strengths[:capacity].clone())
        scaled = directions * strengths[:, None]
        outside, _ = principal(
            without(scaled, self.directions), count, floor=TOLERANCE * float(strengths.max())
        )
        joint = torch.cat([self.directions, orthonormal(outside, self.directions)])
        part = (scaled @ joint.T).double()
        moment = part.T @ part
        moment.diagonal()[: len(self)].add_(self.strengths.double().square())
        squares, axes = torch.linalg.eigh(moment)  # ascending
        kept = axes.flip(1)[:, :capacity].to(joint.dtype)
        return Basis(
            directions=(kept.T @ joint).contiguous(),
            strengths=squares.flip(0)[:capacity].clamp_min(0).sqrt().to(joint.dtype),
        )
