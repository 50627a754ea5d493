from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from rover_cl_envs.palette import DEAD, HAZARD, REWARDED, of_slip
from rover_cl_envs.renderer import LAYERS, Renderer, draw
from rover_cl_envs.scene import Ground, Scene, between

SIZE = (480, 480)

SIDE, CELL = 256, 0.25
PERIOD = SIDE * CELL
WHEELS = [(0.7, 0.5), (0.7, -0.5), (0.0, 0.5), (0.0, -0.5), (-0.7, 0.5), (-0.7, -0.5)]


def trail(*way: tuple[float, float]) -> NDArray[np.float32]:
    """A drive to the east through these points, slipping little on the left and much on the right."""
    return np.array([(x, y, 0.0, 0.1, 0.9) for x, y in way], dtype=np.float32)


@pytest.fixture(scope="module")
def scene() -> Scene:
    """A rover that looks east on gentle waves, with a patch of sand and one rock."""
    wave = 2 * np.pi * np.arange(SIDE) / SIDE
    heights = 0.1 * np.sin(8 * wave)[:, None] + 0.1 * np.cos(8 * wave)[None, :]
    sand = np.zeros((SIDE, SIDE), dtype=np.float32)
    sand[100:130, 100:120] = 1
    rocks = np.zeros((SIDE, SIDE), dtype=np.float32)
    rocks[140:143, 150:153] = 0.5
    outcrop = np.zeros_like(sand)
    outcrop[120:126, 140:150] = 1
    ground = Ground(
        heights=heights.astype(np.float32),
        sand=sand,
        outcrop=outcrop,
        albedo=2 * sand - 1,
        rocks=rocks,
        cell=CELL,
        climbed=0.2,
    )
    return Scene(
        ground=ground,
        pose=(32.0, 32.0, 0.0),
        targets=((36.0, 36.0), (3.0, 60.0)),
        rewarded=0,
        reach=1.0,
        wheels=np.array(WHEELS, dtype=np.float32),
        wheel_health=(1.0,) * 6,
        trail=trail((30.0, 32.0), (31.0, 32.0), (32.0, 32.0)),
        slip=(0.1, 0.2),
        sinkage=(0.01, 0.02),
        pitch=0.1,
        roll=-0.1,
        step=3,
        outcome="running",
        title="a test",
    )


def near(picture: NDArray[np.uint8], colour: tuple[int, int, int]) -> NDArray[np.intp]:
    """Rows and columns of the pixels of that colour, but for the smoothing of edges."""
    return np.argwhere(np.abs(picture.astype(int) - colour).max(axis=2) < 30)


def without_texts(scene: Scene) -> NDArray[np.uint8]:
    return draw(scene, size=SIZE, layers=[layer for layer in LAYERS if layer != "hud"])


@pytest.mark.parametrize("size", [(960, 720), (480, 480), (320, 200), (64, 96)])
def test_shape_and_dtype(scene: Scene, size: tuple[int, int]) -> None:
    picture = draw(scene, size=size)
    assert picture.shape == (size[1], size[0], 3)
    assert picture.dtype == np.uint8
    assert picture.flags.writeable


def test_the_picture_does_not_depend_on_those_before(scene: Scene) -> None:
    first = Renderer(SIZE).picture(scene)
    renderer = Renderer(SIZE)
    for k in range(5):  # more maps than are kept
        renderer.draw(replace(scene, ground=replace(scene.ground, climbed=0.1 * k), pose=(k, 9.0, k)))
    np.testing.assert_array_equal(renderer.picture(scene), first)


def test_rover_is_in_the_middle(scene: Scene) -> None:
    elsewhere = without_texts(replace(scene, pose=(32.0, 32.0, 1.5)))
    changed = np.argwhere((without_texts(scene) != elsewhere).any(axis=2))
    np.testing.assert_allclose(changed.mean(axis=0), (240, 240), atol=6)
    assert np.ptp(changed, axis=0).max() < 80


def test_dead_wheel_is_red_where_it_sits(scene: Scene) -> None:
    assert not len(near(without_texts(scene), DEAD))
    red = near(without_texts(replace(scene, wheel_health=(1.0, 0.0, 1.0, 1.0, 1.0, 1.0))), DEAD)
    assert len(red) > 5
    row, column = red.mean(axis=0)
    assert row > 245 and column > 250  # right front of a rover that looks east: south and east


def test_ruts_have_the_colours_of_their_slip(scene: Scene) -> None:
    only = draw(scene, size=SIZE, layers=["trail"])
    left, right = near(only, of_slip(0.1)), near(only, of_slip(0.9))
    assert len(left) > 40 and len(right) > 40
    assert left[:, 0].max() < 240 < right[:, 0].min()  # heading east, the left side is in the north


def test_picture_is_the_same_one_period_away(scene: Scene) -> None:
    x, y, yaw = scene.pose
    moved = replace(scene, pose=(x + PERIOD, y - 2 * PERIOD, yaw))
    np.testing.assert_array_equal(without_texts(scene), without_texts(moved))


