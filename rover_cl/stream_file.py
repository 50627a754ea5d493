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
    conditions = { ground_fluffiness = 0.5, steering_bias = 0.3 }      # fields of Conditions

    [[segments]]
    task = "firm"
    steps = 300_000

    [[segments]]
    task = "sand"
    steps = 300_000
    drift = { kind = "linear", period = 150_000 }      # fields of Drift; from the task before to this one

A rover of your own is a table in place of its name, in conditions or in the world: the fields of
rover_cl_envs.rovers.Rover. Without `soils` and `ground_pressure` these follow from its wheels and its mass,
as `Rover.fitted` has them. `plant`, for the system "power", is a table of PowerPlant's fields.
docs/simulator.md shows one. Reading such a file runs no code.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import tomllib
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from rover_cl_envs.conditions import Conditions
from rover_cl_envs.drift import Drift
from rover_cl_envs.errors import unknown_name
from rover_cl_envs.power_plant import PowerPlant
from rover_cl_envs.rovers import Rover
from rover_cl_envs.streams import SHORT, Segment, Stream, Task
from rover_cl_envs.world import World

SUFFIX = ".toml"
Value = TypeVar("Value")


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


_QUOTED = re.compile("'([^']*)'")
_PARTS: dict[str, type[_Part]] = {"tasks": _Task, "segments": _Segment}


def read_stream(path: Path) -> Stream:
    """Read a stream from a TOML file.

    Args:
        path: the file.

    Raises:
        ValueError: it can't be read, or something in it does not fit; one line that names file and field.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"stream file {path} can't be read: {error}") from error
    try:
        return _stream(_File.model_validate(tomllib.loads(text)))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path} is not TOML: {error}") from error
    except ValidationError as error:
        raise ValueError(f"{path}: {_told(error)}") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _stream(file: _File) -> Stream:
    names = [task.name for task in file.tasks]
    twice = next((name for k, name in enumerate(names) if name in names[:k]), None)
    if twice is not None:
        raise ValueError(f"tasks: two have the name {twice!r}, expected each name once")
    tasks = tuple(
        Task(name=task.name, conditions=_built(Conditions, task.conditions, f"task {task.name!r}"))
        for task in file.tasks
    )
    segments: list[Segment] = []
    for number, part in enumerate(file.segments):
        where = f"segment {number + 1}"
        task = _index(part.task, names, where)
        before = segments[-1].task if segments else task
        drift = _drift(part.drift, tasks, names, before, task, where)
        segments.append(_built(Segment, {"task": task, "drift": drift, "steps": part.steps}, where))
    return Stream(
        name=file.name,
        description=file.description,
        tasks=tasks,
        segments=tuple(segments),
        conflicts=tuple(_conflict(pair, names) for pair in file.conflicts),
        world=_built(World, file.world, "world"),
    )


def _drift(
    given: dict[str, Any] | None,
    tasks: tuple[Task, ...],
    names: list[str],
    before: int,
    task: int,
    where: str,
) -> Drift:
    """The path of a segment's world: none, or from one task's conditions to another's."""
    if given is None:
        return Drift.none(tasks[task].conditions)
    ends = {"start": names[before], "end": names[task], **given}
    worlds = {
        side: tasks[_index(str(ends[side]), names, f"{where}: drift.{side}")].conditions
        for side in ("start", "end")
    }
    return _built(Drift, {**ends, **worlds}, f"{where}: drift")


def _conflict(pair: list[str], names: list[str]) -> tuple[int, int]:
    if len(pair) != 2:
        raise ValueError(f"conflicts holds {pair}, expected pairs of two task names")
    return _index(pair[0], names, "conflicts"), _index(pair[1], names, "conflicts")


def _index(name: str, names: list[str], where: str) -> int:
    if name not in names:
        raise ValueError(f"{where}: {unknown_name('task', name, names)}")
    return names.index(name)


def _built(kind: type[Value], values: Mapping[str, Any], where: str) -> Value:
    """Make a dataclass of the file's values: names and types are checked, and then by the class itself."""
    _check_names(kind, values, where)
    rover = values.get("rover")
    if isinstance(rover, Mapping) and "soils" not in rover:
        values = {**values, "rover": _fitted(rover, f"{where}: rover")}
    try:
        return TypeAdapter(kind).validate_python(dict(values))
    except ValidationError as error:
        raise ValueError(f"{where}: {_told(error)}") from error


def _fitted(given: Mapping[str, Any], where: str) -> Rover:
    """The rover of a table that leaves out the soils under its wheels."""
    if "ground_pressure" in given:
        raise ValueError(
            f"{where}: ground_pressure without soils, expected both, or neither: they are fitted"
        )
    taken = inspect.signature(Rover.fitted).parameters
    for name, parameter in taken.items():
        if parameter.default is parameter.empty and name not in given:
            raise ValueError(f"{where}: {name}: Field required")
    plant = given.get("plant")
    if isinstance(plant, Mapping):
        plant = _built(PowerPlant, plant, f"{where}: plant")
    try:
        return Rover.fitted(**{**given, "plant": plant})
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def _check_names(kind: type[Any], values: Mapping[str, Any], where: str) -> None:
    """Refuse names that no field has, in nested tables too: pydantic would drop them.

    And refuse true and false for a number, which pydantic would read as 1 and 0.
    """
    hints = typing.get_type_hints(kind)
    for name, value in values.items():
        if name not in hints:
            raise ValueError(f"{where}: {unknown_name('field', name, hints)}")
        if isinstance(value, bool) and hints[name] is not bool:
            raise ValueError(f"{where}: {name} is {str(value).lower()}, expected no truth value")
        inner = [
            part for part in (hints[name], *typing.get_args(hints[name])) if dataclasses.is_dataclass(part)
        ]
        if isinstance(value, Mapping) and inner:
            _check_names(typing.cast("type[Any]", inner[0]), value, f"{where}: {name}")


def _told(error: ValidationError) -> str:
    """The first thing that pydantic found, in one line; of a choice, what the likeliest kind lacks."""
    # A misspelt name is also one that is missing, and the former tells more.
    first = max(error.errors(), key=lambda found: (len(found["loc"]), found["type"] == "extra_forbidden"))
    loc, given = first["loc"], first["input"]
    if first["type"] == "extra_forbidden":
        part = _PARTS[str(loc[0])] if len(loc) > 1 else _File
        return f"{_place(loc[:-1])}{unknown_name('field', str(loc[-1]), part.model_fields)}"
    if first["type"] == "literal_error":
        valid = _QUOTED.findall(first["ctx"]["expected"])
        return f"{_place(loc[:-1])}{unknown_name(str(loc[-1]), given, valid)}"
    said = first["msg"].removeprefix("Value error, ")
    if first["type"] not in ("value_error", "missing") and isinstance(given, str | int | float):
        said += f", found {given!r}"
    return f"{_place(loc)}{said}"


def _place(loc: Sequence[int | str]) -> str:
    """Where in the file that is, before what stands there: "segment 2: " for ("segments", 1)."""
    words: list[str] = []
    for part in loc:
        if isinstance(part, int) and words:
            words[-1] = f"{words[-1].removesuffix('s')} {part + 1}"
        else:
            words.append(str(part))
    return "".join(f"{word}: " for word in words)
