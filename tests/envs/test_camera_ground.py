"""What the terrain ring shows, the picture shows: under the same conditions, with the same errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rover_cl_envs.air import HAZE, seen
from rover_cl_envs.bodies import BLIND, DEVIL, EAST, KIND, NORTH, RADIUS
from rover_cl_envs.camera_ground import ALBEDO_GAIN, HEIGHT_GAIN, NOISE_BLOCK
from rover_cl_envs.conditions import RANGES, Conditions
from rover_cl_envs.dynamics import YAW, X, Y
from rover_cl_envs.frame import AHEAD_ROWS, ALBEDO, HEIGHT, MARKS, METRES, MIDDLE, PIXELS
from rover_cl_envs.instruments import HEIGHT_SCALE
from rover_cl_envs.landforms import broken_cells
from rover_cl_envs.ring import RING, RING_POINTS, ring_points
from rover_cl_envs.sensors import SIZE
from rover_cl_envs.terrain import CELL
from rover_cl_envs.vector_env import MarsRoverVectorEnv

ROVERS = 24
AHEAD = np.tile(np.array([1.0, 0.0], dtype=np.float32), (ROVERS, 1))
GROUND = (ALBEDO, HEIGHT)
SKY = PIXELS - 12  # rows above the instruments, those of the system "bodies" included

ROW, COLUMN = np.indices((PIXELS, PIXELS))
AHEAD_OF, LEFT_OF = (AHEAD_ROWS - ROW - 0.5) * METRES, (PIXELS / 2 - COLUMN - 0.5) * METRES
DISTANCE = np.hypot(AHEAD_OF, LEFT_OF)

Pictures = NDArray[np.uint8]


def rovers(world: dict[str, Any], steps: int = 2, **settings: Any) -> MarsRoverVectorEnv:
    """Rovers that have driven straight on for some steps."""
    envs = MarsRoverVectorEnv(
        ROVERS, num_maps=2, observation="pixels", threads=1, conditions=Conditions(**world), **settings
    )
    envs.reset(seed=0)
    for _ in range(steps):
        envs.step(AHEAD)
    return envs


def pictures(world: dict[str, Any], steps: int = 0, **settings: Any) -> Pictures:
    """What they see."""
    seen: Pictures = rovers(world, steps, **settings)._batch.pictures
    return seen


# What the picture tells of each drift, and in which channels; what it needs to act on stands first.
BODIES = {"systems": ("bodies",)}
TRACES: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[int, ...]]] = {
    "patch_cover": ({}, {"patch_cover": 0.4}, (ALBEDO,)),
    "outcrop_cover": ({}, {"outcrop_cover": 0.0}, (ALBEDO,)),
    "albedo_contrast": ({}, {"albedo_contrast": -1.0}, (ALBEDO,)),
    "relief": ({}, {"relief": 0.1}, (HEIGHT,)),
    "slope_east": ({}, {"slope_east": 0.1}, (HEIGHT,)),
    "slope_north": ({}, {"slope_north": 0.1}, (HEIGHT,)),
    "rock_abundance": ({}, {"rock_abundance": 0.1}, (HEIGHT,)),
    "bearing_bias": ({}, {"bearing_bias": 0.1}, (MARKS,)),
    "bearing_noise": ({}, {"bearing_noise": 0.2}, (MARKS,)),
    "height_bias": ({}, {"height_bias": 0.1}, (HEIGHT,)),
    "height_noise": ({}, {"height_noise": 0.1}, (HEIGHT,)),
    "dark_bearings": ({}, {"dark_bearings": 3.0}, GROUND),
    "optical_depth": ({}, {"optical_depth": 5.0}, GROUND),
    "crater_freshness": ({}, {"crater_freshness": 0.5}, (HEIGHT,)),
    "ripple_height": ({}, {"ripple_height": 0.1}, (HEIGHT,)),
    "tar_height": ({}, {"tar_height": 0.5}, (HEIGHT,)),
    "crust_cover": ({"crust_contrast": 1.0}, {"crust_cover": 0.5}, (ALBEDO,)),
    "crust_contrast": ({"crust_cover": 0.5, "crust_strength": 20.0}, {"crust_contrast": -1.0}, (ALBEDO,)),
    "crust_strength": ({"crust_cover": 0.8, "crust_strength": 20.0}, {"crust_strength": 3.0}, (ALBEDO,)),
    "devil_rate": ({"devil_rate": 3.0}, {"devil_rate": 0.0}, (MARKS,)),
    "devil_speed": ({"devil_rate": 3.0}, {"devil_speed": 0.2}, (MARKS,)),
    "martian": ({}, {"martian": 1.0}, (MARKS,)),
    "martian_speed": ({"martian": 1.0}, {"martian_speed": 0.1}, (MARKS,)),
    "martian_sight": ({"martian": 1.0}, {"martian_sight": 20.0}, (MARKS,)),
}
LATER = {"crust_strength", "devil_rate", "devil_speed", "martian", "martian_speed", "martian_sight"}
# These show in the instruments alone, which are the vector's; the last one in the brightness of the targets.
IN_NUMBERS = {
    *("gravity", "ground_fluffiness", "patch_fluffiness", "motor_gain", "steering_bias", "wheel_drag"),
    *("odometry_gain", "season", "latitude", "time_of_sol", "dust_factor", "dust_fall", "cleaning"),
    *("battery_health", "cold", "initial_charge", "clock_rate", "ripple_softness", "target_b"),
}


@pytest.mark.parametrize("name", TRACES)
def test_every_drift_leaves_a_trace(name: str) -> None:
    given, changes, channels = TRACES[name]
    systems = ("bodies",) if name.startswith(("devil", "martian")) else ()
    steps = 24 if name in LATER else 1
    base, moved = rovers(given, 0, systems=systems), rovers(given, 0, systems=systems)
    moved.set_conditions(Conditions(**{**given, **changes}))
    if name in ("devil_rate", "martian"):  # count from the next episode
        moved.reset(seed=0)
    differ = np.zeros((ROVERS, 3), dtype=np.bool_)
    for _ in range(steps):
        # Some have to be met on the way; the others show at once, to rovers that stand still.
        commands = AHEAD if name in LATER else 0 * AHEAD
        plain, other = base.step(commands)[0][:, :, :SKY], moved.step(commands)[0][:, :, :SKY]
        differ |= (plain != other).any(axis=(2, 3))
    assert differ[:, list(channels)].mean() > (0.1 if name in LATER else 0.5)
    untouched = [channel for channel in GROUND if channel not in channels]
    if name not in LATER:  # which end episodes at other times
        assert not differ[:, untouched].any()


def test_no_drift_is_forgotten() -> None:
    assert set(TRACES) | IN_NUMBERS == set(RANGES)


WORLDS: dict[str, dict[str, Any]] = {
    "plain": {"relief": 0.06, "rock_abundance": 0.08, "patch_cover": 0.4},
    "landforms": {"crater_freshness": 0.5, "ripple_height": 0.2, "tar_height": 0.8},
    "crust": {"crust_cover": 0.6, "crust_contrast": 0.8, "crust_strength": 3.0, "ripple_height": 0.05},
    "hidden crust": {"crust_cover": 0.6, "crust_contrast": -0.5, "crust_strength": 30.0},
    "dark": {"dark_bearings": 4.0, "height_bias": -0.05, "ripple_height": 0.2},
    "biased": {"height_bias": 0.13, "crater_freshness": 0.5},
    "hazy": {"optical_depth": 4.0, "ripple_height": 0.3, "crust_cover": 0.6, "crust_contrast": 0.8},
}


@pytest.mark.parametrize("name", WORLDS)
def test_what_the_ring_shows_the_picture_shows(name: str) -> None:
    world = WORLDS[name]
    batch = rovers(world, 12)._batch
    found, points = 0, ring_points().T.astype(np.float64)
    for i in range(ROVERS):
        x, y, yaw = batch.state[i, [X, Y, YAW]].astype(np.float64)
        turn = np.array([[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]])
        for p in range(RING_POINTS):
            ahead, left = points[p]
            row, column = int(AHEAD_ROWS - ahead / METRES), int(PIXELS / 2 - left / METRES)
            if row >= PIXELS:
                continue
            middle = np.array([AHEAD_OF[row, column], LEFT_OF[row, column]])
            there, shown = ((turn @ at + (x, y)) / CELL for at in (points[p], middle))
            # The picture counts places in 65536ths of a cell; what is that near to an edge is left out.
            if not all((np.floor(at - 0.01) == np.floor(shown + 0.01)).all() for at in (there, shown)):
                continue
            if (np.floor(there + 0.01) != np.floor(shown - 0.01)).any():
                continue
            height, shade = batch.vectors[i, RING + 2 * p : RING + 2 * p + 2].astype(np.float64)
            depth = world.get("optical_depth", 0.0)
            # Dust hides by the distance of the pixel's middle, a little off the point.
            near, nearer = seen(float(np.hypot(ahead, left)), depth), seen(float(np.hypot(*middle)), depth)
            if near < 0.01:
                continue
            told = np.array(
                [ALBEDO_GAIN * shade, HEIGHT_GAIN / HEIGHT_SCALE * height] * np.array(nearer / near)
            )
            expected = np.clip(MIDDLE + told, 0, 255)
            np.testing.assert_allclose(batch.pictures[i, :2, row, column], expected, atol=0.51)
            found += 1
    assert found > 40


def test_the_albedo_of_crust_that_a_rover_breaks_shows_the_ground() -> None:
    given = {"crust_cover": 0.8, "crust_contrast": 1.0}
    batch = rovers(given | {"crust_strength": 3.0}, 12)._batch
    bare = rovers({"crust_cover": 0.8, "crust_strength": 3.0, "crust_contrast": 0.0}, 12)._batch
    np.testing.assert_array_equal(batch.state, bare.state)
    looked = 0
    for i in range(ROVERS):
        broken = {(int(a), int(b)) for a, b in broken_cells(batch.broken(i))}
        x, y, yaw = batch.state[i, [X, Y, YAW]].astype(np.float64)
        east = (x + np.cos(yaw) * AHEAD_OF - np.sin(yaw) * LEFT_OF) / CELL
        north = (y + np.sin(yaw) * AHEAD_OF + np.cos(yaw) * LEFT_OF) / CELL
        inside = (np.abs(east % 1 - 0.5) < 0.49) & (np.abs(north % 1 - 0.5) < 0.49)
        cells = zip((north // 1 % 256).ravel(), (east // 1 % 256).ravel(), strict=True)
        at = np.array([(int(a), int(b)) in broken for a, b in cells]).reshape(PIXELS, PIXELS) & inside
        np.testing.assert_array_equal(batch.pictures[i, ALBEDO][at], bare.pictures[i, ALBEDO][at])
        looked += int((batch.pictures[i, ALBEDO][at] < 200).sum())
        assert (batch.pictures[i, ALBEDO] != bare.pictures[i, ALBEDO]).mean() > 0.5
    assert looked > 20


@pytest.mark.parametrize("depth", [0.3, HAZE, 2.5, 6.0, 11.0])
def test_dust_hides_what_is_far_and_nothing_under_a_clear_sky(depth: float) -> None:
    world: dict[str, Any] = {"relief": 0.06, "ripple_height": 0.1, "crust_cover": 0.3, "crust_contrast": 1.0}
    clear, hazy = pictures(world), pictures(world | {"optical_depth": depth})
    if depth <= HAZE:
        np.testing.assert_array_equal(hazy, clear)
        return
    share = np.vectorize(seen)(DISTANCE, depth)
    at_ends = (clear[:, :2] == 0) | (clear[:, :2] == 255)
    off = hazy[:, :2] - (MIDDLE + share * (clear[:, :2].astype(float) - MIDDLE))
    assert (np.abs(off)[~at_ends] <= 1.0).all() and at_ends.mean() < 0.3
    assert (hazy[:, :2, share == 0] == MIDDLE).all() and (share == 0).any()
    np.testing.assert_array_equal(hazy[:, MARKS], clear[:, MARKS])


def test_dust_fades_heights_no_further_than_the_ring_tells_them() -> None:
    steep = pictures({"slope_east": 1.0, "relief": 0.0, "optical_depth": 2.5, "rock_abundance": 0.0})
    # 2.5 m at the most, of which a share is seen.
    most = np.clip(HEIGHT_GAIN * 2.5 * np.vectorize(seen)(DISTANCE, 2.5), 0, 128)
    assert (np.abs(steep[:, HEIGHT].astype(float) - MIDDLE) <= most + 0.51).all()


@pytest.mark.parametrize(
    ("number", "bearings"), [(0.9, ()), (1.0, (0,)), (4.5, (0, 1, 7, 2)), (8.0, tuple(range(8)))]
)
def test_dark_bearings_show_no_ground(number: float, bearings: tuple[int, ...]) -> None:
    world: dict[str, Any] = {"relief": 0.1, "height_bias": 0.1}
    whole, dark = pictures(world), pictures(world | {"dark_bearings": number})
    angle = np.degrees(np.arctan2(LEFT_OF, AHEAD_OF))
    off = [np.abs((angle - 45.0 * b + 180.0) % 360.0 - 180.0) for b in range(8)]
    hidden = np.isin(np.argmin(off, axis=0), list(bearings))
    np.testing.assert_array_equal(dark[:, :2], np.where(hidden, MIDDLE, whole[:, :2]))
    np.testing.assert_array_equal(dark[:, MARKS], whole[:, MARKS])


def test_heights_err_alike_in_a_block_and_anew_at_every_look() -> None:
    level: dict[str, Any] = {"relief": 0.0, "rock_abundance": 0.0}
    envs = rovers(level | {"height_bias": 0.1, "height_noise": 0.05})
    looks = [envs._batch.pictures[:, HEIGHT].astype(float)]
    looks.append(envs.step(np.zeros((ROVERS, 2), dtype=np.float32))[0][:, HEIGHT].astype(float))
    blocks = np.stack(looks).reshape(2, ROVERS, PIXELS // NOISE_BLOCK, NOISE_BLOCK, -1, NOISE_BLOCK)
    assert (blocks == blocks[:, :, :, :1, :, :1]).all()
    each = blocks[:, :, :, 0, :, 0].reshape(2, ROVERS, -1)
    assert each.mean() == pytest.approx(MIDDLE + 12.8, abs=0.3) and each.std() == pytest.approx(6.4, rel=0.03)
    apart = np.corrcoef(each.reshape(2 * ROVERS, -1))[~np.eye(2 * ROVERS, dtype=np.bool_)]
    assert np.abs(apart).max() < 0.4  # neither rovers nor looks draw the same
    biased = pictures(level | {"height_bias": -0.2})
    assert (biased[:, HEIGHT] == round(MIDDLE - 25.6)).all()


def test_whoever_is_in_a_dust_devil_sees_no_ground() -> None:
    envs = rovers({"devil_rate": 3.0, "devil_speed": 0.0}, 1, systems=("bodies",))
    batch = envs._batch
    for i in (3, 7):
        batch.bodies[i, [KIND, EAST, NORTH, RADIUS]] = DEVIL, *batch.state[i, [X, Y]], 2.0
    seen = envs.step(np.zeros((ROVERS, 2), dtype=np.float32))[0]
    blind = batch.bodies[:, BLIND] == 1.0
    assert blind[[3, 7]].all() and blind.sum() < ROVERS
    np.testing.assert_array_equal((seen[:, :2] == MIDDLE).all(axis=(1, 2, 3)), blind)
    np.testing.assert_array_equal((batch.vectors[:, RING:SIZE] == 0).all(axis=1), blind)
    assert seen[3, MARKS, :SKY].any()
