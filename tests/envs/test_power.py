from __future__ import annotations

import math
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rover_cl_envs import power as module
from rover_cl_envs import power_plant
from rover_cl_envs.air import CLEAR, COLDEST, GLOBAL, REGIONAL
from rover_cl_envs.batch import Batch
from rover_cl_envs.conditions import RANGES, Conditions
from rover_cl_envs.env import MarsRoverEnv
from rover_cl_envs.mission import OUTCOMES, Mission
from rover_cl_envs.power import (
    BALANCE,
    CHARGE,
    CLEANEST,
    DRIVING,
    DUST,
    HEATING,
    SUPPLY,
    TEMPERATURE,
)
from rover_cl_envs.power_plant import MER_PLANT as MER
from rover_cl_envs.power_plant import PowerPlant
from rover_cl_envs.rovers import ROVERS
from rover_cl_envs.sensors import SIZE
from rover_cl_envs.spaces import observation_space
from rover_cl_envs.streams import storm
from rover_cl_envs.sun import SOL_SECONDS, daily_insolation
from rover_cl_envs.vector_env import MarsRoverVectorEnv

POWER: dict[str, Any] = {"systems": ("power",), "num_maps": 2}
BARE: dict[str, Any] = {"relief": 0.0, "patch_cover": 0.0, "outcrop_cover": 0.0, "rock_abundance": 0.0}
CLEAN: dict[str, Any] = {**BARE, "dust_fall": 0.0, "cleaning": 0.0}
STAND = np.zeros((1, 2), dtype=np.float32)
AHEAD = np.array([[1.0, 0.0]], dtype=np.float32)


def rover(**changes: Any) -> MarsRoverVectorEnv:
    """One rover on bare level ground without dust, where nothing else is said."""
    conditions = Conditions(**{**CLEAN, **changes})
    envs = MarsRoverVectorEnv(1, conditions=conditions, time_limit=10**6, **POWER)
    envs.reset(seed=0)
    return envs


def row(envs: MarsRoverVectorEnv) -> NDArray[np.float32]:
    own: NDArray[np.float32] = batch(envs).power[0]
    return own


def batch(envs: MarsRoverVectorEnv) -> Batch:
    return envs._batch


def sol(envs: MarsRoverVectorEnv, rate: float) -> NDArray[np.float64]:
    """The power rows of a rover that stands for a sol, before it and after every step."""
    rows = [row(envs).copy()]
    for _ in range(round(SOL_SECONDS / (5 * rate))):
        envs.step(STAND)
        rows.append(row(envs).copy())
    return np.array(rows, dtype=np.float64)


@pytest.mark.parametrize(
    "sky", [{}, {"optical_depth": 3.0}, {"optical_depth": 10.8}, {"season": 70.0, "latitude": -14.6}], ids=str
)
def test_a_sol_brings_what_the_energy_law_says(sky: dict[str, Any]) -> None:
    rate = 12.0  # a minute a step
    rows = sol(rover(**sky, clock_rate=rate, dust_factor=0.7), rate)
    conditions = Conditions(**sky)
    received = daily_insolation(conditions.season, conditions.optical_depth, conditions.latitude)
    brought = (rows[1:, SUPPLY] + rows[:-1, SUPPLY]).sum() / 2 * 5 * rate / 3600
    assert brought == pytest.approx(0.2126 * 0.7 * received, rel=0.005)


def test_heaters_of_a_sol_take_what_was_reported() -> None:
    heating = sol(rover(clock_rate=12.0), 12.0)[1:, HEATING].sum() / 60
    assert heating == pytest.approx(130, abs=5)  # [Wh], Opportunity in 2007


def test_night_drains_and_day_charges() -> None:
    rows = sol(rover(clock_rate=60.0, time_of_sol=0.0, initial_charge=0.5), 60.0)[1:]
    night, noon = rows[:60], rows[130:160]
    assert (night[:, SUPPLY] == 0).all() and (night[:, BALANCE] < 0).all()
    assert (np.diff(night[:, CHARGE]) < 0).all()
    assert (noon[:, BALANCE] > 0).all() and (np.diff(noon[:, CHARGE]) > 0).all()
    assert night[:, TEMPERATURE].max() < noon[:, TEMPERATURE].min()


def test_balance_is_what_comes_in_less_what_is_used() -> None:
    rate = 40.0
    envs = rover(clock_rate=rate, initial_charge=0.5, cold=20.0)
    before = row(envs).copy()
    envs.step(AHEAD)
    p, hours = row(envs).astype(float), 5 * rate / 3600
    used = (MER.awake + p[HEATING]) * hours + p[DRIVING] * 5 / 3600  # the motors run for 5 s of it
    balance = (before[SUPPLY] + p[SUPPLY]) / 2 * hours - used
    assert p[BALANCE] == pytest.approx(balance, rel=1e-4)
    assert p[CHARGE] - before[CHARGE] == pytest.approx(MER.charging * balance, abs=1e-3)