def test_window_crosses_the_edge_of_the_map(scene: Scene) -> None:
    """Half a map is a whole number of tiles: not even the grain may differ."""
    names = ("heights", "sand", "outcrop", "albedo", "rocks")
    rolled: Any = {name: np.roll(getattr(scene.ground, name), (128, 128), (0, 1)) for name in names}
    half = PERIOD / 2
    (ax, ay), (bx, by) = scene.targets
    moved = replace(
        scene,
        ground=replace(scene.ground, **rolled),
        pose=(0.0, 0.0, 0.0),
        targets=((ax + half, ay + half), (bx + half, by + half)),
        trail=scene.trail - np.array([half, half, 0, 0, 0], dtype=np.float32),
    )
    np.testing.assert_array_equal(without_texts(scene), without_texts(moved))


def test_tiles_fit_together(scene: Scene) -> None:
    """On bare waves, brightness never jumps from one pixel to the next, least of all between two tiles."""
    nothing = np.zeros_like(scene.ground.sand)
    bare = replace(scene.ground, sand=nothing, outcrop=nothing, rocks=nothing, albedo=nothing)
    picture = draw(replace(scene, ground=bare), size=(512, 512), metres=32.0, layers=["ground"]).astype(int)
    across = np.abs(np.diff(picture, axis=1)).mean(axis=(0, 2))  # tiles are 128 px wide
    down = np.abs(np.diff(picture, axis=0)).mean(axis=(1, 2))
    for jumps in (across, down):
        assert jumps[[127, 255, 383]].max() < 1.5 * np.median(jumps)


def test_track_over_the_edge_does_not_cross_the_picture(scene: Scene) -> None:
    at_edge = replace(scene, pose=(0.1, 32.0, 0.0), trail=trail((62.0, 32.0), (63.0, 32.0), (0.1, 32.0)))
    drawn = np.argwhere(draw(at_edge, size=SIZE, layers=["trail"]) != (18, 14, 13))
    assert len(drawn) and drawn[:, 1].max() < 260
    far = replace(at_edge, trail=trail((31.0, 32.0), (33.0, 32.0)))
    assert (draw(far, size=SIZE, layers=["trail"]) == (18, 14, 13)).all()


def test_rewarded_target_stands_out(scene: Scene) -> None:
    close = replace(scene, targets=((36.0, 36.0), (28.0, 28.0)))
    rows = [near(without_texts(replace(close, rewarded=k)), REWARDED)[:, 0].mean() for k in (0, 1)]
    assert rows[0] < 240 < rows[1]


def test_what_lies_on_the_ground_shows(scene: Scene) -> None:
    plain = without_texts(scene)
    nothing = np.zeros_like(scene.ground.sand)
    for name in ("sand", "outcrop", "rocks", "albedo", "heights"):
        cleared: Any = {name: nothing}
        other = replace(scene, ground=replace(scene.ground, **cleared))
        assert (without_texts(other) != plain).any(axis=2).sum() > 50, name


def test_only_rocks_that_stop_the_rover_have_a_rim(scene: Scene) -> None:
    assert len(near(without_texts(scene), HAZARD)) > 5
    low = replace(scene, ground=replace(scene.ground, climbed=0.6))
    assert not len(near(without_texts(low), HAZARD))


@pytest.mark.parametrize("outcome", ["success", "embedded", "tipped", "rock", "wrong_target", "time_limit"])
def test_every_outcome_has_its_words(scene: Scene, outcome: str) -> None:
    top = draw(replace(scene, outcome=outcome), size=SIZE)[:22]
    assert (top != draw(scene, size=SIZE)[:22]).any()


def test_no_trail_no_drive(scene: Scene) -> None:
    still = np.repeat(scene.trail[:1], 5, axis=0)
    for way in (scene.trail[:0], scene.trail[:1], still):
        assert draw(replace(scene, trail=way)).shape == (720, 960, 3)


def test_between_two_moments(scene: Scene) -> None:
    later = replace(scene, step=scene.step + 1, pose=(33.0, 32.0, -3.0), slip=(0.3, 0.2), outcome="success")
    turned = replace(scene, pose=(32.0, 32.0, 3.0))
    halfway = between(turned, later, 0.5)
    assert halfway.pose[:2] == (32.5, 32.0)
    assert abs(halfway.pose[2]) == pytest.approx(np.pi)  # the short way round
    assert halfway.slip == pytest.approx((0.2, 0.2)) and halfway.outcome == "running"
    assert between(scene, later, 1.0) is later
    anew = replace(later, step=0)
    assert between(scene, anew, 0.5) is anew


