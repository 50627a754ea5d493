from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from rover_cl_envs import Conditions, MarsRoverVectorEnv, Mission
from rover_cl_envs import dynamics as d
from rover_cl_envs.mission import MISSIONS
from rover_cl_envs.world import World

BARE = Conditions(relief=0.0, patch_cover=0.0, outcrop_cover=0.0, rock_abundance=0.0)


def commanded(x: float, y: float, who: str = "autopilot", **world: Any) -> tuple[float, float]:
    """The command for a rover that heads east with target A at x, y [m] from it."""
    conditions = world.pop("conditions", BARE)
    envs = MarsRoverVectorEnv(1, conditions=conditions, world=World(num_maps=1, **world))
    envs.reset(seed=0)
    s = envs._batch.state[0]
    s[d.YAW] = 0.0
    s[d.TARGET_AX], s[d.TARGET_AY] = s[d.X] + x, s[d.Y] + y
    s[d.TARGET_BX], s[d.TARGET_BY] = s[d.X] - 30.0, s[d.Y]
    envs.step(np.zeros((1, 2)))  # tells it
    drive, steer = getattr(envs, who)().commands()[0]
    return float(drive), float(steer)


def test_it_turns_to_the_target_and_drives_there() -> None:
    assert commanded(10.0, 0.0) == pytest.approx((1.0, 0.0), abs=1e-5)
    assert commanded(10.0, 10.0) == pytest.approx((1 - math.pi / 4, 1.0), abs=1e-5)
    drive, steer = commanded(-10.0, -1.0)
    assert drive == 0.0 and steer == -1.0


def test_it_goes_where_the_order_says_and_by_bearings_as_they_are_told() -> None:
    ordered = Conditions(**{**vars(BARE), "target_b": 1.0})
    assert commanded(10.0, 0.0, conditions=ordered)[0] == 0.0  # B lies behind
    wrong = Conditions(**{**vars(BARE), "bearing_bias": 0.3})
    assert commanded(10.0, 0.0, conditions=wrong) == pytest.approx((0.7, 0.45), abs=1e-5)
    assert commanded(10.0, 0.0, observation="pixels") == pytest.approx((1.0, 0.0), abs=1e-5)


@pytest.mark.parametrize("who", ["autopilot", "planner"])
def test_a_sample_is_taken_at_rest(who: str) -> None:
    mission = MISSIONS["sample"]
    assert commanded(0.5, 0.0, who, mission=mission) == (0.0, 0.0)
    assert commanded(1.5, 0.0, who, mission=mission)[0] > 0.3


@pytest.mark.parametrize("who", ["autopilot", "planner"])
def test_an_image_is_taken_from_the_ring_facing_the_target(who: str) -> None:
    mission = Mission(kind="image", standoff_near=3.0, standoff_far=5.0, facing=0.4)
    assert commanded(4.5, 0.0, who, mission=mission) == (0.0, 0.0)
    assert commanded(4.7, 0.0, who, mission=mission)[0] > 0.5
    assert commanded(0.0, 4.5, who, mission=mission) == (0.0, 1.0)
    assert commanded(0.0, -4.5, who, mission=mission) == (0.0, -1.0)
    assert commanded(2.0, 0.1, who, mission=mission) == (-0.5, 0.0)


@pytest.mark.parametrize("who", ["autopilot", "planner"])
def test_who_shall_survive_stands_still(who: str) -> None:
    assert commanded(8.0, 3.0, who, mission=MISSIONS["survive"], systems=("power",)) == (0.0, 0.0)


def test_the_planner_passes_the_waypoint_after_the_next() -> None:
    """On a traverse, B is no target to keep off."""
    envs = MarsRoverVectorEnv(1, conditions=BARE, world=World(num_maps=1, mission=MISSIONS["traverse"]))
    envs.reset(seed=0)
    s = envs._batch.state[0]
    s[d.YAW], s[d.REWARDED] = 0.0, 0.0
    s[d.TARGET_AX], s[d.TARGET_AY] = s[d.X] + 8.0, s[d.Y]
    s[d.TARGET_BX], s[d.TARGET_BY] = s[d.X] + 4.0, s[d.Y]
    planner = envs.planner()
    planner.commands()
    assert np.ptp(planner.way(0)[:, 1]) < 0.3
