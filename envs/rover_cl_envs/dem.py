"""Real ground: elevation models from GeoTIFF and PDS3 files as a bank of maps.

HiRISE models have a post a metre, so that their relief is true down to some metres and has no rocks; what
is finer is filled in. CTX models have a post in some 20 m and MOLA one in 463 m: of those a map has its mean
slope and at most its longest waves, and all else is filled in.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter, map_coordinates

from rover_cl_envs.conditions import RANGES
from rover_cl_envs.elevations import DENSE, Posts, Window, read_posts
from rover_cl_envs.errors import is_integer
from rover_cl_envs.grid import CELL, PERIOD, SIDE, Field, counts, frequencies, rms_rise, self_affine
from rover_cl_envs.terrain import HURST, RELIEF, RELIEF_UNIT, TerrainBank, draw_map

SEAM = 8.0  # width in which a map's edges are blended into one another [m]
CUT = PERIOD + SEAM  # width of the ground that a map is made of [m]
COARSEST = 1000.0  # post spacing [m]; chosen
MOST_MISSING = 0.5  # share of a map's posts that may have no data
AROUND = 32  # posts on each side of a map whose roughness it has, where they lie further apart than DENSE
FEWEST_PAIRS = 64  # neighbouring posts that tell a roughness

Grade = tuple[float, float]
"""Mean slope towards east and towards north."""


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

    Beware of posts more than 16 m apart, as CTX's and MOLA's are: hardly anything that a wheel meets is then
    the file's. True are the mean slope, waves of twice the post spacing and more as far as a map has room for
    them, and how rough the 65 x 65 posts around a map are, from one to the next. All else is made up: relief
    of that roughness, as if a Hurst exponent of 0.7 held from the posts down to a cell. Where posts are more
    than 64 m apart, maps are laid between them side by side, and only the infill tells those apart.

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
            too coarse, too rough or too steep; or an argument is of a wrong type or out of range. The message
            says which.
    """
    if not (is_integer(tiles, 1) and is_integer(seed, 0)):
        raise ValueError(f"tiles, seed are {tiles!r}, {seed!r}, expected integers >= 1 and >= 0.")
    posts = read_posts(path, window, post_spacing)
    if max(posts.east, posts.north) > COARSEST:
        found = max(posts.east, posts.north)
        raise ValueError(f"{path} has a post every {found:g} m, expected at most {COARSEST:g} m.")
    rng = np.random.default_rng([seed, 2])
    made = _cut_out if max(posts.east, posts.north) <= DENSE else _laid_between
    grades, maps = zip(*made(posts, tiles, rng, path), strict=True)
    relief, slope = _scale(maps, path), _mean_slope(grades, path)
    ground = np.zeros((len(maps), SIDE, SIDE, 4), dtype=np.int16)
    for m, heights in enumerate(maps):
        draw_map(ground[m], np.random.default_rng([seed, m]))
        ground[m, :, :, RELIEF] = counts(heights / relief, RELIEF_UNIT)
    ground.setflags(write=False)
    return TerrainBank(ground=ground, seed=seed, true_relief=relief, mean_slope=slope)


def _cut_out(
    posts: Posts, tiles: int, rng: np.random.Generator, path: str | Path
) -> list[tuple[Grade, Field]]:
    """Grade and heights of the maps of posts that lie within a map."""
    levelled = [_levelled(_filled(cut), posts) for cut in _cuts(posts, tiles, rng, path)]
    return [(grade, _infilled(_joined(_resampled(level, posts)), posts, rng)) for grade, level in levelled]


def _laid_between(
    posts: Posts, tiles: int, rng: np.random.Generator, path: str | Path
) -> list[tuple[Grade, Field]]:
    """Grade and heights of the maps of posts that lie too far apart to make a map of."""
    cell = posts._replace(east=CELL, north=CELL)
    made = []
    for corner in _corners(posts, tiles, rng, path):
        around, inside = _surroundings(posts, corner)
        rise = _metre_rise(around, path)
        grade, level = _levelled(_resampled(_filled(around.heights), posts, inside), cell)
        noise = self_affine(rng, HURST)
        noise *= rise / rms_rise(noise, round(1 / CELL))
        # Behind the seam: the infill repeats by itself.
        made.append((grade, _joined(level) + _shorter(noise, max(posts.east, posts.north))))
    return made


