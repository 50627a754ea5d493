"""Streams as a run's folder records them."""

from __future__ import annotations

import dataclasses
import json

import pytest

from rover_cl.configuration import RunConfig, read_config
from rover_cl.records import difference_between
from rover_cl_envs.conditions import Conditions
from rover_cl_envs.drift import Drift
from rover_cl_envs.rovers import MSL, Rover
from rover_cl_envs.streams import STREAMS, Segment, Stream, Task
from rover_cl_envs.world import World

MINE = dataclasses.replace(MSL, name="mine", mass=950.0)


def swapped(rover: str | Rover | None, world: str | Rover) -> Stream:
    here, there = Conditions(), Conditions(rover=rover)
    return Stream(
        name="swapped",
        description="a test",
        tasks=(Task(name="a", conditions=here), Task(name="b", conditions=there)),
        segments=(Segment(task=1, drift=Drift(kind="linear", start=here, end=there, period=100)),),
        world=World(rover=world),
    )


@pytest.mark.parametrize(("rover", "world"), [("msl", "mer"), (MINE, "sojourner"), (None, MINE)])
def test_a_recorded_stream_comes_back_with_its_rovers(rover: str | Rover | None, world: str | Rover) -> None:
    stream = swapped(rover, world)
    description = json.loads(json.dumps({"config": {"stream": "a:b"}, "stream": dataclasses.asdict(stream)}))
    assert read_config(description).recorded == stream


def gliding() -> Stream:
    here, swung = Conditions(), Conditions(steering_bias=0.3)
    swing = Drift(kind="sinusoidal", start=here, end=swung, period=100)
    dust = Drift(kind="linear", start=here, end=Conditions(optical_depth=3.0), period=9000, beside=(swing,))
    return dataclasses.replace(
        swapped(None, "mer"), segments=(Segment(task=1, drift=dust), Segment(task=0, drift=swing))
    )


def test_a_recorded_stream_comes_back_with_what_drifts_beside() -> None:
    description = json.loads(
        json.dumps({"config": {"stream": "a:b"}, "stream": dataclasses.asdict(gliding())})
    )
    assert read_config(description).recorded == gliding()


def test_a_run_recorded_before_drifts_had_others_beside_them_is_the_same_run() -> None:
    today = RunConfig(stream="steer-bias").describe()
    before = json.loads(json.dumps(today))
    for segment in before["stream"]["segments"]:
        assert segment["drift"].pop("beside") == []
    assert difference_between(before, today) is None and difference_between(today, before) is None
    assert read_config(before).build_stream() == RunConfig(stream="steer-bias").build_stream()
    moved = json.loads(json.dumps(dataclasses.asdict(gliding())))
    still = json.loads(json.dumps(moved))
    del still["segments"][0]["drift"]["beside"]
    told = difference_between(still, moved)
    assert told is not None and told.startswith("segments[0].drift.beside is null there and [{")


@pytest.mark.parametrize("name", STREAMS)
def test_every_shipped_stream_comes_back(name: str) -> None:
    config = RunConfig(stream=name)
    assert read_config(config.describe()).recorded == config.build_stream()
