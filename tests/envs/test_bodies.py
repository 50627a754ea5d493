from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rover_cl_envs import bodies as module
from rover_cl_envs import dynamics as d
from rover_cl_envs.batch import SERIAL_BELOW, Batch
from rover_cl_envs.bodies import CLEANED, CLEANING, DEVILS, KIND, MARTIAN_RADIUS, PERIOD, SLOT
from rover_cl_envs.conditions import Conditions
from rover_cl_envs.drift_env import MarsDriftEnv
from rover_cl_envs.mission import OUTCOMES
from rover_cl_envs.power import CLEANEST, DUST
from rover_cl_envs.ring import RING
from rover_cl_envs.rovers import MER
from rover_cl_envs.scene import BODIES
from rover_cl_envs.sensors import SIZE
from rover_cl_envs.streams import event
from rover_cl_envs.vector_env import MarsRoverVectorEnv
from rover_cl_envs.world import World

FLAT: dict[str, Any] = {"relief": 0.0, "patch_cover": 0.0, "outcrop_cover": 0.0, "rock_abundance": 0.0}
BUSY = Conditions(devil_rate=2.0, martian=0.7, martian_sight=6.0)
TOUCH = MARTIAN_RADIUS + MER.wheelbase / 2


def batch_of(count: int, **changes: Any) -> Batch:
    """Rovers on flat ground that head for their targets."""
    batch = Batch(count, World(systems=("bodies",), num_maps=1))
    batch.set_conditions(Conditions(**FLAT, **changes))
    batch.seed(0)
    batch.start(np.ones(count, dtype=np.bool_))
    s = batch.state
    s[:, d.YAW] = np.arctan2(s[:, d.TARGET_AY] - s[:, d.Y], s[:, d.TARGET_AX] - s[:, d.X])
    return batch


def run(batch: Batch, drive: float, steps: int) -> list[str]:
    """First outcome of every rover that drives straight on for so many steps."""
    ends = np.zeros(len(batch.state), dtype=np.int8)
    actions = np.tile(np.array([drive, 0.0], dtype=np.float32), (len(ends), 1))
    for _ in range(steps):
        batch.step(actions)
        ends = np.where(ends == 0, batch.outcomes, ends)
    return [OUTCOMES[code] for code in ends]


def martian_place(batch: Batch) -> NDArray[np.float32]:
    at = SLOT * DEVILS + module.EAST
    return batch.bodies[:, at : at + 2]


def history(
    count: int, threads: int | None, seed: int, world: Conditions, systems: Any
) -> NDArray[np.float32]:
    """Observations (steps, count, size) of rovers that drive about."""
    envs = MarsRoverVectorEnv(
        count, num_maps=2, systems=systems, conditions=world, threads=threads, time_limit=30
    )
    rng = np.random.default_rng(0)
    actions = np.clip(rng.normal((0.7, 0.0), 0.4, (70, 256, 2)), -1, 1)[:, :count]
    return np.stack([envs.reset(seed=seed)[0], *[envs.step(a)[0] for a in actions]])


def test_without_bodies_nothing_is_drawn_and_nothing_changes() -> None:
    plain, empty = (history(16, 1, 5, Conditions(), systems) for systems in ((), ("bodies",)))
    np.testing.assert_array_equal(plain, empty[..., :SIZE])
    assert not empty[..., SIZE:].any()


def test_batch_and_threads_change_no_body() -> None:
    count = 4 * SERIAL_BELOW
    one, two = (history(count, threads, 9, BUSY, ("bodies",)) for threads in (1, 2))
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(one[:, :1], history(1, 1, 9, BUSY, ("bodies",)))
    assert (one[..., SIZE + 5] == 1).any() and (one[..., SIZE + 5] == -1).any()


def test_number_of_bodies_is_as_expected() -> None:
    batch = batch_of(4000, devil_rate=1.2, martian=0.3)
    kinds = batch.bodies[:, [SLOT * k + KIND for k in range(DEVILS + 1)]]
    assert kinds[:, :DEVILS].sum(axis=1).mean() == pytest.approx(1.2, abs=0.05)
    assert (kinds[:, DEVILS] == -1).mean() == pytest.approx(0.3, abs=0.03)
    assert (batch_of(50, devil_rate=3.0).bodies[:, [SLOT * k + KIND for k in range(DEVILS)]] == 1).all()