def _corners(posts: Posts, tiles: int, rng: np.random.Generator, path: str | Path) -> NDArray[np.float64]:
    """South-west corners (k, 2) of at most `tiles` pieces: metres north and east of the first post.

    They lie in squares of 64 m, as many as there is room for, in blocks between one post and another. As long
    as there are blocks that have data, each piece is of another.
    """
    spacing = np.array([posts.north, posts.east])
    stride = np.ceil(PERIOD / spacing).astype(np.int64)  # posts from one block to the next
    squares = (stride * spacing // PERIOD).astype(np.int64)  # of a block, along each axis
    wanted = np.ceil((squares * PERIOD + SEAM) / spacing).astype(np.int64) + 1
    if (posts.heights.shape < wanted).any():
        raise _too_small(posts, path)
    seen = sliding_window_view(np.isnan(posts.heights), tuple(wanted))[:: stride[0], :: stride[1]]
    blocks = np.argwhere(seen.mean(axis=(2, 3)) <= MOST_MISSING)
    if not len(blocks):
        raise _no_data(path)
    room = int(squares.prod())
    picked = blocks[rng.choice(len(blocks), min(tiles, len(blocks)), replace=False)]
    turn, block = np.divmod(np.arange(min(tiles, len(blocks) * room)), len(picked))
    square = (rng.integers(room, size=len(picked))[block] + turn) % room
    inside = np.column_stack(np.divmod(square, squares[1])) * PERIOD
    return picked[block] * stride * spacing + inside


def _surroundings(posts: Posts, corner: NDArray[np.float64]) -> tuple[Posts, tuple[float, float]]:
    """The posts around a piece that begins at a corner (2,), and metres north and east to it from there."""
    spacing = np.array([posts.north, posts.east])
    first = np.maximum((corner // spacing).astype(np.int64) - AROUND, 0)
    last = np.ceil((corner + CUT) / spacing).astype(np.int64) + AROUND
    part = posts.heights[first[0] : last[0] + 1, first[1] : last[1] + 1]
    north, east = (corner - first * spacing).tolist()
    return posts._replace(heights=part), (north, east)


def _metre_rise(posts: Posts, path: str | Path) -> float:
    """Rms height difference over 1 m [m] of self-affine ground that has the posts' own from one to the next.

    The mean slope is left out of it, and errors of the model are in it.
    """
    squares = []
    for axis, spacing in ((0, posts.north), (1, posts.east)):
        steps = np.diff(posts.heights, axis=axis)
        steps = steps[~np.isnan(steps)]
        if len(steps) < FEWEST_PAIRS:
            raise ValueError(
                f"{path} has {len(steps)} pairs of neighbouring posts with data around a map, expected at "
                f"least {FEWEST_PAIRS}, which tell how rough it is: choose another window=."
            )
        squares.append(steps.var() / spacing ** (2 * HURST))
    return math.sqrt(np.mean(squares))


def _cuts(posts: Posts, tiles: int, rng: np.random.Generator, path: str | Path) -> list[Field]:
    """At most `tiles` pieces of 72 m x 72 m, side by side, that have data; NaN where they have none."""
    wide, tall = math.ceil(CUT / posts.east) + 1, math.ceil(CUT / posts.north) + 1
    rows, columns = posts.heights.shape
    if columns < wide or rows < tall:
        raise _too_small(posts, path)
    found = []
    for row in range(0, rows - tall + 1, math.ceil(PERIOD / posts.north)):
        for column in range(0, columns - wide + 1, math.ceil(PERIOD / posts.east)):
            cut = posts.heights[row : row + tall, column : column + wide]
            if np.isnan(cut).mean() <= MOST_MISSING:
                found.append(cut)
    if not found:
        raise _no_data(path)
    picked = rng.permutation(len(found))[:tiles]
    return [found[i] for i in sorted(picked)]


def _too_small(posts: Posts, path: str | Path) -> ValueError:
    rows, columns = posts.heights.shape
    size = f"{columns * posts.east:.0f} m x {rows * posts.north:.0f} m"
    return ValueError(f"{path} covers {size}, expected {CUT:g} m x {CUT:g} m and a post more at least.")


def _no_data(path: str | Path) -> ValueError:
    return ValueError(f"{path} has no piece of {CUT:g} m x {CUT:g} m with data for half of its posts.")


def _filled(heights: Field) -> Field:
    """The heights with each missing one replaced by its nearest neighbour's."""
    missing = np.isnan(heights)
    if not missing.any():
        return heights
    rows, columns = distance_transform_edt(missing, return_distances=False, return_indices=True)
    return heights[rows, columns]


def _levelled(heights: Field, posts: Posts) -> tuple[Grade, Field]:
    """Mean grade towards east and north, and the heights without it and without their mean [m]."""
    rows, columns = heights.shape
    x = (np.arange(columns) - (columns - 1) / 2) * posts.east
    y = (np.arange(rows) - (rows - 1) / 2) * posts.north
    level = heights - heights.mean()
    east = float((level.mean(axis=0) * x).sum() / (x * x).sum())
    north = float((level.mean(axis=1) * y).sum() / (y * y).sum())
    return (east, north), level - east * x[None, :] - north * y[:, None]


def _resampled(heights: Field, posts: Posts, corner: tuple[float, float] = (0.0, 0.0)) -> Field:
    """The heights on cells of 0.25 m, 72 m x 72 m; finer posts are smoothed first.

    `corner`: where those begin, in metres north and east of the first post.
    """
    finer = (0.5 * CELL / posts.north, 0.5 * CELL / posts.east)
    if min(posts.east, posts.north) < CELL:
        heights = gaussian_filter(heights, finer, mode="nearest")
    at = (np.arange(round(CUT / CELL)) + 0.5) * CELL
    rows, columns = np.meshgrid((at + corner[0]) / posts.north, (at + corner[1]) / posts.east, indexing="ij")
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
    return heights + _shorter(noise, spacing)


def _shorter(field: Field, spacing: float) -> Field:
    """The field without the wavelengths that posts of that spacing [m] carry."""
    spectrum = np.fft.rfft2(field)
    spectrum[frequencies() < 0.5 / spacing] = 0
    return np.fft.irfft2(spectrum, s=field.shape)


def _scale(maps: Sequence[Field], path: str | Path) -> float:
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


def _mean_slope(grades: Sequence[Grade], path: str | Path) -> Grade:
    """The mean of the maps' grades, if conditions can have it."""
    east, north = np.mean(grades, axis=0).tolist()
    most = RANGES["slope_east"][1]
    if max(abs(east), abs(north)) > most:
        raise ValueError(
            f"{path} has a mean slope of {east:.2f} towards east and {north:.2f} towards north, expected at "
            f"most {most:g}: choose another window=."
        )
    return east, north
