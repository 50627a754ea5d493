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

from rover_cl_envs.compiled import Layers, Words, compiled
from rover_cl_envs.grid import CELL as CELL
from rover_cl_envs.grid import SIDE as SIDE
from rover_cl_envs.grid import counts, ranks, rms_rise, self_affine, smooth, words_of
from rover_cl_envs.landforms import landforms
from rover_cl_envs.rocks import scattered, stamp

if TYPE_CHECKING:
    from rover_cl_envs.conditions import Conditions

HURST = 0.7
PATCH_LENGTH = 6.0  # size of a patch [m]
PATCH_EDGE = 0.08  # width of a patch's edge, in shares of the area
_PER_EDGE = 1.0 / PATCH_EDGE  # products cost less than quotients
TEXTURE_LENGTH = 1.5  # size of a fleck of albedo that means nothing [m]

RELIEF, PATCH, TEXTURE, ROCK = range(4)
"""Layers of `TerrainBank.ground`."""
RELIEF_UNIT, PATCH_UNIT, TEXTURE_UNIT = 1 / 1024, 1 / 32767, 1 / 4096
"""What one count of a layer is worth."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TerrainBank:
    """`M` periodic maps of 64 m x 64 m in cells of 0.25 m. Banks are told apart by identity.

    A cell is 8 bytes, a map half a megabyte, and as much again as kernels have it; with landforms 2.5 MB in
    all. A rover looks at 44 cells in a step, and waits for those that the processor doesn't hold.
    """

    ground: Layers
    """(M, 256, 256, 4) int16, index order map, y, x, layer, in counts of `RELIEF_UNIT` and so on: relief of
    unit rms difference over 1 m; patch field, uniform on [0, 1]; texture of unit variance; rocks, the codes
    of rocks.py. `values` gives the first three as numbers, `rock_heights` the last. Not to be written to:
    kernels see a copy."""
    seed: int
    """of the landforms; map m draws from it and from m alone"""
    true_relief: float | None = None
    """rms height difference over 1 m of real ground [m]; procedural ground has none of its own"""
    mean_slope: tuple[float, float] = (0.0, 0.0)
    """grade of real ground towards east and north, which the maps leave out"""

    def __post_init__(self) -> None:
        """Raise ValueError if `ground` isn't such an array: `words_of` takes it for whole words."""
        ground, cells = self.ground, (SIDE, SIDE, ROCK + 1)
        fits = ground.ndim == 4 and len(ground) > 0 and ground.shape[1:] == cells
        if not fits or ground.dtype != np.int16 or not ground.flags.c_contiguous:
            expected = f"contiguous int16 (M, {SIDE}, {SIDE}, {ROCK + 1})"
            raise ValueError(f"ground is {ground.dtype} {ground.shape}, expected {expected}.")
        shown = ground.view()
        shown.setflags(write=False)
        object.__setattr__(self, "ground", shown)

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

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Become the copy of another bank."""
        self.__dict__.update(state)
        self.__post_init__()

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
    return TerrainBank(ground=ground, seed=seed)


def draw_map(cells: Layers, rng: np.random.Generator) -> None:
    """Fill one map (256, 256, 4): relief, patches, texture, rocks."""
    cells[:, :, RELIEF] = counts(_relief(rng), RELIEF_UNIT)
    cells[:, :, PATCH] = counts(ranks(smooth(rng, PATCH_LENGTH)), PATCH_UNIT)
    cells[:, :, TEXTURE] = counts(smooth(rng, TEXTURE_LENGTH), TEXTURE_UNIT)
    stamp(cells[:, :, ROCK], *scattered(rng))


def values(ground: Layers, layer: int) -> NDArray[np.float32]:
    """Give a layer of maps (..., 4) but the rocks as numbers (...)."""
    unit = (RELIEF_UNIT, PATCH_UNIT, TEXTURE_UNIT)[layer]
    return ground[..., layer] * np.float32(unit)


@compiled
def patch_share(field: float, cover: float) -> float:
    """Share of a soft patch, 0 to 1, where the uniform patch field has that value: its upper tail."""
    return min(max((field - (1.0 - cover)) * _PER_EDGE, 0.0), 1.0)


@compiled
def outcrop_share(field: float, cover: float) -> float:
    """Share of outcrop, 0 to 1, where the uniform patch field has that value: its lower tail."""
    return min(max((cover - field) * _PER_EDGE, 0.0), 1.0)


def _relief(rng: np.random.Generator) -> NDArray[np.float64]:
    """Self-affine heights with unit rms difference over one metre."""
    heights = self_affine(rng, HURST)
    return heights / rms_rise(heights, round(1 / CELL))
