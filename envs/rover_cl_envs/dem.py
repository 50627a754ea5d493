"""Real ground: elevation models from GeoTIFF and PDS3 files as a bank of maps.

HiRISE models have a post a metre, so that their relief is true down to some metres and has no rocks; what
is finer is filled in. Files are read by rasterio, which stands on GDAL: `pip install "rover-cl[dem]"`.
"""

from __future__ import annotations

import importlib
import math
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter, map_coordinates

from rover_cl_envs.conditions import RANGES
from rover_cl_envs.grid import CELL, PERIOD, SIDE, Field, counts, frequencies, rms_rise, self_affine
from rover_cl_envs.terrain import HURST, RELIEF, RELIEF_UNIT, TerrainBank, draw_map

SEAM = 8.0  # width in which a map's edges are blended into one another [m]
CUT = PERIOD + SEAM  # width of the ground that a map is made of [m]
COARSEST = 16.0  # post spacing [m]
MOST_POSTS = 4096 * 4096
MOST_MISSING = 0.5  # share of a map's posts that may have no data
NO_DATA_BEYOND = 1e30  # [m]; PDS3 marks missing posts by the lowest float32
MARS_RADIUS = 3396190.0  # [m]

Window = tuple[int, int, int, int]
"""Column, row, width, height in posts, from the north-west corner."""


class Posts(NamedTuple):
    """Elevations as a file has them."""

    heights: Field
    """(rows, columns) from south to north and west to east [m]; NaN where there is no data"""
    east: float
    """spacing of the columns [m]"""
    north: float
    """spacing of the rows [m]"""


def bank_from_dem(
    path: str | Path,
    *,
    tiles: int = 8,
    window: Window | None = None,
    post_spacing: float | None = None,
    seed: int = 0,
) -> TerrainBank:
    """Maps of 64 m x 64 m cut out of an elevation model.

    Missing posts are filled from their nearest neighbours; each map's mean slope is taken out; posts are
    interpolated to cells of 0.25 m, and between them self-affine relief is filled in that continues the
    model's own rms height difference at the post spacing; the edges are blended into one another over 8 m.
    Rocks, patches, outcrops, texture and landforms are procedural.

    Args:
        path: GeoTIFF, or PDS3: an .IMG with its label attached, or a detached .LBL.
        tiles: at most so many maps; where the model has more, the seed picks them.
        window: part of the file that is read: column, row, width, height in posts from the north-west corner.
        post_spacing: [m]; None: as the file has it.
        seed: of what is procedural, and of the pick.

    Returns:
        A bank for `terrain=` of the environments. Its `conditions` give the relief its true height, and the
        mean slope.

    Raises:
        FileNotFoundError: there is no such file.
        ImportError: rasterio is not installed.
        ValueError: the file holds no elevations, none with data, too many or too few posts, or ground that is
            too coarse or too steep; or an argument is out of range. The message says which.
    """
    if not (_is_whole(tiles) and _is_whole(seed) and tiles >= 1 and seed >= 0):
        raise ValueError(f"tiles, seed are {tiles}, {seed}, expected integers >= 1 and >= 0.")
    posts = read_posts(Path(path), window, post_spacing)
    if max(posts.east, posts.north) > COARSEST:
        found = max(posts.east, posts.north)
        raise ValueError(f"{path} has a post every {found:g} m, expected at most {COARSEST:g} m.")
    rng = np.random.default_rng([seed, 2])
    cuts = _cuts(posts, tiles, rng, path)
    grades, fields = zip(*(_levelled(_filled(cut), posts) for cut in cuts), strict=True)
    maps = [_infilled(_joined(_resampled(field, posts)), posts, rng) for field in fields]
    relief = _scale(maps, path)
    east, north = np.mean(grades, axis=0).tolist()
    ground = np.zeros((len(maps), SIDE, SIDE, 4), dtype=np.int16)
    for m, heights in enumerate(maps):
        draw_map(ground[m], np.random.default_rng([seed, m]))
        ground[m, :, :, RELIEF] = counts(heights / relief, RELIEF_UNIT)
    ground.setflags(write=False)
    return TerrainBank(ground=ground, seed=seed, true_relief=relief, mean_slope=(east, north))


