from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rover_cl_envs import dynamics
from rover_cl_envs.conditions import WHEELS, Conditions
from rover_cl_envs.env import MarsRoverEnv
from rover_cl_envs.power_plant import MER_PLANT
from rover_cl_envs.rovers import MER, MSL, ROVERS, Rover, get_rover

each_rover = pytest.mark.parametrize("rover", ROVERS.values(), ids=list(ROVERS))


@each_rover
def test_wheels_are_where_their_names_say(rover: Rover) -> None:
    assert rover.wheels.shape == (len(WHEELS), 2)
    for name, (x, y) in zip(WHEELS, rover.wheels, strict=True):
        side, place = name.split()
        assert np.sign(y) == {"left": 1, "right": -1}[side]
        assert np.sign(x) == {"front": 1, "middle": 0, "rear": -1}[place]
    assert np.ptp(rover.wheels[:, 0]) == pytest.approx(rover.wheelbase)
    assert np.ptp(rover.wheels[:, 1]) == pytest.approx(rover.track)


@each_rover
def test_arrays_are_laid_out_as_the_kernel_reads_them(rover: Rover) -> None:
    array = rover.to_array()
    assert array[dynamics.MASS] == pytest.approx(rover.mass)
    assert array[dynamics.RADIUS] == pytest.approx(rover.wheel_radius)
    assert array[dynamics.WHEELBASE] == pytest.approx(rover.wheelbase)
    assert array[dynamics.TRACK] == pytest.approx(rover.track)
    assert array[dynamics.STALL] == pytest.approx(rover.stall_torque)
    assert array[dynamics.OBSTACLE] == pytest.approx(rover.obstacle)
    assert array[dynamics.FULL] == pytest.approx(rover.top_speed * dynamics.STEP_SECONDS)
    assert array[dynamics.TIP_GRADE] == pytest.approx(rover.tip_grade)
    assert array[dynamics.PRESSURE] == pytest.approx(rover.ground_pressure)
    assert rover.soil_table().shape == (4, 9)


@each_rover
def test_softer_soils_carry_less_and_sink_more(rover: Rover) -> None:
    climbs = [soil.steepest_climb for soil in rover.soils]
    assert climbs == sorted(climbs, reverse=True)
    sinkage = [soil.alpha for soil in rover.soils]
    assert sinkage == sorted(sinkage)


def test_mer_is_mer() -> None:
    assert MER.mass == pytest.approx(174, abs=5)
    assert 2 * np.pi * MER.wheel_radius == pytest.approx(0.80, abs=0.01)
    assert MER.top_speed == 0.05
    # A step at full drive is the distance that top speed makes in its seconds.
    assert MER.step_length == dynamics.STEP_LENGTH
    assert MER.to_array()[dynamics.TRACK] == dynamics.PULL_TRACK


def test_rovers_go_by_name() -> None:
    assert get_rover("mer") is MER
    with pytest.raises(ValueError, match=r"unknown rover 'mr'.*Did you mean 'mer'.*Valid: .*mer"):
        get_rover("mr")


