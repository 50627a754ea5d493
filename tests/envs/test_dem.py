from __future__ import annotations

import importlib.util
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rover_cl_envs import MarsRoverVectorEnv, Terrain
from rover_cl_envs.dem import CUT, _corners
from rover_cl_envs.elevations import MARS_RADIUS, MOST_POSTS, Posts, read_posts
from rover_cl_envs.grid import CELL, PERIOD, SIDE, rms_rise
from rover_cl_envs.terrain import RELIEF, ROCK, terrain_bank, values

NO_RASTERIO = importlib.util.find_spec("rasterio") is None
needs_rasterio = pytest.mark.skipif(NO_RASTERIO, reason="rasterio is missing: pip install rover-cl[dem]")
NO_DATA = -3.4028227e38
EAST, NORTH = 0.05, -0.1  # mean grades of the ground below


def hills(posts: int = 150, spacing: float = 1.0) -> NDArray[np.float32]:
    """A tilted plane with long waves, rows from north to south: (posts, posts) [m]."""
    x = np.arange(posts) * spacing
    y = x[::-1]
    waves = 0.4 * np.sin(2 * np.pi * x / 24)[None, :] + 0.3 * np.cos(2 * np.pi * y / 18)[:, None]
    return (-2500 + EAST * x[None, :] + NORTH * y[:, None] + waves).astype(np.float32)


def write_tiff(path: Path, *bands: NDArray[Any], spacing: float | None = 1.0, **more: Any) -> Path:
    rasterio: Any = importlib.import_module("rasterio")
    rows, columns = bands[0].shape
    place = {} if spacing is None else {"transform": rasterio.Affine(spacing, 0, 5e4, 0, -spacing, 7e4)}
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=rows,
        width=columns,
        count=len(bands),
        dtype=bands[0].dtype,
        **place,
        **more,
    ) as file:
        for band, heights in enumerate(bands, start=1):
            file.write(heights, band)
    return path


def pds3(heights: NDArray[np.float32], image: str, label_records: int) -> bytes:
    """A PDS3 label with a metre a post."""
    rows, columns = heights.shape
    lines = [
        "PDS_VERSION_ID = PDS3",
        "RECORD_TYPE = FIXED_LENGTH",
        f"RECORD_BYTES = {4 * columns}",
        f"FILE_RECORDS = {rows + label_records}",
        *([f"LABEL_RECORDS = {label_records}"] if label_records else []),
        f"^IMAGE = {image}",
        "OBJECT = IMAGE",
        f"  LINES = {rows}",
        f"  LINE_SAMPLES = {columns}",
        "  BANDS = 1",
        "  SAMPLE_TYPE = PC_REAL",
        "  SAMPLE_BITS = 32",
        "  MISSING_CONSTANT = 16#FF7FFFFB#",
        "END_OBJECT = IMAGE",
        "OBJECT = IMAGE_MAP_PROJECTION",
        '  MAP_PROJECTION_TYPE = "EQUIRECTANGULAR"',
        "  A_AXIS_RADIUS = 3396.19 <KM>",
        "  B_AXIS_RADIUS = 3396.19 <KM>",
        "  C_AXIS_RADIUS = 3396.19 <KM>",
        "  CENTER_LATITUDE = 0.0 <DEG>",
        "  CENTER_LONGITUDE = 0.0 <DEG>",
        "  MAP_SCALE = 1.0 <METERS/PIXEL>",
        "  LINE_PROJECTION_OFFSET = 0.0",
        "  SAMPLE_PROJECTION_OFFSET = 0.0",
        "END_OBJECT = IMAGE_MAP_PROJECTION",
        "END",
    ]
    return "\r\n".join([*lines, ""]).encode()


def write_pds3(folder: Path, heights: NDArray[np.float32], *, attached: bool) -> Path:
    if attached:
        size = 4 * heights.shape[1] * 3
        label = pds3(heights, "4", 3).ljust(size)
        assert len(label) == size
        (folder / "dtm.IMG").write_bytes(label + heights.astype("<f4").tobytes())
        return folder / "dtm.IMG"
    (folder / "dtm.LBL").write_bytes(pds3(heights, '"DTM.IMG"', 0))
    (folder / "DTM.IMG").write_bytes(heights.astype("<f4").tobytes())
    return folder / "dtm.LBL"


def truth(bank: Terrain, m: int = 0) -> NDArray[np.float64]:
    """Heights of a map under the bank's own conditions [m]."""
    return values(bank.ground[m], RELIEF).astype(float) * bank.conditions.relief


