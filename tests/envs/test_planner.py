from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from rover_cl_envs import Conditions, MarsRoverVectorEnv, Terrain, landforms
from rover_cl_envs import dynamics as d
from rover_cl_envs.mission import OUTCOMES
from rover_cl_envs.route import CLEARANCE, FOOTPRINT, Router
from rover_cl_envs.rovers import MER
from rover_cl_envs.soil import equilibrium_slip
from rover_cl_envs.streams import wheel_fault
from rover_cl_envs.terrain import PATCH, PATCH_UNIT, RELIEF, RELIEF_UNIT, ROCK

BARE = {"relief": 0.0, "patch_cover": 0.2, "outcrop_cover": 0.0, "rock_abundance": 0.1}
FAR_OFF = np.array([50.0, 50.0], dtype=np.float32)
START, GOAL = np.array([10.1, 20.1], dtype=np.float32), np.array([20.1, 20.1], dtype=np.float32)


def empty_map() -> NDArray[np.int16]:
    ground = np.zeros((1, 256, 256, 4), dtype=np.int16)
    ground[..., PATCH] = round(0.5 / PATCH_UNIT)
    return ground


def way(ground: NDArray[np.int16], wrong: NDArray[np.float32] = FAR_OFF, **more: Any) -> NDArray[np.float32]:
    c = Conditions(**{**BARE, **more}).to_array()
    return Router(MER.soil_table(), MER.obstacle, 1.0).route(ground, 0, c, START, GOAL, wrong)


def length(points: NDArray[np.float32]) -> float:
    return float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())


def test_way_over_even_ground_is_straight() -> None:
    points = way(empty_map())
    np.testing.assert_allclose(points[[0, -1]], [START, GOAL], atol=0.15)
    assert length(points) == pytest.approx(10.0, abs=1e-4)


def test_way_keeps_clear_of_rocks_it_cannot_climb_and_of_no_others() -> None:
    for height, avoided in ((0.4, True), (0.1, False)):
        ground = empty_map()
        ground[0, 80, 60, ROCK] = 256 + round(256 * height)  # at 15.1 m east, 20.1 m north
        off = np.linalg.norm(way(ground) - (15.125, 20.125), axis=1).min()
        assert (off >= CLEARANCE) == avoided


def test_way_goes_round_sand_unless_it_is_firm() -> None:
    ground = empty_map()
    ground[0, 70:100, 55:66, PATCH] = round(1 / PATCH_UNIT)
    round_it, across = way(ground), way(ground, patch_fluffiness=1 / 3)
    assert length(across) == pytest.approx(10.0, abs=1e-4)
    columns, rows = (round_it / 0.25).astype(int).T
    assert not ((rows >= 70) & (rows < 100) & (columns >= 55) & (columns < 66)).any()


@pytest.mark.parametrize(("strength", "avoided"), [(8.0, True), (20.0, False)])
def test_way_goes_round_a_crust_that_breaks(strength: float, avoided: bool) -> None:
    forms = np.zeros((1, 256, 256, 4), dtype=np.int16)
    forms[0, 70:100, 55:66, landforms.CRUST] = round(1 / landforms.SHARE_UNIT)
    values: dict[str, Any] = {**BARE, "crust_cover": 0.5, "crust_strength": strength}
    world = Conditions(**values)
    router = Router(MER.soil_table(), MER.obstacle, 1.0, MER.ground_pressure)
    points = router.route(empty_map(), 0, world.to_array(), START, GOAL, FAR_OFF, forms)
    columns, rows = (points / 0.25).astype(int).T
    on_crust = ((rows >= 70) & (rows < 100) & (columns >= 55) & (columns < 66)).any()
    assert on_crust != avoided


def hill_map(height: float) -> tuple[NDArray[np.int16], NDArray[np.float64]]:
    """A round hill half-way from start to goal for a relief of 0.5, and its heights [m]; its sigma is 2 m."""
    at = (np.arange(256) + 0.5) * 0.25
    far = (at[None, :] - 15.1) ** 2 + (at[:, None] - 20.1) ** 2
    heights = height * np.exp(-far / (2 * 2.0**2))
    ground = empty_map()
    ground[0, ..., RELIEF] = np.rint(heights / (0.5 * RELIEF_UNIT))
    return ground, heights


def wheel_travel(points: NDArray[np.float32], heights: NDArray[np.float64]) -> tuple[float, float]:
    """How far MER's wheels turn along a way on regolith [m], and the steepest grade that it climbs."""
    columns, rows = (points / 0.25).astype(int).T
    run = np.linalg.norm(np.diff(points.astype(float), axis=0), axis=1)
    grades = np.diff(uniform_filter(heights, FOOTPRINT, mode="wrap")[rows, columns]) / run
    slips = [equilibrium_slip(float(grade), MER.soil_table()[1]) for grade in grades]
    return float((run / (1 - np.array(slips))).sum()), float(grades.max())


@pytest.mark.parametrize("height", [1.5, 2.0])  # 24 and 31 degrees; regolith carries MER up 14.5
def test_way_goes_round_a_hill_that_is_too_steep(height: float) -> None:
    ground, heights = hill_map(height)
    carried = math.tan(MER.soils[1].steepest_climb)
    straight, across = wheel_travel(way(ground, relief=0.0), heights)
    points = way(ground, relief=0.5)
    around, climbed = wheel_travel(points, heights)
    assert across > 1.5 * carried and climbed < carried
    assert around < straight / 10
    assert length(points) < 13 and np.linalg.norm(points - (15.1, 20.1), axis=1).min() > 2.0


