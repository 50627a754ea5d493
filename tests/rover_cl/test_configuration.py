"""Streams as a run's folder records them."""

from __future__ import annotations

import dataclasses
import json

import pytest

from rover_cl.configuration import RunConfig, read_config
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


@pytest.mark.parametrize("name", STREAMS)
def test_every_shipped_stream_comes_back(name: str) -> None:
    config = RunConfig(stream=name)
    assert read_config(config.describe()).recorded == config.build_stream()
