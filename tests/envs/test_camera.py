from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env as gymnasium_check
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers import FrameStackObservation
from numpy.typing import NDArray
from stable_baselines3.common.env_checker import check_env as sb3_check

from rover_cl_envs import Conditions, MarsRoverEnv, MarsRoverVectorEnv
from rover_cl_envs import dynamics as d
from rover_cl_envs.camera import (
    AHEAD_ROWS,
    ALBEDO,
    DIAL,
    HEIGHT,
    MARKS,
    METRES,
    OTHER,
    PIXELS,
    TOLD,
    UNTOLD,
    photograph,
)
from rover_cl_envs.grid import words_of
from rover_cl_envs.ring import RING
from rover_cl_envs.sensors import SIZE
from rover_cl_envs.terrain import CELL

BARE = {"relief": 0.0, "patch_cover": 0.0, "outcrop_cover": 0.0, "rock_abundance": 0.0}
DIALS = 24  # instruments without systems
OPEN_SKY = PIXELS - 2 * DIAL  # rows above the instruments


class Photographer:
    """A lone rover that is put wherever a test wants it, on ground that the test lays."""

    def __init__(self, **conditions: Any) -> None:
        envs = MarsRoverVectorEnv(1, num_maps=1, conditions=Conditions(**{**BARE, **conditions}))
        envs.reset(seed=0)
        self._batch = envs._batch
        self.state: NDArray[np.float32] = self._batch.state[0]
        self.vector: NDArray[np.float32] = self._batch.vectors[0].copy()
        self.ground: NDArray[np.int16] = np.zeros((256, 256, 4), dtype=np.int16)

    def at(self, x: float, y: float, yaw: float) -> None:
        self.state[[d.X, d.Y, d.YAW]] = x, y, yaw

    def target(self, which: int, ahead: float, left: float) -> None:
        """Put a target so many metres ahead and to the left of the rover."""
        x, y, yaw = (float(self.state[k]) for k in (d.X, d.Y, d.YAW))
        column = d.TARGET_AX + 2 * which
        self.state[column] = x + ahead * math.cos(yaw) - left * math.sin(yaw)
        self.state[column + 1] = y + ahead * math.sin(yaw) + left * math.cos(yaw)

    def picture(self, cues: bool = True) -> NDArray[np.uint8]:
        picture, words = np.full((3, PIXELS, PIXELS), 77, dtype=np.uint8), words_of(self.ground[None])[0]
        photograph(self.state, self._batch.conditions[0], self.vector, words, cues, picture)
        return picture


def test_space_is_what_stable_baselines3_takes_for_a_picture() -> None:
    from stable_baselines3.common.preprocessing import is_image_space, is_image_space_channels_first

    space = MarsRoverEnv(observation="pixels", num_maps=1).observation_space
    assert isinstance(space, gym.spaces.Box)
    assert space == gym.spaces.Box(0, 255, (3, 64, 64), np.uint8)
    assert is_image_space(space, check_channels=True) and is_image_space_channels_first(space)


def test_an_unknown_observation_is_refused_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="'pixels'"):
        MarsRoverEnv(observation="pixel")


