"""How an unknown name is refused: with what was given, what exists, and the nearest guess."""

from __future__ import annotations

import difflib
import inspect
import math
from collections.abc import Iterable
from typing import TypeGuard

import numpy as np


def unknown_name(kind: str, given: object, valid: Iterable[str]) -> ValueError:
    """Build the error for a name that is not in a table.

    Args:
        kind: what the name names, in the singular ("stream", "rover").
        given: the name that was not found, or what came in its place.
        valid: the names that exist.

    Returns:
        A `ValueError` that lists the valid names and, where one is close, suggests it.
    """
    names = sorted(valid)
    near = difflib.get_close_matches(given, names, n=1, cutoff=0.4) if isinstance(given, str) else []
    guess = f" Did you mean {near[0]!r}?" if near else ""
    return ValueError(f"unknown {kind} {given!r}.{guess} Valid: {', '.join(names)}.")


def is_integer(value: object, least: int) -> bool:
    """Whether a value is a whole number from `least` on; NumPy's count, true and false don't."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and int(value) >= least


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value is a finite number; NumPy's count, true and false don't."""
    number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    return number and math.isfinite(value)  # type: ignore[arg-type]


def arguments_of(kind: type) -> set[str]:
    """Names of the arguments that a class's constructor and those of its parents take."""
    taken = [inspect.signature(vars(each)["__init__"]) for each in kind.__mro__ if "__init__" in vars(each)]
    return {
        name
        for signature in taken
        for name, parameter in signature.parameters.items()
        if parameter.kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD) and name != "self"
    }
