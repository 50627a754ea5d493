"""The ground of a top-down picture as an array: relief in the sun, albedo, ripple marks on sand, rocks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rover_cl_envs.scene import Scene

Floats = NDArray[np.float32]
Points = NDArray[np.floating]

SUN_ALTITUDE = 38.0  # [deg]
EXAGGERATION = 2.5  # relief of 5 degrees would hardly show
DARK_GROUND = (104, 62, 46)
MIDDLE_GROUND = (171, 107, 71)
BRIGHT_GROUND = (224, 170, 122)
ROCK = (112, 98, 92)
RIPPLE_SPACING = 2  # cells between ripple marks
RIPPLE_SIZE = 0.28  # half length of a ripple mark [m]
SHADOW_STEP = 0.1  # [m]


@dataclass(frozen=True, kw_only=True)
class View:
    """The window on the map: which point is in the middle, and how large a metre is."""

    width: int
    """[px]"""
    height: int
    """[px]"""
    scale: float
    """[px/m]"""
    centre: tuple[float, float]
    """[m]"""
    period: tuple[float, float]
    """size of the map in x and y [m]"""

    def offset(self, points: Points) -> Points:
        """Shortest way from the centre to points (k, 2) on the periodic map [m]."""
        period = np.asarray(self.period)
        offset: Points = (points - np.asarray(self.centre) + period / 2) % period - period / 2
        return offset

    def pixels(self, offsets: Points) -> Points:
        """Pixel coordinates (k, 2) of points given relative to the centre [m]."""
        return offsets * (self.scale, -self.scale) + (self.width / 2, self.height / 2)


def landscape(scene: Scene, view: View) -> NDArray[np.uint8]:
    """Everything that belongs to the map: shape (height, width, 3)."""
    x, y = _pixel_cells(scene, view)
    columns, rows = _crop(x, scene.heights.shape[1]), _crop(y, scene.heights.shape[0])
    window = np.ix_(rows[1], columns[1])
    shade = _hillshade(scene.heights[window], scene.cell)
    colour = _tint(scene.albedo[window]) * shade[:, :, None]
    rocks = scene.rocks[window]
    picture = _resample(colour, y - rows[0], x - columns[0])
    _mark_sand(picture, scene, view)
    if rocks.any():
        stones = np.dstack([rocks, rocks > 0]).astype(np.float32)
        height, cover = np.moveaxis(_resample(stones, y - rows[0], x - columns[0]), 2, 0)
        _raise_rocks(picture, height, cover, view)
    return np.clip(picture, 0, 255, out=picture).astype(np.uint8)


def _pixel_cells(scene: Scene, view: View) -> tuple[Points, Points]:
    """Where each pixel's middle lies between the centres of cells: x (width,), y (height,)."""
    x = view.centre[0] + (np.arange(view.width) + 0.5 - view.width / 2) / view.scale
    y = view.centre[1] - (np.arange(view.height) + 0.5 - view.height / 2) / view.scale
    return x / scene.cell - 0.5, y / scene.cell - 0.5


def _crop(positions: Points, period: int) -> tuple[int, NDArray[np.int64]]:
    """First cell that the positions need, and the indices of all of them on the periodic map."""
    first, last = math.floor(positions.min()), math.floor(positions.max()) + 1
    return first, np.arange(first, last + 1) % period


def _resample(cells: Floats, y: Points, x: Points) -> Floats:
    """Bilinear interpolation of (rows, columns, k) at the grid of positions y, x."""
    top, left = np.floor(y).astype(np.intp), np.floor(x).astype(np.intp)
    down = (y - top).astype(np.float32)[:, None, None]
    along = (x - left).astype(np.float32)[None, :, None]
    strip = cells[top] + down * (cells[top + 1] - cells[top])
    fine: Floats = np.take(np.diff(strip, axis=1), left, axis=1)
    fine *= along
    fine += np.take(strip, left, axis=1)
    return fine


def _hillshade(heights: Floats, cell: float) -> Floats:
    """Brightness of the ground under the sun in the north-west, 1 on level ground."""
    slope_y, slope_x = np.gradient(heights * np.float32(EXAGGERATION), cell)
    altitude = math.radians(SUN_ALTITUDE)
    towards_sun = (slope_x - slope_y) * math.sqrt(0.5)  # uphill to the south-east faces the sun
    light = math.sin(altitude) + math.cos(altitude) * towards_sun
    shade = light / np.sqrt(1 + slope_x**2 + slope_y**2) / math.sin(altitude)
    bounded: Floats = np.clip(shade, 0.45, 1.35).astype(np.float32)
    return bounded


def _tint(albedo: Floats) -> Floats:
    """Colour of level ground, shape (rows, columns, 3): brown where dark, ochre where bright."""
    levels = (-1.0, 0.0, 1.0)
    channels = zip(DARK_GROUND, MIDDLE_GROUND, BRIGHT_GROUND, strict=True)
    return np.dstack([np.interp(albedo, levels, channel) for channel in channels]).astype(np.float32)


def _mark_sand(picture: Floats, scene: Scene, view: View) -> None:
    """Ripple marks, a dark line with a lit one below it, at fixed places; fewer where the soil thins out."""
    rows, columns = scene.sand.shape
    places = _ripple_places(rows, columns)
    grid_y, grid_x = np.mgrid[0:rows:RIPPLE_SPACING, 0:columns:RIPPLE_SPACING]
    stand = scene.sand[grid_y, grid_x] > 0.1 + 0.8 * places[0, grid_y, grid_x]
    cy, cx = grid_y[stand], grid_x[stand]
    jitter = RIPPLE_SPACING * places[1:, cy, cx]
    centres = (np.stack([cx + jitter[0], cy + jitter[1]], axis=1) + 0.5) * scene.cell
    middles = view.pixels(view.offset(centres.astype(np.float64))).astype(np.int64)
    half = max(2, round(RIPPLE_SIZE * view.scale / 2))
    along = np.arange(-half, half + 1)
    bow = np.round(half / 3 * (along / half) ** 2).astype(np.int64)
    for below, gain in ((0, 0.6), (1, 1.22)):
        x = (middles[:, 0, None] + along).ravel()
        y = (middles[:, 1, None] + bow + below).ravel()
        inside = (x >= 0) & (x < view.width) & (y >= 0) & (y < view.height)
        picture[y[inside], x[inside]] *= gain


@lru_cache(maxsize=4)
def _ripple_places(rows: int, columns: int) -> Floats:
    """Uniform numbers (3, rows, columns): the share of sand a mark needs, and its place in its square."""
    return np.random.default_rng(0).random((3, rows, columns), dtype=np.float32)


def _raise_rocks(picture: Floats, height: Floats, cover: Floats, view: View) -> None:
    """Rocks as lit domes, and their shadows to the south-east."""
    shadow = np.zeros(cover.shape, dtype=bool)
    fall = SHADOW_STEP * math.tan(math.radians(SUN_ALTITUDE))
    for k in range(1, int(height.max() / fall) + 1):
        reach = round(k * SHADOW_STEP * view.scale * math.sqrt(0.5))
        if 0 < reach < min(shadow.shape):
            shadow[reach:, reach:] |= height[:-reach, :-reach] > k * fall
    picture[shadow] *= 0.5
    stone = cover > 0.5
    lit = np.zeros_like(cover)
    lit[2:-2, 2:-2] = cover[4:, 4:] - cover[:-4, :-4]
    picture[stone] = np.asarray(ROCK, dtype=np.float32) * (1 + 0.9 * lit[stone])[:, None]
