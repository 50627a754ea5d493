"""The page that says which test proves what names tests that exist, for every method."""

from __future__ import annotations

import re
from pathlib import Path

from rover_cl_agents.methods import METHODS

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "REPRODUCIBILITY.md").read_text(encoding="utf-8")
CELL = re.compile(r"`(\w+)::(\w+)`")
LOSSLESS = {
    "ogd",
    "gpm",
    "progressive",
    "packnet",
    "lora",
    "headbank",
    "freeze",
    "slow-layers",
    "weight-decay",
}
LOSSLESS |= {"layernorm", "shrink-perturb", "redo", "cbp"}
"""Methods without a penalty: there is no gradient to check."""


def source(stem: str) -> str:
    (path,) = (ROOT / "tests/agents").rglob(f"test_{stem}.py")
    return path.read_text(encoding="utf-8")


def head(stem: str, name: str) -> str:
    """The arguments of a test."""
    found = re.search(rf"^def test_{name}\(([^)]*)\)", source(stem), re.MULTILINE)
    assert found, f"REPRODUCIBILITY.md names {stem}::{name}, which doesn't exist"
    return found[1]


def rows() -> dict[str, list[str]]:
    """The table of proofs: by method, the cells behind its name."""
    part = PAGE.split("| method | worked numbers |")[1].split("\n\n")[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines()[2:]]
    return {name.strip("`"): rest for name, *rest in cells}


def test_every_test_that_the_page_names_exists() -> None:
    names = CELL.findall(PAGE)
    assert len(names) > 100
    for stem, name in names:
        head(stem, name)


def test_every_method_has_its_proofs() -> None:
    table = rows()
    assert set(table) == set(METHODS)
    for name, cells in table.items():
        lacking = [bool(CELL.search(cell)) for cell in cells]
        assert lacking == [True, True, True, name not in LOSSLESS, True], name
        assert any("seed" in head(*found) for found in CELL.findall(cells[-1])), f"{name}: one seed"


def test_the_worked_numbers_are_complete() -> None:
    part = PAGE.split("| worked number |")[1].split("\n\n")[0]
    lines = part.splitlines()[2:]
    assert len(lines) == 28
    assert all(CELL.search(line) for line in lines)
