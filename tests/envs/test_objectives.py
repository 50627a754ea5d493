from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rover_cl_envs import dynamics as d
from rover_cl_envs.batch import Batch
from rover_cl_envs.conditions import Conditions
from rover_cl_envs.drift import Drift
from rover_cl_envs.env import MarsRoverEnv
from rover_cl_envs.mission import BY_ENERGY, KINDS, MISSIONS, OUTCOMES, REWARD_TERMS, SURVIVE, Mission
from rover_cl_envs.objectives import PROGRESS, WAYPOINTS_LEFT, WORK, assess
from rover_cl_envs.rovers import MER
from rover_cl_envs.rows import STEP
from rover_cl_envs.sensors import BLOCKS, SIZE
from rover_cl_envs.streams import Task, abrupt
from rover_cl_envs.vector_env import MarsRoverVectorEnv
from rover_cl_envs.world import World

FLAT = Conditions(relief=0.0, patch_cover=0.0, outcrop_cover=0.0, rock_abundance=0.0)
ROUGH = Conditions(relief=0.1, rock_abundance=0.05, ground_fluffiness=0.6, target_b=0.5)
WAIT = (0.0, 0.0)


@contextmanager
def with_power() -> Iterator[None]:
    """Let worlds have batteries, whatever simulates them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(BLOCKS, "power", BLOCKS.get("power", 0))
        yield


class Stage:
    """One rover on flat ground, heading east from the origin, with targets where they are wanted."""

    def __init__(
        self, mission: Mission, a: tuple[float, float], b: tuple[float, float] = (0.0, 40.0)
    ) -> None:
        self.batch = Batch(1, World(mission=mission, systems=("mission",), num_maps=1))
        self.batch.set_conditions(FLAT)
        self.batch.start(np.ones(1, dtype=np.bool_))
        self.put(a=a, b=b)
        self.state[d.TO_GO] = math.hypot(*a)

    @property
    def state(self) -> NDArray[np.float32]:
        row: NDArray[np.float32] = self.batch.state[0]
        return row

    @property
    def block(self) -> list[float]:
        return [round(float(v), 5) for v in self.batch.observations[0, SIZE:]]

    def put(self, x: float = 0.0, yaw: float = 0.0, **targets: tuple[float, float]) -> None:
        s = self.state
        s[d.X], s[d.Y], s[d.YAW] = x, 0.0, yaw
        if targets:
            s[d.TARGET_AX : d.TARGET_BY + 1] = [*targets["a"], *targets["b"]]

    def step(self, *command: float) -> tuple[dict[str, float], str]:
        """Terms that are not 0, and the outcome."""
        self.batch.step(np.array([command], dtype=np.float32))
        terms = self.batch.reward_terms[0].astype(float)
        assert self.batch.rewards[0] == pytest.approx(terms.sum(), abs=1e-6)
        named = zip(REWARD_TERMS, terms.round(5).tolist(), strict=True)
        return {name: term for name, term in named if term}, OUTCOMES[self.batch.outcomes[0]]


def eight_rovers(kind: str) -> MarsRoverVectorEnv:
    systems = ("mission", "power") if kind == "survive" else ("mission",)
    with with_power():
        return MarsRoverVectorEnv(
            8,
            num_maps=1,
            systems=systems,
            mission=MISSIONS[kind],
            conditions=ROUGH,
            autoreset_mode="SameStep",
        )


WORLDS: dict[str, MarsRoverVectorEnv] = {kind: eight_rovers(kind) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
@given(
    actions=st.lists(st.tuples(*[st.floats(-1, 1, width=32)] * 2), min_size=1, max_size=10),
    seed=st.integers(0, 2**31),
)
@settings(deadline=None, max_examples=30)
def test_terms_add_up_to_the_reward(kind: str, actions: list[tuple[float, float]], seed: int) -> None:
    envs = WORLDS[kind]
    envs.reset(seed=seed)
    block = SIZE + (BLOCKS["power"] if kind == "survive" else 0)  # where the mission's begins
    unused = [k for k, name in enumerate(REWARD_TERMS) if name not in MISSIONS[kind].reward_terms]
    for action in actions:
        observations, rewards, *_, infos = envs.step(np.tile(np.array(action, dtype=np.float32), (8, 1)))
        np.testing.assert_allclose(infos["reward_terms"].sum(axis=1), rewards, atol=1e-5)
        assert not infos["reward_terms"][:, unused].any()
        assert all(o in envs.single_observation_space for o in observations)
        np.testing.assert_array_equal(
            observations[:, block : block + 5], [np.arange(5) == KINDS.index(kind)] * 8
        )


def test_lone_rover_tells_the_terms_by_name() -> None:
    env = MarsRoverEnv(num_maps=1, mission=MISSIONS["image"])
    env.reset(seed=0)
    _, reward, *_, info = env.step([1.0, 0.1])
    assert tuple(info["reward_terms"]) == REWARD_TERMS
    assert reward == pytest.approx(sum(info["reward_terms"].values()), abs=1e-6)


def test_terms_of_a_step_are_the_callers_own() -> None:
    envs = MarsRoverVectorEnv(2, num_maps=1)
    envs.reset(seed=0)
    first = envs.step(np.ones((2, 2)))[4]["reward_terms"]
    kept = first.copy()
    envs.step(-np.ones((2, 2)))
    np.testing.assert_array_equal(first, kept)


def test_an_image_is_taken_by_holding_the_stand_off() -> None:
    stage = Stage(Mission(kind="image", hold=3), (4.0, 0.0))
    stage.state[d.TO_GO] = 0.0
    for held in (1, 2):
        assert stage.step(*WAIT) == ({"time": -0.02, "hold": 0.2}, "running")
        assert stage.block == [0, 1, 0, 0, 0, round(held / 3, 5), 0, 0, 0, 0]
    assert stage.step(*WAIT) == ({"time": -0.02, "hold": 0.2, "end": 5.0}, "success")


@pytest.mark.parametrize(
    ("x", "yaw", "error"), [(-1.5, 0.0, 0.5), (1.5, 0.0, -0.5), (0.0, 0.4, 0.0), (0.0, -0.4, 0.0)]
)
def test_an_image_is_lost_off_the_ring_and_off_the_heading(x: float, yaw: float, error: float) -> None:
    stage = Stage(Mission(kind="image", progress=1.0), (4.0, 0.0))
    stage.state[d.TO_GO] = 0.0
    stage.step(*WAIT)
    stage.step(*WAIT)
    stage.put(x, yaw)
    terms, outcome = stage.step(*WAIT)
    assert terms.pop("progress", 0.0) == pytest.approx(-abs(error) / 0.25)
    assert (terms, outcome) == ({"time": -0.02, "hold": -0.4}, "running")
    assert stage.block[5:8] == [0, 0, error / 5]
    stage.put(0.34, 0.34)
    assert stage.step(*WAIT)[0]["hold"] == pytest.approx(0.2)


def test_the_other_target_means_nothing_to_an_image() -> None:
    stage = Stage(Mission(kind="image"), (4.0, 0.0), (0.0, 0.0))
    assert stage.step(*WAIT)[1] == "running"


def test_a_sample_needs_a_rover_at_rest() -> None:
    stage = Stage(Mission(kind="sample", hold=2), (0.6, 0.0))
    assert "hold" not in stage.step(0.2, 0.0)[0]
    assert stage.step(*WAIT)[0]["hold"] == pytest.approx(0.2)
    assert stage.block == [0, 0, 1, 0, 0, 0.5, 0, 0, 0, -0.1]
    assert stage.step(0.2, 0.0)[0]["hold"] == pytest.approx(-0.2)
    stage.step(*WAIT)
    terms, outcome = stage.step(*WAIT)
    assert (terms["end"], outcome) == (5.0, "success")


def test_touching_what_is_not_to_be_sampled_costs_once_each_time() -> None:
    stage = Stage(Mission(kind="sample", wrong_target=-2.0, wrong_ends=False), (9.0, 0.0), (0.0, 0.5))
    seen = []
    for x in (0.0, 0.1, 3.0, 0.0):
        stage.put(x)
        terms, outcome = stage.step(*WAIT)
        seen.append(terms.get("contact", 0.0))
        assert outcome == "running" and "end" not in terms
    assert seen == [-2.0, 0.0, 0.0, -2.0]


def test_touching_what_is_not_to_be_sampled_may_end_it() -> None:
    stage = Stage(Mission(kind="sample", wrong_target=-2.0), (9.0, 0.0), (0.0, 0.5))
    terms, outcome = stage.step(*WAIT)
    assert (terms["end"], outcome) == (-2.0, "wrong_target") and "contact" not in terms


@pytest.mark.parametrize("rewarded", [0, 1])
def test_a_traverse_goes_from_waypoint_to_waypoint(rewarded: int) -> None:
    mission = Mission(kind="traverse", waypoints=3, near=6.0, far=8.0)
    stage = Stage(mission, (0.5, 0.0), (0.5, 0.0))
    batch, s = stage.batch, stage.state
    s[d.REWARDED] = rewarded
    now, after = d.TARGET_AX + 2 * rewarded, d.TARGET_AX + 2 * (1 - rewarded)
    for reached in (1, 2):
        s[after : after + 2] = 7.0, float(reached)
        terms, outcome = stage.step(*WAIT)
        assert (terms["waypoint"], outcome) == (2.0, "running") and "end" not in terms
        assert tuple(s[now : now + 2]) == (7.0, reached)
        assert 6.0 - 1e-4 <= math.dist(s[now : now + 2], s[after : after + 2]) <= 8.0 + 1e-4
        assert s[d.TO_GO] == pytest.approx(math.hypot(7.0, reached))
        assert stage.block[6] == pytest.approx((3 - reached) / 3, abs=1e-5)
        s[now : now + 2] = 0.5, 0.0
        s[d.TO_GO] = 0.5
    terms, outcome = stage.step(*WAIT)
    assert (terms["end"], outcome) == (5.0, "success") and "waypoint" not in terms
    assert batch.counters[0, STEP] == 3


def test_progress_of_a_traverse_adds_up_over_its_waypoints() -> None:
    env = MarsRoverEnv(num_maps=1, conditions=FLAT, mission=Mission(kind="traverse", progress=1.0))
    env.reset(seed=0)
    start, total, reached = env.scene(), 0.0, 0
    for _ in range(150):
        scene = env.scene()
        (x, y, yaw), (tx, ty) = scene.pose, scene.targets[0]
        off = (math.atan2(ty - y, tx - x) - yaw + math.pi) % (2 * math.pi) - math.pi
        command = (1.0 if abs(off) < 0.5 else 0.0), max(-1.0, min(1.0, 2 * off))
        _, _, terminated, _, info = env.step(command)
        total += info["reward_terms"]["progress"] * 0.25
        reached += info["reward_terms"]["waypoint"] > 0
        if reached == 1 or terminated:
            break
    assert reached == 1
    assert math.dist(start.pose[:2], start.targets[0]) - total == pytest.approx(
        math.dist(env.scene().pose[:2], start.targets[0]), abs=1e-3
    )
    assert env.scene().targets[0] == start.targets[1]


def test_a_traverse_ends_with_its_budget_of_steps() -> None:
    stage = Stage(Mission(kind="traverse", step_budget=4), (9.0, 0.0))
    for left in (0.75, 0.5, 0.25):
        assert stage.step(*WAIT)[1] == "running"
        assert stage.block[8] == left
    terms, outcome = stage.step(*WAIT)
    assert (terms["end"], outcome) == (-3.0, "spent")


def test_a_traverse_ends_with_its_budget_of_energy() -> None:
    stage = Stage(Mission(kind="traverse", energy_budget=60.0), (30.0, 0.0))
    work, outcome = 0.0, "running"
    while outcome == "running":
        assert work < 60.0
        outcome = stage.step(1.0, 0.0)[1]
        s = stage.state
        # Torque over load and radius, times load, times travel of the rim, of six wheels at full speed.
        work += 3 * float(s[d.TORQUE_L] + s[d.TORQUE_R]) * MER.mass * 3.72 / 6 * d.STEP_LENGTH
        assert stage.batch.rovers.progress[0, WORK] == pytest.approx(work, rel=1e-5)
    assert outcome == "spent" and work >= 60.0


def survive(gained: float, step: int) -> tuple[NDArray[np.float32], str]:
    """Terms and outcome of a step of a parked rover that gains so much charge."""
    stage = Stage(Mission(), (9.0, 0.0))
    mission = Mission(kind="survive", duration=20, energy=3.0).to_array()
    terms = np.zeros(len(REWARD_TERMS), dtype=np.float32)
    batch = stage.batch
    code = assess(
        stage.state,
        batch.conditions[0],
        np.zeros(PROGRESS, dtype=np.float32),
        gained,
        mission,
        MER.to_array(),
        0.0,
        step,
        batch.setting.words[0],
        batch.generators[0],
        terms,
    )
    assert terms[BY_ENERGY] == pytest.approx(3.0 * gained)
    return terms, OUTCOMES[code]


def test_survival_is_a_battery_alive_at_the_goal_time() -> None:
    assert survive(0.01, 19)[1] == "running"
    terms, outcome = survive(-0.02, 20)
    assert outcome == "success" and terms.sum() == pytest.approx(5.0 - 0.06 - 0.02)


def test_ground_that_faces_the_sun_is_a_haven_for_the_winter() -> None:
    """Two and a half sols of southern winter, the sun low in the north: parked on ground that falls to it."""
    winter = replace(
        FLAT,
        mission=replace(MISSIONS["survive"], duration=149),
        latitude=-14.6,
        season=90.0,
        time_of_sol=0.5,
        clock_rate=480.0,
        dust_factor=0.65,
        dust_fall=0.0,
        cleaning=0.0,
        initial_charge=0.9,
    )
    slopes = (-0.3, 0.0, 0.3, -0.3)  # rise to the north; the last rover drives about
    envs = MarsRoverVectorEnv(
        len(slopes),
        conditions=[replace(winter, slope_north=slope) for slope in slopes],
        systems=("power", "mission"),
        num_maps=1,
    )
    envs.reset(seed=0)
    lived, over = np.zeros(len(slopes), dtype=bool), np.zeros(len(slopes), dtype=bool)
    drive = np.random.default_rng(0)
    for _ in range(149):
        actions = np.zeros((len(slopes), 2), dtype=np.float32)
        actions[3] = drive.uniform(-1, 1, 2)
        _, _, terminated, truncated, infos = envs.step(actions)
        lived |= infos["success"] & ~over
        over |= terminated | truncated
    assert over.all()
    assert lived.tolist() == [True, False, False, False]


def test_survival_needs_a_battery_and_the_time() -> None:
    for world in (World(), World(systems=("mission",))):
        with pytest.raises(
            ValueError, match=r"'survive', which needs a battery: add 'power' to World\.systems"
        ):
            world.with_fields({"mission": MISSIONS["survive"]})
    named = r"Mission\.duration is 150, expected at most the time limit of 100"
    with with_power(), pytest.raises(ValueError, match=named):
        World(systems=("power",), mission=MISSIONS["survive"], time_limit=100)


def several() -> list[Conditions]:
    others = [Conditions(mission=MISSIONS[kind]) for kind in ("image", "sample", "traverse")]
    return [Conditions(), *others, Conditions(mission=Mission(kind="image", standoff_far=8.0))]


def test_rovers_of_one_batch_have_missions_of_their_own() -> None:
    worlds, rng = several(), np.random.default_rng(0)
    actions = np.clip(rng.normal((0.7, 0.0), 0.4, (40, 5, 2)), -1, 1)
    many = MarsRoverVectorEnv(5, num_maps=2, systems=("mission",), conditions=worlds, time_limit=25)
    lone = [
        MarsRoverVectorEnv(1, num_maps=2, systems=("mission",), mission=c.mission or Mission(), time_limit=25)
        for c in worlds
    ]
    told = many.reset(seed=3)[0]
    for i, env in enumerate(lone):
        np.testing.assert_array_equal(env.reset(seed=3 + i)[0][0], told[i])
    for commands in actions:
        told, rewards, *_ = many.step(commands)
        for i, env in enumerate(lone):
            observations, alone, *_ = env.step(commands[i : i + 1])
            np.testing.assert_array_equal(observations[0], told[i])
            assert alone[0] == rewards[i]
    assert [many.scene(i).mission for i in range(5)] == ["navigate", "image", "sample", "traverse", "image"]


def test_a_mission_is_swapped_when_an_episode_begins() -> None:
    kind = SIZE + KINDS.index("image")
    envs = MarsRoverVectorEnv(2, num_maps=1, systems=("mission",), time_limit=6, autoreset_mode="SameStep")
    envs.reset(seed=0)
    envs.follow(Drift(kind="abrupt", start=FLAT, end=several()[1], period=6))
    shown = [envs.step(np.zeros((2, 2)))[0][0, kind] for _ in range(8)]
    assert shown == [0, 0, 0, 0, 0, 1, 1, 1]


def test_a_mission_that_nothing_tells_of_is_refused() -> None:
    envs = MarsRoverVectorEnv(2, num_maps=1)
    envs.reset(seed=0)
    kept = envs.step(np.ones((2, 2)))[0][:, 29]
    with pytest.raises(ValueError, match=r"kind 'image' and not the world's own.*Add 'mission'"):
        envs.set_conditions([Conditions(gravity=1.0), several()[1]])
    np.testing.assert_array_equal(envs.step(np.ones((2, 2)))[0][:, 29], kept)
    own = MarsRoverVectorEnv(1, num_maps=1, mission=MISSIONS["image"], conditions=several()[1])
    assert own.reset(seed=0)[0].shape == (1, SIZE)
    with pytest.raises(ValueError, match="kind 'image'"):
        abrupt("s", "", [Task(name=str(i), conditions=c) for i, c in enumerate(several()[:2])], (0, 1))


def test_waypoints_left_begin_full() -> None:
    envs = MarsRoverVectorEnv(1, num_maps=1, mission=MISSIONS["traverse"])
    envs.reset(seed=0)
    assert envs._batch.rovers.progress[0, WAYPOINTS_LEFT] == 3
    assert KINDS.index("survive") == SURVIVE
    assert len(envs._batch.rovers.progress[0]) == PROGRESS
