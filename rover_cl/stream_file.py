"""A stream of your own as a TOML file: tasks by name, segments in order, how the world moves between them.

    name = "night-shift"
    description = "ground turns to sand while the steering wears"
    conflicts = [["firm", "sand"]]          # optional: an expert on the first should fail on the second

    [world]                                 # optional: fields of rover_cl_envs.world.World
    time_limit = 150

    [[tasks]]
    name = "firm"

    [[tasks]]
    name = "sand"
    conditions = { site = "gale", ground_fluffiness = 0.5 }     # fields of Conditions, over those of a site

    [[segments]]
    task = "firm"
    steps = 300_000

    [[segments]]
    task = "sand"
    steps = 300_000
    [segments.drift]                        # optional: fields of Drift; from the task before to this one
    kind = "linear"
    period = 150_000
    [[segments.drift.beside]]               # optional: other numbers, by a schedule of their own
    kind = "sinusoidal"
    period = 20_000
    start = { steering_bias = -0.3 }        # fields over those where the drift starts, or the name of a task
    end = { steering_bias = 0.3 }

A rover of your own is a table in place of its name, in conditions or in the world: the fields of
rover_cl_envs.rovers.Rover. Without `soils` and `ground_pressure` these follow from its wheels and its mass,
as `Rover.fitted` has them. `plant`, for the system "power", is a table of PowerPlant's fields.
docs/simulator.md shows one. Reading such a file runs no code.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from rover_cl.tables import built, shown, told
from rover_cl_envs.conditions import Conditions
from rover_cl_envs.drift import Drift
from rover_cl_envs.errors import unknown_name
from rover_cl_envs.sites import get_site
from rover_cl_envs.streams import SHORT, Segment, Stream, Task
from rover_cl_envs.world import World

SUFFIX = ".toml"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Task(_Part):
    name: str
    conditions: dict[str, Any] = {}


class _Segment(_Part):
    task: str
    steps: int = SHORT
    drift: dict[str, Any] | None = None


class _File(_Part):
    name: str
    description: str = ""
    world: dict[str, Any] = {}
    tasks: list[_Task]
    segments: list[_Segment]
    conflicts: list[list[str]] = []


_TABLES: dict[str, type[BaseModel]] = {"": _File, "tasks": _Task, "segments": _Segment}
"""What the file is made of, by the name that it has there."""


def read_stream(path: str | Path) -> Stream:
    """Read a stream from a TOML file.

    Args:
        path: the file.

    Raises:
        ValueError: it can't be read, or something in it does not fit; one line that names file and field.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"stream file {path} can't be read: {error}") from error
    try:
        return _stream(_File.model_validate(tomllib.loads(text)))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path} is not TOML: {error}") from error
    except ValidationError as error:
        raise ValueError(f"{path}: {told(error, _TABLES)}") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _stream(file: _File) -> Stream:
    names = [task.name for task in file.tasks]
    for where, name in [("name", file.name), *((f"task {k + 1}: name", n) for k, n in enumerate(names))]:
        if not name.strip() or not name.isprintable() or {"/", "\\"} & set(name):
            raise ValueError(f"{where} is {name!r}, expected one that can name a file, without slashes")
    twice = next((name for k, name in enumerate(names) if name in names[:k]), None)
    if twice is not None:
        raise ValueError(f"tasks: two have the name {twice!r}, expected each name once")
    worlds = {t.name: _conditions(t.conditions, f"task {t.name!r}", Conditions()) for t in file.tasks}
    segments = _segments(file.segments, worlds)
    idle = [name for k, name in enumerate(names) if k not in {segment.task for segment in segments}]
    if idle:
        raise ValueError(
            f"task {idle[0]!r} is trained by no segment, expected one at least; what a drift only "
            "passes needs no task: end = { steering_bias = 0.3 }"
        )
    return Stream(
        name=file.name,
        description=file.description,
        tasks=tuple(Task(name=name, conditions=world) for name, world in worlds.items()),
        segments=segments,
        conflicts=tuple(_conflict(pair, names) for pair in file.conflicts),
        world=built(World, file.world, "world"),
    )


def _segments(parts: Sequence[_Segment], worlds: Mapping[str, Conditions]) -> tuple[Segment, ...]:
    segments: list[Segment] = []
    before: str | None = None
    for number, part in enumerate(parts):
        where, task = f"segment {number + 1}", _task_name(part.task, worlds, f"segment {number + 1}")
        drift = Drift.none(worlds[task])
        if part.drift is not None:
            usual = {"start": worlds[before or task], "end": worlds[task]}
            drift = _drift(part.drift, worlds, usual, f"{where}: drift")
        segments.append(
            built(Segment, {"task": list(worlds).index(task), "drift": drift, "steps": part.steps}, where)
        )
        before = task
    return tuple(segments)


def _drift(
    given: dict[str, Any], worlds: Mapping[str, Conditions], usual: Mapping[str, Conditions], where: str
) -> Drift:
    """A drift of the file.

    Args:
        given: its table. An end is a task's name, or a table of conditions over the usual end's.
        worlds: conditions of each task.
        usual: its start and its end where the table has none. Without an end, one must be given; if that is
            a table, it lies over the usual start's.
        where: in the file that is.
    """
    ends: dict[str, Conditions] = dict(usual)
    for side in ("start", "end"):
        end = given.get(side)
        if isinstance(end, Mapping):
            ends[side] = _conditions(end, f"{where}.{side}", usual.get(side, usual["start"]))
        elif side in given:
            ends[side] = worlds[_task_name(end, worlds, f"{where}.{side}")]
    others = given.get("beside", [])
    if not isinstance(others, list) or not all(isinstance(other, dict) for other in others):
        raise ValueError(f"{where}.beside: expected a list of tables, found {shown(others)}")
    beside = tuple(
        _drift(other, worlds, {"start": ends["start"]}, f"{where}.beside {number + 1}")
        for number, other in enumerate(others)
    )
    return built(Drift, {**given, **ends, "beside": beside}, where)


def _conditions(given: Mapping[str, Any], where: str, usual: Conditions) -> Conditions:
    """Conditions of the file: the fields that are given, over those of a site if there is one, or `usual`."""
    changes = {name: value for name, value in given.items() if name != "site"}
    changed = built(Conditions, changes, where, beside=("site",))
    if "site" in given:
        try:
            usual = get_site(str(given["site"])).conditions
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error
    return dataclasses.replace(usual, **{name: getattr(changed, name) for name in changes})


def _conflict(pair: list[str], names: list[str]) -> tuple[int, int]:
    if len(pair) != 2:
        raise ValueError(f"conflicts holds {pair}, expected pairs of two task names")
    first, second = (names.index(_task_name(name, names, "conflicts")) for name in pair)
    return first, second


def _task_name(given: Any, names: Iterable[str], where: str) -> str:
    if given not in list(names):
        raise ValueError(f"{where}: {unknown_name('task', given, names)}")
    return str(given)
