"""What each number of an observation is: the tables of the modules that write them, read from there.

    python -m rover_cl_envs.layout            # the table of docs/simulator.md
    python -m rover_cl_envs.layout power      # that of World(systems=("power",)), numbered throughout

The rows stand once, in the docstrings of sensors.py, power.py, objectives.py and bodies.py.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from rover_cl_envs import bodies, objectives, power, sensors
from rover_cl_envs.errors import unknown_name
from rover_cl_envs.sensors import BLOCKS, SIZE

_TABLES = {
    "every rover": sensors.__doc__,
    "power": power.__doc__,
    "mission": objectives.__doc__,
    "bodies": bodies.__doc__,
}
_ROW = re.compile(r"^\| (\d[\d, -]*) \| (.+) \| (.+) \|$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A row of the layout: some numbers of one block."""

    block: str
    """"every rover", or the system whose block it is"""
    indices: tuple[int, ...]
    """of its numbers, in the block"""
    what: str
    """what they are"""
    scale: str
    """what they are divided by"""


def layout() -> list[Entry]:
    """All rows: those that every rover has, then each system's, in the order of the observation."""
    return [
        Entry(block=block, indices=_indices(numbers), what=what, scale=scale)
        for block in ("every rover", *BLOCKS)
        for numbers, what, scale in _ROW.findall(_TABLES[block] or "")
    ]


def positions(systems: Collection[str] = ()) -> list[tuple[tuple[int, ...], Entry]]:
    """The rows of an observation with those systems, each with its indices in the whole vector.

    Raises:
        ValueError: no system has one of the names; the message names the nearest.
    """
    for name in systems:
        if name not in BLOCKS:
            raise unknown_name("system", name, BLOCKS)
    starts, at = {"every rover": 0}, SIZE
    for name, size in BLOCKS.items():
        if name in systems:
            starts[name], at = at, at + size
    return [(tuple(starts[e.block] + i for i in e.indices), e) for e in layout() if e.block in starts]


def as_markdown(rows: Iterable[tuple[tuple[int, ...], Entry]]) -> str:
    """Rows as a table: block, indices, what, scale."""
    lines = ["| block | index | what | scale |", "|---|---|---|---|"]
    lines += [f"| {e.block} | {_shown(indices)} | {e.what} | {e.scale} |" for indices, e in rows]
    return "\n".join(lines)


def _indices(text: str) -> tuple[int, ...]:
    """The numbers of "0-4", "20" or "1-2, 7-8"."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        found += range(int(first), int(last or first) + 1)
    return tuple(found)


def _shown(indices: tuple[int, ...]) -> str:
    """Those numbers with each run of neighbours as its ends."""
    runs: list[list[int]] = []
    for i in indices:
        if runs and runs[-1][-1] == i - 1:
            runs[-1].append(i)
        else:
            runs.append([i])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def main() -> None:
    """Print the table of docs/simulator.md, or that of the systems named."""
    systems = sys.argv[1:]
    try:
        rows = positions(systems) if systems else [(e.indices, e) for e in layout()]
    except ValueError as error:
        sys.exit(str(error))
    print(as_markdown(rows))


if __name__ == "__main__":
    main()