def test_a_rover_of_ones_own_drives_by_its_own_numbers() -> None:
    mine = replace(MSL, name="mine", top_speed=0.1, wheelbase=3.0)
    env = MarsRoverEnv(rover=mine, conditions=Conditions(ground_fluffiness=0.0, relief=0.0, patch_cover=0.0))
    env.reset(seed=0)
    x, y, _ = env.scene().pose
    env.step((1.0, 0.0))
    there = env.scene()
    # Bedrock takes a fifth of a percent as slip and a few percent of the motors' speed.
    assert 0.9 < math.dist((x, y), there.pose[:2]) / (0.1 * 5) < 1.0
    assert np.ptp(there.wheels[:, 0]) == pytest.approx(3.0) and there.ground.climbed == MSL.obstacle


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"name": ""}, r"Rover\.name is ''"),
        ({"mass": math.nan}, r"Rover\.mass is nan, expected a number from 0\.1"),
        ({"wheel_width": 0}, r"Rover\.wheel_width is 0"),
        ({"tip_grade": -1.0}, r"Rover\.tip_grade is -1\.0"),
        ({"ground_pressure": "11"}, r"Rover\.ground_pressure is '11', expected a number"),
        ({"mass": True}, r"Rover\.mass is True, expected a number"),
        ({"plant": 3}, r"Rover\.plant is 3, expected a PowerPlant or None"),
        ({"soils": 4}, r"Rover\.soils is 4, expected four"),
        ({"soils": MER.soils[:3]}, r"Rover\.soils is .* expected four"),
        ({"top_speed": 0.5}, r"Rover\.top_speed is 0\.5, expected at most 0\.212"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_rover_that_cannot_be_is_refused(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        replace(MER, **changes)


OWN: dict[str, Any] = {
    "name": "mine",
    "mass": 60,
    "wheel_radius": 0.1,
    "wheel_width": 0.12,
    "wheelbase": 1.0,
    "track": 0.8,
    "top_speed": 0.08,
    "obstacle": 0.15,
}


def test_a_fitted_rover_has_the_plant_it_is_given() -> None:
    assert Rover.fitted(**OWN).plant is None
    mine = Rover.fitted(**OWN, plant=MER_PLANT)
    assert mine == replace(Rover.fitted(**OWN), plant=MER_PLANT)
    env = MarsRoverEnv(rover=mine, systems=("power",), num_maps=1)
    assert env.reset(seed=0)[0] in env.observation_space


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"name": ""}, r"Rover\.name is '', expected a word"),
        ({"mass": "60"}, r"Rover\.mass is '60', expected a number from 0\.1 to 100000"),
        ({"mass": True}, r"Rover\.mass is True, expected a number"),
        (
            {"mass": 50000},
            r"Rover\.mass is 50000, expected at most 381\.1 on wheels of radius 0\.1 m and width 0",
        ),
        (
            {"wheel_radius": 0.01, "wheel_width": 2, "mass": 0.1, "plant": 3},
            r"Rover\.plant is 3, expected a Power",
        ),
        ({"wheel_width": None}, r"Rover\.wheel_width is None, expected a number from 0\.01 to 2"),
        ({"wheelbase": "long"}, r"Rover\.wheelbase is 'long', expected a number from 0\.1 to 10"),
        ({"track": math.inf}, r"Rover\.track is inf, expected a number from 0\.1 to 10"),
        ({"top_speed": 0.5}, r"Rover\.top_speed is 0\.5, expected at most 0\.16"),
        ({"obstacle": -1}, r"Rover\.obstacle is -1, expected a number from 0\.0 to 2"),
        ({"tip_grade": True}, r"Rover\.tip_grade is True, expected a number from 0\.1 to 10"),
        ({"stall_torque": [40]}, r"Rover\.stall_torque is \[40\], expected a number from 0\.001"),
        (
            {"mass": 1000, "wheel_radius": 0.01, "wheel_width": 0.01},
            r"Rover\.mass is 1000, expected at most 0\.\d+ on wheels",
        ),
        (
            {"mass": 0.1, "wheel_radius": 0.01, "wheel_width": 0.01},
            r"Rover\.mass is 0\.1 on wheels .* no closed form of soil\.py fits them on drift",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_rover_that_cannot_be_fitted_is_refused_by_the_argument(
    changes: dict[str, Any], named: str
) -> None:
    with pytest.raises(ValueError, match=named) as refused:
        Rover.fitted(**{**OWN, **changes})
    assert "\n" not in str(refused.value)


def test_what_is_no_rover_is_refused() -> None:
    with pytest.raises(ValueError, match=r"rover is 3, expected a name \(sojourner, mer.*or a Rover"):
        get_rover(3)  # type: ignore[arg-type]
