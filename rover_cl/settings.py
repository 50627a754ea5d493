"""What can be set, read from the configs themselves: name, type, default, and the docstring under each field.

python -m rover_cl.settings     # prints docs/settings.md
"""

import ast
import dataclasses
import importlib
import inspect
import textwrap
from dataclasses import dataclass

from rover_cl.catalogue import ALGORITHMS
from rover_cl.remedies import BOUNDARIES, METHODS
from rover_cl_envs.errors import unknown_name


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A field of a config."""

    name: str
    """as it is typed after the colon"""
    kind: str
    """its type, as the code has it"""
    default: str
    """its value unless told otherwise"""
    meaning: str
    """the docstring under the field, on one line"""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A name that takes settings, or none."""

    name: str
    """as it is typed; boundaries with their @"""
    description: str
    """one line"""
    settings: tuple[Setting, ...]
    """in the order of the config"""


def settings_of(config: type) -> tuple[Setting, ...]:
    """The fields of a dataclass that has a default and a docstring for each, inherited ones included.

    Raises:
        ValueError: a field without a default or a docstring.
    """
    told: dict[str, tuple[str, str]] = {}
    for parent in reversed(config.__mro__[:-1]):
        told |= _told_by(parent)
    found = []
    for field in dataclasses.fields(config):
        kind, meaning = told.get(field.name, ("", ""))
        if field.default is dataclasses.MISSING or not meaning:
            raise ValueError(f"{config.__name__}.{field.name} lacks a default or a docstring.")
        found.append(Setting(name=field.name, kind=kind, default=_shown(field.default), meaning=meaning))
    return tuple(found)


def method(name: str) -> Entry:
    """What a method can be told, or what follows a method's @.

    Raises:
        ValueError: nothing has that name; the message gives the nearest.
    """
    if name in METHODS:
        entry = METHODS[name]
        return _entry(name, entry.description, entry.classes[0] if entry.classes else entry.config)
    boundaries = {f"@{known}": entry for known, entry in BOUNDARIES.items()}
    if name in boundaries:
        return _entry(name, boundaries[name].description, boundaries[name].classes[0])
    raise unknown_name("method", name, [*METHODS, *boundaries])


def algorithm(name: str) -> Entry:
    """What an algorithm can be told.

    Raises:
        ValueError: nothing has that name; the message gives the nearest.
    """
    if name not in ALGORITHMS:
        raise unknown_name("algorithm", name, ALGORITHMS)
    return _entry(name, ALGORITHMS[name].description, ALGORITHMS[name].config)


def as_text(entry: Entry, width: int) -> str:
    """Lay an entry out for a terminal of so many columns."""
    lines = [f"{entry.name}: {entry.description}", ""]
    for setting in entry.settings:
        lines.append(f"  {setting.name}={setting.default}   ({setting.kind})")
        space = " " * 6
        lines += textwrap.wrap(setting.meaning, max(width, 40), initial_indent=space, subsequent_indent=space)
    return "\n".join(lines if entry.settings else [*lines, "It takes no settings."])


def page() -> str:
    """docs/settings.md."""
    lines = [
        "# Settings",
        "",
        "What each name takes after a colon on the command line, `--method replay:weight=0.1,capacity=100`,",
        "and its class by name in Python, `Replay(weight=0.1, capacity=100)`. `rover-cl methods NAME` and",
        "`rover-cl algorithms NAME` print the same of one.",
        "This page is printed by `python -m rover_cl.settings`.",
    ]
    parts = {
        "Methods": [method(name) for name, entry in METHODS.items() if entry.composes],
        "Boundaries that nobody tells": [method(f"@{name}") for name in BOUNDARIES],
        "Algorithms": [algorithm(name) for name in ALGORITHMS],
    }
    for title, entries in parts.items():
        lines += ["", f"## {title}"]
        for entry in entries:
            sentence = f"{entry.description[0].upper()}{entry.description[1:]}."
            lines += ["", f"### `{entry.name}`", "", sentence, ""]
            lines += ["| setting | default | |", "|---|---|---|"]
            lines += [f"| `{s.name}` | `{s.default}` | {_cell(s.meaning)} |" for s in entry.settings]
    return "\n".join(lines) + "\n"


def _entry(name: str, description: str, config: str | None) -> Entry:
    if config is None:
        return Entry(name=name, description=description, settings=())
    found = getattr(importlib.import_module("rover_cl_agents"), config)
    return Entry(name=name, description=description, settings=settings_of(found))


def _told_by(config: type) -> dict[str, tuple[str, str]]:
    """Type and docstring of each field that this very class writes down."""
    body = ast.parse(textwrap.dedent(inspect.getsource(config))).body[0]
    if not isinstance(body, ast.ClassDef):
        return {}
    told = {}
    for field, below in zip(body.body, [*body.body[1:], None], strict=True):
        if not (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)):
            continue
        value = below.value if isinstance(below, ast.Expr) else None
        text = value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else ""
        told[field.target.id] = (ast.unparse(field.annotation), " ".join(text.split()))
    return told


def _shown(default: object) -> str:
    """A default as it is typed."""
    return default if isinstance(default, str) else repr(default)


def _cell(text: str) -> str:
    """Text in a table of Markdown."""
    return text.replace("|", "\\|")


if __name__ == "__main__":
    print(page(), end="")