def test_dust_devils_keep_their_course_and_speed() -> None:
    batch = batch_of(20, devil_rate=3.0, devil_speed=0.15)
    before = batch.bodies.copy()
    run(batch, 0.0, 10)
    for k in range(DEVILS):
        east, north = (batch.bodies - before)[:, [SLOT * k + module.EAST, SLOT * k + module.NORTH]].T
        np.testing.assert_allclose(np.hypot(east, north), 10 * 5 * 0.15, rtol=1e-4)
        heading = before[:, [SLOT * k + module.HEAD_EAST, SLOT * k + module.HEAD_NORTH]]
        np.testing.assert_allclose(np.stack([east, north], axis=1) / 7.5, heading, atol=1e-4)


@pytest.mark.parametrize(("off", "inside"), [(0.0, True), (1.9, True), (2.1, False)])
@pytest.mark.parametrize("turns", [-2, 0, 3])
def test_a_dust_devil_blinds_and_cleans_whom_it_covers(off: float, inside: bool, turns: int) -> None:
    batch = batch_of(1, devil_rate=3.0, devil_speed=0.0)
    batch.bodies[0, [SLOT * k + KIND for k in range(DEVILS)]] = 1.0, 0.0, 0.0
    s = batch.state[0]
    # A map repeats, and with it what moves on it.
    batch.bodies[0, [module.EAST, module.NORTH, module.RADIUS]] = s[d.X] + turns * PERIOD, s[d.Y] + off, 2.0
    run(batch, 0.0, 1)
    told = batch.observations[0]
    assert (not told[RING:SIZE].any()) == inside
    assert batch.bodies[0, CLEANED] == pytest.approx(CLEANING if inside else 0.0)
    assert told[SIZE] == pytest.approx((off - 2.0) / 20, abs=1e-4) and told[SIZE + 5] == 1
    assert not told[SIZE + 6 :].any() and batch.outcomes[0] == 0


@pytest.mark.parametrize("inside", [True, False])
def test_a_dust_devil_cleans_the_panels_of_whom_it_covers(inside: bool) -> None:
    batch = Batch(1, World(systems=("power", "bodies"), num_maps=1))
    batch.set_conditions(
        Conditions(**FLAT, devil_rate=3.0, devil_speed=0.0, dust_factor=0.5, dust_fall=0.0, cleaning=0.0)
    )
    batch.start(np.ones(1, dtype=np.bool_))
    batch.bodies[0, [SLOT * k + KIND for k in range(DEVILS)]] = 1.0, 0.0, 0.0
    place = batch.state[0, [d.X, d.Y]] + (0.0 if inside else 10.0)
    batch.bodies[0, [module.EAST, module.NORTH]] = place
    shares = []
    for _ in range(20):
        run(batch, 0.0, 1)
        shares.append(float(batch.power[0, DUST]))
    # A fifth of what dims the panels goes with each step, down to what the best of gusts leaves.
    expected = [min(1 - 0.5 * 0.8**k, CLEANEST) for k in range(1, 21)] if inside else [0.5] * 20
    assert shares == pytest.approx(expected, abs=1e-4)
    assert batch.observations[0, SIZE + 3] == pytest.approx(shares[-1])


def test_a_body_is_seen_as_it_moves_past_the_rover() -> None:
    batch = batch_of(1, martian=1.0, martian_speed=0.1)
    s, at = batch.state[0], SLOT * DEVILS
    s[d.YAW] = 0.0
    batch.bodies[0, [at + module.EAST, at + module.NORTH]] = s[d.X] + 6.0, s[d.Y] - 8.0
    batch.bodies[0, [module.POST_EAST, module.POST_NORTH]] = s[d.X] + 6.0, s[d.Y]
    batch.bodies[0, [module.ACROSS_EAST, module.ACROSS_NORTH]] = 0.0, 4.0
    run(batch, 0.0, 1)  # half a metre to the north
    far = math.hypot(6.0, 7.5)
    expected = [(far - MARTIAN_RADIUS) / 20, 6.0 / far, -7.5 / far, 0.0, 2.0, -1.0]
    np.testing.assert_allclose(batch.observations[0, SIZE : SIZE + 6], expected, atol=1e-4)


