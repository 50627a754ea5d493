from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rover_cl_envs.conditions import Conditions
from rover_cl_envs.drift import Drift, Kind
from rover_cl_envs.drift_env import MarsDriftEnv
from rover_cl_envs.env import MarsRoverEnv
from rover_cl_envs.scene import BODIES
from rover_cl_envs.streams import Segment, Stream, Task, abrupt
from rover_cl_envs.world import World

STAND = np.zeros(2, dtype=np.float32)
GRAVITY, ORDER, WHEEL = 29, 31, 24  # indices of the observation
STEPS = 6  # of a segment
LIGHT, HEAVY = (Task(name=n, conditions=Conditions(gravity=g)) for n, g in (("light", 3.72), ("heavy", 7.44)))


def two_worlds() -> Stream:
    return abrupt("two", "a test", (LIGHT, HEAVY), (0, 1, 0)).with_steps(STEPS)


def slow_change() -> Stream:
    drift = Drift(kind="linear", start=LIGHT.conditions, end=HEAVY.conditions, period=10)
    segment = Segment(task=1, drift=drift, steps=20)
    return Stream(name="slow", description="a test", tasks=(LIGHT, HEAVY), segments=(segment,))


def env_of(stream: Stream | str, **keywords: Any) -> MarsDriftEnv:
    return MarsDriftEnv(stream=stream, num_maps=1, **keywords)


def stand(env: MarsRoverEnv, steps: int, index: int = GRAVITY) -> list[float]:
    return [round(float(env.step(STAND)[0][index]), 6) for _ in range(steps)]


def test_worlds_change_with_the_steps() -> None:
    env = env_of(two_worlds())
    env.reset(seed=0)
    expected = [0.0] * STEPS + [1.0] * STEPS + [0.0] * STEPS
    assert stand(env, 3 * STEPS) == pytest.approx(expected)
    assert stand(env, STEPS) == pytest.approx([0.0] * STEPS)  # past the end, the last world holds


def test_smooth_drift_moves_every_step() -> None:
    env = env_of(slow_change())
    env.reset(seed=0)
    assert stand(env, 15) == pytest.approx([min(k / 10, 1.0) for k in range(15)], abs=1e-6)


def test_numbers_beside_one_another_each_follow_their_schedule() -> None:
    other = replace(LIGHT.conditions, wheel_health=(1, 1, 1, 0, 1, 1))
    fault = Drift(kind="recurring", start=LIGHT.conditions, end=other, period=8)
    slow = slow_change()
    segment = replace(slow.segments[0], drift=replace(slow.segments[0].drift, beside=(fault,)))
    env = env_of(replace(slow, segments=(segment,)))
    env.reset(seed=0)
    seen = np.array([env.step(STAND)[0][[GRAVITY, WHEEL]] for _ in range(15)])
    np.testing.assert_allclose(seen[:, 0], [min(k / 10, 1.0) for k in range(15)], atol=1e-6)
    assert seen[:, 1].tolist() == [1.0, 1.0, 1.0, 1.0, -1.0, -1.0, -1.0, -1.0] + [1.0] * 4 + [-1.0] * 3


def test_reset_goes_on_with_the_stream_and_a_seed_begins_it_anew() -> None:
    env = env_of(two_worlds())
    env.reset(seed=0)
    stand(env, 4)
    env.reset()
    assert stand(env, 4) == pytest.approx([0, 0, 1, 1])
    assert env.reset()[0][GRAVITY] == pytest.approx(1)
    first, info = env.reset(seed=0)
    assert first[GRAVITY] == pytest.approx(0, abs=1e-6) and info["stream_step"] == 0
    assert stand(env, STEPS + 1) == pytest.approx([0] * STEPS + [1])


def test_seeded_reset_forgets_what_was_before() -> None:
    env, twin = env_of(slow_change()), env_of(slow_change())
    env.reset(seed=1)
    stand(env, 9)
    np.testing.assert_array_equal(env.reset(seed=4)[0], twin.reset(seed=4)[0])
    for _ in range(12):
        np.testing.assert_array_equal(env.step([1.0, 0.1])[0], twin.step([1.0, 0.1])[0])


def test_stream_step_can_be_set() -> None:
    env = env_of(two_worlds())
    observation, info = env.reset(seed=0, options={"stream_step": STEPS + 2})
    assert observation[GRAVITY] == pytest.approx(1)
    assert (info["stream_step"], info["segment"], info["task_name"]) == (STEPS + 2, 1, "heavy")
    assert stand(env, STEPS) == pytest.approx([1] * (STEPS - 2) + [0, 0])


def test_within_one_segment_it_is_the_ordinary_environment() -> None:
    env = env_of(two_worlds().with_steps(1000))
    plain = MarsRoverEnv(num_maps=1, conditions=LIGHT.conditions)
    np.testing.assert_array_equal(env.reset(seed=3)[0], plain.reset(seed=3)[0])
    for _ in range(30):
        ours, theirs = env.step([1.0, 0.2]), plain.step([1.0, 0.2])
        np.testing.assert_array_equal(ours[0], theirs[0])
        assert ours[1:4] == theirs[1:4]
        if any(ours[2:4]):
            np.testing.assert_array_equal(env.reset()[0], plain.reset()[0])


