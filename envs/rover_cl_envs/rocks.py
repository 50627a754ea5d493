"""Rocks of a map: how many, where, and from which abundance on each stands.

All are drawn once, each with the smallest abundance at which it is there, so that a drift of the abundance
adds and takes rocks but never moves one. A layer of rocks holds a code for each cell, to be read as 16 bits
without a sign: 256 times that abundance, in thousandths, plus the rock's height; 0 where there is none.

Sources: Golombek and Rapp (1997) and Golombek et al. (2003).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import quad

from rover_cl_envs.compiled import compiled
from rover_cl_envs.grid import CELL, SIDE

COMMON_ABUNDANCE = 0.1
"""Up to here maps are what they were when this was the largest abundance: these rocks are drawn first."""
MAX_ABUNDANCE = 0.2
SMALLEST_ROCK = 0.2  # diameter [m]
LARGEST_ROCK = 2.0  # diameter [m]
HEIGHT_OVER_DIAMETER = 0.5
ROCK_UNIT = 1 / 256
"""Rocks are resolved to this height [m]."""
ABUNDANCE_STEPS = 1000.0
"""Abundance is resolved to thousandths."""


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


@lru_cache(maxsize=2)
def _rock_counts(most: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Diameters (257,) [m], and how many rocks are larger at the abundance `most`, at every 16th [1/m^2]."""
    bounds = np.geomspace(SMALLEST_ROCK, LARGEST_ROCK, 257)
    return bounds, np.array([rock_density(d, most) for d in bounds[::16]])


Rocks = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
"""Place (n, 2) and diameter (n,) [m], and the abundance (n,) at which each appears."""


def scattered(rng: np.random.Generator) -> Rocks:
    """The rocks of a map at `MAX_ABUNDANCE`, in the order in which they are stamped.

    First those that stand at `COMMON_ABUNDANCE` too, smallest first, so that where two overlap the larger one
    stands; then those that stand only above it, which leave the others their cells.
    """
    common, (place, diameter, appears) = _drawn(rng, COMMON_ABUNDANCE), _drawn(rng, MAX_ABUNDANCE)
    more = appears > COMMON_ABUNDANCE + 0.5 / ABUNDANCE_STEPS  # the others have been drawn already
    return (
        np.concatenate([common[0], place[more]]),
        np.concatenate([common[1], diameter[more]]),
        np.concatenate([common[2], appears[more]]),
    )


def _drawn(rng: np.random.Generator, most: float) -> Rocks:
    """The rocks of a map at the abundance `most`, smallest first."""
    area = (SIDE * CELL) ** 2
    bounds, above = _rock_counts(most)
    log_above = np.interp(np.log(bounds), np.log(bounds[::16]), np.log(above))
    number = rng.poisson(area * (above[0] - above[-1]))
    share = rng.uniform(above[-1], above[0], number)
    diameter = np.exp(np.interp(-np.log(share), -log_above, np.log(bounds)))
    place = rng.uniform(0, SIDE * CELL, (number, 2))
    appears = _appearance(diameter, rng.uniform(size=number), most)
    order = np.argsort(diameter)
    return place[order], diameter[order], appears[order]


def _appearance(diameter: NDArray[np.float64], mark: NDArray[np.float64], most: float) -> NDArray[np.float64]:
    """Smallest abundance at which each rock stands, so that thinning keeps Golombek's counts.

    A rock of diameter D drawn at k0 = `most` stays at k < k0 with the probability n_k(D) / n_k0(D) =
    k q(k) exp(-q(k) D) / (k0 q(k0) exp(-q(k0) D)), which grows with k; the mark, uniform on [0, 1],
    picks the k where it is reached.
    """
    grid = np.arange(1, round(ABUNDANCE_STEPS * most) + 1) / ABUNDANCE_STEPS
    q = 1.79 + 0.152 / grid
    rate = np.log(grid * q)
    all_of_them = rate[-1] - q[-1] * diameter
    low, high = np.zeros(len(diameter), dtype=np.intp), np.full(len(diameter), len(grid) - 1)
    for _ in range(len(grid).bit_length()):  # halves the interval until both ends meet
        middle = (low + high) // 2
        kept = np.exp(rate[middle] - q[middle] * diameter - all_of_them) >= mark
        low, high = np.where(kept, low, np.minimum(middle + 1, high)), np.where(kept, middle, high)
    return grid[high]


@compiled
def stamp(
    codes: NDArray[np.int16],
    place: NDArray[np.float64],
    diameter: NDArray[np.float64],
    appears: NDArray[np.float64],
) -> None:
    """Write each rock into the cells (256, 256) whose centre it covers, and always into that it stands in.

    A rock that stands only above `COMMON_ABUNDANCE` takes no cell of one that stands below, too.
    """
    common = round(ABUNDANCE_STEPS * COMMON_ABUNDANCE)
    for r in range(len(diameter)):
        radius = diameter[r] / 2
        reach = int(radius / CELL) + 1
        height = round(HEIGHT_OVER_DIAMETER * diameter[r] / ROCK_UNIT)
        step = round(ABUNDANCE_STEPS * appears[r])
        code = 256 * step + min(height, 255)
        cx, cy = int(place[r, 0] / CELL), int(place[r, 1] / CELL)
        for iy in range(cy - reach, cy + reach + 1):
            for ix in range(cx - reach, cx + reach + 1):
                dx, dy = (ix + 0.5) * CELL - place[r, 0], (iy + 0.5) * CELL - place[r, 1]
                there = codes[iy % SIDE, ix % SIDE]
                covers = dx * dx + dy * dy <= radius * radius or (ix == cx and iy == cy)
                if covers and (step <= common or there == 0 or (there >> 8) & 255 > common):
                    codes[iy % SIDE, ix % SIDE] = np.int16(code)


@compiled
def rock_height(code: int | np.int16, abundance: float) -> float:
    """Height of the rock that a code stands for at that abundance, 0 if none [m]."""
    return standing_height(code, abundance_step(abundance))


@compiled
def abundance_step(abundance: float) -> int:
    """Abundance in whole steps, as codes count it: `ABUNDANCE_STEPS` to one."""
    return int(ABUNDANCE_STEPS * abundance + 1e-3)


@compiled
def standing_height(code: int | np.int16, step: int) -> float:
    """`rock_height` where abundance is given in steps [m]."""
    return float((code & 255) * ROCK_UNIT) if (code >> 8) & 255 <= step else 0.0


def rock_heights(codes: NDArray[np.int16], abundance: float) -> NDArray[np.float32]:
    """`rock_height` of a whole layer of rocks [m]."""
    stands = (codes >> 8) & 255 <= abundance_step(abundance)
    heights: NDArray[np.float32] = np.where(stands, (codes & 255) * np.float32(ROCK_UNIT), np.float32(0))
    return heights
