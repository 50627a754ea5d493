"""Elevations as files have them: the posts of a GeoTIFF or PDS3 file, or of a window of it.

Files are read by rasterio, which stands on GDAL: `pip install "rover-cl[dem]"`.
"""

from __future__ import annotations

import importlib
import math
import sys
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rover_cl_envs.errors import is_integer, is_number
from rover_cl_envs.grid import Field

MOST_POSTS = 4096 * 4096
NO_DATA_BEYOND = 1e30  # [m]; PDS3 marks missing posts by the lowest float32
LOWEST_COUNT = -32768  # of 16 bits; files of integers mean "no data" by it, often without saying so
DENSE = 16.0  # post spacing up to which maps are cut out of the posts, and not laid between them [m]
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


def read_posts(path: str | Path, window: Window | None = None, post_spacing: float | None = None) -> Posts:
    """The elevations of a file; arguments and errors as for `dem.bank_from_dem`."""
    if not isinstance(path, str | Path):
        raise ValueError(f"path is {path!r}, expected that of a GeoTIFF or a PDS3 .IMG or .LBL.")
    path = Path(path)
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
    if raw.dtype.kind == "i":
        heights[raw.data == LOWEST_COUNT] = np.nan
    heights[~(np.abs(heights) < NO_DATA_BEYOND)] = np.nan
    if np.isnan(heights).all():
        raise ValueError(f"{path} has no data: every one of its {heights.size} posts is missing.")
    return Posts(heights if upward else heights[::-1].copy(), east, north)


def _checked(path: Path, file: Any, window: Window | None) -> Window:
    """The window to be read, once the file is seen to hold elevations, and not too many."""
    if file.count != 1 or np.dtype(file.dtypes[0]) == np.uint8:
        found = f"{file.count} bands of {file.dtypes[0]}"
        raise ValueError(f"{path} is no elevation model but a picture: {found}, expected 1 of heights.")
    window = (0, 0, file.width, file.height) if window is None else window
    four = isinstance(window, tuple | list | np.ndarray) and len(window) == 4
    if not four or not all(is_integer(n, -sys.maxsize) for n in window):
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
    """Metres between posts, towards east and towards north; `row` is in the middle of the window.

    Simple cylindrical maps, as those of the whole planet are, stretch the east away from their standard
    parallel. That is allowed for where posts are wide apart; dense models have a standard parallel near by.
    """
    if given is not None:
        if not (is_number(given) and given > 0):
            raise ValueError(f"post_spacing is {given!r}, expected a number above 0 [m].")
        return given, given
    if file.transform.is_identity:
        raise ValueError(f"{path} does not tell its post spacing: give post_spacing= [m].")
    east, north = abs(file.transform.a), abs(file.transform.e)
    degree = math.pi * MARS_RADIUS / 180  # [m]
    along = file.transform.f + row * file.transform.e
    if file.crs is not None and file.crs.is_geographic:
        return east * degree * math.cos(math.radians(along)), north * degree
    projection = {} if file.crs is None else file.crs.to_dict()
    if max(east, north) > DENSE and projection.get("proj") == "eqc":
        latitude = projection.get("lat_0", 0.0) + along / degree
        true = math.radians(projection.get("lat_ts", 0.0))
        east *= math.cos(math.radians(latitude)) / math.cos(true)
    return east, north