def test_panels_that_face_the_sun_give_more() -> None:
    def supply(heading: float, up: float) -> float:
        """Power on a slope of 20 degrees that rises towards `heading` of the sun's."""
        envs = rover(time_of_sol=0.3, slope_east=up * math.tan(math.radians(20)))
        b = batch(envs)
        b.state[0, 2] = heading
        envs.step(STAND)
        return float(row(envs)[SUPPLY])

    level = supply(0.0, 0.0)
    for heading in (0.0, 1.0, math.pi / 2, 3.0, -2.0):  # whatever the rover's own heading is
        assert supply(heading, 0.0) == pytest.approx(level, rel=1e-5)
        assert supply(heading, -1.0) > 1.2 * level  # falls to the east, where the sun is in the morning
        assert supply(heading, 1.0) < 0.8 * level
        assert supply(heading, -1.0) == pytest.approx(supply(0.0, -1.0), rel=1e-3)


def test_sun_is_told_as_the_rover_sees_it() -> None:
    for time, east in ((0.3, 1.0), (0.7, -1.0)):
        envs = rover(time_of_sol=time, season=0.0, latitude=0.0)
        envs.step(STAND)
        block = envs.step(STAND)[0][0, SIZE:]
        yaw = envs.scene().pose[2]
        bearing = (0.0 if east > 0 else math.pi) - yaw
        np.testing.assert_allclose(block[5:7], (math.cos(bearing), math.sin(bearing)), atol=1e-3)
        assert block[4] == pytest.approx(math.cos(0.2 * 2 * math.pi), abs=1e-3)
        np.testing.assert_allclose(
            block[7:9], (math.cos(2 * math.pi * time), math.sin(2 * math.pi * time)), atol=2e-3
        )
        sun = envs.scene().sun
        assert sun is not None and sun == pytest.approx(
            (0.0 if east > 0 else math.pi, 0.1 * math.pi), abs=2e-3
        )
        assert envs.scene().charge == pytest.approx(block[0])


def test_block_tells_the_power_row() -> None:
    envs = rover(optical_depth=1.5, dust_factor=0.6, battery_health=0.8, initial_charge=0.5)
    block = envs.reset(seed=0)[0][0, SIZE:]
    p = row(envs)
    assert block[0] == pytest.approx(0.4)
    assert block[1] == pytest.approx(p[SUPPLY] / MER.reference) and 0.2 < block[1] < 1
    assert (block[2], block[3], block[10]) == pytest.approx((0.3, 0.6, 0))
    block = envs.step(AHEAD)[0][0, SIZE:]
    assert block[9] == pytest.approx((row(envs)[TEMPERATURE] + 50) / 50, abs=1e-5)
    assert block[10] == pytest.approx(row(envs)[DRIVING] / MER.reference) and block[10] > 0.1


def test_generator_gives_the_same_by_day_and_night() -> None:
    rows = sol(rover(rover="msl", clock_rate=60.0, optical_depth=8.0), 60.0)
    assert (rows[:, SUPPLY] == 110).all()
    assert rows[-1, CHARGE] > rows[0, CHARGE]


def test_driving_costs_what_the_wheels_do() -> None:
    def motors(steps: int = 2, **changes: Any) -> float:
        envs = rover(**changes)
        for _ in range(steps):
            envs.step(AHEAD)
        return float(row(envs)[DRIVING])

    usual = motors()
    assert 20 < usual < 60
    assert motors(ground_fluffiness=2 / 3) > usual  # sand
    assert motors(motor_gain=0.3) > 1.1 * usual
    assert motors(cold=60.0, time_of_sol=0.1) > 1.4 * usual
    assert motors(wheel_health=(1, 1, 1, 0, 1, 1), ground_fluffiness=0.0) < motors(ground_fluffiness=0.0)
    standing = rover()
    standing.step(STAND)
    assert row(standing)[DRIVING] == 0


def test_cold_motors_are_weak() -> None:
    def covered(**changes: Any) -> float:
        return float(rover(**changes).step(AHEAD)[0][0, 14])

    night = {"time_of_sol": 0.1, "cold": 60.0, "gravity": 12.0}
    assert covered(**night) < covered(gravity=12.0)
    assert covered(gravity=12.0) == pytest.approx(covered(gravity=12.0, time_of_sol=0.5))
    envs = rover(**night)
    kept = batch(envs).conditions.copy()
    envs.step(AHEAD)
    np.testing.assert_array_equal(batch(envs).conditions, kept)


