"""The page on the methods says what the code does."""

from pathlib import Path

from rover_cl.compatibility import ALGORITHMS, COMPOSED, refusals, tables
from rover_cl.remedies import METHODS
from rover_cl_agents.methods import METHODS as CLASSES

PAGE = Path(__file__).parent.parent.parent / "docs/methods.md"


def test_the_page_holds_the_tables_that_the_code_gives() -> None:
    assert tables() in PAGE.read_text(encoding="utf-8"), (
        "put what `python -m rover_cl.compatibility` prints into docs/methods.md"
    )


def test_the_table_of_names_is_that_of_the_classes() -> None:
    assert {name for name, entry in METHODS.items() if entry.classes} == set(CLASSES)
    for name, entry in METHODS.items():
        if entry.classes:
            config, method = CLASSES[name]
            assert entry.classes == (config.__name__, getattr(method, "__name__", ""))


def test_every_method_takes_some_algorithm_and_every_refusal_says_why() -> None:
    for pairs in refusals().values():
        assert set(pairs) == {*ALGORITHMS, COMPOSED}
        assert "" in pairs.values()
        assert all(len(reason) > 30 for reason in pairs.values() if reason)