def test_shadows_fall_away_from_the_sun(scene: Scene) -> None:
    """A lone rock on level ground darkens the side that the light doesn't come from."""
    nothing = np.zeros_like(scene.ground.sand)
    bare = replace(scene.ground, sand=nothing, outcrop=nothing, albedo=nothing, heights=nothing, climbed=1.0)
    for east, north in ((1, 1), (1, -1), (-1, -1), (-1, 1)):
        sun = (np.arctan2(north, east), np.radians(30))
        lit = replace(scene, ground=bare, sun=sun, pose=(37.9, 35.4, 0.0))  # on the rock, in the middle
        light = draw(lit, size=SIZE, layers=["ground"]).sum(axis=2).astype(int)
        dark = np.argwhere(light < 0.6 * np.median(light)) - 240
        assert len(dark) > 50
        assert np.sign(dark.mean(axis=0)).tolist() == [north, -east]  # rows run south


def test_night_is_dark_and_haze_hides_the_distance(scene: Scene) -> None:
    day = draw(scene, size=SIZE, layers=["ground"]).astype(int)
    night = draw(replace(scene, sun=(0.0, -0.3)), size=SIZE, layers=["ground"]).astype(int)
    assert night.mean() < 0.6 * day.mean()
    hazy = draw(replace(scene, haze=1.0), size=SIZE, layers=["ground", "haze"]).astype(int)
    np.testing.assert_array_equal(hazy[200:280, 200:280], day[200:280, 200:280])  # the rover's surroundings
    detail = [np.abs(np.diff(picture[:40], axis=1)).mean() for picture in (hazy, day)]
    assert detail[0] < 0.35 * detail[1]


def test_bodies_move_between_two_moments_over_the_edge_of_the_map(scene: Scene) -> None:
    body = np.array([[PERIOD - 0.5, 10.0, 1.0, 0]], dtype=np.float32)
    before = replace(scene, bodies=body)
    after = replace(before, step=scene.step + 1, bodies=body * (0, 1, 1, 1) + (0.5, 0, 0, 0))
    np.testing.assert_allclose(between(before, after, 0.5).bodies[0, :2] % PERIOD, (0.0, 10.0))
    other = replace(after, bodies=body * (1, 1, 1, 0) + (0, 0, 0, 1))
    assert between(before, other, 0.5).bodies is other.bodies


def test_a_picture_may_stay_where_it_is(scene: Scene) -> None:
    """With a centre of its own, only what moves differs from one picture to the next."""
    moved = replace(scene, pose=(33.0, 32.0, 0.0))
    a, b = (draw(s, size=SIZE, layers=["ground", "rover"], centre=(32.0, 30.0)) for s in (scene, moved))
    changed = np.argwhere((a != b).any(axis=2))
    assert np.ptp(changed, axis=0).max() < 100 and len(changed)


def test_refuses_what_cannot_be_drawn(scene: Scene) -> None:
    with pytest.raises(ValueError, match="at least 32 pixels"):
        draw(scene, size=(480, 0))
    with pytest.raises(ValueError, match="above 0"):
        draw(scene, metres=0.0)
    with pytest.raises(ValueError, match="'trail'"):
        draw(scene, layers=["trial"])


def test_opens_no_window_and_says_nothing(scene: Scene) -> None:
    program = "import rover_cl_envs.renderer, pygame; print(pygame.display.get_init())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("layer", [*LAYERS, "all", "evening"])
def test_golden_picture(scene: Scene, layer: str) -> None:
    """The picture somebody once looked at and liked; ROVER_CL_GOLDEN=write makes it anew."""
    full = replace(
        scene,
        ring=np.array([(1.5, 0, 0.3, 1), (1.5, 1.5, 0, -1), (0, 1.5, 0, 0)], dtype=np.float32),
        wheel_health=(1.0, 0.0, 1.0, 0.5, 1.0, 1.0),
        reward=(("progress", 0.08), ("time", -0.02)),
        score=1.5,
        command=(0.8, 0.4),
        conditions=(("gravity", 3.72, 0.25, False), ("relief", 0.1, 0.2, True)),
        haze=0.6,
        bodies=np.array([(34.5, 34.0, 1.2, 0), (29.0, 30.0, 0.8, 1)], dtype=np.float32),
        charge=0.15,
        sun=(-0.5, 0.2) if layer == "evening" else None,
    )
    size = (760, 520) if layer == "hud" else (240, 180)
    layers = {"all": LAYERS, "evening": ("ground", "rover")}.get(layer, (layer,))
    picture = draw(full, size=size, metres=14.0, layers=layers)
    file = GOLDEN / f"{layer}.png"
    if os.environ.get("ROVER_CL_GOLDEN") == "write":
        GOLDEN.mkdir(exist_ok=True)
        Image.fromarray(picture).save(file, optimize=True)
    with Image.open(file) as image:
        golden = np.asarray(image.convert("RGB"))
    off = np.abs(picture.astype(int) - golden).max(axis=2)
    # Libraries round the edges of letters and lines differently.
    assert (off > 40).mean() < 0.01 and off.mean() < 1.5
