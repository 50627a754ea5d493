"""Procedural ground: a bank of periodic maps that every condition rescales without making it anew.

A map holds fields in normal form, and the conditions of an episode scale or threshold them while
the rover drives: relief is a factor, the share of patches a threshold on a uniform field, and the
rocks of a map are those of the largest abundance, each with the smallest abundance at which it is
there. So drift of any of them is smooth and costs nothing.

Sources: relief as self-affine noise with Hurst exponent 0.7 (Shepard et al. 2001 for the Viking and
Pathfinder sites: 0.5 to 0.8); rocks after Golombek and Rapp (1997) and Golombek et al. (2003).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import quad

from rover_cl_envs.compiled import Layers, compiled

CELL = 0.25  # [m]
SIDE = 256  # cells
HURST = 0.7
PATCH_LENGTH = 6.0  # size of a patch [m]
PATCH_EDGE = 0.08  # width of a patch's edge, in shares of the area
TEXTURE_LENGTH = 1.5  # size of a fleck of albedo that means nothing [m]
MAX_ABUNDANCE = 0.1
SMALLEST_ROCK = 0.2  # diameter [m]
LARGEST_ROCK = 2.0  # diameter [m]
HEIGHT_OVER_DIAMETER = 0.5

RELIEF, PATCH, TEXTURE, ROCK = range(4)
"""Layers of `TerrainBank.ground`."""
RELIEF_UNIT, PATCH_UNIT, TEXTURE_UNIT = 1 / 1024, 1 / 32767, 1 / 4096
"""What one count of a layer is worth."""
ROCK_UNIT = 1 / 256
"""Rocks are resolved to this height [m]."""
ABUNDANCE_STEPS = 1000.0
"""Abundance is resolved to thousandths."""


@dataclass(frozen=True, kw_only=True)
class TerrainBank:
    """`M` periodic maps of 64 m x 64 m in cells of 0.25 m.

    A cell is 8 bytes, a bank of 8 maps 4 MB: a rover looks at 30 cells in a step, and waits for those that
    the processor doesn't hold.
    """

    ground: Layers
    """(M, 256, 256, 4) int16, index order map, y, x, layer, in counts of `RELIEF_UNIT` and so on: relief of
    unit rms difference over 1 m; patch field, uniform on [0, 1]; texture of unit variance; rock, 256 times
    the smallest abundance at which it stands, in thousandths, plus its height, 0 where there is none.
    `values` gives the first three as numbers, `rock_height` the last."""


@lru_cache(maxsize=4)
def terrain_bank(seed: int, count: int) -> TerrainBank:
    """The bank of that seed; map m does not depend on how many others there are.

    Args:
        seed: non-negative; banks of different seeds share no map.
        count: number of maps, at least 1.

    Raises:
        ValueError: a negative seed or no map.
    """
    if seed < 0:
        raise ValueError(f"map_seed is {seed}, expected an integer >= 0.")
    if count < 1:
        raise ValueError(f"num_maps is {count}, expected an integer >= 1.")
    ground = np.zeros((count, SIDE, SIDE, 4), dtype=np.int16)
    for m in range(count):
        rng = np.random.default_rng([seed, m])
        ground[m, :, :, RELIEF] = _counts(_relief(rng), RELIEF_UNIT)
        ground[m, :, :, PATCH] = _counts(_ranks(_smooth(rng, PATCH_LENGTH)), PATCH_UNIT)
        ground[m, :, :, TEXTURE] = _counts(_smooth(rng, TEXTURE_LENGTH), TEXTURE_UNIT)
        _stamp(ground[m], *scattered(rng))
    ground.setflags(write=False)
    return TerrainBank(ground=ground)


def values(ground: Layers, layer: int) -> NDArray[np.float32]:
    """Give a layer of maps (..., 4) but the rocks as numbers (...)."""
    unit = (RELIEF_UNIT, PATCH_UNIT, TEXTURE_UNIT)[layer]
    return ground[..., layer] * np.float32(unit)


def _counts(field: NDArray[np.float64], unit: float) -> NDArray[np.int16]:
    """The field in counts, cut off where they end: for relief and texture at 30 and 8 deviations."""
    return np.clip(np.rint(field / unit), -32767, 32767).astype(np.int16)


@compiled
def rock_height(code: int, abundance: float) -> float:
    """Height of the rock that a value of the rock layer stands for at that abundance, 0 if none [m]."""
    stands = code >> 8 <= int(ABUNDANCE_STEPS * abundance + 1e-3)
    return (code & 255) * ROCK_UNIT if stands else 0.0


def rock_density(diameter: float, abundance: float) -> float:
    """Rocks larger than `diameter` [m] per square metre of ground.

    Golombek and Rapp (1997): rocks larger than D cover the share k exp(-q D) of the ground, with
    q = 1.79 + 0.152 / k for the Mars landing sites; the number follows by dividing the cover density by
    the area of a disc.

    Args:
        diameter: above 0 [m].
        abundance: k, share of the ground covered by rocks of all sizes, above 0.
    """
    q = 1.79 + 0.152 / abundance
    value, _ = quad(lambda x: abundance * q * np.exp(-q * x) / (np.pi * x * x / 4), diameter, 40.0)
    return float(value)


def _frequencies() -> NDArray[np.float64]:
    """Absolute spatial frequency of every coefficient of `rfft2` [1/m]."""
    fy = np.fft.fftfreq(SIDE, CELL)[:, None]
    fx = np.fft.rfftfreq(SIDE, CELL)[None, :]
    return np.hypot(fx, fy)


def _filtered(rng: np.random.Generator, gain: NDArray[np.float64]) -> NDArray[np.float64]:
    """White noise seen through an isotropic filter: shape (256, 256), zero mean."""
    spectrum = np.fft.rfft2(rng.standard_normal((SIDE, SIDE))) * gain
    spectrum[0, 0] = 0
    return np.fft.irfft2(spectrum, s=(SIDE, SIDE))


def _relief(rng: np.random.Generator) -> NDArray[np.float64]:
    """Self-affine heights with unit rms difference over one metre."""
    f = _frequencies()
    f[0, 0] = 1.0
    heights = _filtered(rng, f ** -(HURST + 1))
    lag = round(1 / CELL)
    across = heights - np.roll(heights, lag, axis=1)
    along = heights - np.roll(heights, lag, axis=0)
    return heights / np.sqrt((np.mean(across**2) + np.mean(along**2)) / 2)


def _smooth(rng: np.random.Generator, length: float) -> NDArray[np.float64]:
    """Gaussian-filtered noise of unit variance whose blobs are about `length` [m] across."""
    sigma = length / 4
    field = _filtered(rng, np.exp(-2 * (np.pi * sigma * _frequencies()) ** 2))
    return field / field.std()


def _ranks(field: NDArray[np.float64]) -> NDArray[np.float64]:
    """The field with its values replaced by their quantiles, so that it is uniform on [0, 1]."""
    order = np.empty(field.size)
    order[np.argsort(field, axis=None)] = np.linspace(0, 1, field.size)
    return order.reshape(field.shape)


def scattered(
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The rocks of a map at `MAX_ABUNDANCE`: place (n, 2) and diameter (n,) [m], the abundance (n,) at which
    each appears; smallest first, so that where two overlap the larger one is stamped last and stands.
    """
    area = (SIDE * CELL) ** 2
    bounds = np.geomspace(SMALLEST_ROCK, LARGEST_ROCK, 257)
    above = np.array([rock_density(d, MAX_ABUNDANCE) for d in bounds[::16]])
    log_above = np.interp(np.log(bounds), np.log(bounds[::16]), np.log(above))
    number = rng.poisson(area * (above[0] - above[-1]))
    share = rng.uniform(above[-1], above[0], number)
    diameter = np.exp(np.interp(-np.log(share), -log_above, np.log(bounds)))
    place = rng.uniform(0, SIDE * CELL, (number, 2))
    appears = _appearance(diameter, rng.uniform(size=number))
    order = np.argsort(diameter)
    return place[order], diameter[order], appears[order]


