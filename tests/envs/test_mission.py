from __future__ import annotations

import math
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from rover_cl_envs import mission as module
from rover_cl_envs.conditions import Conditions
from rover_cl_envs.dynamics import STEP_LENGTH
from rover_cl_envs.env import MarsRoverEnv
from rover_cl_envs.mission import KINDS, OUTCOMES, REWARD_TERMS, Mission
from rover_cl_envs.rovers import MER, ROVERS, Rover

EASY: dict[str, Any] = {"relief": 0.0, "patch_cover": 0.0, "outcrop_cover": 0.0, "rock_abundance": 0.0}


def world(**changes: Any) -> Conditions:
    return Conditions(**{**EASY, **changes})


def distance(env: MarsRoverEnv, target: int) -> float:
    scene = env.scene()
    return math.dist(scene.pose[:2], scene.targets[target])


def towards(env: MarsRoverEnv, target: int) -> tuple[float, float]:
    """Drive and steer of a rover that turns to the target and goes there."""
    scene = env.scene()
    (x, y, yaw), (tx, ty) = scene.pose, scene.targets[target]
    off = (math.atan2(ty - y, tx - x) - yaw + math.pi) % (2 * math.pi) - math.pi
    return (1.0 if abs(off) < 0.5 else 0.0), max(-1.0, min(1.0, 2 * off))


def drive_to(env: MarsRoverEnv, target: int, seed: int) -> tuple[float, str]:
    """Reward of the last step and the outcome of an episode that goes for that target."""
    env.reset(seed=seed)
    for _ in range(400):
        _, reward, terminated, truncated, _ = env.step(towards(env, target))
        if terminated or truncated:
            break
    return reward, env.outcome


@pytest.mark.parametrize("action_type", ["continuous", "discrete"])
def test_terms_add_up_to_the_reward(action_type: str) -> None:
    soft = Conditions(ground_fluffiness=0.85)
    env = MarsRoverEnv(num_maps=2, action_type=action_type, conditions=soft, time_limit=30)
    env.reset(seed=0)
    seen = set()
    ahead, back = (1, 7) if action_type == "discrete" else ((1.0, 0.0), (-1.0, 0.0))
    for step in range(200):
        _, reward, terminated, truncated, _ = env.step(ahead if step % 8 < 5 else back)
        terms = env.reward_terms()
        assert tuple(terms) == REWARD_TERMS
        assert reward == pytest.approx(sum(terms.values()), abs=1e-6)
        seen |= {name for name, value in terms.items() if value}
        if terminated or truncated:
            env.reset()
    assert seen == set(Mission().reward_terms)


def test_terms_of_a_step_by_hand() -> None:
    mission = Mission(progress=0.7, time=-0.3, slip=-2.0, slip_free=0.1, reverse=-0.5)
    env = MarsRoverEnv(num_maps=1, conditions=world(ground_fluffiness=2 / 3), mission=mission)
    env.reset(seed=1)
    for ahead in (1.0, 0.6, -0.4, -0.8, -1.0):
        before = distance(env, 0)
        observation, reward, _, _, _ = env.step([ahead, 0.2])
        terms = env.reward_terms()
        worst = max(env.scene().slip)
        assert worst > 0.15
        assert terms["progress"] == pytest.approx(0.7 * (before - distance(env, 0)) / STEP_LENGTH, abs=1e-4)
        assert terms["slip"] == pytest.approx(-2.0 * (worst - 0.1), abs=1e-5)
        assert terms["reverse"] == pytest.approx(-0.5 * max(-observation[16:18].mean(), 0))
        assert terms["time"] == pytest.approx(-0.3) and terms["end"] == 0
        assert reward == pytest.approx(sum(terms.values()))


def test_standing_still_costs_time_only() -> None:
    env = MarsRoverEnv(num_maps=1, conditions=world())
    env.reset(seed=0)
    assert env.step([0.0, 0.0])[1] == pytest.approx(Mission().time)


def test_progress_of_an_episode_is_the_way_it_came_nearer() -> None:
    env = MarsRoverEnv(num_maps=1, conditions=world(), mission=Mission(progress=1.0))
    env.reset(seed=2)
    start, total = distance(env, 0), 0.0
    for _ in range(15):
        env.step(towards(env, 0))
        total += env.reward_terms()["progress"]
    assert total * STEP_LENGTH == pytest.approx(start - distance(env, 0), abs=1e-3)
    assert total > 5


@pytest.mark.parametrize("rewarded", [0, 1])
@pytest.mark.parametrize("goal", [0, 1])
def test_reaching_a_target_ends_the_episode(rewarded: int, goal: int) -> None:
    env = MarsRoverEnv(num_maps=1, conditions=world(target_b=float(rewarded)), time_limit=400)
    for seed in range(4):
        _, outcome = drive_to(env, goal, seed)
        # The other target may stand in the way.
        if distance(env, 1 - goal) < Mission().reach:
            continue
        assert outcome == ("success" if goal == rewarded else "wrong_target")
        assert distance(env, goal) < Mission().reach
        expected = Mission().goal if goal == rewarded else Mission().wrong_target
        assert env.reward_terms()["end"] == pytest.approx(expected)
        return
    pytest.fail("the other target stood in every way")


def test_success_pays_and_every_other_end_costs() -> None:
    mission = Mission()
    assert mission.goal > 0
    assert max(mission.embedded, mission.tipped, mission.rock, mission.wrong_target, mission.time) < 0


