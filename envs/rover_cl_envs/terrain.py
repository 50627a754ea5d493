"""Procedural ground: a bank of periodic maps that every condition rescales without making it anew.

A map holds fields in normal form, and the conditions of an episode scale or threshold them while
the rover drives: relief is a factor, the share of patches a threshold on a uniform field, and the
rocks of a map are those of the largest abundance, each with the smallest abundance at which it is
there. So drift of any of them is smooth and costs nothing.

Sources: relief as self-affine noise with Hurst exponent 0.7 (Shepard et al. 2001 for the Viking and
Pathfinder sites: 0.5 to 0.8); rocks after Golombek and Rapp (1997) and Golombek et al. (2003).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import quad

from rover_cl_envs.compiled import Layers, Words, compiled
from rover_cl_envs.grid import CELL as CELL
from rover_cl_envs.grid import SIDE as SIDE
from rover_cl_envs.grid import counts, ranks, rms_rise, self_affine, smooth, words_of
from rover_cl_envs.landforms import landforms

if TYPE_CHECKING:
    from rover_cl_envs.conditions import Conditions

HURST = 0.7
PATCH_LENGTH = 6.0  # size of a patch [m]
PATCH_EDGE = 0.08  # width of a patch's edge, in shares of the area
_PER_EDGE = 1.0 / PATCH_EDGE  # products cost less than quotients
TEXTURE_LENGTH = 1.5  # size of a fleck of albedo that means nothing [m]
COMMON_ABUNDANCE, MAX_ABUNDANCE = 0.1, 0.2  # most rovers drive on at most the first; Pathfinder's had 0.19
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


@dataclass(frozen=True, kw_only=True, eq=False)
class TerrainBank:
    """`M` periodic maps of 64 m x 64 m in cells of 0.25 m. Banks are told apart by identity.

    A cell is 8 bytes, a bank of 8 maps 4 MB, and as many again as kernels have it: a rover looks at 40 cells
    in a step, and waits for those that the processor doesn't hold. With landforms a cell is 16 bytes.
    """

    ground: Layers
    """(M, 256, 256, 4) int16, index order map, y, x, layer, in counts of `RELIEF_UNIT` and so on: relief of
    unit rms difference over 1 m; patch field, uniform on [0, 1]; texture of unit variance; rock, without a
    sign 256 times the smallest abundance at which it stands, in thousandths, plus its height, 0 where there
    is none. `values` gives the first three as numbers, `rock_heights` the last."""
    seed: int
    """of the landforms; map m draws from it and from m alone"""
    true_relief: float | None = None
    """rms height difference over 1 m of real ground [m]; procedural ground has none of its own"""
    mean_slope: tuple[float, float] = (0.0, 0.0)
    """grade of real ground towards east and north, which the maps leave out"""

    def __post_init__(self) -> None:
        """Raise ValueError if `ground` isn't such an array: kernels find it by its address, and trust it."""
        ground, cells = self.ground, (SIDE, SIDE, ROCK + 1)
        fits = ground.ndim == 4 and len(ground) > 0 and ground.shape[1:] == cells
        if not fits or ground.dtype != np.int16 or not ground.flags.c_contiguous:
            expected = f"contiguous int16 (M, {SIDE}, {SIDE}, {ROCK + 1})"
            raise ValueError(f"ground is {ground.dtype} {ground.shape}, expected {expected}.")

    @classmethod
    def from_dem(
        cls,
        path: str | Path,
        *,
        tiles: int = 8,
        window: tuple[int, int, int, int] | None = None,
        post_spacing: float | None = None,
        seed: int = 0,
    ) -> TerrainBank:
        """Real ground from a GeoTIFF or PDS3 file; all about it in `dem.bank_from_dem`."""
        from rover_cl_envs.dem import bank_from_dem  # which makes banks, and needs the `dem` extra

        return bank_from_dem(path, tiles=tiles, window=window, post_spacing=post_spacing, seed=seed)

    @property
    def conditions(self) -> Conditions:
        """Under which real ground has its true heights and its mean slope; the ordinary ones otherwise."""
        from rover_cl_envs.conditions import Conditions  # which stands on the maps

        if self.true_relief is None:
            return Conditions()
        east, north = self.mean_slope
        return Conditions(relief=self.true_relief, slope_east=east, slope_north=north)

    @cached_property
    def forms(self) -> Layers:
        """Craters, ripples, TARs and crust in normal form: (M, 256, 256, 4) int16, layers in landforms.py."""
        forms = landforms(self.seed, len(self.ground))
        forms.setflags(write=False)
        return forms

    @cached_property
    def words(self) -> Words:
        """The ground as kernels see it, (M, 65536), grid.words_of."""
        return words_of(self.ground)

    @cached_property
    def formed_words(self) -> Words:
        """The ground with its landforms, likewise (M, 131072)."""
        return words_of(self.ground, self.forms)

    def __getstate__(self) -> dict[str, Any]:
        """What a copy is made of: the ground, of which it makes the rest again when it is asked for."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


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
        draw_map(ground[m], np.random.default_rng([seed, m]))
    ground.setflags(write=False)
    return TerrainBank(ground=ground, seed=seed)


def draw_map(cells: Layers, rng: np.random.Generator) -> None:
    """Fill one map (256, 256, 4): relief, patches, texture, rocks."""
    cells[:, :, RELIEF] = counts(_relief(rng), RELIEF_UNIT)
    cells[:, :, PATCH] = counts(ranks(smooth(rng, PATCH_LENGTH)), PATCH_UNIT)
    cells[:, :, TEXTURE] = counts(smooth(rng, TEXTURE_LENGTH), TEXTURE_UNIT)
    _stamp(cells, *scattered(rng))


def values(ground: Layers, layer: int) -> NDArray[np.float32]:
    """Give a layer of maps (..., 4) but the rocks as numbers (...)."""
    unit = (RELIEF_UNIT, PATCH_UNIT, TEXTURE_UNIT)[layer]
    return ground[..., layer] * np.float32(unit)


def rock_heights(codes: NDArray[np.int16], abundance: float) -> NDArray[np.float32]:
    """`rock_height` of a whole layer of rocks [m]."""
    stands = (codes >> 8) & 255 <= int(ABUNDANCE_STEPS * abundance + 1e-3)
    heights: NDArray[np.float32] = np.where(stands, (codes & 255) * np.float32(ROCK_UNIT), np.float32(0))
    return heights


@compiled
def patch_share(field: float, cover: float) -> float:
    """Share of a soft patch, 0 to 1, where the uniform patch field has that value: its upper tail."""
    return min(max((field - (1.0 - cover)) * _PER_EDGE, 0.0), 1.0)


@compiled
def outcrop_share(field: float, cover: float) -> float:
    """Share of outcrop, 0 to 1, where the uniform patch field has that value: its lower tail."""
    return min(max((cover - field) * _PER_EDGE, 0.0), 1.0)


@compiled
def rock_height(code: int | np.int16, abundance: float) -> float:
    """Height of the rock that a value of the rock layer stands for at that abundance, 0 if none [m]."""
    return standing_height(code, abundance_step(abundance))


@compiled
def abundance_step(abundance: float) -> int:
    """Abundance in whole steps, as the rock layer counts it: `ABUNDANCE_STEPS` to one."""
    return int(ABUNDANCE_STEPS * abundance + 1e-3)


@compiled
def standing_height(code: int | np.int16, step: int) -> float:
    """`rock_height` where abundance is given in steps [m]."""
    return float((code & 255) * ROCK_UNIT) if (code >> 8) & 255 <= step else 0.0


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


def _relief(rng: np.random.Generator) -> NDArray[np.float64]:
    """Self-affine heights with unit rms difference over one metre."""
    heights = self_affine(rng, HURST)
    return heights / rms_rise(heights, round(1 / CELL))


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
    stands; then those that stand only above it, which lie where there is room.
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
def _stamp(
    ground: Layers,
    place: NDArray[np.float64],
    diameter: NDArray[np.float64],
    appears: NDArray[np.float64],
) -> None:
    """Write each rock into the cells whose centre it covers, and always into the cell it stands in.

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
                there = ground[iy % SIDE, ix % SIDE, ROCK]
                covers = dx * dx + dy * dy <= radius * radius or (ix == cx and iy == cy)
                if covers and (step <= common or there == 0 or (there >> 8) & 255 > common):
                    ground[iy % SIDE, ix % SIDE, ROCK] = np.int16(code)
