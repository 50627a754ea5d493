"""One tile of the ground as an array: relief in the sun, albedo, ripples, cracked bedrock, rocks, contours.

Fields known at the cells are carried over to pixels by cubic splines, which are products with two small
matrices, and whose slopes are exact.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rover_cl_envs import palette, sunlight
from rover_cl_envs.ground_texture import Floats, textures
from rover_cl_envs.palette import Colour
from rover_cl_envs.scene import Ground
from rover_cl_envs.sunlight import DAY, LOWEST_SUN, MAP_SUN, Sun, daylight

AMBIENT = 0.35  # share of the light on level ground that comes from the sky
DARKEST, BRIGHTEST = 0.42, 1.45
RIPPLE_SLOPE = 0.85
LOWEST_FOR_SLOPES = math.radians(30.0)  # the exaggerated relief would be all shade
CONTOURS = 10  # about so many levels between the lowest and the highest point
BORDER = 8  # cells around a tile that it needs: for the splines, and for shadows that fall into it
SHADOW_STEP = 0.06  # [m]
LONGEST_SHADOW = 1.5  # [m]


@dataclass(frozen=True, kw_only=True)
class Light:
    """How the relief of a map is lit and lined: of the whole map, so that its tiles agree."""

    exaggeration: float
    """factor of the relief: a slope of 2 degrees would hardly show"""
    interval: float
    """height between two contour lines [m]"""
    towards: tuple[float, float]
    """horizontal direction of the sun, east and north, of length 1"""
    altitude: float
    """of the sun, as far as shadows go [rad]"""
    tint: sunlight.Light
    """colour of the light on level ground"""


def light_of(ground: Ground, sun: Sun = MAP_SUN) -> Light:
    """Choose exaggeration and contour interval by the map's relief; colour and shadows by the sun's place."""
    slope = float(np.hypot(*np.gradient(ground.heights, ground.cell)).std())
    span = float(np.ptp(ground.heights))
    wanted = max(span / CONTOURS, 0.02)
    decade = 10.0 ** math.floor(math.log10(wanted))
    interval = next(decade * k for k in (1, 2, 5, 10) if decade * k >= wanted * 0.999)
    return Light(
        exaggeration=min(max(1.1 / math.sqrt(slope + 1e-3), 1.0), 6.0),
        interval=interval,
        towards=(math.cos(sun[0]), math.sin(sun[0])),
        altitude=max(sun[1], LOWEST_SUN),
        tint=daylight(sun[1]),
    )


def paint_tile(
    ground: Ground, light: Light, column: int, row: int, cells: int, side: int
) -> NDArray[np.uint8]:
    """The tile `column` tiles east and `row` tiles north of the map's corner.

    Args:
        ground: the map.
        light: of the map.
        column: tiles to the east.
        row: tiles to the north.
        cells: width of a tile in cells.
        side: width of a tile in pixels.

    Returns:
        RGB, shape (side, side, 3), row 0 in the north.
    """
    n = ground.heights.shape[0]
    x = np.arange(column * cells - BORDER, (column + 1) * cells + BORDER) % n
    y = np.arange(row * cells - BORDER, (row + 1) * cells + BORDER) % n
    window = np.ix_(y, x)
    scale = side / (cells * ground.cell)
    spline = _spline(cells, side)

    heights = spline.values(ground.heights[window])
    east, north = spline.slopes(ground.heights[window], ground.cell)
    sand = spline.values(ground.sand[window])
    outcrop = spline.values(ground.outcrop[window])
    albedo = spline.values(ground.albedo[window])
    shade = _shade(east, north, sand, outcrop, ground, light, side)
    picture = _tint(albedo) * shade[:, :, None]
    _line_contours(picture, heights, east, north, light, scale)
    if ground.rocks[window].any():
        # Rocks are raised as in light from the north-west; for another one the tile is mirrored.
        mirror = np.s_[:: 1 if light.towards[1] > -1e-9 else -1, :: 1 if light.towards[0] < 1e-9 else -1]
        _raise_rocks(
            picture[mirror],
            ground.rocks[window][mirror],
            textures(side).grain[mirror],
            ground.climbed,
            light,
            cells,
            scale,
        )
    if light.tint != DAY:
        picture *= np.asarray(light.tint, dtype=np.float32)
    return np.clip(picture, 0, 255, out=picture).astype(np.uint8)


def _shade(
    east: Floats, north: Floats, sand: Floats, outcrop: Floats, ground: Ground, light: Light, side: int
) -> Floats:
    """Brightness of the ground in the sun, about 1 where it is level."""
    fine = textures(side)
    # The mean grade as it is: exaggerated it would leave whole slopes in the dark, or bleached.
    slope_x = east * np.float32(light.exaggeration) + np.float32(ground.slope[0])
    slope_y = north * np.float32(light.exaggeration) + np.float32(ground.slope[1])
    soft = np.clip(sand * 1.6 - 0.25, 0, 1) * np.float32(RIPPLE_SLOPE)
    slope_x += soft * fine.ripple_east
    slope_y += soft * fine.ripple_north
    steepness = 1 / math.tan(max(light.altitude, LOWEST_FOR_SLOPES))
    towards_sun = -slope_x * np.float32(light.towards[0] * steepness)
    towards_sun -= slope_y * np.float32(light.towards[1] * steepness)
    shade = (1 + towards_sun) / np.sqrt(1 + slope_x**2 + slope_y**2)
    shade = AMBIENT + (1 - AMBIENT) * shade
    np.clip(shade, DARKEST, BRIGHTEST, out=shade)
    bare = np.clip(outcrop * 1.6 - 0.3, 0, 1)
    shade *= 1 + 0.05 * fine.grain * (1 - 0.6 * bare)
    shade *= 1 + bare * (0.10 * fine.plate - 0.42 * fine.crack)
    result: Floats = shade.astype(np.float32)
    return result


def _tint(albedo: Floats) -> Floats:
    """Colour of level ground, shape (rows, columns, 3): brown where dark, ochre where bright."""
    bright, dark = np.clip(albedo, 0, 1), np.clip(-albedo, 0, 1)
    middle = np.asarray(palette.MIDDLE_GROUND, dtype=np.float32)
    up = np.asarray(palette.BRIGHT_GROUND, dtype=np.float32) - middle
    down = np.asarray(palette.DARK_GROUND, dtype=np.float32) - middle
    result: Floats = middle + bright[:, :, None] * up + dark[:, :, None] * down
    return result


def _line_contours(
    picture: Floats, heights: Floats, east: Floats, north: Floats, light: Light, scale: float
) -> None:
    """Thin dark lines of equal height, every fifth a little bolder."""
    level = heights / np.float32(light.interval)
    nearest = np.rint(level)
    steep = np.hypot(east, north) / np.float32(light.interval * scale) + np.float32(1e-6)  # levels per pixel
    away = np.abs(level - nearest) / steep
    bold = nearest % 5 == 0
    strength = np.clip(np.where(bold, 1.6, 1.1) - away, 0, 1) * np.where(bold, 0.55, 0.40)
    # Where the ground is all but level a line would spread over a plain.
    strength *= np.clip(steep / 2e-3, 0, 1)
    picture *= (1 - strength.astype(np.float32))[:, :, None]


def _raise_rocks(
    picture: Floats, rocks: Floats, grain: Floats, climbed: float, light: Light, cells: int, scale: float
) -> None:
    """Rocks as lit domes with shadows, the sun between west and north; what stops the rover has a rim."""
    side = picture.shape[0]
    reach = min(math.ceil(LONGEST_SHADOW * scale), side)
    wide = _spline(cells, side, reach, sharp=True)
    grain = np.pad(grain, ((reach, 0), (reach, 0)), mode="wrap")
    cover = wide.values((rocks > 0).astype(np.float32)) + 0.07 * grain
    height = wide.values(rocks)
    tall = wide.values((rocks > climbed).astype(np.float32)) + 0.07 * grain > 0.45
    stone = cover > 0.45
    shadow = np.zeros((side, side), dtype=bool)
    fall = SHADOW_STEP * math.tan(light.altitude)
    across, down = (abs(part) * SHADOW_STEP * scale for part in light.towards)
    for k in range(1, int(min(float(rocks.max()) / fall, LONGEST_SHADOW / SHADOW_STEP)) + 1):
        row, column = (reach - min(round(k * part), reach) for part in (down, across))
        here = np.s_[row : row + side, column : column + side]
        shadow |= (height[here] > k * fall) & stone[here]
    picture[shadow] *= 0.45
    # A dome is steep at its rim: light falls on the north-west half of it.
    dome = np.sqrt(np.clip(cover, 0, 1))
    lit = np.zeros_like(dome)
    lit[2:-2, 2:-2] = dome[4:, 4:] - dome[:-4, :-4]
    shade = 1 + 1.5 * np.clip(lit, -0.42, 0.55) + 0.10 * grain
    edge = np.clip(3 * (cover - 0.45) + 0.5, 0, 1)  # smooth, over a few pixels
    inner = np.s_[reach:, reach:]
    colour = np.asarray(palette.ROCK, dtype=np.float32) * shade[inner][:, :, None]
    picture += edge[inner][:, :, None] * (colour - picture)
    rim = tall[inner] & ~_eroded(tall[inner], max(1, round(scale / 24)))
    _mix(picture, rim, palette.HAZARD, 0.8)


def _eroded(mask: NDArray[np.bool_], by: int) -> NDArray[np.bool_]:
    """Those pixels of a mask whose neighbours `by` away are in it too; beyond the edge counts as in."""
    padded = np.pad(mask, by, mode="edge")
    n, m = mask.shape
    inner = mask.copy()
    for i, j in ((0, by), (2 * by, by), (by, 0), (by, 2 * by)):
        inner &= padded[i : i + n, j : j + m]
    return inner


def _mix(picture: Floats, where: NDArray[np.bool_], colour: Colour, share: float) -> None:
    picture[where] = (1 - share) * picture[where] + share * np.asarray(colour, dtype=np.float32)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Spline:
    """From cells of a tile with its border to its pixels: along x; mirrored along y, as row 0 is north."""

    weights: Floats
    """(pixels, cells)"""
    derivatives: Floats
    """(pixels, cells), per cell"""

    def values(self, cells: Floats) -> Floats:
        return np.asarray(self.weights[:, ::-1] @ cells @ self.weights.T, dtype=np.float32)

    def slopes(self, cells: Floats, cell: float) -> tuple[Floats, Floats]:
        """Slope towards east and towards north."""
        east = self.weights[:, ::-1] @ cells @ self.derivatives.T
        north = -self.derivatives[:, ::-1] @ cells @ self.weights.T
        return np.asarray(east / cell, dtype=np.float32), np.asarray(north / cell, dtype=np.float32)


@lru_cache(maxsize=8)
def _spline(cells: int, side: int, margin: int = 0, sharp: bool = False) -> _Spline:
    """The matrices of a tile.

    Args:
        cells: of a tile along x, without its border.
        side: its pixels.
        margin: more pixels to the west and, as rows are turned, to the north.
        sharp: go through the values (Catmull-Rom), rather than smooth them (B-spline).
    """
    return _Spline(
        weights=_matrix(cells, side, margin, sharp, derivative=False),
        derivatives=_matrix(cells, side, margin, sharp, derivative=True),
    )


def _matrix(cells: int, side: int, margin: int, sharp: bool, *, derivative: bool) -> Floats:
    pixels = np.arange(-margin, side)
    place = (pixels + 0.5) * cells / side - 0.5 + BORDER
    first = np.floor(place).astype(int)
    t = place - first
    powers = np.stack([np.ones_like(t), t, t**2, t**3])
    if derivative:
        powers = np.stack([np.zeros_like(t), np.ones_like(t), 2 * t, 3 * t**2])
    b_spline = np.array([[1, 4, 1, 0], [-3, 0, 3, 0], [3, -6, 3, 0], [-1, 3, -3, 1]]) / 6
    catmull_rom = np.array([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]]) / 2
    weights = (catmull_rom if sharp else b_spline).T @ powers  # (4, pixels)
    matrix = np.zeros((len(pixels), cells + 2 * BORDER), dtype=np.float32)
    for k in range(4):
        matrix[np.arange(len(pixels)), first - 1 + k] = weights[k]
    return matrix