@needs_rasterio
def test_every_format_gives_the_same_ground(tmp_path: Path) -> None:
    heights = hills()
    paths = [write_tiff(tmp_path / "dtm.tif", heights)]
    for attached in (True, False):
        (tmp_path / str(attached)).mkdir()
        paths.append(write_pds3(tmp_path / str(attached), heights, attached=attached))
    for path in paths:
        posts = read_posts(path)
        np.testing.assert_array_equal(posts.heights, heights[::-1])
        assert (posts.east, posts.north) == pytest.approx((1, 1))
    first, *others = [Terrain.from_dem(path, tiles=2) for path in paths]
    for other in others:
        np.testing.assert_array_equal(other.ground, first.ground)


@needs_rasterio
def test_the_ground_is_that_of_the_file(tmp_path: Path) -> None:
    bank = Terrain.from_dem(write_tiff(tmp_path / "dtm.tif", hills()), tiles=1)
    assert bank.conditions.slope_east == pytest.approx(EAST, abs=0.01)
    assert bank.conditions.slope_north == pytest.approx(NORTH, abs=0.01)
    column = PERIOD / 2 / CELL
    row = truth(bank)[int(column)]
    x = (np.arange(SIDE) + 0.5) * CELL
    inner = x > 10  # beyond the seam
    wave = np.column_stack([np.sin(2 * np.pi * x / 24), np.cos(2 * np.pi * x / 24), np.ones(SIDE), x])[inner]
    coefficients = np.linalg.lstsq(wave, row[inner])[0]
    assert math.hypot(*coefficients[:2]) == pytest.approx(0.4, rel=0.1)


@needs_rasterio
def test_maps_repeat_without_a_step(tmp_path: Path) -> None:
    bank = Terrain.from_dem(write_tiff(tmp_path / "dtm.tif", hills(posts=400)), tiles=4)
    assert len(bank.ground) == 4
    for m in range(4):
        for axis in (0, 1):
            steps = np.abs(truth(bank, m) - np.roll(truth(bank, m), 1, axis=axis))
            assert np.take(steps, 0, axis=axis).mean() <= 2 * steps.mean()


@needs_rasterio
@pytest.mark.parametrize("spacing", [1.0, 4.0])
def test_infill_continues_the_roughness_of_the_file(tmp_path: Path, spacing: float) -> None:
    fine = values(terrain_bank(3, 1).ground[0], RELIEF)[:: round(spacing / CELL), :: round(spacing / CELL)]
    rough = 0.1 * np.tile(fine, (2, 2)).astype(np.float32)
    bank = Terrain.from_dem(write_tiff(tmp_path / "dtm.tif", rough, spacing=spacing), tiles=1)
    for metres in (0.5, 1.0, 4.0):
        expected = 0.1 * metres**0.7
        assert rms_rise(truth(bank), round(metres / CELL)) == pytest.approx(expected, rel=0.35)


def fractal(posts: int, spacing: float, hurst: float, rise: float, seed: int) -> NDArray[np.float64]:
    """Fractional Brownian ground [m]: its rms difference over d is rise (d / spacing)^hurst, exactly."""
    y, x = (a.ravel() for a in np.indices((posts, posts)))
    apart, far = np.hypot(x[:, None] - x, y[:, None] - y) ** (2 * hurst), np.hypot(x, y) ** (2 * hurst)
    covariance = rise**2 * (far[:, None] + far - apart) / 2
    root = np.linalg.cholesky(covariance[1:, 1:])
    heights = root @ np.random.default_rng(seed).standard_normal(len(root))
    return np.concatenate([[0.0], heights]).reshape(posts, posts)


@needs_rasterio
@pytest.mark.parametrize("hurst", [0.7, 0.5])
@pytest.mark.parametrize("spacing", [20.0, 463.0])
def test_between_posts_far_apart_the_ground_goes_on_by_the_law(
    tmp_path: Path, spacing: float, hurst: float
) -> None:
    """From the posts' own rms difference down with an exponent of .7, whatever the file's is.

    Over 16 m, maps have some .8 of it, having no waves beyond 64 m: infill alone .77, like procedural ones,
    and the file's own waves somewhat more.
    """
    rises = []
    for seed in range(3):
        heights = fractal(33, spacing, hurst, 0.1 * spacing**0.7, seed)
        path = write_tiff(tmp_path / f"{seed}.tif", heights.astype(np.float32), spacing=spacing)
        bank = Terrain.from_dem(path, tiles=6, seed=seed)
        assert len(bank.ground) == 6
        rises += [[rms_rise(truth(bank, m), round(d / CELL)) for d in (1.0, 16.0)] for m in range(6)]
    over_1, over_16 = np.sqrt(np.mean(np.square(rises), axis=0))
    assert over_1 == pytest.approx(0.1, rel=0.12)
    assert over_16 == pytest.approx(0.8 * 0.1 * 16**0.7, rel=0.2)


