"""Tables of a TOML file as dataclasses, and what is wrong with them in TOML's words, in one line."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import typing
from collections.abc import Mapping, Sequence
from datetime import date, time
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from rover_cl_envs.errors import unknown_name
from rover_cl_envs.power_plant import PowerPlant
from rover_cl_envs.rovers import Rover

Value = TypeVar("Value")

_QUOTED = re.compile("'([^']*)'")
_ROVER = ("str", "Rover")  # how pydantic calls the two ways to give one: by its name, or as a table
_EXPECTED = {
    **dict.fromkeys(("int_type", "int_from_float"), "an integer"),
    **dict.fromkeys(("list_type", "tuple_type"), "a list"),
    **dict.fromkeys(("dict_type", "dataclass_type", "model_type"), "a table"),
    "float_type": "a number",
    "string_type": "a string",
    "bool_type": "true or false",
}
"""What was expected, in TOML's words, by pydantic's name of the error."""


def built(kind: type[Value], values: Mapping[str, Any], where: str, beside: Sequence[str] = ()) -> Value:
    """Make a dataclass of the file's values: names and types are checked, and then by the class itself.

    Args:
        kind: the class.
        values: its fields.
        where: in the file that is.
        beside: other names that may stand there, for the error to guess at.
    """
    _check_names(kind, values, where, beside)
    rover = values.get("rover")
    if isinstance(rover, Mapping) and "soils" not in rover:
        values = {**values, "rover": _fitted(rover, f"{where}: rover")}
    # TOML has JSON's types, and of JSON pydantic knows which become a tuple or a dataclass. Of Python's own
    # values it takes either none but the exact type, or strings for numbers and numbers for truth values too.
    text = json.dumps(values, default=_plain)
    try:
        return TypeAdapter(kind).validate_json(text, strict=True)
    except ValidationError as error:
        raise ValueError(f"{where}: {told(error)}") from error


def _plain(value: Any) -> Any:
    """What JSON has no type for: a dataclass made before as its fields, a date of TOML as it is written."""
    return str(value) if isinstance(value, date | time) else dataclasses.asdict(value)


def _fitted(given: Mapping[str, Any], where: str) -> Rover:
    """The rover of a table that leaves out the soils under its wheels."""
    if "ground_pressure" in given:
        raise ValueError(
            f"{where}: ground_pressure without soils, expected both, or neither: they are fitted"
        )
    taken = inspect.signature(Rover.fitted).parameters
    for name, parameter in taken.items():
        if parameter.default is parameter.empty and name not in given:
            raise ValueError(f"{where}: {name}: missing, expected one")
    plant = given.get("plant")
    if isinstance(plant, Mapping):
        plant = built(PowerPlant, plant, f"{where}: plant")
    try:
        return Rover.fitted(**{**given, "plant": plant})
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def _check_names(kind: type[Any], values: Mapping[str, Any], where: str, beside: Sequence[str] = ()) -> None:
    """Refuse names that no field has, in nested tables too: pydantic would drop them."""
    hints = typing.get_type_hints(kind)
    for name, value in values.items():
        if name not in hints:
            raise ValueError(f"{where}: {unknown_name('field', name, [*hints, *beside])}")
        inner = [
            part for part in (hints[name], *typing.get_args(hints[name])) if dataclasses.is_dataclass(part)
        ]
        if isinstance(value, Mapping) and inner:
            _check_names(typing.cast("type[Any]", inner[0]), value, f"{where}: {name}")


def told(error: ValidationError, tables: Mapping[str, type[BaseModel]] | None = None) -> str:
    """The first thing that pydantic found, in one line; of a choice, what the likeliest kind lacks.

    Args:
        error: what it raised.
        tables: models that it may have been checking, by their name in the file, the file itself by "".
    """
    # A misspelt name is also one that is missing, and the former tells more.
    first = max(error.errors(), key=lambda found: (len(found["loc"]), found["type"] == "extra_forbidden"))
    loc, given = first["loc"], first["input"]
    if first["type"] == "extra_forbidden":
        table = (tables or {})[str(loc[0]) if len(loc) > 1 else ""]
        return f"{_place(loc[:-1])}{unknown_name('field', str(loc[-1]), table.model_fields)}"
    if first["type"] == "literal_error":
        valid = _QUOTED.findall(first["ctx"]["expected"])
        return f"{_place(loc[:-1])}{unknown_name(str(loc[-1]), given, valid)}"
    if first["type"] == "missing":
        return f"{_place(loc)}missing, expected one"
    expected = "a name or a table" if loc and loc[-1] == _ROVER[0] else _EXPECTED.get(first["type"])
    if expected is None:
        return f"{_place(loc)}{first['msg'].removeprefix('Value error, ')}"
    return f"{_place(loc)}expected {expected}, found {shown(given)}"


def shown(value: object) -> str:
    """A value of the file, as it is written there."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "a table"
    return str(value) if isinstance(value, date | time) else repr(value)


def _place(loc: Sequence[int | str]) -> str:
    """Where in the file that is, before what stands there: "segment 2: " for ("segments", 1)."""
    words: list[str] = []
    for part in loc:
        if isinstance(part, int) and words:
            words[-1] = f"{words[-1].removesuffix('s')} {part + 1}"
        elif part not in _ROVER:
            words.append(str(part))
    return "".join(f"{word}: " for word in words)
