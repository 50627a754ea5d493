"""Settings: a config as it was given, or one made of settings by name, its fields looked at once for all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from difflib import get_close_matches
from numbers import Integral, Real
from typing import Any, TypeVar

Config = TypeVar("Config")


def chosen(kind: type[Config], config: Config | None, settings: Mapping[str, Any]) -> Config:
    """Give the config, or one of `kind` made of `settings`.

    Raises:
        ValueError: if both are given, if `config` is no config of this kind, or if a setting is unknown, of
            another type than its field, or out of its range.
    """
    if config is not None and settings:
        raise ValueError(f"give a config or settings by name, not both: {sorted(settings)}.")
    if config is None:
        return kind(**{name: _fitting(kind, name, value) for name, value in settings.items()})
    if not isinstance(config, kind):
        raise ValueError(
            f"config is {config!r}; expected {kind.__name__}(...), or settings by name: "
            f"{_owner(kind)}({_example(kind, config)})."
        )
    for name, value in vars(config).items():
        _fitting(type(config), name, value)
    return config


def nearest(name: str, names: Iterable[str]) -> str:
    """Name those there are, and which of them was probably meant."""
    names = list(names)
    close = get_close_matches(name, names, n=1)
    meant = f"; did you mean {close[0]!r}?" if close else "."
    return f"expected one of {', '.join(names)}{meant}"


def _fitting(kind: type[Any], name: str, value: Any) -> Any:
    """Give `value` if it is what field `name` holds."""
    types: dict[str, Any] = {field.name: field.type for field in fields(kind)}
    if name not in types:
        raise ValueError(f"{name!r} is no setting of {_owner(kind)}; {nearest(name, types)}")
    if types[name] in ("int", int):
        if not isinstance(value, Integral) or isinstance(value, bool):
            whole = isinstance(value, float) and value.is_integer()
            remedy = f": write {name}={int(value)}" if whole else ""
            raise ValueError(f"{name} is {value!r}; expected a whole number{remedy}.")
        return int(value)
    if types[name] in ("float", float) and not isinstance(value, Real):
        raise ValueError(f"{name} is {value!r}; expected a number.")
    return value


def _owner(kind: type[Any]) -> str:
    return kind.__name__.removesuffix("Config")


def _example(kind: type[Any], value: Any) -> str:
    """Write down the setting that `value` was probably meant for."""
    names = [field.name for field in fields(kind)]
    name = "weight" if "weight" in names else names[0]
    return f"{name}={value!r}" if isinstance(value, Real | str) else f"{name}=..."