def test_target_swap_waits_for_the_next_episode() -> None:
    swap = Task(name="b", conditions=Conditions(target_b=1.0))
    stream = abrupt("swap", "a test", (Task(name="a", conditions=Conditions()), swap), (0, 1)).with_steps(3)
    env = env_of(stream)
    env.reset(seed=0)
    assert stand(env, 6, ORDER) == [1.0] * 6
    assert env.reset()[0][ORDER] == -1.0
    assert env.scene().rewarded == 1


def test_notices_tell_as_much_as_was_asked_for() -> None:
    plain = {"outcome", "success"}
    for notify, keys in {
        "none": plain,
        "boundary": plain | {"boundary"},
        "task": plain | {"boundary", "segment", "task", "task_name", "stream_step"},
    }.items():
        env = env_of(two_worlds(), notify=notify)
        assert set(env.reset(seed=0)[1]) == keys
        assert set(env.step(STAND)[4]) == keys | {"reward_terms"}


def test_what_is_told_changes_no_observation() -> None:
    seen = []
    for notify in ("none", "boundary", "task"):
        env = env_of(two_worlds(), notify=notify)
        seen.append([env.reset(seed=0)[0], *(env.step([0.5, 0.1])[0] for _ in range(2 * STEPS))])
    np.testing.assert_array_equal(seen[0], seen[1])
    np.testing.assert_array_equal(seen[0], seen[2])


def test_boundary_is_told_once_at_each_segment() -> None:
    env = env_of(two_worlds(), notify="boundary")
    assert env.reset(seed=0)[1]["boundary"]
    told = [env.step(STAND)[4]["boundary"] for _ in range(4 * STEPS)]
    assert np.flatnonzero(told).tolist() == [0, STEPS, 2 * STEPS]


def test_a_refused_action_does_not_swallow_the_boundary() -> None:
    env = env_of(two_worlds(), notify="boundary")
    env.reset(seed=0)
    for _ in range(STEPS):
        env.step(STAND)
    with pytest.raises(ValueError, match="NaN"):
        env.step(np.full(2, np.nan, dtype=np.float32))
    assert env.step(STAND)[4]["boundary"]


def test_a_step_before_the_stream_is_refused_and_changes_nothing() -> None:
    env = env_of(two_worlds())
    env.reset(seed=0)
    with pytest.raises(ValueError, match="-1"):
        env.reset(options={"stream_step": -1})
    assert env.stream_step == 0


def test_task_is_that_of_the_segment() -> None:
    env = env_of(two_worlds())
    env.reset(seed=0)
    infos = [env.step(STAND)[4] for _ in range(3 * STEPS)]
    assert [i["task"] for i in infos] == [0] * STEPS + [1] * STEPS + [0] * STEPS
    assert [i["segment"] for i in infos] == sorted([0, 1, 2] * STEPS)
    assert [i["stream_step"] for i in infos] == list(range(3 * STEPS))
    assert {(i["task"], i["task_name"]) for i in infos} == {(0, "light"), (1, "heavy")}


@pytest.mark.parametrize("kind", ["sinusoidal", "recurring", "random-walk"])
def test_a_drift_without_end_goes_on_past_the_end_of_the_stream(kind: Kind) -> None:
    drift = Drift(kind=kind, start=LIGHT.conditions, end=HEAVY.conditions, period=64)
    segment = Segment(task=1, drift=drift, steps=20)
    env = env_of(Stream(name="endless", description="a test", tasks=(LIGHT, HEAVY), segments=(segment,)))
    env.reset(seed=0, options={"stream_step": 1000})
    assert np.ptp(stand(env, 64)) > 0.3


def test_what_comes_across_the_map_comes_and_goes_with_the_stream() -> None:
    crowded = Task(name="crowded", conditions=Conditions(devil_rate=3.0, martian=1.0))
    there = Drift(kind="sinusoidal", start=LIGHT.conditions, end=crowded.conditions, period=400)
    segment = Segment(task=1, drift=there, steps=400)
    world = World(systems=("bodies",))
    env = env_of(
        Stream(name="busy", description="a test", tasks=(LIGHT, crowded), segments=(segment,), world=world)
    )
    met = []
    for step in (0, 200, 400):
        env.reset(seed=0)
        env.reset(options={"stream_step": step})
        met.append([BODIES[int(kind)] for kind in env.scene().bodies[:, 3]])
    assert met == [[], ["dust devil"] * 3 + ["martian"], []]


def test_streams_go_by_name() -> None:
    env = env_of("gravity")
    assert env.stream.name == "gravity"
    assert env.conditions == env.stream.tasks[0].conditions


@pytest.mark.parametrize(
    ("keywords", "named"),
    [
        ({"stream": "lookalikes"}, "Did you mean 'lookalike'"),
        ({"stream": None}, "unknown stream None. Valid: event"),
        ({"stream": "gravity", "notify": "bounds"}, "unknown notify 'bounds'.*none, task"),
        ({"stream": "gravity", "notify": None}, "unknown notify None. Valid: boundary, none, task"),
        ({"stream": "gravity", "notfy": "none"}, "unknown argument 'notfy'. Did you mean 'notify'"),
        ({"stream": "gravity", "conditions": Conditions()}, "conditions are the stream's"),
    ],
    ids=["stream", "no stream", "notify", "no notice", "argument", "conditions"],
)
def test_wrong_arguments_are_named(keywords: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        MarsDriftEnv(**keywords)
