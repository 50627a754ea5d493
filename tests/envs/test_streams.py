from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rover_cl_envs.campaigns import mission, storm
from rover_cl_envs.conditions import RANGES, WHEELS, Conditions
from rover_cl_envs.drift import Drift
from rover_cl_envs.mixtures import drawn_task, mars10, mars20, mars100
from rover_cl_envs.streams import STREAMS, Segment, Stream, Task, abrupt, get_stream, steer_bias, worn
from rover_cl_envs.vector_env import MarsRoverVectorEnv
from rover_cl_envs.world import World

A, B, C = (
    Task(name=name, conditions=Conditions(gravity=g)) for name, g in (("a", 2.0), ("b", 4.0), ("c", 8.0))
)


def three() -> Stream:
    return abrupt("three", "a test", (A, B, C), (0, 2, 1, 0), conflicts=((0, 2), (1, 2))).with_steps(10)


@pytest.mark.parametrize("name", STREAMS)
def test_every_stream_is_sound(name: str) -> None:
    stream = STREAMS[name]()
    assert stream.name == name and stream.description
    assert len(stream.tasks) >= 2
    assert {s.task for s in stream.segments} == set(range(len(stream.tasks)))
    assert len({t.conditions for t in stream.tasks}) == len(stream.tasks)
    for a, b in stream.conflicts:
        assert a != b and {a, b} <= set(range(len(stream.tasks)))
    for segment in stream.segments:
        assert segment.drift.at(segment.steps) == stream.tasks[segment.task].conditions
    assert stream.total_steps == sum(s.steps for s in stream.segments)
    assert stream == STREAMS[name]()


