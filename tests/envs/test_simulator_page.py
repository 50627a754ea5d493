"""The page on the simulator prints what the simulator does."""

from __future__ import annotations

import contextlib
import io
import math
import re
from pathlib import Path

import pytest

from rover_cl_envs.conditions import RANGES, Conditions
from rover_cl_envs.rovers import MER, ROVERS

PAGE = (Path(__file__).parent.parent.parent / "docs/simulator.md").read_text(encoding="utf-8")


def test_scripts_print_what_the_page_says() -> None:
    found = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL)
    assert len(found) == 2
    names: dict[str, object] = {}  # the second script goes on where the first ends
    for script, said in found:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(script, "docs/simulator.md", "exec"), names)
        assert printed.getvalue() == said, (
            "paste what the script prints into docs/simulator.md, and its tables above"
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


@pytest.mark.parametrize(
    ("words", "field"),
    [
        ("mass", "mass"),
        ("wheel radius", "wheel_radius"),
        ("wheel width", "wheel_width"),
        ("wheelbase", "wheelbase"),
        ("track", "track"),
        ("top speed", "top_speed"),
        ("highest rock climbed", "obstacle"),
        ("stall torque", "stall_torque"),
        ("ground pressure", "ground_pressure"),
    ],
)
def test_rovers_are_those_of_the_module(words: str, field: str) -> None:
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| {words} ["))
    said = [numbers(cell)[0] for cell in row.split("|")[2:-1]]
    assert said == [getattr(rover, field) for rover in ROVERS.values()]


def test_rovers_tip_where_the_page_says() -> None:
    row = next(line for line in PAGE.splitlines() if line.startswith("| tips at |"))
    said = [numbers(cell)[0] for cell in row.split("|")[2:-1]]
    assert said == [round(math.degrees(math.atan(rover.tip_grade)), 6) for rover in ROVERS.values()]


def test_every_number_of_a_rover_has_its_source_or_is_marked() -> None:
    table = PAGE.split("| name | `sojourner` |")[1].split("\n\n")[0].splitlines()[1:]
    assert len(table) == 10
    for row in table:
        what, *cells = row.split("|")[1:-1]
        assert len(cells) == len(ROVERS) and all("(" in cell for cell in cells), what


def numbers(text: str) -> list[float]:
    """Numbers of a table cell: ".2", "−1–1", "1/3"."""
    found = re.findall(r"(−?)(\d*\.?\d+)(?:/(\d+))?", text)
    return [(-1 if sign else 1) * float(value) / float(below or 1) for sign, value, below in found]