@needs_rasterio
@pytest.mark.parametrize("spacing", [20.0, 463.0])
def test_posts_far_apart_tell_the_mean_slope(tmp_path: Path, spacing: float) -> None:
    x = np.arange(30) * spacing
    plane = EAST * x[None, :] + NORTH * x[::-1, None] + fractal(30, spacing, 0.7, 0.02 * spacing, 1)
    bank = Terrain.from_dem(
        write_tiff(tmp_path / "dtm.tif", plane.astype(np.float32), spacing=spacing), tiles=64
    )
    assert bank.mean_slope == pytest.approx((EAST, NORTH), abs=0.012)
    assert bank.conditions.slope_east == bank.mean_slope[0]


@needs_rasterio
def test_waves_that_posts_far_apart_carry_are_the_files(tmp_path: Path) -> None:
    x = np.arange(60) * 20.0
    waves = np.tile(2.0 * np.sin(2 * np.pi * x / 64.0), (60, 1)).astype(np.float32)
    bank = Terrain.from_dem(write_tiff(tmp_path / "dtm.tif", waves, spacing=20.0), tiles=1)
    lowest = np.abs(np.fft.rfft(truth(bank).mean(axis=0)))[1] * 2 / SIDE
    assert lowest == pytest.approx(2.0, rel=0.25)  # a cubic spline of 3.2 posts a wave, blended at the seam


