from __future__ import annotations

import sys
from pathlib import Path

import pytest

from rover_cl_envs.layout import as_markdown, layout, main, positions
from rover_cl_envs.sensors import BLOCKS, SIZE, observation_size

PAGE = (Path(__file__).parent.parent.parent / "docs/simulator.md").read_text(encoding="utf-8")


def test_every_number_of_every_block_is_told_once() -> None:
    for block, size in {"every rover": SIZE, **BLOCKS}.items():
        told = [i for entry in layout() if entry.block == block for i in entry.indices]
        assert sorted(told) == list(range(size)), block


@pytest.mark.parametrize("systems", [(), ("bodies",), ("mission", "power"), tuple(BLOCKS)], ids=str)
def test_positions_are_those_in_the_whole_vector(systems: tuple[str, ...]) -> None:
    told = [i for indices, _ in positions(systems) for i in indices]
    assert sorted(told) == list(range(observation_size(systems)))


def test_a_block_begins_behind_those_before_it() -> None:
    first = {entry.block: indices[0] for indices, entry in reversed(positions(("power", "bodies")))}
    assert first == {"every rover": 0, "power": 80, "bodies": 91}


def test_an_unknown_system_names_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"unknown system 'powr'\. Did you mean 'power'"):
        positions(("powr",))


def test_the_page_has_the_table() -> None:
    table = as_markdown((entry.indices, entry) for entry in layout())
    assert f"\n\n{table}\n\n" in PAGE, "paste what `python -m rover_cl_envs.layout` prints into the page"


def test_it_prints_the_table_of_some_systems(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["layout", "mission"])
    main()
    printed = capsys.readouterr().out
    assert "| mission | 80-84 | kind of the mission, one-hot" in printed and "| power |" not in printed
    monkeypatch.setattr(sys, "argv", ["layout", "misson"])
    with pytest.raises(SystemExit, match="Did you mean 'mission'"):
        main()
