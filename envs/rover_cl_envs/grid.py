"""The grid of a map: periodic cells, and random fields on them."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rover_cl_envs.compiled import Cell, Layers, Words, compiled

Field = NDArray[np.float64]
"""A number for each cell of a map, (256, 256), rows are y."""

CELL = 0.25  # [m]
SIDE = 256  # cells
PERIOD = SIDE * CELL  # [m]
TILE = 16
"""Cells along a side of a tile. Kernels have a map tile by tile, so that what is near on the ground is near
in memory: MER looks at 44 cells in a step, which lie on 5 pages of 4 kB, and row by row on 17."""
_SHIFTS = (0, 16, 32, 48) if sys.byteorder == "little" else (48, 32, 16, 0)
ORIGIN = 2.0**20
"""Cells, a multiple of SIDE, added so that cutting off a fraction rounds down west and south of the origin
too: `math.floor` of a float32 is a call into the C library."""


@compiled
def cell_number(x: float, y: float) -> int:
    """Number of the cell that holds a point [m] on the periodic map, tile by tile; from -250 km on.

    In 32 bits, of which the processor takes twice as many at a time as of 64.
    """
    return column_part(np.int32(x / CELL + ORIGIN)) + row_part(np.int32(y / CELL + ORIGIN))


@compiled
def column_part(column: int | np.int32) -> int:
    """What a column, any number of maps away, adds to the number of a cell."""
    c = np.int32(column)
    return (c & np.int32(TILE - 1)) + (c & np.int32(SIDE - TILE)) * np.int32(TILE)  # type: ignore[return-value]


@compiled
def row_part(row: int | np.int32) -> int:
    """Likewise a row."""
    r = np.int32(row)
    return (r & np.int32(TILE - 1)) * np.int32(TILE) + (r & np.int32(SIDE - TILE)) * np.int32(SIDE)  # type: ignore[return-value]


def in_tiles(cells: NDArray[Any]) -> NDArray[Any]:
    """Maps (M, 256, 256, ...) with their cells in the order of their numbers: (M, 65536, ...), a copy."""
    shape = (len(cells), SIDE // TILE, TILE, SIDE // TILE, TILE, *cells.shape[3:])
    return np.ascontiguousarray(cells.reshape(shape).swapaxes(2, 3)).reshape(len(cells), -1, *cells.shape[3:])


def words_of(*layers: Layers) -> Words:
    """Maps (M, 256, 256, 4), and likewise their landforms if they are wanted, as words of four layers each.

    One look at memory then brings a whole cell.

    Returns:
        (M, 65536 k) for k arguments, not to be written to: cells in the order of their numbers, k words each.
    """
    cells = np.stack([part.view(np.int64)[..., 0] for part in layers], axis=-1)
    words = in_tiles(cells).reshape(len(cells), -1)
    words.setflags(write=False)
    return words


@compiled
def layers_of(word: int) -> Cell:
    """The four layers of a cell that a word holds."""
    return (
        np.int16(word >> _SHIFTS[0]),
        np.int16(word >> _SHIFTS[1]),
        np.int16(word >> _SHIFTS[2]),
        np.int16(word >> _SHIFTS[3]),
    )


@compiled
def words_in_cell(words: Words) -> np.uint64:
    """Words of each cell of a map (65536 k,): 1, or 2 where it has landforms.

    Unsigned, as all should be that a map is often indexed by: of signed numbers Numba asks each time whether
    they are negative.
    """
    return np.uint64(len(words) // (SIDE * SIDE))


def frequencies() -> Field:
    """Absolute spatial frequency of every coefficient of `rfft2` (256, 129) [1/m]."""
    fy = np.fft.fftfreq(SIDE, CELL)[:, None]
    fx = np.fft.rfftfreq(SIDE, CELL)[None, :]
    return np.hypot(fx, fy)


def self_affine(rng: np.random.Generator, hurst: float) -> Field:
    """Noise whose rms difference over a distance grows as the distance to the power of `hurst`."""
    f = frequencies()
    f[0, 0] = 1.0
    return filtered(rng, f ** -(hurst + 1))


def filtered(rng: np.random.Generator, gain: Field) -> Field:
    """White noise seen through an isotropic filter: shape (256, 256), zero mean."""
    spectrum = np.fft.rfft2(rng.standard_normal((SIDE, SIDE)))
    spectrum *= gain
    spectrum[0, 0] = 0
    return np.fft.irfft2(spectrum, s=(SIDE, SIDE))


def smooth(rng: np.random.Generator, length: float) -> Field:
    """Gaussian-filtered noise of unit variance whose blobs are about `length` [m] across."""
    sigma = length / 4
    field = filtered(rng, np.exp(-2 * (np.pi * sigma * frequencies()) ** 2))
    return field / field.std()


def ranks(field: Field) -> Field:
    """The field with its values replaced by their quantiles, so that it is uniform on [0, 1]."""
    order = np.empty(field.size)
    order[np.argsort(field, axis=None)] = np.linspace(0, 1, field.size)
    return order.reshape(field.shape)


def rms_rise(heights: Field, lag: int) -> float:
    """Root mean square difference of heights `lag` cells apart, over both axes."""
    across = heights - np.roll(heights, lag, axis=1)
    along = heights - np.roll(heights, lag, axis=0)
    return float(np.sqrt((np.mean(across**2) + np.mean(along**2)) / 2))


def counts(field: Field, unit: float) -> NDArray[np.int16]:
    """The field in counts of that unit, cut off where 16 bits end."""
    return np.clip(np.rint(field / unit), -32767, 32767).astype(np.int16)


def broad(rng: np.random.Generator, length: float) -> Field:
    """As `smooth`, for blobs of 4 m and more: drawn on every other cell, and so at half the cost."""
    coarse = SIDE // 2
    f = np.hypot(np.fft.fftfreq(coarse, 2 * CELL)[:, None], np.fft.rfftfreq(coarse, 2 * CELL)[None, :])
    spectrum = np.fft.rfft2(rng.standard_normal((coarse, coarse)))
    spectrum *= np.exp(-2 * (np.pi * length / 4 * f) ** 2)
    spectrum[0, 0] = 0
    wide = np.zeros((SIDE, SIDE // 2 + 1), dtype=np.complex128)
    half = coarse // 2
    wide[:half, :half], wide[-half:, :half] = spectrum[:half, :half], spectrum[-half:, :half]
    field = np.fft.irfft2(wide, s=(SIDE, SIDE))
    return field / field.std()