def test_dust_falls_and_gusts_clean() -> None:
    rate = 60.0
    dusty = rover(clock_rate=rate, dust_fall=0.02)
    assert sol(dusty, rate)[-1, DUST] == pytest.approx(0.8 * math.exp(-0.02), rel=1e-3)
    windy = rover(clock_rate=rate, cleaning=1.0, dust_factor=0.5)
    for _ in range(20):
        share = sol(windy, rate)[:, DUST]
        rises = share[1:] / share[:-1]
        assert ((rises == 1) | (rises >= 1.05 - 1e-5) | (share[1:] > CLEANEST - 1e-5)).all()
    assert row(windy)[DUST] == pytest.approx(CLEANEST)
    assert sol(rover(clock_rate=rate, cleaning=1.0, dust_factor=0.99), rate)[-1, DUST] == pytest.approx(0.99)


def test_number_of_gusts_is_the_conditions() -> None:
    conditions = Conditions(**{**CLEAN, "clock_rate": 720.0, "cleaning": 0.5, "dust_factor": 0.2})
    envs = MarsRoverVectorEnv(2000, conditions=conditions, **POWER)
    envs.reset(seed=0)
    steps = round(SOL_SECONDS / 3600)
    gusts = 0
    for _ in range(steps):
        before = batch(envs).power[:, DUST].copy()
        envs.step(np.zeros((2000, 2)))
        gusts += int((batch(envs).power[:, DUST] > before).sum())
    expected = 2000 * 0.5 * steps * 3600 / SOL_SECONDS
    assert gusts == pytest.approx(expected, abs=4 * math.sqrt(expected))


@pytest.mark.parametrize("mission", [Mission(), Mission(power=-7.0)])
def test_empty_battery_ends_the_episode(mission: Mission) -> None:
    night = Conditions(**{**CLEAN, "time_of_sol": 0.8, "clock_rate": 200.0, "initial_charge": 0.1})
    env = MarsRoverEnv(conditions=night, mission=mission, **POWER)
    env.reset(seed=0)
    total = 0.0
    for _ in range(200):
        _, reward, terminated, truncated, _ = env.step((0.0, 0.0))
        assert not truncated
        total = reward
        if terminated:
            break
    assert env.outcome == "power" and env._batch.power[0, CHARGE] == 0
    assert env.reward_terms()["end"] == mission.power
    assert total == pytest.approx(sum(env.reward_terms().values()))
    assert OUTCOMES[-1] == "power"


def test_without_the_system_nothing_of_it_counts() -> None:
    dark = GLOBAL.over(Conditions(initial_charge=0.05, cold=60.0, clock_rate=720.0, time_of_sol=0.0))
    dark = replace(dark, optical_depth=0.5)
    plain, other = (MarsRoverVectorEnv(8, num_maps=2, conditions=c) for c in (Conditions(), dark))
    np.testing.assert_array_equal(plain.reset(seed=0)[0], other.reset(seed=0)[0])
    for _ in range(30):
        one, two = plain.step(np.tile(AHEAD, (8, 1))), other.step(np.tile(AHEAD, (8, 1)))
        np.testing.assert_array_equal(one[0], two[0])
        np.testing.assert_array_equal(one[1], two[1])
    assert batch(plain).power.shape == (0, module.POWER_STATE)
    assert plain.scene().charge is None and plain.scene().sun is None


def test_with_the_system_a_warm_rover_drives_as_without() -> None:
    plain = MarsRoverVectorEnv(8, num_maps=2)
    other = MarsRoverVectorEnv(8, **POWER, conditions=Conditions(cleaning=0.0))
    plain.reset(seed=0)
    other.reset(seed=0)
    for _ in range(60):
        one, two = plain.step(np.tile(AHEAD, (8, 1))), other.step(np.tile(AHEAD, (8, 1)))
        np.testing.assert_array_equal(one[0], two[0][:, :SIZE])
        np.testing.assert_array_equal(one[1], two[1])


def test_neither_batch_nor_threads_change_a_rover() -> None:
    conditions = Conditions(clock_rate=300.0, cleaning=1.0, initial_charge=0.2)
    actions = np.random.default_rng(0).uniform(-1, 1, (60, 96, 2)).astype(np.float32)

    def told(count: int, first: int, threads: int) -> list[NDArray[np.float32]]:
        envs = MarsRoverVectorEnv(
            count, conditions=conditions, threads=threads, autoreset_mode=AutoresetMode.SAME_STEP, **POWER
        )
        out = [envs.reset(seed=5 + first)[0]]
        out += [envs.step(a[first : first + count])[0] for a in actions]
        return out

    whole = np.array(told(96, 0, 1))
    np.testing.assert_array_equal(told(96, 0, 2), whole)
    np.testing.assert_array_equal(told(1, 40, 1), whole[:, 40:41])