def read_posts(path: Path, window: Window | None = None, post_spacing: float | None = None) -> Posts:
    """The elevations of a file; arguments and errors as for `bank_from_dem`."""
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file, expected a GeoTIFF or a PDS3 .IMG or .LBL.")
    try:
        rasterio: Any = importlib.import_module("rasterio")
    except ImportError:
        raise ImportError('elevation models are read by rasterio: pip install "rover-cl[dem]".') from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of files that know no place on the globe: we need none
        try:
            file = rasterio.open(path)
        except rasterio.errors.RasterioIOError:
            raise ValueError(
                f"{path} is no elevation model: it has no raster that GDAL can read "
                "(of a PDS3 image whose label is a file of its own, give the label)."
            ) from None
        with file:
            column, row, width, height = _checked(path, file, window)
            part = rasterio.windows.Window(column, row, width, height)
            try:
                raw = file.read(1, window=part, masked=True)
            except rasterio.errors.RasterioIOError:
                raise ValueError(
                    f"{path} can't be read to its end, expected {file.width} x {file.height} posts: "
                    "it is cut short or damaged."
                ) from None
            east, north = _spacing(path, file, row + height / 2, post_spacing)
            heights = np.ma.filled(raw.astype(np.float64), np.nan) * file.scales[0] + file.offsets[0]
            upward = file.transform.e > 0
    heights[~(np.abs(heights) < NO_DATA_BEYOND)] = np.nan
    if np.isnan(heights).all():
        raise ValueError(f"{path} has no data: every one of its {heights.size} posts is missing.")
    return Posts(heights if upward else heights[::-1].copy(), east, north)


def _is_whole(number: object) -> bool:
    return isinstance(number, int | np.integer) and not isinstance(number, bool)


def _checked(path: Path, file: Any, window: Window | None) -> Window:
    """The window to be read, once the file is seen to hold elevations, and not too many."""
    if file.count != 1 or np.dtype(file.dtypes[0]) == np.uint8:
        found = f"{file.count} bands of {file.dtypes[0]}"
        raise ValueError(f"{path} is no elevation model but a picture: {found}, expected 1 of heights.")
    window = (0, 0, file.width, file.height) if window is None else window
    if len(window) != 4 or not all(_is_whole(n) for n in window):
        raise ValueError(f"window is {window!r}, expected four integers: column, row, width, height.")
    column, row, width, height = window
    fits = column + width <= file.width and row + height <= file.height
    if min(column, row) < 0 or min(width, height) < 1 or not fits:
        raise ValueError(f"window is {window}, expected a part of {file.width} x {file.height} posts.")
    if width * height > MOST_POSTS:
        raise ValueError(
            f"{path} has {width} x {height} posts, expected at most {MOST_POSTS} (4096 x 4096): "
            "give window=(column, row, width, height)."
        )
    return column, row, width, height


def _spacing(path: Path, file: Any, row: float, given: float | None) -> tuple[float, float]:
    """Metres between posts, towards east and towards north; `row` is in the middle of the window."""
    if given is not None:
        if not (isinstance(given, int | float | np.number) and 0 < given < math.inf):
            raise ValueError(f"post_spacing is {given}, expected a number above 0 [m].")
        return given, given
    if file.transform.is_identity:
        raise ValueError(f"{path} does not tell its post spacing: give post_spacing= [m].")
    east, north = abs(file.transform.a), abs(file.transform.e)
    if file.crs is None or not file.crs.is_geographic:
        return east, north
    degree = math.pi * MARS_RADIUS / 180  # [m]
    latitude = file.transform.f + row * file.transform.e
    return east * degree * math.cos(math.radians(latitude)), north * degree


