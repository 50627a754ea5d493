"""Landforms in normal form: fresh craters, ripples, transverse aeolian ridges (TARs) and crust.

Conditions scale craters and ridges by one factor each, and take crust where a uniform field passes a
threshold, so that drift of any of them is smooth. Wavelengths can't be scaled on a periodic map: there is
one layer of ripples and one of TARs.

Sources: fresh simple craters are a fifth as deep as wide, from rim to floor, and their rims rise by 0.04 of
the width above the plain (Pike 1977 for the Moon; Barlow for Mars); ejecta thin out as the cube of the
distance (McGetchin et al. 1973); small craters in equilibrium number as the inverse square of their
diameter (Gault 1970). A typical TAR is 17 m wide and 1.3 m tall, 26 m from the next (mapping of 2295 of
them); ripples of Meridiani are some metres apart and 0.1 to 0.3 m high. The ridges' profile is chosen.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rover_cl_envs.compiled import Bits, Cell, Layers, Words, compiled
from rover_cl_envs.grid import (
    CELL,
    ORIGIN,
    PERIOD,
    SIDE,
    TILE,
    Field,
    broad,
    column_part,
    counts,
    layers_of,
    ranks,
    row_part,
)

CRATER, RIPPLE, TAR, CRUST = range(4)
"""Layers of `TerrainBank.forms`; they fill a cell's second word."""
CRATER_UNIT, SHARE_UNIT = 1 / 1024, 1 / 32767
"""What one count is worth: of the crater layer [m], and of the others, which run from 0 to 1."""

DEPTH = 0.2  # rim crest to floor of a fresh crater, over its diameter
RIM = 0.04  # rim crest above the plain, over the diameter
WALL = math.tan(math.radians(31.0))  # two degrees below repose: a neighbour's ejecta may lie on it
WALL_RISE = WALL / 2  # of the wall, over the diameter, per radius
KNEE = 2 * (1 - DEPTH / WALL_RISE)  # where the bowl's parabola becomes a straight wall, in radii
SMALLEST_CRATER, LARGEST_CRATER = 3.0, 40.0  # diameter [m]
MOST_CRATERS = 5  # on a map; at least one
APART = 2.0  # between centres: this many radii of the larger crater, and one of the smaller
APRON = 4.0  # where the ejecta end, in radii; at half the map's width if that is nearer

RIPPLE_WAVE = 3.0  # crest to crest [m]
TAR_WAVE = 25.8  # crest to crest [m]
LEAN = 0.35  # how much steeper one side of a ridge is than the other: 1.35 to 0.65 where it is steepest
MEANDER = 0.8  # rms wander of a crest, in radians of its wave
CRUST_LENGTH = 4.0  # size of a slab of crust [m]
DEEP_RIPPLE, DEEP_TAR = 0.05, 0.5  # heights from which a crest is sand throughout [m]


def landforms(seed: int, count: int) -> Layers:
    """The landforms of `count` maps, (count, 256, 256, 4) int16; map m does not depend on the others.

    Height of fresh craters [m]; height of ripples and of TARs, 0 in the troughs to 1 on the crests; crust
    field, uniform on [0, 1].
    """
    forms = np.zeros((count, SIDE, SIDE, 4), dtype=np.int16)
    for m in range(count):
        rng = np.random.default_rng([seed, m, 1])  # the ground of the same map draws from [seed, m]
        forms[m, :, :, CRATER] = counts(_craters(rng), CRATER_UNIT)
        wind = rng.uniform(0, 2 * np.pi)
        forms[m, :, :, RIPPLE] = counts(_ridges(rng, wind, RIPPLE_WAVE, 12.0), SHARE_UNIT)
        forms[m, :, :, TAR] = counts(_ridges(rng, wind, TAR_WAVE, 40.0), SHARE_UNIT)
        forms[m, :, :, CRUST] = counts(ranks(broad(rng, CRUST_LENGTH)), SHARE_UNIT)
    return forms


