from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import pytest

from rover_cl.catalogue import ALGORITHMS
from rover_cl.remedies import BOUNDARIES, METHODS
from rover_cl.settings import algorithm, as_text, method, page, settings_of

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


@dataclass(frozen=True, kw_only=True)
class _Old:
    width: int = 3
    """of the
    window"""
    length: float = 0.5
    """Of the walk."""


@dataclass(frozen=True, kw_only=True)
class _New(_Old):
    length: float = 0.25
    """Of the run."""
    kind: str = "plain"
    """How."""


@dataclass(frozen=True, kw_only=True)
class _Untold:
    width: int = 3


def test_a_setting_is_read_from_the_class_that_wrote_it_last() -> None:
    found = [(s.name, s.kind, s.default, s.meaning) for s in settings_of(_New)]
    assert found == [
        ("width", "int", "3", "of the window"),
        ("length", "float", "0.25", "Of the run."),
        ("kind", "str", "plain", "How."),
    ]


def test_a_setting_that_nobody_explains_is_a_mistake() -> None:
    with pytest.raises(ValueError, match=r"_Untold.width lacks a default or a docstring"):
        settings_of(_Untold)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_tells_its_settings(name: str) -> None:
    entry = method(name)
    assert bool(entry.settings) == METHODS[name].composes
    assert entry.description == METHODS[name].description


@pytest.mark.parametrize("name", BOUNDARIES)
def test_boundaries_tell_their_settings(name: str) -> None:
    assert method(f"@{name}").settings


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_algorithm_tells_its_settings(name: str) -> None:
    import rover_cl_agents

    entry = algorithm(name)
    config = getattr(rover_cl_agents, ALGORITHMS[name].config)
    assert [s.name for s in entry.settings] == [field.name for field in fields(config)]


def test_unknown_names_are_refused_with_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"unknown method 'replya'. Did you mean 'replay'"):
        method("replya")
    with pytest.raises(ValueError, match=r"unknown method 'detected'. Did you mean '@detected'"):
        method("detected")
    with pytest.raises(ValueError, match=r"unknown algorithm 'sca'. Did you mean 'sac'"):
        algorithm("sca")


def test_text_fits_the_terminal() -> None:
    text = as_text(method("replay"), 60)
    assert "  weight=0.1   (float)\n      Of the distance to the stored answers" in text
    assert max(len(line) for line in text.splitlines()[1:]) <= 60
    assert as_text(method("finetune"), 60).endswith("It takes no settings.")


def test_the_page_is_what_the_configs_say() -> None:
    assert page() == PAGE.read_text(encoding="utf-8"), "write what `python -m rover_cl.settings` prints there"
