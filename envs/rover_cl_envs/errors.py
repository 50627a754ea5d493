"""How an unknown name is refused: with what was given, what exists, and the nearest guess."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def unknown_name(kind: str, given: str, valid: Iterable[str]) -> ValueError:
    """Build the error for a name that is not in a table.

    Args:
        kind: what the name names, in the singular ("stream", "rover").
        given: the name that was not found.
        valid: the names that exist.

    Returns:
        A `ValueError` that lists the valid names and, where one is close, suggests it.
    """
    names = sorted(valid)
    near = difflib.get_close_matches(given, names, n=1, cutoff=0.4)
    guess = f" Did you mean {near[0]!r}?" if near else ""
    return ValueError(f"unknown {kind} {given!r}.{guess} Valid: {', '.join(names)}.")
