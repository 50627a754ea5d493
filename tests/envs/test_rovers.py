from __future__ import annotations

import numpy as np
import pytest

from rover_cl_envs import dynamics
from rover_cl_envs.conditions import WHEELS
from rover_cl_envs.rovers import MER, ROVERS, Rover, get_rover

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
    assert MER.top_speed * dynamics.STEP_SECONDS == pytest.approx(dynamics.STEP_LENGTH)


def test_rovers_go_by_name() -> None:
    assert get_rover("mer") is MER
    with pytest.raises(ValueError, match=r"unknown rover 'mr'.*Did you mean 'mer'.*Valid: .*mer"):
        get_rover("mr")