def test_embedding_and_tipping_end_the_episode() -> None:
    drift = MarsRoverEnv(num_maps=1, conditions=world(ground_fluffiness=1.0))
    drift.reset(seed=0)
    steps = [drift.step([1.0, 0.0]) for _ in range(module.STUCK_STEPS)]
    assert [s[2] for s in steps] == [False] * (module.STUCK_STEPS - 1) + [True]
    assert (drift.outcome, drift.reward_terms()["end"]) == ("embedded", Mission().embedded)
    steep = MarsRoverEnv(num_maps=1, conditions=world(slope_east=1.0, slope_north=1.0))
    steep.reset(seed=0)
    assert steep.step([0.0, 0.0])[2]
    assert (steep.outcome, steep.reward_terms()["end"]) == ("tipped", Mission().tipped)


def test_a_rock_higher_than_the_wheels_climb_ends_the_episode() -> None:
    env = MarsRoverEnv(num_maps=2, conditions=world(rock_abundance=0.1), time_limit=60)
    hits = 0
    for seed in range(30):
        env.reset(seed=seed)
        while not any(env.step([1.0, 0.0])[2:4]):
            assert tallest_under_wheels(env) <= MER.obstacle
        if env.outcome == "rock":
            hits += 1
            assert tallest_under_wheels(env) > MER.obstacle
            assert env.reward_terms()["end"] == pytest.approx(Mission().rock)
    assert hits >= 3


def tallest_under_wheels(env: MarsRoverEnv) -> float:
    scene = env.scene()
    x, y, yaw = scene.pose
    turn = np.array([[math.cos(yaw), math.sin(yaw)], [-math.sin(yaw), math.cos(yaw)]])
    places = scene.wheels @ turn + (x, y)
    columns, rows = np.floor(places / scene.ground.cell).astype(int).T % len(scene.ground.rocks)
    return float(scene.ground.rocks[rows, columns].max())


@pytest.mark.parametrize("rover", ROVERS.values(), ids=list(ROVERS))
def test_nobody_starts_on_a_rock_that_ends_the_drive(rover: Rover) -> None:
    env = MarsRoverEnv(num_maps=4, conditions=world(rock_abundance=0.1), rover=rover)
    for seed in range(300):
        env.reset(seed=seed)
        assert tallest_under_wheels(env) <= rover.obstacle


def test_a_rover_tips_where_it_stands_no_more() -> None:
    world_on_a_slope = world(slope_east=0.7)
    for grade, outcome in ((0.6, "tipped"), (0.8, "running")):
        env = MarsRoverEnv(conditions=world_on_a_slope, rover=replace(MER, tip_grade=grade))
        env.reset(seed=0)
        env.step((0.0, 0.0))
        assert env.outcome == outcome


def test_progress_counts_in_the_rovers_own_steps() -> None:
    far = Mission(near=900.0, far=900.0, apart=2.0)
    for rover in ROVERS.values():
        env = MarsRoverEnv(conditions=world(ground_fluffiness=0.0), rover=rover, mission=far)
        env.reset(seed=0)
        before = distance(env, 0)
        env.step((1.0, 0.0))
        gained = before - distance(env, 0)
        assert env.reward_terms()["progress"] == pytest.approx(0.1 * gained / rover.step_length, abs=2e-4)


def test_time_limit_truncates() -> None:
    env = MarsRoverEnv(num_maps=1, conditions=world(), time_limit=5)
    env.reset(seed=0)
    ends = [env.step([0.0, 0.0])[2:4] for _ in range(5)]
    assert ends == [(False, False)] * 4 + [(False, True)]
    assert env.outcome == "time_limit" and env.reward_terms()["end"] == 0


def test_every_outcome_has_its_code() -> None:
    for code, name in enumerate(OUTCOMES):
        assert getattr(module, name.upper()) == code


def test_array_is_laid_out_as_the_kernel_reads_it() -> None:
    other = {
        "embedded": "EMBED",
        "tipped": "TIP",
        "rock": "HIT",
        "wrong_target": "WRONG",
        "struck": "STRIKE",
        "spent": "EMPTY",
        "power": "DRAINED",
    }
    values = Mission().to_array()
    assert len(values) == len(fields(Mission))
    for column, field in enumerate(fields(Mission)):
        assert getattr(module, other.get(field.name, field.name.upper())) == column
        value = getattr(Mission(), field.name)
        assert values[column] == pytest.approx(KINDS.index(value) if field.name == "kind" else float(value))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"goal": math.inf}, "goal is inf, expected a finite number"),
        ({"time": math.nan}, "time is nan"),
        ({"reach": 7.0}, "0 < reach < near <= far"),
        ({"near": 20.0}, "0 < reach < near <= far"),
        ({"reach": 0.0}, "0 < reach < near <= far"),
        ({"apart": 1.0}, "Mission.apart is 1.0, expected a number from 2 to 12"),
        ({"apart": 13.0}, "Mission.apart is 13.0"),
        ({"kind": "imgae"}, "unknown mission 'imgae'. *Did you mean 'image'"),
        ({"hold": 0}, "Mission.hold is 0, expected a number from 1 to 1000"),
        ({"standoff_near": 5.0}, "expected standoff_near < standoff_far"),
    ],
    ids=str,
)
def test_wrong_missions_are_named(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        replace(Mission(), **changes)