def _cuts(posts: Posts, tiles: int, rng: np.random.Generator, path: str | Path) -> list[Field]:
    """At most `tiles` pieces of 72 m x 72 m, side by side, that have data; NaN where they have none."""
    wide, tall = math.ceil(CUT / posts.east) + 1, math.ceil(CUT / posts.north) + 1
    rows, columns = posts.heights.shape
    if columns < wide or rows < tall:
        size = f"{columns * posts.east:.0f} m x {rows * posts.north:.0f} m"
        raise ValueError(f"{path} covers {size}, expected {CUT:g} m x {CUT:g} m and a post more at least.")
    found = []
    for row in range(0, rows - tall + 1, math.ceil(PERIOD / posts.north)):
        for column in range(0, columns - wide + 1, math.ceil(PERIOD / posts.east)):
            cut = posts.heights[row : row + tall, column : column + wide]
            if np.isnan(cut).mean() <= MOST_MISSING:
                found.append(cut)
    if not found:
        raise ValueError(f"{path} has no piece of {CUT:g} m x {CUT:g} m with data for half of its posts.")
    picked = rng.permutation(len(found))[:tiles]
    return [found[i] for i in sorted(picked)]


def _filled(heights: Field) -> Field:
    """The heights with each missing one replaced by its nearest neighbour's."""
    missing = np.isnan(heights)
    if not missing.any():
        return heights
    rows, columns = distance_transform_edt(missing, return_distances=False, return_indices=True)
    return heights[rows, columns]


def _levelled(heights: Field, posts: Posts) -> tuple[tuple[float, float], Field]:
    """Mean grade towards east and north, and the heights without it and without their mean [m]."""
    rows, columns = heights.shape
    x = (np.arange(columns) - (columns - 1) / 2) * posts.east
    y = (np.arange(rows) - (rows - 1) / 2) * posts.north
    level = heights - heights.mean()
    east = float((level.mean(axis=0) * x).sum() / (x * x).sum())
    north = float((level.mean(axis=1) * y).sum() / (y * y).sum())
    return (east, north), level - east * x[None, :] - north * y[:, None]


def _resampled(heights: Field, posts: Posts) -> Field:
    """The heights on cells of 0.25 m, 72 m x 72 m; finer posts are smoothed first."""
    finer = (0.5 * CELL / posts.north, 0.5 * CELL / posts.east)
    if min(posts.east, posts.north) < CELL:
        heights = gaussian_filter(heights, finer, mode="nearest")
    at = (np.arange(round(CUT / CELL)) + 0.5) * CELL
    rows, columns = np.meshgrid(at / posts.north, at / posts.east, indexing="ij")
    return map_coordinates(heights, [rows, columns], order=3, mode="nearest")


def _joined(wide: Field) -> Field:
    """A periodic map (256, 256): its west and south edges blend into what lies beyond its east and north."""
    strip = wide.shape[0] - SIDE
    share = 0.5 - 0.5 * np.cos(np.pi * (np.arange(strip) + 0.5) / strip)
    for _ in range(2):
        first = share[:, None] * wide[:strip] + (1 - share[:, None]) * wide[SIDE:]
        wide = np.concatenate([first, wide[strip:SIDE]]).T
    return wide - wide.mean()


def _infilled(heights: Field, posts: Posts, rng: np.random.Generator) -> Field:
    """The heights with self-affine relief of wavelengths that the posts can't carry.

    Its rms height difference at the post spacing would be that of the model, if it had all wavelengths.
    """
    spacing = max(posts.east, posts.north)
    lag = max(round(spacing / CELL), 1)
    if lag == 1:
        return heights
    noise = self_affine(rng, HURST)
    noise *= rms_rise(heights, lag) / rms_rise(noise, lag)
    spectrum = np.fft.rfft2(noise)
    spectrum[frequencies() < 0.5 / spacing] = 0
    return heights + np.fft.irfft2(spectrum, s=heights.shape)


def _scale(maps: list[NDArray[np.float64]], path: str | Path) -> float:
    """The relief that all maps are given in units of: their rms height difference over 1 m, if they fit."""
    roughness = math.sqrt(np.mean([rms_rise(heights, round(1 / CELL)) ** 2 for heights in maps]))
    tallest = max(float(np.abs(heights).max()) for heights in maps)
    relief = max(roughness, tallest / (32767 * RELIEF_UNIT), 1e-6)
    most = RANGES["relief"][1]
    if relief > most:
        held = most * 32767 * RELIEF_UNIT
        raise ValueError(
            f"{path} has {tallest:.0f} m of relief in a map, {roughness:.2f} m rms over 1 m, "
            f"expected at most {held:.0f} m and {most:g} m: choose another window=."
        )
    return relief
