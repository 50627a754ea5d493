"""The page on the simulator prints what the simulator does."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

from rover_cl_envs.conditions import RANGES, Conditions
from rover_cl_envs.rovers import MER
from rover_cl_envs.sensors import RING, SIZE

PAGE = (Path(__file__).parent.parent.parent / "docs/simulator.md").read_text(encoding="utf-8")


def test_script_prints_what_the_page_says() -> None:
    found = re.search(r"```python\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    script, said = found.groups()
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(script, "docs/simulator.md", "exec"), {})
    assert printed.getvalue() == said, (
        "paste what the script prints into docs/simulator.md, and its table above"
    )


def test_every_condition_has_its_row() -> None:
    for name in (*RANGES, "wheel_health"):
        assert f"`{name}`" in PAGE
    rows = {
        name: cells
        for name, *cells in re.findall(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \|", PAGE, re.MULTILINE)
    }
    for name in set(rows) & set(RANGES):
        default, bounds = rows[name]
        assert numbers(default) == [getattr(Conditions(), name)], f"default of {name}"
        assert numbers(bounds) == list(RANGES[name]), f"range of {name}"


def test_soils_are_those_of_the_module() -> None:
    for name, soil in zip(("bedrock", "regolith", "sand", "drift"), MER.soils, strict=True):
        rows = [line.split("|") for line in PAGE.splitlines() if line.startswith(f"| {name} | .")]
        row = next(cells for cells in rows if len(cells) == 13)  # name, nine coefficients, mark
        assert numbers(" ".join(row[2:11])) == list(vars(soil).values())


def test_layout_is_that_of_the_module() -> None:
    assert f"| {RING}–{SIZE - 1} |" in PAGE


def numbers(text: str) -> list[float]:
    """Numbers of a table cell: ".2", "−1–1", "1/3"."""
    found = re.findall(r"(−?)(\d*\.?\d+)(?:/(\d+))?", text)
    return [(-1 if sign else 1) * float(value) / float(below or 1) for sign, value, below in found]
