"""The rover on bare ground of one soil, where what it must do is known beforehand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rover_cl_envs import dynamics as d
from rover_cl_envs.batch import Batch
from rover_cl_envs.conditions import WHEELS, Conditions
from rover_cl_envs.mission import OUTCOMES, STUCK_STEPS, Mission
from rover_cl_envs.soil import EMBEDDED_SLIP
from rover_cl_envs.world import World


def dead(*wheels: int) -> tuple[float, ...]:
    """Wheel health with those wheels dead; the index is that of `conditions.WHEELS`."""
    return tuple(0.0 if w in wheels else 1.0 for w in range(6))


BARE: dict[str, Any] = {"relief": 0.0, "patch_cover": 0.0, "outcrop_cover": 0.0, "rock_abundance": 0.0}
NOWHERE = Mission(near=900.0, far=900.0, apart=2.0)  # targets out of reach
BEDROCK, REGOLITH, SAND, DRIFT = 0.0, 1 / 3, 2 / 3, 1.0
AHEAD, BACK = (1.0, 0.0), (-1.0, 0.0)
RIGHT_FRONT, LEFT_FRONT = dead(3), dead(0)


@dataclass(frozen=True)
class Drive:
    """Where n rovers stand that started at the origin, headed east; arrays of n."""

    state: NDArray[np.float32]
    outcomes: list[str]

    @property
    def slip(self) -> NDArray[np.float32]:
        mean: NDArray[np.float32] = self.state[:, [d.SLIP_L, d.SLIP_R]].mean(axis=1)
        return mean

    def __getitem__(self, column: int) -> NDArray[np.float32]:
        return self.state[:, column]


def drive(
    worlds: Sequence[Conditions], command: tuple[float, float] = AHEAD, steps: int = 12, yaw: float = 0.0
) -> Drive:
    """Drive one rover in each world. An outcome is the first that the rover had."""
    batch = Batch(len(worlds), World(mission=NOWHERE, num_maps=1, time_limit=10**6), threads=1)
    batch.set_conditions(worlds)
    batch.start(np.ones(len(worlds), dtype=np.bool_))
    batch.state[:, [d.X, d.Y]] = 0.0
    batch.state[:, d.YAW] = yaw
    # A step at rest, against the bias, settles the rover under its new heading.
    batch.step(np.array([(0.0, -w.steering_bias) for w in worlds], dtype=np.float32))
    ends = np.zeros(len(worlds), dtype=np.int8)
    for _ in range(steps):
        batch.step(np.tile(np.array(command, dtype=np.float32), (len(worlds), 1)))
        ends = np.where(ends == 0, batch.outcomes, ends)
    return Drive(batch.state.copy(), [OUTCOMES[code] for code in ends])


def bare(soil: float = REGOLITH, degrees: float = 0.0, **changes: Any) -> Conditions:
    slope = math.tan(math.radians(degrees))
    return Conditions(**{**BARE, "ground_fluffiness": soil, "slope_east": slope, **changes})


def steepest(soil: float, command: tuple[float, float] = AHEAD, **changes: Any) -> float:
    """Steepest slope [deg] at which the soil still carries a rover that drives up; -inf if none from -10."""
    angles = np.arange(-10.0, 40.0, 0.05)
    uphill = drive([bare(soil, a * command[0], **changes) for a in angles], command, steps=1)
    worst = np.maximum(uphill[d.SLIP_L], uphill[d.SLIP_R])
    carried = angles[worst < EMBEDDED_SLIP - 1e-3]
    return float(carried.max()) if len(carried) else -math.inf


def test_slip_on_level_ground() -> None:
    ground = drive([bare(soil) for soil in (BEDROCK, REGOLITH, SAND, DRIFT)], steps=20)
    assert abs(ground.slip[0]) < 0.01
    assert ground.slip[1] == pytest.approx(0.065, abs=0.015)
    assert ground.slip[2] == pytest.approx(0.25, abs=0.03)
    assert ground.slip[3] == pytest.approx(EMBEDDED_SLIP)
    assert ground.outcomes == ["running", "running", "running", "embedded"]
    np.testing.assert_allclose(ground[d.Y], 0, atol=1e-5)


def test_drift_embeds_as_soon_as_it_counts() -> None:
    assert drive([bare(DRIFT)], steps=STUCK_STEPS - 1).outcomes == ["running"]
    assert drive([bare(DRIFT)], steps=STUCK_STEPS).outcomes == ["embedded"]
    assert abs(drive([bare(DRIFT)], steps=STUCK_STEPS)[d.X][0]) < 0.05


def test_a_pause_does_not_free_a_spinning_rover() -> None:
    batch = Batch(1, World(mission=NOWHERE, num_maps=1, time_limit=99), threads=1)
    batch.set_conditions(bare(DRIFT))
    batch.start(np.ones(1, dtype=np.bool_))
    ends = []
    for command in (AHEAD, (0.0, 0.0), (0.0, 0.0), AHEAD):
        batch.step(np.array([command], dtype=np.float32))
        ends.append(OUTCOMES[batch.outcomes[0]])
    assert ends == ["running"] * 3 + ["embedded"]


def test_steepest_climbs() -> None:
    assert steepest(REGOLITH) == pytest.approx(14.3, abs=0.5)
    assert steepest(SAND) == pytest.approx(9.5, abs=0.3)
    assert steepest(DRIFT) < 0
    assert steepest(BEDROCK) > 30
    assert steepest(REGOLITH, BACK) == pytest.approx(steepest(REGOLITH), abs=0.1)


def test_a_slope_too_steep_embeds() -> None:
    angles = (5.0, 12.0, 16.0, 20.0)
    assert drive([bare(REGOLITH, a) for a in angles]).outcomes == ["running"] * 2 + ["embedded"] * 2


def test_distance_is_rim_travel_less_slip() -> None:
    level = drive([bare(BEDROCK), bare(REGOLITH), bare(SAND)], steps=1)
    for soil in range(3):
        moved = level[d.AHEAD][soil]
        assert 0 < moved < d.STEP_LENGTH * (1 - level.slip[soil]) + 1e-6
    assert (np.diff(level[d.AHEAD]) < 0).all()


def test_dead_front_wheel_costs_climb() -> None:
    """The full stress integral with five driven wheels: 5.4 to 7.3 degrees on regolith, 1 to 3 on sand."""
    assert 5.4 <= steepest(REGOLITH, wheel_health=RIGHT_FRONT) <= 7.3
    assert 1.0 <= steepest(SAND, wheel_health=RIGHT_FRONT) <= 3.0
    level = drive([bare(SAND, wheel_health=RIGHT_FRONT)])
    assert 0.5 < level.slip[0] < 0.9
    assert steepest(REGOLITH, wheel_health=LEFT_FRONT) == steepest(REGOLITH, wheel_health=RIGHT_FRONT)


def test_half_dead_wheel_lies_between() -> None:
    half = steepest(REGOLITH, wheel_health=(1, 1, 1, 0.5, 1, 1))
    assert steepest(REGOLITH, wheel_health=RIGHT_FRONT) < half < steepest(REGOLITH)


@pytest.mark.parametrize("wheel", range(6), ids=WHEELS)
@pytest.mark.parametrize("command", [AHEAD, BACK], ids=["ahead", "back"])
def test_each_wheel_can_be_dead_dragged_weak_or_free(wheel: int, command: tuple[float, float]) -> None:
    worlds: list[dict[str, Any]] = [
        {},
        {"wheel_health": dead(wheel), "wheel_drag": 0.0},
        {"wheel_health": tuple(0.5 if w == wheel else 1.0 for w in range(6))},
        {"wheel_health": dead(wheel)},
    ]
    level = drive([bare(**world) for world in worlds], command, steps=3)
    uphill = drive([bare(degrees=6.0 * command[0], **world) for world in worlds], command, steps=3)
    _, free, weak, dragged = level[d.YAW] * (1 if wheel < 3 else -1) * command[0]
    assert abs(free) < 1e-6 < 0.001 < weak < dragged  # towards the side of the wheel
    assert level.slip[0] == pytest.approx(level.slip[1])  # on the level it has nothing to pull
    assert (np.diff(level.slip[1:]) > 0).all() and (np.diff(uphill.slip) > 0.005).all()
    assert (np.diff(np.abs(level[d.AHEAD])[1:]) < 0).all()


@pytest.mark.parametrize("side", [0, 3], ids=["left", "right"])
def test_a_dead_wheel_pulls_the_more_the_further_it_leads(side: int) -> None:
    worlds = [bare(wheel_health=dead(side + place)) for place in range(3)]  # front, middle, rear
    assert (np.diff(np.abs(drive(worlds, AHEAD, steps=2)[d.YAW])) < 0).all()
    assert (np.diff(np.abs(drive(worlds, BACK, steps=2)[d.YAW])) > 0).all()


def test_two_dead_wheels_are_worse() -> None:
    one = steepest(REGOLITH, wheel_health=RIGHT_FRONT)
    assert steepest(REGOLITH, wheel_health=dead(3, 5)) < one - 2
    assert steepest(REGOLITH, wheel_health=dead(0, 3)) < one - 2


def test_dead_front_wheel_turns_to_its_side_when_it_leads() -> None:
    healthy, right, left = (
        drive([bare(wheel_health=h)], steps=3)[d.YAW][0] for h in (dead(), RIGHT_FRONT, LEFT_FRONT)
    )
    assert healthy == 0
    assert right < -math.radians(10) and left > math.radians(10)
    backward = drive([bare(wheel_health=RIGHT_FRONT)], BACK, steps=3)[d.YAW][0]
    assert abs(backward) < 0.15 * abs(right)


def test_dead_rear_wheel_turns_when_it_leads_backward() -> None:
    forward = drive([bare(wheel_health=dead(5))], steps=3)[d.YAW][0]
    backward = drive([bare(wheel_health=dead(5))], BACK, steps=3)[d.YAW][0]
    assert backward > 0.3  # its tail swings to the right, so the nose to the left
    assert abs(forward) < 0.15 * backward


@pytest.mark.parametrize("command", [(1.0, 0.0), (-1.0, 0.0), (0.7, 0.4), (0.0, 1.0)])
def test_left_and_right_are_mirror_images(command: tuple[float, float]) -> None:
    world = bare(degrees=4.0, slope_north=0.05, steering_bias=0.2, wheel_health=(0.2, 0.6, 1, 0.9, 1, 0.5))
    mirrored = bare(
        degrees=4.0, slope_north=-0.05, steering_bias=-0.2, wheel_health=(0.9, 1, 0.5, 0.2, 0.6, 1)
    )
    one = drive([world], command, steps=8)
    other = drive([mirrored], (command[0], -command[1]), steps=8)
    for column in (d.X, d.AHEAD, d.PITCH, d.STUCK):
        np.testing.assert_allclose(one[column], other[column], atol=1e-5)
    for column in (d.Y, d.YAW, d.ROLL, d.TURNED):
        np.testing.assert_allclose(one[column], -other[column], atol=1e-5)
    for left, right in ((d.SLIP_L, d.SLIP_R), (d.SINK_L, d.SINK_R), (d.TORQUE_L, d.TORQUE_R)):
        np.testing.assert_allclose(one[left], other[right], atol=1e-5)
        np.testing.assert_allclose(one[right], other[left], atol=1e-5)


def test_gravity_changes_speed_but_hardly_slip() -> None:
    moon, mars, earth = (drive([bare(degrees=8, gravity=g)]) for g in (1.62, 3.72, 9.81))
    assert moon.slip[0] == pytest.approx(earth.slip[0], abs=0.02)
    assert moon[d.AHEAD][0] > mars[d.AHEAD][0] > earth[d.AHEAD][0] > 0


def test_weak_motors_are_slow() -> None:
    gains = (0.2, 0.5, 1.0, 2.0)
    weak_to_strong = drive([bare(degrees=8, motor_gain=g) for g in gains])
    assert (np.diff(weak_to_strong[d.AHEAD]) > 0).all()
    assert np.ptp(weak_to_strong.slip) < 0.02


def test_steering_turns_to_the_left_of_positive() -> None:
    for command in ((1.0, 0.5), (0.0, 1.0), (-1.0, 0.5)):
        assert drive([bare()], command, steps=1)[d.TURNED][0] > 0.02
        assert drive([bare()], (command[0], -command[1]), steps=1)[d.TURNED][0] < -0.02
    turn = drive([bare()], (0.0, 1.0), steps=4)
    np.testing.assert_allclose([turn[d.X], turn[d.Y]], 0, atol=1e-5)


def test_steering_bias_turns_a_rover_that_steers_straight_and_can_be_countered() -> None:
    straight = drive([bare(steering_bias=b) for b in (-0.4, 0.0, 0.4)])[d.YAW]
    assert straight[0] < -0.1 < straight[1] == 0 < 0.1 < straight[2]
    assert drive([bare(steering_bias=0.4)], (1.0, -0.4))[d.YAW][0] == pytest.approx(0, abs=1e-5)


def test_downhill_is_easier_and_steep_downhill_skids() -> None:
    for soil in (BEDROCK, REGOLITH, SAND):
        down, level, up = drive([bare(soil, a) for a in (-6.0, 0.0, 6.0)]).slip
        assert down < level < up
    assert drive([bare(REGOLITH, -10)]).slip[0] < 0
    assert drive([bare(REGOLITH, 10)], BACK).slip[0] < 0  # backward down the same hill


def test_sinkage_grows_with_slip_and_softness() -> None:
    climbs = drive([bare(REGOLITH, a) for a in (0.0, 6.0, 12.0, 14.0)], steps=40)[d.SINK_L]
    assert (np.diff(climbs) > 0).all()
    level = drive([bare(soil) for soil in (BEDROCK, REGOLITH, SAND, DRIFT)])[d.SINK_L]
    assert (np.diff(level) > 0).all() and level[0] < 0.001


def test_a_spinning_wheel_digs_in_and_a_standing_one_does_not() -> None:
    digging = [float(drive([bare(DRIFT)], steps=n)[d.SINK_L][0]) for n in (0, 1, 3, 6)]
    assert (np.diff(digging) > 0).all()
    assert drive([bare(DRIFT)], (0.0, 0.0), steps=20)[d.SINK_L][0] == pytest.approx(digging[0])


def test_attitude_is_that_of_the_slope() -> None:
    world = [bare(degrees=10)]
    still = (0.0, 0.0)
    up, left, down = (drive(world, still, 1, yaw) for yaw in (0.0, math.pi / 2, math.pi))
    grade = math.tan(math.radians(10))
    np.testing.assert_allclose([up[d.PITCH][0], up[d.ROLL][0]], [grade, 0], atol=1e-4)
    np.testing.assert_allclose([left[d.PITCH][0], left[d.ROLL][0]], [0, -grade], atol=1e-4)
    np.testing.assert_allclose([down[d.PITCH][0], down[d.ROLL][0]], [-grade, 0], atol=1e-4)


def test_a_rover_across_the_slope_slides_down() -> None:
    across = drive([bare(degrees=10)], yaw=math.pi / 2)
    assert across[d.Y][0] > 1 and -0.5 < across[d.X][0] < -0.02


def test_a_slope_of_fifty_degrees_tips() -> None:
    grade = math.tan(math.radians(50)) / math.sqrt(2)  # towards the north-east
    world = bare(slope_east=grade, slope_north=grade)
    for yaw in (math.pi / 4, -math.pi / 4, 3 * math.pi / 4):
        assert drive([world], steps=1, yaw=yaw).outcomes == ["tipped"]
    # 40 degrees is too steep to climb, but not to stand on.
    assert drive([bare(degrees=40)], (0.0, 0.0), steps=3).outcomes == ["running"]


@given(
    count=st.integers(1, 70),
    command=st.tuples(st.floats(-1, 1), st.floats(-1, 1)),
    seed=st.integers(0, 1000),
)
@settings(max_examples=25, deadline=None)
def test_rovers_side_by_side_don_t_mix(count: int, command: tuple[float, float], seed: int) -> None:
    """Whatever stands in the other lanes of a block, and however many lanes it has, a rover drives alike."""
    rng = np.random.default_rng(seed)
    worlds = [
        bare(
            rng.uniform(0, 1),
            rng.uniform(-15, 15),
            wheel_health=tuple(rng.integers(0, 2, 6).astype(float)),
            motor_gain=rng.uniform(0.5, 1),
        )
        for _ in range(count)
    ]
    together = drive(worlds, command, steps=4).state[:, : d.STEER + 1]
    for i in {0, count // 2, count - 1}:
        alone = drive([worlds[i]], command, steps=4).state[0, : d.STEER + 1]
        np.testing.assert_array_equal(together[i], alone)
