"""What can be written down of a learner's parts: tensors and plain values, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from torch import Tensor

State = dict[str, Tensor | int | float | str | bool]
"""Tensors, and scalars that JSON can hold, by name."""

Value = TypeVar("Value")


def under(entries: Mapping[str, Value], prefix: str) -> dict[str, Value]:
    """Pick the entries named `<prefix>.<name>`, by name."""
    start = f"{prefix}."
    return {name[len(start) :]: value for name, value in entries.items() if name.startswith(start)}
