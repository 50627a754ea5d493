"""The page on the simulator prints what the simulator does."""

from __future__ import annotations

import contextlib
import io
import math
import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rover_cl_envs.conditions import RANGES, Conditions
from rover_cl_envs.grid import CELL, SIDE
from rover_cl_envs.landforms import APRON, CRATER, CRATER_UNIT, TAR, crater_profile
from rover_cl_envs.rocks import scattered
from rover_cl_envs.rovers import MER, ROVERS
from rover_cl_envs.sites import get_site
from rover_cl_envs.terrain import RELIEF, terrain_bank, values
from rover_cl_envs.vector_env import MarsRoverVectorEnv

PAGE = (Path(__file__).parent.parent.parent / "docs/simulator.md").read_text(encoding="utf-8")


def test_scripts_print_what_the_page_says() -> None:
    found = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL)
    assert len(found) == 3
    names: dict[str, object] = {}  # the last script goes on where the one before it ends
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


MAPS = 16


def rise(heights: NDArray[np.floating], metres: float) -> float:
    """Rms difference of heights (maps, y, x) that far apart, along both axes [m]."""
    lag = round(metres / CELL)
    steps = [heights - np.roll(heights, lag, axis=axis) for axis in (1, 2)]
    return math.sqrt(np.mean(np.square(steps)))


def degrees(grade: float) -> float:
    return math.degrees(math.atan(grade))


def said(anchor: str) -> str:
    """What the page says that the simulator has, beside what is real."""
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| {anchor}"))
    return row.split("|")[3].strip()


def test_slopes_of_the_ground_are_those_of_the_page() -> None:
    heights = values(terrain_bank(0, MAPS).ground, RELIEF)
    one, ten = rise(heights, 1), rise(heights, 10) / 10
    rough, usual = degrees(0.095 * one), degrees(Conditions().relief * one)
    assert said("rms slope over 1 m") == f"{rough:.1f}° at `relief` .095; {usual:.1f}° at the default .04"
    assert said("rms slope over 10 m") == f"{degrees(0.095 * ten):.1f}° at `relief` .095"
    metres = (1, 2, 4, 8)
    hurst = np.polyfit(np.log(metres), [math.log(rise(heights, m)) for m in metres], 1)[0]
    assert said("Hurst exponent") == f"{hurst:.2f} from 1 m to 8 m".removeprefix("0")
    envs = MarsRoverVectorEnv(MAPS, num_maps=8)
    envs.reset(seed=0)
    there = {}
    for site in ("viking1", "meridiani"):
        envs.set_conditions(get_site(site).conditions)
        heights = np.stack([envs.scene(i).ground.heights for i in range(MAPS)])
        there[site] = [f"{degrees(rise(heights, m) / m):.1f}°" for m in (1, 10)]
    assert said("the site `viking1`") == ", ".join(there["viking1"])
    assert f"make meridiani {there['meridiani'][0]} steep over 1 m" in PAGE


def test_rocks_and_landforms_are_those_of_the_page() -> None:
    area = MAPS * (SIDE * CELL) ** 2 / 100
    rocks = [scattered(np.random.default_rng(seed))[1:] for seed in range(MAPS)]
    counts = [
        sum(((wide > 0.25) & (least <= k + 1e-9)).sum() for wide, least in rocks)
        for k in (0.02, 0.05, 0.1, 0.19)
    ]
    assert said("rocks wider than") == ", ".join(f"{count / area:.1f}" for count in counts)
    rim, floor = crater_profile(1.0, APRON), crater_profile(0.0, APRON)
    assert said("fresh crater, rim to floor and") == f"{rim - floor:.2f}, {rim:.3f}".replace("0.", ".")
    forms = terrain_bank(0, MAPS).forms
    craters = forms[..., CRATER] * CRATER_UNIT
    steps = [np.roll(craters, 1, axis=axis) - craters for axis in (1, 2)]
    assert said("steepest step") == f"{degrees(np.hypot(*steps).max() / CELL):.1f}°"
    frequency = np.hypot(np.fft.fftfreq(SIDE, CELL)[:, None], np.fft.rfftfreq(SIDE, CELL)[None, :])
    first = (frequency > 0) & (frequency < 1.5 / 18)  # the overtones make the ridges sharp and lean
    power = np.abs(np.fft.rfft2(forms[..., TAR].astype(float), axes=(1, 2))) ** 2 * first
    waves = power.sum(axis=(1, 2)) / (power * frequency).sum(axis=(1, 2))
    assert said("TARs from crest") == f"{waves.mean():.1f} m, {waves.min():.0f} to {waves.max():.0f} m"


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