@pytest.mark.parametrize("name", ["RoverCL/MarsRover-v0", "RoverCL/MarsDrift-v0"])
def test_checkers_find_nothing_wrong(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gymnasium_check(gym.make(name, num_maps=2, observation="pixels", render_mode="rgb_array"))
        sb3_check(gym.make(name, num_maps=2, observation="pixels"), warn=True)


@pytest.mark.parametrize("yaw", [0.0, 0.7, math.pi / 2, 3.0, -2.2])
def test_a_target_straight_ahead_stands_above_the_rover(yaw: float) -> None:
    scene = Photographer()
    scene.at(30.0, 20.0, yaw)
    scene.target(0, 5.1, -0.1)
    scene.target(1, 3.1, 4.1)
    marks = scene.picture()[MARKS][:OPEN_SKY]
    row, column = (
        AHEAD_ROWS - 26,
        32,
    )  # 5.1 m ahead is in the 26th row, 0.1 m to the right in the first column
    mark = marks[row - 2 : row + 3, column - 2 : column + 3]
    assert (mark == TOLD).all() and (marks == TOLD).sum() == 25
    rim = np.argwhere(marks == OTHER)
    assert len(rim) == 16  # B is a rim
    assert rim.mean(axis=0).tolist() == [AHEAD_ROWS - 16, 32 - 21]


def test_a_target_out_of_sight_stands_at_the_edge_in_its_direction() -> None:
    scene = Photographer()
    scene.at(30.0, 20.0, 1.0)
    for ahead, left in ((13.0, 0.0), (0.0, 12.0), (-9.0, 3.0), (8.0, -13.9), (9.6, 0.1), (-13.0, -5.0)):
        scene.target(0, ahead, left)
        scene.target(1, -ahead, -left)
        marks = scene.picture()[MARKS][:OPEN_SKY]
        spots = np.argwhere(marks == TOLD)
        assert len(spots) in (24, 25)  # whole, but for a corner that the other one may hide
        up, side = (AHEAD_ROWS - 0.5 - spots.mean(axis=0)[0]), (31.5 - spots.mean(axis=0)[1])
        assert math.atan2(side, up) == pytest.approx(math.atan2(left, ahead), abs=0.15)
        assert spots.min() == 0 or spots[:, 0].max() == OPEN_SKY - 1 or spots[:, 1].max() == PIXELS - 1


def test_the_order_is_told_only_if_cues_are_on() -> None:
    scene = Photographer()
    scene.target(0, 3.0, 3.0)
    scene.target(1, 3.0, -3.0)
    for rewarded in (0.0, 1.0):
        scene.state[d.REWARDED] = rewarded
        told, untold = (scene.picture(cues)[MARKS, :OPEN_SKY] for cues in (True, False))
        left, right = (told[:, :32].max(), told[:, 32:].max())
        assert (left, right) == ((TOLD, OTHER) if rewarded == 0 else (OTHER, TOLD))
        assert untold[:, :32].max() == untold[:, 32:].max() == UNTOLD


def _quarter(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The square around the rover that a quarter turn maps onto itself."""
    return picture[:2, AHEAD_ROWS - 16 : AHEAD_ROWS + 16, 16:48]


def test_turning_the_rover_turns_the_picture() -> None:
    scene = Photographer(relief=0.08, patch_cover=0.3, rock_abundance=0.1, slope_east=0.05)
    scene.ground = np.array(MarsRoverVectorEnv(1, num_maps=1)._batch.ground[0])
    scene.at(30.03, 20.06, 0.0)
    east = scene.picture()
    scene.at(30.03, 20.06, math.pi / 2)  # to the left: what was ahead is now on the right
    north = scene.picture()
    # Places on a cell's edge may fall to either side; heights are rounded.
    agree = np.abs(_quarter(east).astype(int) - np.rot90(_quarter(north), 1, axes=(1, 2))) <= 1
    assert agree.mean() > 0.99
    assert (np.abs(_quarter(east).astype(int) - _quarter(north)) <= 1).mean() < 0.7


def test_ground_is_shown_where_it_lies() -> None:
    world: dict[str, Any] = {**BARE, "relief": 0.08, "patch_cover": 0.3, "outcrop_cover": 0.2}
    world["rock_abundance"] = 0.05
    scene = Photographer(**world)
    scene.ground = np.array(MarsRoverVectorEnv(1, num_maps=1)._batch.ground[0])
    x, y, yaw = 3.31, 61.2, 2.1  # looks across the map's edge
    scene.at(x, y, yaw)
    picture = scene.picture()
    told = MarsRoverVectorEnv(1, num_maps=1, conditions=Conditions(**world))
    told.reset(seed=0)
    ground = told.scene().ground
    here = ground.heights[int(y // CELL), int(x // CELL)]
    for row, column in ((0, 0), (5, 40), (47, 31), (60, 63), (20, 12)):
        ahead, left = (AHEAD_ROWS - row - 0.5) * METRES, (32 - column - 0.5) * METRES
        east = x + ahead * math.cos(yaw) - left * math.sin(yaw)
        north = y + ahead * math.sin(yaw) + left * math.cos(yaw)
        at = (int(north // CELL) % 256, int(east // CELL) % 256)
        seen = np.clip(128 + 80 * ground.albedo[at], 0, 255)
        height = np.clip(128 + 128 * (ground.heights[at] + ground.rocks[at] - here), 0, 255)
        assert picture[ALBEDO, row, column] == pytest.approx(seen, abs=0.6)
        assert picture[HEIGHT, row, column] == pytest.approx(height, abs=0.6)


def test_a_slope_rises_uphill() -> None:
    scene = Photographer(slope_east=0.1)
    scene.at(30.0, 20.0, 0.0)
    heights = scene.picture()[HEIGHT].astype(int)
    assert (np.diff(heights[:, 10]) <= 0).all() and heights[0, 10] - 128 == round(12.8 * 9.5)
    assert np.ptp(heights, axis=1).max() == 0


def test_soil_that_looks_alike_is_alike_in_the_picture() -> None:
    picture = {}
    for fluffiness in (0.0, 1.0):
        scene = Photographer(patch_cover=0.4, patch_fluffiness=fluffiness)
        scene.ground = np.array(MarsRoverVectorEnv(1, num_maps=1)._batch.ground[0])
        picture[fluffiness] = scene.picture()
    np.testing.assert_array_equal(picture[0.0], picture[1.0])


def test_instruments_show_the_vector() -> None:
    scene = Photographer()
    numbers = np.linspace(-1.5, 1.5, DIALS, dtype=np.float32)
    scene.vector[8:RING] = numbers
    strip = scene.picture()[MARKS, OPEN_SKY:]
    squares = strip.reshape(2, DIAL, PIXELS // DIAL, DIAL)
    assert (squares == squares[:, :1, :, :1]).all()
    shown = np.concatenate([squares[1, 0, :, 0], squares[0, 0, :8, 0]])
    np.testing.assert_allclose(shown, np.clip(128 + 100 * numbers, 0, 255), atol=0.5)


def test_systems_have_their_instruments_behind() -> None:
    scene = Photographer()
    scene.vector = np.concatenate([scene.vector, np.full(10, 1.0, dtype=np.float32)])
    assert len(scene.vector) == SIZE + 10
    marks = scene.picture()[MARKS]
    # 24 and 10 numbers: two rows full, two squares in the third.
    assert (marks[OPEN_SKY : OPEN_SKY + DIAL, 32:] == 228).all()
    assert (marks[OPEN_SKY - DIAL : OPEN_SKY, : 2 * DIAL] == 228).all()


def test_marks_keep_within_the_picture_above_four_rows_of_instruments() -> None:
    scene = Photographer()
    scene.vector = np.concatenate([scene.vector, np.zeros(33, dtype=np.float32)])  # all systems: 57 numbers
    for ahead, left in ((-9.0, 0.0), (-300.0, 40.0), (-0.3, 20.0), (13.0, 0.0)):
        scene.target(0, ahead, left)
        scene.target(1, 0.0, -6.0)
        sky = scene.picture()[MARKS, : PIXELS - 4 * DIAL]
        spots = np.argwhere(sky == TOLD)
        assert len(spots) == 25 and spots[:, 0].max() == (4 if ahead > 0 else PIXELS - 4 * DIAL - 1)


def _actions(steps: int, count: int) -> NDArray[np.float32]:
    return np.random.default_rng(1).uniform(-1, 1, (steps, count, 2)).astype(np.float32)


def test_one_rover_or_many_one_thread_or_many_see_alike() -> None:
    count, seen = 70, {}
    for threads in (1, 2):
        envs = MarsRoverVectorEnv(
            count, num_maps=2, observation="pixels", time_limit=12, threads=threads, autoreset_mode="SameStep"
        )
        told = [envs.reset(seed=5)[0]]
        for actions in _actions(20, count):
            told.append(envs.step(actions)[0])
        seen[threads] = np.stack(told)
    np.testing.assert_array_equal(seen[1], seen[2])
    for i in (0, 69):
        lone = MarsRoverEnv(num_maps=2, observation="pixels", time_limit=12)
        np.testing.assert_array_equal(lone.reset(seed=5 + i)[0], seen[1][0, i])
        for step, actions in enumerate(_actions(20, count)):
            picture, _, terminated, truncated, _ = lone.step(actions[i])
            if terminated or truncated:
                picture = lone.reset()[0]
            np.testing.assert_array_equal(picture, seen[1][step + 1, i])


def test_the_camera_changes_nothing_but_what_is_told() -> None:
    plain, seen = (
        MarsRoverVectorEnv(8, num_maps=2, observation=o, time_limit=9) for o in ("vector", "pixels")
    )
    plain.reset(seed=3)
    assert seen.reset(seed=3)[0].dtype == np.uint8
    for actions in _actions(25, 8):
        vectors, *out = plain.step(actions)
        _, *other = seen.step(actions)
        for one, two in zip(out[:3], other[:3], strict=True):
            np.testing.assert_array_equal(one, two)
        np.testing.assert_array_equal(vectors, seen._batch.vectors)
        np.testing.assert_array_equal(plain.scene(3).ring, seen.scene(3).ring)


@pytest.mark.parametrize("mode", AutoresetMode)
def test_last_pictures_are_told_in_every_mode(mode: AutoresetMode) -> None:
    envs = MarsRoverVectorEnv(4, num_maps=1, observation="pixels", time_limit=5, autoreset_mode=mode)
    lone = MarsRoverEnv(num_maps=1, observation="pixels", time_limit=5)
    envs.reset(seed=0)
    lone.reset(seed=0)
    for _ in range(5):
        pictures, _, terminated, truncated, infos = envs.step(np.zeros((4, 2), dtype=np.float32))
        last = lone.step(np.zeros(2))[0]
    assert (terminated | truncated).all()
    first = lone.reset()[0]
    if mode is AutoresetMode.SAME_STEP:
        final = infos["final_obs"][0]
        assert final.dtype == np.uint8 and final.shape == (3, PIXELS, PIXELS)
        np.testing.assert_array_equal(final, last)
        np.testing.assert_array_equal(pictures[0], first)
        return
    np.testing.assert_array_equal(pictures[0], last)
    if mode is AutoresetMode.NEXT_STEP:
        pictures = envs.step(np.zeros((4, 2), dtype=np.float32))[0]
    else:
        pictures = envs.reset(options={"reset_mask": np.array([True, False, False, False])})[0]
    np.testing.assert_array_equal(pictures[0], first)


def test_frames_stack() -> None:
    env = FrameStackObservation(MarsRoverEnv(num_maps=1, observation="pixels"), 3)
    frames, _ = env.reset(seed=0)
    assert frames.shape == (3, 3, PIXELS, PIXELS) and frames.dtype == np.uint8
    latest = env.step(np.array([1.0, 0.5]))[0]
    np.testing.assert_array_equal(latest[1], frames[2])
    assert not np.array_equal(latest[2], latest[1])


@pytest.mark.parametrize("make", [MarsRoverEnv, MarsRoverVectorEnv])
def test_seeds_alone_decide(make: Callable[..., Any]) -> None:
    one, two = make(num_maps=2, observation="pixels"), make(num_maps=2, observation="pixels")
    np.testing.assert_array_equal(one.reset(seed=9)[0], two.reset(seed=9)[0])
    assert not np.array_equal(one.reset(seed=9)[0], two.reset(seed=10)[0])