@pytest.mark.parametrize("name", STREAMS)
def test_no_shipped_stream_goes_through_the_end_of_the_year(name: str) -> None:
    """So the rule that seasons run forward changes none of them, not in the last bit."""
    for segment in STREAMS[name]().segments:
        drift, start, end = segment.drift, segment.drift.start.season, segment.drift.end.season
        for step in range(0, segment.steps, max(segment.steps // 50, 1)):
            share = drift.share(step)
            assert drift.at(step).season == (end if share == 1 else start + share * (end - start))


def test_a_file_is_no_name_of_a_stream() -> None:
    with pytest.raises(ValueError, match=r"'my.toml' is a file, .*read_stream\('my.toml'\)"):
        get_stream("my.toml")


def test_unknown_stream_names_the_nearest() -> None:
    with pytest.raises(
        ValueError, match=r"unknown stream 'look-alike'.*Did you mean 'lookalike'.*target-swap"
    ):
        get_stream("look-alike")


def test_worn_wheels_are_those_of_the_side() -> None:
    for side in ("left", "right"):
        task = worn(side, 0.1, 0.6)
        health = dict(zip(WHEELS, task.conditions.wheel_health, strict=True))
        assert {w: h for w, h in health.items() if h < 1} == {f"{side} front": 0.1, f"{side} rear": 0.6}
        assert task.name == f"{side}-side-worn"


def test_each_segment_may_have_a_length_of_its_own() -> None:
    stream = abrupt("s", "", (A, B), (0, 1), steps=(10, 20))
    assert [segment.steps for segment in stream.segments] == [10, 20]
    with pytest.raises(ValueError, match="zip"):
        abrupt("s", "", (A, B), (0, 1), steps=(10,))


@given(step=st.integers(0, 100))
def test_locate_finds_the_segment(step: int) -> None:
    stream = three()
    index, since = stream.locate(step)
    assert index == min(step // 10, 3)
    assert 10 * index + since == step
    assert stream.at(step) == stream.tasks[stream.segments[index].task].conditions


def test_with_steps_scales_drifts_along() -> None:
    drift = Drift(kind="linear", start=A.conditions, end=B.conditions, period=60)
    stream = Stream(
        name="s", description="", tasks=(A, B), segments=(Segment(task=1, drift=drift, steps=100),)
    )
    short = stream.with_steps(10)
    assert short.total_steps == 10 and short.segments[0].drift.period == 6
    assert short.at(3).gravity == pytest.approx(stream.at(30).gravity)
    assert stream.with_steps(1).segments[0].drift.period == 1
    swing = Drift(kind="sinusoidal", start=A.conditions, end=replace(A.conditions, relief=0.1), period=20)
    both = replace(stream, segments=(Segment(task=1, drift=replace(drift, beside=(swing,)), steps=100),))
    assert both.with_steps(1000).at(150) == both.at(15)


def test_first_keeps_the_tasks_that_are_trained() -> None:
    first = three().first(2)
    assert [t.name for t in first.tasks] == ["a", "c"]
    assert [s.task for s in first.segments] == [0, 1]
    assert first.conflicts == ((0, 1),)
    assert three().first(4) == three()
    assert first.total_steps == 20


@pytest.mark.parametrize("count", [0, 5])
def test_first_of_too_many_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match=f"count is {count}, expected an integer from 1 to 4"):
        three().first(count)


def test_shuffled_is_the_same_stretches_in_another_order() -> None:
    stream = get_stream("mars6")
    orders = {stream.shuffled(seed).segments for seed in range(8)}
    assert len(orders) > 4
    for order in orders:
        assert sorted(s.task for s in order) == sorted(s.task for s in stream.segments)
    assert stream.shuffled(3) == stream.shuffled(3)
    assert stream.shuffled(3).tasks == stream.tasks


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"segments": ()}, "'three' has no segment"),
        ({"tasks": (A, B)}, "Segment.task is 2, expected an index from 0 to 1"),
        ({"tasks": (A, B, replace(C, name="a"))}, "same name"),
    ],
    ids=["no segment", "no such task", "two of a name"],
)
def test_unsound_streams_are_refused(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        replace(three(), **changes)


def test_empty_segments_and_negative_steps_are_refused() -> None:
    with pytest.raises(ValueError, match=r"Segment\.steps is 0"):
        Segment(task=0, drift=Drift.none(Conditions()), steps=0)
    with pytest.raises(ValueError, match="step is -1"):
        three().locate(-1)


def test_what_stops_mer_does_not_stop_curiosity() -> None:
    """Straight to the target: the habit that the second task of rover-swap teaches and the first punishes."""
    share = {}
    for task in get_stream("rover-swap").tasks:
        envs = MarsRoverVectorEnv(128, conditions=task.conditions, num_maps=4, autoreset_mode="Disabled")
        observations = envs.reset(seed=0)[0]
        reached, over = np.zeros(128, dtype=bool), np.zeros(128, dtype=bool)
        for _ in range(200):
            steer = np.clip(np.arctan2(observations[:, 2], observations[:, 1]), -1, 1)
            drive = np.where(np.abs(steer) > 0.8, 0.2, 1.0)
            observations, _, ended, late, infos = envs.step(np.stack([drive, steer], axis=1))
            reached |= infos["success"] & ~over
            over |= ended | late
            if (ended | late).any():
                observations = envs.reset(options={"reset_mask": ended | late})[0]
        share[task.name] = reached.mean()
    assert share["mer"] < 0.6 and share["msl"] > 0.9


def test_the_steering_swings_smoothly_and_ends_where_its_task_is() -> None:
    stream = steer_bias(reach=0.3, turns=2)
    first, second = stream.segments
    for segment, sign in ((first, -1), (second, 1)):
        assert segment.drift.at(segment.steps) == stream.tasks[segment.task].conditions
        assert segment.drift.at(segment.steps // 4).steering_bias == pytest.approx(-0.3 * sign)
        bias = [segment.drift.at(step).steering_bias for step in range(0, segment.steps, 250)]
        assert max(abs(b - a) for a, b in itertools.pairwise(bias)) < 0.01
        assert min(bias) >= -0.3 and max(bias) <= 0.3


def test_on_a_mission_nothing_jumps() -> None:
    stream = mission(sols=50_000)
    assert [segment.steps for segment in stream.segments] == [10_000, 10_000, 10_000, 20_000]
    path = np.array([stream.at(step).to_array() for step in range(0, stream.total_steps, 100)])
    span = np.ptp(path, axis=0)
    moved = span > 0
    assert moved.sum() >= 8
    assert (np.abs(np.diff(path, axis=0))[:, moved] <= 0.02 * span[moved]).all()
    for before, after in itertools.pairwise(stream.segments):
        assert after.drift.start == before.drift.at(before.steps)
    seasons = path[:, list(RANGES).index("season")]
    assert seasons[0] == 0 and seasons[-1] == 340 and (np.diff(seasons) >= 0).all()


def test_mars20_is_mars10_twice() -> None:
    once, twice = mars10(), mars20()
    assert len(once.tasks) == 10 and len(once.segments) == 10
    assert twice.segments == once.segments + once.segments
    assert twice.tasks == once.tasks and twice.world == once.world


def test_drawn_tasks_depend_on_seed_and_number_alone() -> None:
    tasks = mars100().tasks
    assert tasks == tuple(drawn_task(0, number) for number in range(100))
    assert len({task.conditions for task in (*tasks, *mars100(seed=1).tasks)}) == 200


def test_who_parks_lives_through_the_storm_and_who_drives_does_not() -> None:
    stream = storm()
    dark, lived = stream.tasks[1].conditions, {}
    for who in ("parks", "wanders"):
        env = MarsRoverVectorEnv(
            16, conditions=dark, world=stream.world, autoreset_mode="Disabled", num_maps=2
        )
        env.reset(seed=0)
        rng, alive, survived = np.random.default_rng(0), np.ones(16, dtype=bool), np.zeros(16, dtype=bool)
        while alive.any():
            actions = np.zeros((16, 2)) if who == "parks" else rng.uniform(-1, 1, (16, 2))
            _, _, ended, late, infos = env.step(actions)
            survived |= alive & infos["success"]
            alive &= ~(ended | late)
            if (ended | late).any():
                env.reset(options={"reset_mask": ended | late})
        lived[who] = survived.mean()
    assert lived == {"parks": 1.0, "wanders": 0.0}


@pytest.mark.parametrize("name", ["devil_rate", "martian"])
def test_bodies_need_their_system(name: str) -> None:
    only: dict[str, Any] = {name: 0.5}
    met, alone = Task(name="met", conditions=Conditions(**only)), Task(name="alone", conditions=Conditions())
    with pytest.raises(ValueError, match=rf"task 'met': Conditions\.{name} is 0\.5, .*'bodies'"):
        abrupt("s", "", (alone, met), (0, 1))
    there = Drift(kind="linear", start=alone.conditions, end=met.conditions)
    segments = (Segment(task=0, drift=there),)
    with pytest.raises(ValueError, match=rf"segment 1: Conditions\.{name} is 0\.5"):
        Stream(name="s", description="", tasks=(alone,), segments=segments)
    beside = Drift.none(alone.conditions)
    segments = (Segment(task=0, drift=replace(beside, beside=(there,))),)
    with pytest.raises(ValueError, match=rf"segment 1: Conditions\.{name} is 0\.5"):
        Stream(name="s", description="", tasks=(alone,), segments=segments)
    assert abrupt("s", "", (alone, met), (0, 1), world=World(systems=("bodies",))).at(0) == alone.conditions
