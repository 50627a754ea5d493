"""From the cells of a tile to its pixels: cubic splines, which are products with two small matrices."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from rover_cl_envs.ground_texture import Floats

BORDER = 8
"""Cells around a tile that it needs: for the splines, and for shadows that fall into it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Spline:
    """From cells of a tile with its border to its pixels: along x; mirrored along y, as row 0 is north."""

    weights: Floats
    """(pixels, cells)"""
    derivatives: Floats
    """(pixels, cells), per cell"""

    def values(self, cells: Floats) -> Floats:
        """Of each pixel."""
        return np.asarray(self.weights[:, ::-1] @ cells @ self.weights.T, dtype=np.float32)

    def slopes(self, cells: Floats, cell: float) -> tuple[Floats, Floats]:
        """Slope towards east and towards north."""
        east = self.weights[:, ::-1] @ cells @ self.derivatives.T
        north = -self.derivatives[:, ::-1] @ cells @ self.weights.T
        return np.asarray(east / cell, dtype=np.float32), np.asarray(north / cell, dtype=np.float32)


@lru_cache(maxsize=8)
def spline_of(cells: int, side: int, margin: int = 0, sharp: bool = False) -> Spline:
    """The matrices of a tile.

    Args:
        cells: of a tile along x, without its border.
        side: its pixels.
        margin: more pixels to the west and, as rows are turned, to the north.
        sharp: go through the values (Catmull-Rom), rather than smooth them (B-spline).
    """
    return Spline(
        weights=_matrix(cells, side, margin, sharp, derivative=False),
        derivatives=_matrix(cells, side, margin, sharp, derivative=True),
    )


def _matrix(cells: int, side: int, margin: int, sharp: bool, *, derivative: bool) -> Floats:
    pixels = np.arange(-margin, side)
    place = (pixels + 0.5) * cells / side - 0.5 + BORDER
    first = np.floor(place).astype(int)
    t = place - first
    powers = np.stack([np.ones_like(t), t, t**2, t**3])
    if derivative:
        powers = np.stack([np.zeros_like(t), np.ones_like(t), 2 * t, 3 * t**2])
    b_spline = np.array([[1, 4, 1, 0], [-3, 0, 3, 0], [3, -6, 3, 0], [-1, 3, -3, 1]]) / 6
    catmull_rom = np.array([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]]) / 2
    weights = (catmull_rom if sharp else b_spline).T @ powers  # (4, pixels)
    matrix = np.zeros((len(pixels), cells + 2 * BORDER), dtype=np.float32)
    for k in range(4):
        matrix[np.arange(len(pixels)), first - 1 + k] = weights[k]
    return matrix
