"""Rovers of one batch that are different vehicles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rover_cl_envs import dynamics as d
from rover_cl_envs.batch import Batch
from rover_cl_envs.conditions import Conditions
from rover_cl_envs.drift import Drift
from rover_cl_envs.fleet import Fleet
from rover_cl_envs.rovers import M2020, MER, MSL, ROVERS, SOJOURNER
from rover_cl_envs.rows import VEHICLE
from rover_cl_envs.vector_env import MarsRoverVectorEnv
from rover_cl_envs.world import World

AHEAD = (1.0, 0.0)


def actions(count: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.tile(np.array(AHEAD, dtype=np.float32), (count, 1))


def test_a_fleet_holds_each_vehicle_once() -> None:
    mine = replace(MSL, name="mine", mass=950.0)
    fleet = Fleet("msl")
    assert [fleet.place(r) for r in (None, "msl", MSL, "mer", mine, MER, replace(mine))] == [
        0,
        0,
        0,
        1,
        2,
        1,
        2,
    ]
    arrays = fleet.to_arrays()
    for place, rover in enumerate((MSL, MER, mine)):
        np.testing.assert_array_equal(arrays.rovers[place], rover.to_array())
        np.testing.assert_array_equal(arrays.wheels[place], rover.wheels)
        np.testing.assert_array_equal(arrays.soils[place], rover.soil_table())


def test_each_rover_of_a_batch_drives_as_in_a_world_of_its_own() -> None:
    names = [*ROVERS, None]
    mixed = MarsRoverVectorEnv(5, num_maps=2, conditions=[Conditions(rover=name) for name in names])
    together = [mixed.reset(seed=7)[0], *(mixed.step(actions(5))[0] for _ in range(30))]
    for i, name in enumerate(names):
        alone = MarsRoverVectorEnv(1, num_maps=2, rover=name or "mer")
        apart = [alone.reset(seed=7 + i)[0], *(alone.step(actions(1))[0] for _ in range(30))]
        for one, other in zip(together, apart, strict=True):
            np.testing.assert_array_equal(one[i], other[0])


def test_travel_is_that_of_the_top_speed() -> None:
    batch = Batch(4, World(num_maps=1), threads=1)
    bare = Conditions(ground_fluffiness=0.0, relief=0.0, rock_abundance=0.0, patch_cover=0.0)
    batch.set_conditions([replace(bare, rover=rover) for rover in (SOJOURNER, MER, MSL, M2020)])
    batch.start(np.ones(4, dtype=np.bool_))
    batch.step(actions(4))
    speeds = batch.state[:, d.AHEAD] / d.STEP_SECONDS
    np.testing.assert_allclose(speeds, [0.01, 0.05, 0.038, 0.042], rtol=0.03)
    # The observation counts in metres, whatever the vehicle: what it is shows in how far it gets.
    np.testing.assert_allclose(batch.observations[:, 14], batch.state[:, d.AHEAD] / 0.25, rtol=1e-5)


def test_a_drift_swaps_the_rover_where_it_stands() -> None:
    drift = Drift(kind="linear", start=Conditions(), end=Conditions(rover="msl"), period=8)
    envs = MarsRoverVectorEnv(2, num_maps=1)
    envs.reset(seed=0)
    envs.follow(drift)
    travel, wheelbases, places = [], [], []
    for _ in range(5):
        places.append(envs.scene().pose)
        travel.append(float(envs.step(actions(2))[0][0, 14]))
        wheelbases.append(float(np.ptp(envs.scene().wheels[:, 0])))
    assert wheelbases == pytest.approx([MER.wheelbase] * 2 + [MSL.wheelbase] * 3)
    assert max(travel[2:]) < 0.8 < min(travel[:2])
    assert np.abs(np.diff([p[:2] for p in places], axis=0)).max() < 0.3  # nobody is put elsewhere


def test_scene_shows_the_rovers_own_limit() -> None:
    envs = MarsRoverVectorEnv(2, num_maps=1, conditions=[Conditions(rover="msl"), Conditions()])
    envs.reset(seed=[0, 0])
    assert [envs.scene(i).ground.climbed for i in (0, 1, 0)] == [0.5, 0.2, 0.5]
    assert [envs.scene(i).rover for i in (0, 1)] == ["msl", "mer"]
    assert envs.scene(0).wheel_size == (0.5, 0.4)


def test_a_world_of_another_rover_lends_it_to_conditions_that_name_none() -> None:
    batch = Batch(2, World(rover="sojourner"), threads=1)
    batch.set_conditions([Conditions(), Conditions(rover="mer")])
    assert [batch.vehicle(i).name for i in (0, 1)] == ["sojourner", "mer"]
    assert list(batch.counters[:, VEHICLE]) == [0, 1]
    with pytest.raises(ValueError, match="conditions has 1 entries"):
        batch.set_conditions([Conditions()])
