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
from rover_cl_envs.air import HAZE, seen
from rover_cl_envs.bodies import BODIES, DEVIL, EAST, KIND, MONSTER, NORTH, RADIUS, SLOT
from rover_cl_envs.camera import DIAL, photograph
from rover_cl_envs.camera_marks import OTHER, TOLD, UNTOLD, VISITOR, WHIRL
from rover_cl_envs.frame import AHEAD_ROWS, ALBEDO, HEIGHT, MARKS, METRES, PIXELS
from rover_cl_envs.grid import PERIOD, words_of
from rover_cl_envs.landforms import Broken
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
        self.bodies = np.zeros((0, BODIES), dtype=np.float32)

    def at(self, x: float, y: float, yaw: float) -> None:
        self.state[[d.X, d.Y, d.YAW]] = x, y, yaw

    def target(self, which: int, ahead: float, left: float) -> None:
        """Put a target so many metres ahead and to the left of the rover."""
        column = d.TARGET_AX + 2 * which
        self.state[column], self.state[column + 1] = self._place(ahead, left)

    def body(self, kind: float, ahead: float, left: float, radius: float) -> None:
        """Let a body be there, and no other one."""
        self.bodies = np.zeros((1, BODIES), dtype=np.float32)
        slot = 0 if kind == DEVIL else 3
        self.bodies[0, SLOT * slot + KIND], self.bodies[0, SLOT * slot + RADIUS] = kind, radius
        # A period away: a map goes on beyond its edge.
        east, north = self._place(ahead, left)
        self.bodies[0, SLOT * slot + EAST], self.bodies[0, SLOT * slot + NORTH] = east + PERIOD, north

    def _place(self, ahead: float, left: float) -> tuple[float, float]:
        x, y, yaw = (float(self.state[k]) for k in (d.X, d.Y, d.YAW))
        east = x + ahead * math.cos(yaw) - left * math.sin(yaw)
        return east, y + ahead * math.sin(yaw) + left * math.cos(yaw)

    def picture(self, cues: bool = True) -> NDArray[np.uint8]:
        picture, words = np.full((3, PIXELS, PIXELS), 77, dtype=np.uint8), words_of(self.ground[None])[0]
        rovers, c = self._batch.rovers, self._batch.conditions[0]
        broken = Broken(cells=rovers.broken[0], some=rovers.broke[0:1])
        generator = rovers.generators[0]
        photograph(self.state, c, self.vector, words, broken, self.bodies, cues, generator, picture)
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


@pytest.mark.parametrize("bearing", [-2.8, -0.6, 0.4, 1.9])
def test_a_mark_stands_where_an_erring_bearing_says(bearing: float) -> None:
    errs, true = Photographer(bearing_noise=0.1), Photographer()
    for scene in (errs, true):
        scene.at(30.0, 20.0, 0.8)
        scene.target(1, 4.1, 4.1)
    errs.vector[5:7] = true.vector[5:7] = math.sqrt(0.5)
    errs.target(0, 2.9, 0.0)
    errs.vector[1:3] = math.cos(bearing), math.sin(bearing)
    true.target(0, 2.9 * math.cos(bearing), 2.9 * math.sin(bearing))
    np.testing.assert_array_equal(errs.picture()[MARKS], true.picture()[MARKS])
    true.target(0, 2.9, 0.0)
    assert (errs.picture()[MARKS] != true.picture()[MARKS]).any()


def test_marks_err_as_the_vector_of_the_same_step() -> None:
    world = Conditions(bearing_noise=0.4, bearing_bias=0.2)
    envs = MarsRoverVectorEnv(32, num_maps=1, conditions=world, observation="pixels", threads=1)
    envs.reset(seed=2)
    for _ in range(3):
        pictures = envs.step(np.full((32, 2), 0.3, dtype=np.float32))[0]
        vectors, found = envs._batch.vectors, 0
        for vector, picture in zip(vectors, pictures, strict=True):
            # Where the mark of A, a full square, is whole and no other's.
            spots = np.argwhere(picture[MARKS, :OPEN_SKY] == (TOLD if vector[31] > 0 else OTHER))
            if len(spots) != 25:
                continue
            up, side = AHEAD_ROWS - 0.5 - spots.mean(axis=0)[0], 31.5 - spots.mean(axis=0)[1]
            off = math.atan2(side, up) - math.atan2(vector[2], vector[1])
            within = math.hypot(up, side)
            assert abs(math.remainder(off, 2 * math.pi)) < 1.2 / within
            found += 1
        assert found > 16