def _appearance(diameter: NDArray[np.float64], mark: NDArray[np.float64]) -> NDArray[np.float64]:
    """Smallest abundance at which each rock stands, so that thinning keeps Golombek's counts.

    A rock of diameter D drawn at k0 stays at k < k0 with the probability n_k(D) / n_k0(D) =
    k q(k) exp(-q(k) D) / (k0 q(k0) exp(-q(k0) D)), which grows with k; the mark, uniform on [0, 1],
    picks the k where it is reached.
    """
    grid = np.arange(1, round(ABUNDANCE_STEPS * MAX_ABUNDANCE) + 1) / ABUNDANCE_STEPS
    q = 1.79 + 0.152 / grid
    kept = np.log(grid * q)[:, None] - q[:, None] * diameter[None, :]
    kept -= kept[-1]
    first = (np.exp(kept) >= mark[None, :]).argmax(axis=0)
    return grid[first]


@compiled
def _stamp(
    ground: Layers,
    place: NDArray[np.float64],
    diameter: NDArray[np.float64],
    appears: NDArray[np.float64],
) -> None:
    """Write each rock into the cells whose centre it covers, and always into the cell it stands in."""
    for r in range(len(diameter)):
        radius = diameter[r] / 2
        reach = int(radius / CELL) + 1
        height = round(HEIGHT_OVER_DIAMETER * diameter[r] / ROCK_UNIT)
        code = 256 * round(ABUNDANCE_STEPS * appears[r]) + min(height, 255)
        cx, cy = int(place[r, 0] / CELL), int(place[r, 1] / CELL)
        for iy in range(cy - reach, cy + reach + 1):
            for ix in range(cx - reach, cx + reach + 1):
                dx, dy = (ix + 0.5) * CELL - place[r, 0], (iy + 0.5) * CELL - place[r, 1]
                if dx * dx + dy * dy <= radius * radius or (ix == cx and iy == cy):
                    ground[iy % SIDE, ix % SIDE, ROCK] = code