@needs_rasterio
def test_maps_between_the_same_posts_differ_by_their_infill(tmp_path: Path) -> None:
    heights = fractal(12, 463.0, 0.7, 5.0, 0).astype(np.float32)
    heights[:, :5] = heights[:, 7:] = NO_DATA  # leaves two columns
    path = write_tiff(tmp_path / "dtm.tif", heights, spacing=463.0)
    with pytest.raises(ValueError, match="has 22 pairs of neighbouring posts with data around a map"):
        Terrain.from_dem(path)
    path = write_tiff(tmp_path / "dtm.tif", fractal(9, 463.0, 0.7, 5.0, 0).astype(np.float32), spacing=463.0)
    bank, again, other = (Terrain.from_dem(path, tiles=3, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(bank.ground, again.ground)
    assert bank.true_relief == again.true_relief and bank.mean_slope == again.mean_slope
    assert (bank.ground[..., RELIEF] != other.ground[..., RELIEF]).mean() > 0.9
    assert len(np.unique(bank.ground[:, 0, :, RELIEF], axis=0)) == 3


@pytest.mark.parametrize(("spacing", "room"), [(463.0, 4 * 49), (200.0, 4 * 9), (70.0, 1)])
def test_squares_between_posts_are_taken_once_each_and_from_every_block_first(
    spacing: float, room: int
) -> None:
    posts = Posts(np.zeros((3, 3)), spacing, spacing)
    corners = _corners(posts, 1000, np.random.default_rng(0), "dtm.tif")
    assert len(np.unique(corners, axis=0)) == len(corners) == room
    assert corners.min() >= 0 and corners.max() + CUT <= 2 * spacing
    blocks = min(room, 4)
    first = _corners(posts, blocks, np.random.default_rng(0), "dtm.tif")
    assert len(np.unique(first // spacing, axis=0)) == blocks


@needs_rasterio
def test_posts_far_apart_make_maps_that_repeat(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "dtm.tif", fractal(20, 463.0, 0.7, 5.0, 0).astype(np.float32), spacing=463.0)
    bank = Terrain.from_dem(path, tiles=4)
    for m in range(4):
        for axis in (0, 1):
            steps = np.abs(truth(bank, m) - np.roll(truth(bank, m), 1, axis=axis))
            assert np.take(steps, 0, axis=axis).mean() <= 2 * steps.mean()


@needs_rasterio
def test_the_lowest_integer_is_no_height(tmp_path: Path) -> None:
    heights = np.full((40, 40), -2500, np.int16)
    heights[3:9, 20:33] = -32768
    path = write_tiff(tmp_path / "dtm.tif", heights, spacing=463.0)
    found = read_posts(path).heights[::-1]
    np.testing.assert_array_equal(np.isnan(found), heights == -32768)
    assert Terrain.from_dem(path, tiles=9).mean_slope == pytest.approx((0, 0), abs=1e-9)
    path = write_tiff(tmp_path / "none.tif", np.full((40, 40), -32768, np.int16))
    with pytest.raises(ValueError, match="has no data: every one of its 1600 posts is missing"):
        Terrain.from_dem(path)


@needs_rasterio
@pytest.mark.parametrize(("spacing", "share"), [(463.0, 0.5), (1.0, 1.0)])
def test_a_map_of_the_whole_planet_stretches_the_east(tmp_path: Path, spacing: float, share: float) -> None:
    """At 60 degrees, twice; a dense model has a standard parallel near by, and is taken as it is."""
    rasterio: Any = importlib.import_module("rasterio")
    crs = rasterio.crs.CRS.from_proj4("+proj=eqc +lat_ts=0 +lat_0=0 +lon_0=0 +R=3396190 +units=m")
    north = math.radians(60) * MARS_RADIUS + 20 * spacing
    path = write_tiff(
        tmp_path / "dtm.tif",
        np.zeros((40, 40), np.float32),
        spacing=None,
        crs=crs,
        transform=rasterio.Affine(spacing, 0, 0, 0, -spacing, north),
    )
    posts = read_posts(path)
    assert (posts.east / spacing, posts.north) == pytest.approx((share, spacing))


@pytest.mark.parametrize("path", [3, None, b"dtm.tif", ["dtm.tif"]])
def test_what_is_no_path_says_so(path: Any) -> None:
    with pytest.raises(ValueError, match=r"path is .*, expected that of a GeoTIFF or a PDS3 \.IMG"):
        Terrain.from_dem(path)


@needs_rasterio
def test_missing_posts_are_filled(tmp_path: Path) -> None:
    heights = hills()
    heights[40:60, 40:60] = NO_DATA
    heights[100:110, 20:30] = np.nan
    bank = Terrain.from_dem(write_tiff(tmp_path / "dtm.tif", heights), tiles=1)
    assert np.abs(truth(bank)).max() < 5


@needs_rasterio
def test_rovers_drive_on_it(tmp_path: Path) -> None:
    bank = Terrain.from_dem(write_tiff(tmp_path / "dtm.tif", hills()), tiles=1)
    assert (bank.ground[..., ROCK] > 0).any()
    envs = MarsRoverVectorEnv(8, terrain=bank, conditions=bank.conditions)
    observations = envs.reset(seed=0)[0]
    for _ in range(5):
        observations = envs.step(np.tile(np.array([0.5, 0.1], dtype=np.float32), (8, 1)))[0]
        assert observations in envs.observation_space
    np.testing.assert_allclose(envs.scene().ground.heights, truth(bank), rtol=1e-5, atol=1e-6)


@needs_rasterio
def test_a_window_is_a_part_of_the_file(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "dtm.tif", hills(posts=300))
    part = Terrain.from_dem(path, window=(100, 200, 80, 90))
    assert len(part.ground) == 1
    np.testing.assert_array_equal(
        read_posts(path, (100, 200, 80, 90)).heights, hills(posts=300)[200:290, 100:180][::-1]
    )


@needs_rasterio
@pytest.mark.parametrize(
    ("heights", "arguments", "said"),
    [
        ([np.zeros((99, 99), np.float32)] * 3, {}, "is no elevation model but a picture: 3 bands"),
        ([np.zeros((99, 99), np.uint8)], {}, "is no elevation model but a picture: 1 bands of uint8"),
        ([np.full((99, 99), NO_DATA, np.float32)], {}, "has no data: every one of its 9801 posts"),
        ([np.zeros((40, 99), np.float32)], {}, "covers 99 m x 40 m, expected 72 m x 72 m"),
        (
            [np.zeros((99, 99), np.float32)],
            {"post_spacing": 1850},
            "has a post every 1850 m, expected at most 1000",
        ),
        ([np.zeros((99, 99), np.float32)], {"post_spacing": -1}, "post_spacing is -1, expected"),
        (
            [np.zeros((99, 99), np.float32)],
            {"window": (0, 0, 100, 9)},
            "window is .* of 99 x 99 posts",
        ),
        ([np.zeros((99, 99), np.float32)], {"window": (0, 0, 0, 9)}, "window is .* of 99 x 99 posts"),
        ([np.zeros((99, 99), np.float32)], {"window": (0, 9)}, "expected four integers: column, row"),
        ([np.zeros((99, 99), np.float32)], {"window": (0.5, 0, 9, 9)}, "expected four integers: column, row"),
        ([np.zeros((99, 99), np.float32)], {"post_spacing": "1"}, "post_spacing is '1', expected a number"),
        ([np.zeros((99, 99), np.float32)], {"tiles": 0}, "tiles, seed are 0, 0, expected"),
        ([np.zeros((99, 99), np.float32)], {"tiles": 2.5}, "tiles, seed are 2.5, 0, expected integers"),
        ([np.zeros((99, 99), np.float32)], {"post_spacing": True}, "post_spacing is True, expected a number"),
        ([np.zeros((99, 99), np.float32)], {"window": 3}, "window is 3, expected four integers"),
        ([np.zeros((99, 99), np.float32)], {"tiles": True}, "tiles, seed are True, 0, expected integers"),
        ([np.zeros((99, 99), np.float32)], {"seed": "1"}, "tiles, seed are 8, '1', expected integers"),
        (
            [1.5 * np.arange(99, dtype=np.float32) * np.ones((99, 1), np.float32)],
            {},
            "dtm.tif has a mean slope of 1.50 towards east and 0.00 towards north, expected at most 1: ch",
        ),
        (
            [np.zeros((7, 7), np.float32)],
            {"post_spacing": 20},
            "has 42 pairs of neighbouring posts with data around a map, expected at least 64",
        ),
        ([np.zeros((4, 9), np.float32)], {"post_spacing": 20}, "covers 180 m x 80 m, expected 72 m x 72 m"),
        ([np.eye(99, dtype=np.float32) * 500], {}, "of relief in a map, .* choose another window="),
    ],
)
def test_what_is_no_ground_says_so_in_one_line(
    tmp_path: Path, heights: list[NDArray[Any]], arguments: dict[str, Any], said: str
) -> None:
    path = write_tiff(tmp_path / "dtm.tif", *heights)
    with pytest.raises(ValueError, match=said) as refused:
        Terrain.from_dem(path, **arguments)
    assert "\n" not in str(refused.value)


@needs_rasterio
def test_a_file_that_is_too_large_asks_for_a_window(tmp_path: Path) -> None:
    rasterio: Any = importlib.import_module("rasterio")
    path = tmp_path / "large.tif"
    place = rasterio.Affine(1, 0, 5e4, 0, -1, 7e4)
    side = math.isqrt(MOST_POSTS) + 1
    with rasterio.open(
        path, "w", driver="GTiff", height=side, width=side, count=1, dtype="float32", sparse_ok=True,
        transform=place, compress="deflate"
    ):  # fmt: skip
        pass
    with pytest.raises(ValueError, match=rf"{side} x {side} posts, expected at most {MOST_POSTS} .*window="):
        Terrain.from_dem(path)
    assert read_posts(path, (0, 0, 100, 100)).heights.shape == (100, 100)


@needs_rasterio
@pytest.mark.filterwarnings("ignore:Dataset has no geotransform")
def test_a_file_without_a_spacing_asks_for_it(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "dtm.tif", hills(), spacing=None)
    with pytest.raises(ValueError, match="does not tell its post spacing: give post_spacing="):
        Terrain.from_dem(path)
    assert len(Terrain.from_dem(path, post_spacing=1.0).ground) == 4


@needs_rasterio
def test_a_file_without_a_raster_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.tif").write_text("no raster")
    with pytest.raises(ValueError, match="no raster that GDAL can read"):
        Terrain.from_dem(tmp_path / "notes.tif")


@needs_rasterio
@pytest.mark.parametrize("attached", [True, False])
def test_a_file_that_is_cut_short_says_so(tmp_path: Path, attached: bool) -> None:
    path = write_pds3(tmp_path, hills(), attached=attached)
    image = path if attached else tmp_path / "DTM.IMG"
    image.write_bytes(image.read_bytes()[:9000])
    with pytest.raises(
        ValueError, match=r"can't be read to its end, expected \d+ x \d+ posts: it is cut short"
    ):
        Terrain.from_dem(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.tif: no such file"):
        Terrain.from_dem(tmp_path / "nowhere.tif")


def test_a_missing_extra_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rasterio", None)
    (tmp_path / "dtm.tif").touch()
    with pytest.raises(ImportError, match=r'pip install "rover-cl\[dem\]"'):
        Terrain.from_dem(tmp_path / "dtm.tif")