def _above(scene: Photographer) -> NDArray[np.uint8]:
    """Marks above the instruments, without the targets."""
    for which in range(2):
        scene.target(which, 200.0, 0.0)  # beyond the upper edge, in columns 30 to 34
    marks = scene.picture()[MARKS, :OPEN_SKY].copy()
    marks[:5, 30:35] = 0
    return marks


@pytest.mark.parametrize("yaw", [0.0, 2.4])
def test_a_dust_devil_is_a_ring_as_wide_as_it_is(yaw: float) -> None:
    scene = Photographer()
    scene.at(63.5, 20.0, yaw)
    scene.body(DEVIL, 4.1, -0.9, 2.0)
    marks = _above(scene)
    spots = np.argwhere(marks)
    assert set(marks[marks > 0].tolist()) == {round(WHIRL)}
    assert spots.mean(axis=0) == pytest.approx([AHEAD_ROWS - 0.5 - 20.5, 31.5 + 4.5], abs=0.1)
    apart = np.hypot(spots[:, 0] - (AHEAD_ROWS - 0.5 - 20.5), spots[:, 1] - (31.5 + 4.5))
    assert apart.min() > 9.4 and apart.max() < 10.6 and len(spots) > 50


def test_the_martian_is_a_full_diamond() -> None:
    scene = Photographer()
    scene.at(63.5, 20.0, 0.5)
    scene.body(MONSTER, 3.13, 2.06, 0.5)
    marks = _above(scene)
    row, column = AHEAD_ROWS - 15.65 - 0.5, 32 - 10.3 - 0.5
    expected = np.add.outer(np.abs(np.arange(OPEN_SKY) - row), np.abs(np.arange(PIXELS) - column)) <= 3
    assert expected.sum() in range(16, 26)
    np.testing.assert_array_equal(marks, np.where(expected, round(VISITOR), 0))


def test_bodies_are_shown_as_far_as_they_are_in_the_picture_and_below_marks() -> None:
    scene = Photographer()
    scene.at(30.0, 20.0, 0.5)
    for ahead, left in ((15.0, 0.0), (0.0, 10.0), (-20.0, 3.0), (9.0, -30.0)):
        scene.body(DEVIL, ahead, left, 2.0)
        assert not _above(scene).any()
    for ahead, left in ((9.5, 0.0), (0.0, 6.5), (9.9, -6.9), (-1.6, 0.0)):
        scene.body(DEVIL, ahead, left, 2.0)
        assert 0 < len(np.argwhere(_above(scene))) < 60
    scene.body(MONSTER, 3.1, 2.1, 0.5)
    scene.target(0, 3.1, 2.1)
    marks = scene.picture()[MARKS, :OPEN_SKY]
    assert (marks == TOLD).sum() == 25 and (marks == round(VISITOR)).any()  # the diamond's tips stick out
    # Instruments hide what is behind the rover.
    scene.body(DEVIL, -2.5, 0.0, 3.0)
    dials = scene.picture()[MARKS, OPEN_SKY:]
    scene.bodies = scene.bodies[:0]
    np.testing.assert_array_equal(scene.picture()[MARKS, PIXELS - DIAL :], dials[DIAL:])


@pytest.mark.parametrize("depth", [HAZE, 4.0, 11.0])
def test_dust_hides_bodies_as_it_does_the_ground(depth: float) -> None:
    clear, hazy = Photographer(), Photographer(optical_depth=depth)
    for scene in (clear, hazy):
        scene.at(30.0, 20.0, 0.5)
        scene.body(DEVIL, 1.2, 0.3, 2.0)
    rows, columns = np.indices((OPEN_SKY, PIXELS))
    far = METRES * np.hypot(AHEAD_ROWS - 0.5 - rows, columns - 31.5)
    share = np.vectorize(seen)(far, depth) if depth > HAZE else np.ones_like(far)
    np.testing.assert_allclose(_above(hazy), _above(clear) * share, atol=0.51)
    assert (_above(hazy) < _above(clear)).any() == (depth > HAZE)


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


@pytest.mark.parametrize("errors", [{}, {"height_noise": 0.1, "bearing_noise": 0.2}], ids=["true", "noisy"])
def test_the_camera_changes_nothing_but_what_is_told(errors: dict[str, Any]) -> None:
    world = Conditions(**errors)
    plain, seen = (
        MarsRoverVectorEnv(8, num_maps=2, observation=o, time_limit=9, conditions=world)
        for o in ("vector", "pixels")
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