def test_way_leads_over_a_hill_that_carries_the_rover() -> None:
    ground, heights = hill_map(0.5)
    points = way(ground, relief=0.5)
    assert length(points) == pytest.approx(10.0, abs=1e-4)
    assert wheel_travel(points, heights)[1] < math.tan(MER.soils[1].steepest_climb)


def test_planner_drives_round_a_hill_on_which_going_straight_ends_embedded() -> None:
    world = Conditions(**{**BARE, "relief": 0.5, "patch_cover": 0.0, "rock_abundance": 0.0})  # type: ignore[arg-type]
    ended = {}
    for driver in ("planner", "straight"):
        envs = MarsRoverVectorEnv(1, terrain=Terrain(ground=hill_map(1.5)[0], seed=0), conditions=world)
        envs.reset(seed=0)
        planner, state = envs.planner(), envs._batch.state
        state[0, [d.X, d.Y, d.YAW]] = [*START, 0.0]
        state[0, d.TARGET_AX : d.TARGET_AX + 4] = [*GOAL, *FAR_OFF]
        done = np.zeros(1, dtype=bool)
        while not done.any():
            commands = planner.commands() if driver == "planner" else np.array([[1, 0]], dtype=np.float32)
            *_, terminated, truncated, infos = envs.step(commands)
            done = terminated | truncated
        ended[driver] = OUTCOMES[infos["outcome"][0]]
    assert ended == {"planner": "success", "straight": "embedded"}


def test_way_keeps_off_the_wrong_target() -> None:
    wrong = np.array([15.0, 20.0], dtype=np.float32)
    assert np.linalg.norm(way(empty_map(), wrong) - wrong, axis=1).min() > 1.5


def test_way_is_found_across_the_edge_of_the_map() -> None:
    ground = empty_map()
    ground[0, 80, 0, ROCK] = 256 + 100
    start, goal = np.array([60.0, 20.1], dtype=np.float32), np.array([68.0, 20.1], dtype=np.float32)
    router = Router(MER.soil_table(), MER.obstacle, 1.0)
    points = router.route(ground, 0, Conditions(**BARE).to_array(), start, goal, FAR_OFF)  # type: ignore[arg-type]
    assert np.linalg.norm(points - (64.125, 20.125), axis=1).min() >= CLEARANCE
    assert length(points) < 9.5


def success(conditions: Conditions, count: int = 24, **kwargs: Any) -> float:
    envs = MarsRoverVectorEnv(count, conditions=conditions, num_maps=2, autoreset_mode="SameStep", **kwargs)
    planner = envs.planner()
    envs.reset(seed=0)
    reached, ended = 0, np.zeros(count, dtype=bool)
    for _ in range(200):
        *_, terminated, truncated, infos = envs.step(planner.commands())
        reached += int((infos["success"] & ~ended).sum())
        ended |= terminated | truncated
    return reached / count


@pytest.mark.parametrize(
    "conditions",
    [
        Conditions(patch_cover=0.4, albedo_contrast=-1.0),
        Conditions(target_b=1.0, steering_bias=0.6),
        wheel_fault().tasks[1].conditions,
    ],
    ids=["traps", "target-b-steer-bias", "right-side-worn"],
)
def test_planner_arrives(conditions: Conditions) -> None:
    assert success(conditions) >= 0.8


def test_planner_turns_a_crippled_rover_round() -> None:
    forward_only = Conditions(wheel_health=(1, 1, 1, 0, 1, 0.6), relief=0.0)
    envs = MarsRoverVectorEnv(8, conditions=forward_only, num_maps=1)
    envs.reset(seed=0)
    planner = envs.planner()
    driven = np.zeros(8)
    for _ in range(15):
        commands = planner.commands()
        driven += commands[:, 0]
        envs.step(commands)
    assert (driven < 0).all()


def test_planner_changes_no_rover_and_breaks_no_crust() -> None:
    weak = Conditions(crust_cover=0.6, crust_strength=1.0)
    envs = MarsRoverVectorEnv(8, num_maps=1, conditions=weak)
    envs.reset(seed=0)
    planner, rovers = envs.planner(), envs._batch.rovers
    for _ in range(20):
        before = [array.copy() for array in rovers]
        commands = planner.commands()
        for name, one, other in zip(rovers._fields, before, rovers, strict=True):
            np.testing.assert_array_equal(one, other, err_msg=name)
        envs.step(commands)
    assert commands.shape == (8, 2) and (np.abs(commands) <= 1).all() and math.isfinite(commands.sum())
    assert rovers.broken.any()


def test_planner_finds_a_new_way_when_it_is_put_elsewhere() -> None:
    envs = MarsRoverVectorEnv(1, num_maps=1)
    envs.reset(seed=0)
    planner = envs.planner()
    planner.commands()
    kept = planner.way(0)
    planner.commands()
    np.testing.assert_array_equal(planner.way(0), kept)
    envs._batch.state[0, d.X] += 3.0
    planner.commands()
    new = planner.way(0)
    assert abs(new[0, 0] - envs._batch.state[0, d.X]) < 0.13
    np.testing.assert_array_equal(new[-1], kept[-1])
