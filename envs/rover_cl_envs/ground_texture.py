"""The fine grain of the ground, which the simulator doesn't know: ripples, cracks, plates. For the eye only.

Every texture repeats after a tile, so that tiles fit together, and none moves when the world changes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

RIPPLES = 15  # crests in a tile, an integer so that they meet at its edges
CRACKS = 9  # plates along a tile's edge
DRIFTS = 10  # waves of the regolith on bedrock in two tiles
SHARDS = 20  # plates of crust along a tile's edge


@dataclass(frozen=True, kw_only=True, eq=False)
class Textures:
    """Textures (side, side) of one tile; row 0 is north."""

    grain: Floats
    """brightness of regolith, mean 0, deviation about 1"""
    ripple_east: Floats
    """slope of the ripples' height towards east, about -1 to 1"""
    ripple_north: Floats
    """likewise towards north"""
    crack: Floats
    """1 on a crack of the bedrock, 0 on its plates"""
    plate: Floats
    """brightness of each plate, uniform from -1 to 1"""


@dataclass(frozen=True, kw_only=True, eq=False)
class CrustTextures:
    """Textures (side, side) of the crust of one tile; row 0 is north."""

    joint: Floats
    """1 on a joint between two plates, 0 on them"""
    plate: Floats
    """a number for each plate, uniform from -1 to 1"""
    rim_east: Floats
    """slope of the plates' rims towards east, about -1 to 1"""
    rim_north: Floats
    """likewise towards north"""
    clods: Floats
    """brightness of churned soil, mean 0, deviation 1"""


@lru_cache(maxsize=4)
def textures(side: int) -> Textures:
    """Make the textures of tiles that are `side` pixels wide."""
    rng = np.random.default_rng(7)
    grain = 0.6 * _noise(rng, side, side) + 0.5 * _noise(rng, side, max(4, side // 4))
    ripple = _ripples(rng, side)
    east = np.roll(ripple, -1, 1) - np.roll(ripple, 1, 1)
    north = np.roll(ripple, 1, 0) - np.roll(ripple, -1, 0)
    largest = float(np.hypot(east, north).max())
    crack, plate = _plates(rng, side, CRACKS, 1.6)
    return Textures(
        grain=grain.astype(np.float32),
        ripple_east=(east / largest).astype(np.float32),
        ripple_north=(north / largest).astype(np.float32),
        crack=crack,
        plate=plate,
    )


@lru_cache(maxsize=4)
def crust_textures(side: int) -> CrustTextures:
    """Make the textures of the crust of tiles that are `side` pixels wide."""
    rng = np.random.default_rng(8)
    joint, plate = _plates(rng, side, SHARDS, 1.1)
    height: Floats = 1 - joint
    return CrustTextures(
        joint=joint,
        plate=plate,
        rim_east=((np.roll(height, -1, 1) - np.roll(height, 1, 1)) / 2).astype(np.float32),
        rim_north=((np.roll(height, 1, 0) - np.roll(height, -1, 0)) / 2).astype(np.float32),
        clods=_noise(rng, side, max(4, side // 3)),
    )


@lru_cache(maxsize=4)
def drift_texture(side: int) -> Floats:
    """How deep regolith lies on a pavement of bedrock, (side, side), mean 0, deviation 1."""
    return _noise(np.random.default_rng(9), side, DRIFTS)


def _noise(rng: np.random.Generator, side: int, waves: int) -> Floats:
    """Smooth periodic noise (side, side) of deviation 1, with at most `waves` / 2 waves in a tile."""
    kept = np.minimum(np.abs(np.fft.fftfreq(side)) * side, side) <= waves / 2
    spectrum = np.fft.fft2(rng.standard_normal((side, side))) * kept[:, None] * kept[None, :]
    field = np.fft.ifft2(spectrum).real
    result: Floats = ((field - field.mean()) / field.std()).astype(np.float32)
    return result


def _ripples(rng: np.random.Generator, side: int) -> Floats:
    """Height of wind ripples, crests roughly from west to east, sharper than their troughs."""
    y = np.arange(side, dtype=np.float32)[:, None] / side
    phase = 2 * math.pi * RIPPLES * y + 1.5 * _noise(rng, side, 8) + 0.25 * _noise(rng, side, 24)
    crest: Floats = (1 - np.abs(np.sin(phase / 2))) ** 1.5
    return crest


def _plates(rng: np.random.Generator, side: int, count: int, wide: float) -> tuple[Floats, Floats]:
    """Cracks between plates: the edges of the cells around points on a jittered grid.

    Args:
        rng: of the texture.
        side: of the texture [px].
        count: points along each side.
        wide: about the width of a crack [px].
    """
    jitter = rng.random((2, count, count)).astype(np.float32)
    tone = rng.uniform(-1, 1, (count, count)).astype(np.float32)
    place = (np.arange(side, dtype=np.float32) + 0.5) * count / side
    y, x = place[:, None], place[None, :]
    row, column = np.floor(y).astype(int), np.floor(x).astype(int)
    nearest = np.full((side, side), np.inf, dtype=np.float32)
    second = nearest.copy()
    plate = np.zeros((side, side), dtype=np.float32)
    for i in (-1, 0, 1):
        for j in (-1, 0, 1):
            r, c = (row + i) % count, (column + j) % count
            distance = np.hypot(row + i + jitter[0, r, c] - y, column + j + jitter[1, r, c] - x)
            closer = distance < nearest
            second = np.where(closer, nearest, np.minimum(second, distance))
            plate = np.where(closer, tone[r, c], plate)
            nearest = np.where(closer, distance, nearest)
    pixels = (second - nearest) * side / count
    return np.clip(wide - pixels / wide, 0, 1).astype(np.float32), plate