@pytest.mark.parametrize(("gap", "outcome"), [(-0.01, "struck"), (0.01, "running")])
def test_its_touch_ends_the_episode(gap: float, outcome: str) -> None:
    batch = batch_of(1, martian=1.0, martian_speed=0.0)
    batch.bodies[0, SLOT * DEVILS + module.EAST] = batch.state[0, d.X] + TOUCH + gap
    batch.bodies[0, SLOT * DEVILS + module.NORTH] = batch.state[0, d.Y]
    assert run(batch, 0.0, 1) == [outcome]
    assert batch.reward_terms[0, 4] == (-4.0 if outcome == "struck" else 0.0)
    assert batch.rewards[0] == pytest.approx(batch.reward_terms[0].sum())


def test_it_stands_in_the_way() -> None:
    assert set(run(batch_of(200, martian=1.0, martian_speed=0.0), 1.0, 70)) == {"struck"}


@pytest.mark.parametrize("speed", [0.02, 0.05])
def test_it_meets_who_drives_on_and_can_be_waited_out(speed: float) -> None:
    world = {"martian": 1.0, "martian_speed": speed}
    straight = run(batch_of(200, **world), 1.0, 70)
    assert straight.count("struck") > 150
    patient = batch_of(200, **world)
    waited = np.zeros(200, dtype=bool)
    ends = np.zeros(200, dtype=np.int8)
    for _ in range(190):
        s, at = patient.state, SLOT * DEVILS
        gap = patient.bodies[:, at + module.GAP]
        # Who comes near while it is about to cross stands and looks on until it is well to the side.
        away = martian_place(patient) - patient.bodies[:, [module.POST_EAST, module.POST_NORTH]]
        off_way = np.hypot(*away.T)
        outward = (away * patient.bodies[:, [at + module.HEAD_EAST, at + module.HEAD_NORTH]]).sum(axis=1) > 0
        go = (gap > 3.5) | (off_way > 1.5) & (outward | (off_way > 3.0)) | (waited & (gap > TOUCH))
        ahead = patient.bodies[:, [module.POST_EAST, module.POST_NORTH]] - s[:, [d.X, d.Y]]
        past = (ahead * np.stack([np.cos(s[:, d.YAW]), np.sin(s[:, d.YAW])], axis=1)).sum(axis=1) < 1.5
        waited |= go & (gap <= 3.5)
        patient.step(np.stack([go | past, np.zeros(200)], axis=1).astype(np.float32))
        ends = np.where(ends == 0, patient.outcomes, ends)
    reached = [OUTCOMES[code] for code in ends]
    assert reached.count("struck") < 20 and reached.count("success") > 150


def test_it_pursues_whom_it_sees() -> None:
    chase = {"martian": 1.0, "martian_speed": 0.1}
    assert set(run(batch_of(50, **chase, martian_sight=20.0), 0.0, 40)) == {"struck"}
    assert set(run(batch_of(50, **chase, martian_sight=0.0), 0.0, 40)) == {"running"}
    batch = batch_of(50, **chase, martian_sight=20.0)
    before = batch.bodies[:, SLOT * DEVILS + module.GAP].copy()
    run(batch, 0.0, 2)
    np.testing.assert_allclose(before - batch.bodies[:, SLOT * DEVILS + module.GAP], 1.0, atol=1e-4)


def test_it_walks_up_and_down() -> None:
    batch = batch_of(20, martian=1.0, martian_speed=0.05)
    places = []
    for _ in range(70):
        run(batch, 0.0, 1)
        places.append(martian_place(batch) - batch.bodies[:, [module.POST_EAST, module.POST_NORTH]])
    off = np.linalg.norm(places, axis=2)
    assert off.max() == pytest.approx(module.WALK, abs=1e-3) and off.min() < 0.3
    assert (off.max(axis=0) > module.WALK - 0.3).all()


def test_a_scene_shows_the_bodies() -> None:
    envs = MarsRoverVectorEnv(
        1, num_maps=1, systems=("bodies",), conditions=Conditions(devil_rate=3, martian=1)
    )
    envs.reset(seed=0)
    kinds = [BODIES[int(kind)] for kind in envs.scene().bodies[:, 3]]
    assert kinds == ["dust devil"] * 3 + ["martian"]
    assert MarsRoverVectorEnv(1, num_maps=1).scene().bodies.shape == (0, 4)


def test_the_event_comes_after_training_without_it() -> None:
    stream = event()
    assert stream.at(0).martian == 0 and stream.at(stream.segments[0].steps).martian == 1
    env = MarsDriftEnv(stream=stream, num_maps=1)
    env.reset(seed=0, options={"stream_step": stream.segments[0].steps})
    assert env.scene().bodies[:, 3].tolist() == [BODIES.index("martian")]