def no_landforms(count: int) -> Layers:
    """What stands in for the landforms of `count` maps while no condition asks for them: one cell each."""
    forms = np.zeros((count, 1, 1, 4), dtype=np.int16)
    forms.setflags(write=False)
    return forms


def sown(rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The craters of a map: centres (n, 2) and diameters (n,) [m], largest first, N(> D) as D^-2.

    No crater lies on the steep part of another's apron; one that finds no such place is left out.
    """
    share = rng.uniform((SMALLEST_CRATER / LARGEST_CRATER) ** 2, 1.0, rng.integers(1, MOST_CRATERS + 1))
    wanted = np.sort(SMALLEST_CRATER / np.sqrt(share))[::-1]
    centres: list[NDArray[np.float64]] = []
    diameters: list[float] = []
    for diameter in wanted.tolist():
        for _ in range(32):
            at = rng.uniform(0, PERIOD, 2)
            gaps = [np.hypot(*((at - c + PERIOD / 2) % PERIOD - PERIOD / 2)) for c in centres]
            if all(gap > (APART * d + diameter) / 2 for gap, d in zip(gaps, diameters, strict=True)):
                centres.append(at)
                diameters.append(diameter)
                break
    return np.array(centres), np.array(diameters)


@compiled
def crater_profile(share: float, end: float) -> float:
    """Height of a fresh crater's surface above the plain, over its diameter.

    A parabola, then a straight wall below the angle of repose, a sharp rim, and ejecta.

    Args:
        share: distance from the centre, in radii.
        end: where the ejecta end, in radii, above 1.
    """
    if share >= end:
        return 0.0
    if share >= 1.0:
        thin = 1.0 / (end * end * end)
        return RIM * (1.0 / (share * share * share) - thin) / (1.0 - thin)
    if share >= KNEE:
        return RIM - WALL_RISE * (1.0 - share)
    return RIM - DEPTH + WALL_RISE * share * share / (2.0 * KNEE)


def _craters(rng: np.random.Generator) -> Field:
    """Heights of a map's fresh craters [m]."""
    heights = np.zeros((SIDE, SIDE))
    for (x, y), diameter in zip(*sown(rng), strict=True):
        _dig(heights, x, y, diameter)
    return heights


@compiled
def _dig(heights: Field, x: float, y: float, diameter: float) -> None:
    """Add a crater to the heights."""
    end = min(APRON, PERIOD / diameter)
    reach = int(0.5 * end * diameter / CELL)
    cx, cy = int(x / CELL), int(y / CELL)
    for iy in range(cy - reach, cy + reach):  # never more than the map, so that no cell is met twice
        north = (iy + 0.5) * CELL - y
        for ix in range(cx - reach, cx + reach):
            east = (ix + 0.5) * CELL - x
            share = 2.0 * math.sqrt(east * east + north * north) / diameter
            heights[iy & (SIDE - 1), ix & (SIDE - 1)] += diameter * crater_profile(share, end)


def _ridges(rng: np.random.Generator, wind: float, wave: float, length: float) -> Field:
    """Ridges across the wind, 0 to 1: round troughs, narrow crests, and one side steeper.

    Args:
        rng: of the map.
        wind: where it blows to [rad].
        wave: crest to crest [m]; taken to the nearest that fits into the map both ways.
        length: over which crests wander [m].
    """
    east, north = (round(PERIOD / wave * part) for part in (math.cos(wind), math.sin(wind)))
    at = 2 * np.pi * (np.arange(SIDE) + 0.5) / SIDE
    phase = (east * at[None, :] + north * at[:, None] + MEANDER * broad(rng, length)).astype(np.float32)
    wavy = (0.5 + 0.5 * np.cos(phase + np.float32(LEAN) * np.cos(phase))).astype(np.float64)
    return wavy * np.sqrt(wavy)


@compiled
def cell_height(cell: Cell, craters: float, ripples: float, tars: float) -> float:
    """Height of the landforms at a cell (4,) [m].

    Args:
        cell: its layers of landforms (4,).
        craters: freshness, 0 to 1.
        ripples: their height [m].
        tars: their height [m].
    """
    return craters * CRATER_UNIT * cell[CRATER] + SHARE_UNIT * (ripples * cell[RIPPLE] + tars * cell[TAR])


@compiled
def form_height(words: Words, x: float, y: float, craters: float, ripples: float, tars: float) -> float:
    """Height of the landforms of a map at x, y, bilinear between cell centres [m]."""
    u, v = x / CELL + (ORIGIN - 0.5), y / CELL + (ORIGIN - 0.5)
    iu, iv = int(u), int(v)
    fu, fv = u - iu, v - iv
    x0, x1, y0, y1 = column_part(iu), column_part(iu + 1), row_part(iv), row_part(iv + 1)
    south = (1.0 - fu) * cell_height(layers_of(words[2 * (y0 + x0) + 1]), craters, ripples, tars)
    south += fu * cell_height(layers_of(words[2 * (y0 + x1) + 1]), craters, ripples, tars)
    north = (1.0 - fu) * cell_height(layers_of(words[2 * (y1 + x0) + 1]), craters, ripples, tars)
    north += fu * cell_height(layers_of(words[2 * (y1 + x1) + 1]), craters, ripples, tars)
    return (1.0 - fv) * south + fv * north


@compiled
def crest_share(cell: Cell, ripples: float, tars: float) -> float:
    """Share of loose crest sand at a cell (4,), 0 to 1; ridges of no height have none."""
    ripple = min(ripples / DEEP_RIPPLE, 1.0) * cell[RIPPLE]
    return SHARE_UNIT * max(ripple, min(tars / DEEP_TAR, 1.0) * cell[TAR])


@compiled
def has_crust(cell: Cell, cover: float) -> bool:
    """Whether a cell (4,) bears crust where crust covers that share of the ground."""
    return bool(cover > 0.0 and SHARE_UNIT * cell[CRUST] >= 1.0 - cover)


@compiled
def byte_of(number: int) -> int:
    """The byte of `Broken.cells` that holds the bit of that cell: a line of memory holds two tiles."""
    return number >> 3


@compiled
def bit_in(byte: int, number: int) -> int:
    """1 if that byte says that the crust of that cell is broken, else 0."""
    return (byte >> (number & 7)) & 1


class Broken(NamedTuple):
    """The crust that a rover has broken in an episode."""

    cells: Bits
    """(8192,) a bit for each cell; (0,) where none is kept, and none ever breaks for good"""
    some: Bits
    """(1,) 1 once a cell was broken: most rovers break none, and `cells` is far in memory"""


@compiled
def has_broken(broken: Broken) -> bool:
    """Whether the rover has broken the crust of any cell."""
    return broken.some[0] == 1


@compiled
def is_broken(broken: Broken, number: int) -> bool:
    """Whether the rover has broken the crust of a cell."""
    return has_broken(broken) and bit_in(broken.cells[np.uint64(byte_of(number))], number) == 1


@compiled
def break_crust(broken: Broken, number: int) -> None:
    """Note that the crust of that cell is broken."""
    if broken.cells.shape[0] > 0:
        broken.cells[byte_of(number)] |= np.uint8(1 << (number & 7))
        broken.some[0] = 1


@compiled
def mend_crust(broken: Broken) -> None:
    """Note that none is broken: an episode begins."""
    if has_broken(broken):
        broken.cells[:] = 0
        broken.some[0] = 0


def broken_cells(cells: Bits) -> NDArray[np.int64]:
    """Rows and columns (k, 2) of the cells that bits (8192,) or (0,) say are broken."""
    tiles = np.unpackbits(cells, bitorder="little").reshape(-1, SIDE // TILE, TILE, TILE)
    return np.argwhere(tiles.swapaxes(1, 2).reshape(-1, SIDE))
