from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from rover_cl_envs.renderer import DEAD, REWARDED, draw
from rover_cl_envs.scene import Scene

SIDE, CELL = 256, 0.25
PERIOD = SIDE * CELL
WHEELS = [(0.7, 0.5), (0.7, -0.5), (0.0, 0.5), (0.0, -0.5), (-0.7, 0.5), (-0.7, -0.5)]


@pytest.fixture(scope="module")
def scene() -> Scene:
    """A rover that looks east on gentle waves, with a patch of sand and one rock."""
    wave = 2 * np.pi * np.arange(SIDE) / SIDE
    heights = 0.1 * np.sin(8 * wave)[:, None] + 0.1 * np.cos(8 * wave)[None, :]
    sand = np.zeros((SIDE, SIDE), dtype=np.float32)
    sand[100:130, 100:120] = 1
    rocks = np.zeros((SIDE, SIDE), dtype=np.float32)
    rocks[140:143, 150:153] = 0.5
    return Scene(
        heights=heights.astype(np.float32),
        sand=sand,
        albedo=2 * sand - 1,
        rocks=rocks,
        cell=CELL,
        pose=(32.0, 32.0, 0.0),
        targets=((36.0, 36.0), (3.0, 60.0)),
        rewarded=0,
        wheels=np.array(WHEELS, dtype=np.float32),
        wheel_health=(1.0,) * 6,
        track=np.array([(30.0, 32.0), (31.0, 32.0), (32.0, 32.0)], dtype=np.float32),
        slip=(0.1, 0.2),
        sinkage=(0.01, 0.02),
        pitch=0.1,
        roll=-0.1,
        step=3,
        outcome="running",
        title="a test",
    )


def count(picture: NDArray[np.uint8], colour: tuple[int, int, int]) -> int:
    """How many pixels are of that colour, but for the smoothing of edges."""
    return int((np.abs(picture.astype(int) - colour).max(axis=2) < 30).sum())


def strips_cut(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture without its two lines of text and the scale bar."""
    return picture[24:-60]


@pytest.mark.parametrize("size", [(480, 480), (320, 200), (64, 96)])
def test_shape_and_dtype(scene: Scene, size: tuple[int, int]) -> None:
    picture = draw(scene, size=size)
    assert picture.shape == (size[1], size[0], 3)
    assert picture.dtype == np.uint8
    assert picture.flags.writeable


def test_same_scene_same_picture(scene: Scene) -> None:
    np.testing.assert_array_equal(draw(scene), draw(scene))


def test_rover_is_in_the_middle(scene: Scene) -> None:
    elsewhere = draw(replace(scene, pose=(32.0, 32.0, 1.5)))
    changed = np.argwhere((draw(scene) != elsewhere).any(axis=2))
    np.testing.assert_allclose(changed.mean(axis=0), (240, 240), atol=6)
    assert np.ptp(changed, axis=0).max() < 80


def test_dead_wheel_is_red_where_it_sits(scene: Scene) -> None:
    assert count(draw(scene), DEAD) == 0
    picture = draw(replace(scene, wheel_health=(1.0, 0.0, 1.0, 1.0, 1.0, 1.0)))
    red = np.argwhere(np.abs(picture.astype(int) - DEAD).max(axis=2) < 30)
    assert len(red) > 5
    row, column = red.mean(axis=0)
    assert row > 245 and column > 250  # right front of a rover that looks east: south and east


def test_picture_is_the_same_one_period_away(scene: Scene) -> None:
    x, y, yaw = scene.pose
    moved = replace(scene, pose=(x + PERIOD, y - 2 * PERIOD, yaw))
    np.testing.assert_array_equal(draw(scene), draw(moved))


def test_window_crosses_the_edge_of_the_map(scene: Scene) -> None:
    rolled = {
        name: np.roll(getattr(scene, name), (128, 128), (0, 1))
        for name in ("heights", "sand", "albedo", "rocks")
    }
    half = PERIOD / 2
    (ax, ay), (bx, by) = scene.targets
    targets = ((ax + half, ay + half), (bx + half, by + half))
    moved = replace(scene, **rolled, pose=(0.0, 0.0, 0.0), targets=targets, track=scene.track - half)
    a, b = strips_cut(draw(scene)).astype(int), strips_cut(draw(moved)).astype(int)
    # Ripple marks keep their places on the map, so they alone may differ.
    assert (np.abs(a - b).max(axis=2) > 3).mean() < 0.03


def test_track_over_the_edge_does_not_cross_the_picture(scene: Scene) -> None:
    at_edge = replace(scene, pose=(0.1, 32.0, 0.0), targets=((32.0, 0.0), (32.0, 1.0)))
    track = np.array([(62.0, 32.0), (63.0, 32.0), (0.1, 32.0)], dtype=np.float32)
    changed = np.argwhere((draw(replace(at_edge, track=track)) != draw(at_edge)).any(axis=2))
    far_track = np.array([(31.0, 32.0), (33.0, 32.0)], dtype=np.float32)
    across = draw(replace(at_edge, track=far_track)) != draw(replace(at_edge, track=track[:1]))
    assert len(changed) and changed[:, 1].max() < 260
    assert not across.any()


def test_rewarded_target_stands_out(scene: Scene) -> None:
    near = replace(scene, targets=((36.0, 36.0), (28.0, 28.0)))
    rows = [np.argwhere(np.abs(draw(replace(near, rewarded=k)).astype(int) - REWARDED).max(axis=2) < 30)
            for k in (0, 1)]  # fmt: skip
    assert rows[0][:, 0].mean() < 240 < rows[1][:, 0].mean()


def test_sand_rocks_and_albedo_show(scene: Scene) -> None:
    plain = draw(scene)
    nothing = np.zeros_like(scene.sand)
    for other in (
        replace(scene, sand=nothing),
        replace(scene, rocks=nothing),
        replace(scene, albedo=nothing),
    ):
        assert (draw(other) != plain).any(axis=2).sum() > 50


@pytest.mark.parametrize("outcome", ["success", "embedded", "tipped", "rock", "wrong_target", "time_limit"])
def test_every_outcome_has_its_words(scene: Scene, outcome: str) -> None:
    top = draw(replace(scene, outcome=outcome))[:22]
    assert (top != draw(scene)[:22]).any()


def test_no_track_no_health_to_divide(scene: Scene) -> None:
    still = np.repeat(scene.track[:1], 5, axis=0)
    for track in (np.zeros((0, 2), dtype=np.float32), scene.track[:1], still):
        assert draw(replace(scene, track=track)).shape == (480, 480, 3)


def test_refuses_what_cannot_be_drawn(scene: Scene) -> None:
    with pytest.raises(ValueError, match="at least 32 pixels"):
        draw(scene, size=(480, 0))
    with pytest.raises(ValueError, match="above 0"):
        draw(scene, metres=0.0)


def test_opens_no_window_and_says_nothing(scene: Scene) -> None:
    program = "import rover_cl_envs.renderer, pygame; print(pygame.display.get_init())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
