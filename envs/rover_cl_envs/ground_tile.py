"""One tile of the ground as an array: relief in the sun, albedo, soils, crust, rocks, contours.

Fields known at the cells are carried over to pixels by cubic splines, whose slopes are exact.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rover_cl_envs import palette, sunlight
from rover_cl_envs.ground_crust import Crust, crack, crust_of
from rover_cl_envs.ground_soil import Surface, surface_of, tint_soil
from rover_cl_envs.ground_spline import BORDER, Spline, spline_of
from rover_cl_envs.ground_texture import Floats, textures
from rover_cl_envs.palette import Colour
from rover_cl_envs.scene import Ground
from rover_cl_envs.sunlight import DAY, LOWEST_SUN, MAP_SUN, Sun, daylight

AMBIENT = 0.35  # share of the light on level ground that comes from the sky
DARKEST, BRIGHTEST = 0.42, 1.45
RIPPLE_SLOPE = 0.85
SMOOTH = 0.025  # so much of the grain drift between the patches lacks
LOWEST_FOR_SLOPES = math.radians(30.0)  # the exaggerated relief would be all shade
CONTOURS = 10  # about so many levels between the lowest and the highest point
SHADOW_STEP = 0.06  # [m]
LONGEST_SHADOW = 1.5  # [m]

Window = tuple[NDArray[np.intp], ...]
"""Rows and columns of the cells of a tile and its border, as `numpy.ix_` has them."""


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
    ground: Ground,
    light: Light,
    column: int,
    row: int,
    cells: int,
    side: int,
    broken: bool = False,
) -> NDArray[np.uint8]:
    """The tile `column` tiles east and `row` tiles north of the map's corner.

    Args:
        ground: the map.
        light: of the map.
        column: tiles to the east.
        row: tiles to the north.
        cells: width of a tile in cells.
        side: width of a tile in pixels.
        broken: all its crust is broken, rather than none.

    Returns:
        RGB, shape (side, side, 3), row 0 in the north.
    """
    window = _window(ground, column, row, cells)
    scale = side / (cells * ground.cell)
    spline = spline_of(cells, side)

    heights = spline.values(ground.heights[window])
    east, north = spline.slopes(ground.heights[window], ground.cell)
    sand = spline.values(ground.sand[window])
    outcrop = spline.values(ground.outcrop[window])
    crust, albedo = _crust(ground, window, broken, spline)
    crests = spline.values(ground.crests[window]) if ground.crests.size > 1 else None
    surface = surface_of(ground, sand, outcrop, crests, crust.covered if crust else None)
    picture = _tint(spline.values(albedo))
    tint_soil(picture, surface)
    if crust:
        crust.tint(picture)
    picture *= _shade(east, north, surface, crust, ground, light, side)[:, :, None]
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


def crack_tile(
    tiles: tuple[NDArray[np.uint8], NDArray[np.uint8]],
    ground: Ground,
    light: Light,
    column: int,
    row: int,
    cells: int,
    broken: NDArray[np.bool_],
) -> NDArray[np.uint8]:
    """The tile where the crust of some cells is broken.

    Args:
        tiles: the tile as `paint_tile` has it with none of its crust broken, and with all of it.
        ground: the map.
        light: of the map.
        column: tiles to the east.
        row: tiles to the north.
        cells: width of a tile in cells.
        broken: (n, n) those cells of the map; where no crust is, they don't count.

    Returns:
        RGB, shape (side, side, 3), row 0 in the north.
    """
    window = _window(ground, column, row, cells)
    gone = (broken[window] & ground.crust[window]).astype(np.float32)
    return crack(*tiles, spline_of(cells, len(tiles[0])).values(gone), light.towards)


def has_crust(ground: Ground, column: int, row: int, cells: int) -> bool:
    """Whether there is crust on a tile, or beside it."""
    return ground.crust.size > 1 and bool(ground.crust[_window(ground, column, row, cells)].any())


def _window(ground: Ground, column: int, row: int, cells: int) -> Window:
    """The cells of a tile and its border."""
    n = ground.heights.shape[0]
    x = np.arange(column * cells - BORDER, (column + 1) * cells + BORDER) % n
    y = np.arange(row * cells - BORDER, (row + 1) * cells + BORDER) % n
    return np.ix_(y, x)


def _crust(ground: Ground, window: Window, broken: bool, spline: Spline) -> tuple[Crust | None, Floats]:
    """The crust of a tile, if it has any, and the albedo of its cells."""
    albedo = ground.albedo[window]
    if ground.crust.size == 1 or not (there := ground.crust[window]).any():
        return None, albedo
    crust = crust_of(spline.values(there.astype(np.float32)), broken)
    return crust, ground.below[window] if broken and ground.below.size > 1 else albedo


def _shade(
    east: Floats,
    north: Floats,
    surface: Surface,
    crust: Crust | None,
    ground: Ground,
    light: Light,
    side: int,
) -> Floats:
    """Brightness of the ground in the sun, about 1 where it is level."""
    fine = textures(side)
    # The mean grade as it is: exaggerated it would leave whole slopes in the dark, or bleached.
    slope_x = east * np.float32(light.exaggeration) + np.float32(ground.slope[0])
    slope_y = north * np.float32(light.exaggeration) + np.float32(ground.slope[1])
    soft = surface.rippled * np.float32(RIPPLE_SLOPE)
    slope_x += soft * fine.ripple_east
    slope_y += soft * fine.ripple_north
    if crust:
        slope_x += crust.east
        slope_y += crust.north
    steepness = 1 / math.tan(max(light.altitude, LOWEST_FOR_SLOPES))
    towards_sun = -slope_x * np.float32(light.towards[0] * steepness)
    towards_sun -= slope_y * np.float32(light.towards[1] * steepness)
    shade = (1 + towards_sun) / np.sqrt(1 + slope_x**2 + slope_y**2)
    shade = AMBIENT + (1 - AMBIENT) * shade
    np.clip(shade, DARKEST, BRIGHTEST, out=shade)
    bare = surface.paved
    grain = 0.05 if surface.sandy is None else 0.05 - SMOOTH * surface.sandy
    shade *= 1 + grain * fine.grain * (1 - 0.6 * bare)
    shade *= 1 + bare * (0.10 * fine.plate - 0.42 * fine.crack)
    if crust:
        shade *= crust.bright
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
    wide = spline_of(cells, side, reach, sharp=True)
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
