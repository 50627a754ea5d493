"""Settings typed on the command line: `replay:weight=0.1,capacity=100` -> a checked config object."""

import dataclasses
import re
from typing import Any, TypeVar, get_type_hints

from pydantic import TypeAdapter, ValidationError

from rover_cl_envs.errors import unknown_name

Config = TypeVar("Config")
JOIN = re.compile(r"(?<!\d[eE])\+(?=\s*(?:[A-Za-z]|\+|$))")
"""A plus that joins two names; the one of 1e+3 does not. With nothing behind it, it leaves an empty part."""


def split_spec(spec: str) -> list[tuple[str, dict[str, str]]]:
    """Split `a:x=1,y=2+b` into `[("a", {"x": "1", "y": "2"}), ("b", {})]`.

    Raises:
        ValueError: a part is empty, or an option is not `name=value` or is given twice.
    """
    parts = []
    for part in JOIN.split(spec):
        name, colon, text = part.strip().partition(":")
        options: dict[str, str] = {}
        for item in text.split(",") if colon else []:
            key, equals, value = (piece.strip() for piece in item.partition("="))
            if not (key and equals and value):
                raise ValueError(
                    f"option {item!r} of {spec!r} is not of the form name=value, as in replay:weight=0.1"
                )
            if key in options:
                raise ValueError(f"option {key!r} of {spec!r} is given twice")
            options[key] = value
        if not name:
            raise ValueError(f"{spec!r} has an empty part; write names joined by +, as in replay+ewc")
        parts.append((name, options))
    return parts


def split_list(text: str) -> list[str]:
    """Split `finetune,replay:weight=0.1,capacity=9,ewc` at the commas that separate specs, not options.

    A piece with `=` and no `:` before it continues the options of the spec before it.
    """
    specs: list[str] = []
    for piece in text.split(","):
        key, equals, _ = piece.partition("=")
        if specs and equals and ":" not in key:
            specs[-1] += f",{piece.strip()}"
        elif piece.strip():
            specs.append(piece.strip())
    return specs


def build_config(config_class: type[Config], owner: str, options: dict[str, str]) -> Config:
    """Build a frozen config dataclass from text; its own `__post_init__` checks ranges.

    Raises:
        ValueError: an unknown option (with the nearest one), a value of the wrong type, or one out of range.
    """
    if not dataclasses.is_dataclass(config_class):
        raise TypeError(f"{config_class!r} is no dataclass")
    hints = get_type_hints(config_class)
    names = [field.name for field in dataclasses.fields(config_class) if field.init]
    values: dict[str, Any] = {}
    for name, text in options.items():
        if name not in names:
            raise unknown_name(f"option of {owner}", name, names)
        try:
            values[name] = TypeAdapter(hints[name]).validate_strings(text)
        except ValidationError as error:
            reason = error.errors()[0]["msg"].lower()
            raise ValueError(f"{owner}: {name}={text} is no valid value: {reason}") from error
    try:
        return config_class(**values)
    except ValueError as error:
        raise ValueError(f"{owner}: {error}") from error