FUZZED = MarsRoverVectorEnv(4, time_limit=8, **POWER)


@given(
    scalars=st.fixed_dictionaries({name: st.floats(*bounds) for name, bounds in RANGES.items()}),
    later=st.fixed_dictionaries({name: st.floats(*bounds) for name, bounds in RANGES.items()}),
    actions=st.lists(st.tuples(*[st.floats(-1, 1, width=32)] * 2), min_size=2, max_size=12),
    seed=st.integers(0, 2**31),
)
@settings(deadline=None, max_examples=80)
def test_battery_keeps_between_empty_and_full_in_any_world(
    scalars: dict[str, Any], later: dict[str, Any], actions: list[tuple[float, float]], seed: int
) -> None:
    space = observation_space(("power",))
    conditions = Conditions(**scalars)
    FUZZED.set_conditions(conditions)
    observations = FUZZED.reset(seed=seed)[0]
    for k, action in enumerate(actions):
        if k == len(actions) // 2:
            conditions = Conditions(**later)
            FUZZED.set_conditions(conditions)
        assert all(o in space for o in observations)
        observations, rewards, *_ = FUZZED.step(np.tile(np.array(action, dtype=np.float32), (4, 1)))
        p = batch(FUZZED).power
        assert np.isfinite(p).all() and np.isfinite(rewards).all()
        assert (p[:, CHARGE] >= 0).all()
        assert (p[:, CHARGE] <= MER.capacity * conditions.battery_health * (1 + 1e-6)).all()
        assert (p[:, SUPPLY] >= 0).all() and (p[:, DUST] <= 1).all() and (p[:, TEMPERATURE] >= COLDEST).all()


def test_plants_are_laid_out_as_the_kernel_reads_them() -> None:
    other = {"heating": "HEATER", "stall": "STALL_HEAT"}
    values = MER.to_array()
    assert len(values) == len(fields(PowerPlant)) + 1
    for column, field in enumerate(fields(PowerPlant)):
        assert getattr(power_plant, other.get(field.name, field.name.upper())) == column
        assert values[column] == pytest.approx(getattr(MER, field.name))
    assert values[power_plant.REFERENCE] == pytest.approx(MER.reference)


def test_plants_are_those_of_the_rovers() -> None:
    assert MER.area * MER.efficiency == pytest.approx(0.2126, abs=5e-4)
    plants = {name: each.plant for name, each in ROVERS.items() if each.plant}
    assert {name for name, plant in plants.items() if plant.generator} == {"msl", "m2020"}
    unknown = replace(ROVERS["mer"], name="mine", plant=None)
    with pytest.raises(ValueError, match=r"Rover\.plant of 'mine' is None"):
        MarsRoverVectorEnv(1, rover=unknown, **POWER)
    with pytest.raises(ValueError, match=r"Rover\.plant of 'mine' is None"):
        rover(rover=unknown)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"area": -1.0}, "PowerPlant.area is -1.0"),
        ({"awake": math.nan}, "PowerPlant.awake is nan"),
        ({"capacity": 0.0}, "PowerPlant.capacity is 0"),
        ({"heating": "hot"}, "PowerPlant.heating is 'hot', expected a finite number"),
        ({"idle": True}, "PowerPlant.idle is True, expected a finite number"),
        ({"area": 0.0}, "expected a source of power"),
    ],
    ids=str,
)
def test_wrong_plants_are_named(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        replace(MER, **changes)


def test_cells_that_cannot_be_charged_only_run_down() -> None:
    charge = sol(rover(rover="sojourner", clock_rate=60.0), 60.0)[:, CHARGE]
    assert (np.diff(charge) <= 0).all() and charge[-1] < charge[0]


def test_weather_changes_the_air_only() -> None:
    base = Conditions(gravity=5.0, season=10.0)
    for weather in (CLEAR, REGIONAL, GLOBAL):
        over = weather.over(base)
        assert replace(over, optical_depth=0.5, dust_fall=0.003, cleaning=0.01) == base
        assert over.optical_depth == weather.optical_depth
    assert CLEAR.over(Conditions()) == Conditions()


def test_storm_comes_and_goes() -> None:
    stream = storm(steps=1000)
    assert stream.world.systems == ("power", "mission")
    depths = [stream.at(step).optical_depth for step in (0, 999, 1125, 1250, 3999, 4125, 4250, 4999)]
    np.testing.assert_allclose(depths, [0.5, 0.5, 4.25, 8, 8, 4.25, 0.5, 0.5])
    for segment in stream.segments:
        assert segment.drift.at(segment.steps) == stream.tasks[segment.task].conditions
