"""What there is: environments, streams, methods, algorithms."""

import json
import shutil
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from rover_cl import listing
from rover_cl.commands.arguments import AsJson
from rover_cl.console import orderly

if TYPE_CHECKING:
    from rover_cl.settings import Entry

One = Annotated[str | None, typer.Argument(help="Show one of them, and all that is to it.")]


def envs(as_json: AsJson = False) -> None:
    """List the environments."""
    typer.echo(listing.as_text(listing.environments(), as_json))


def streams(name: One = None, as_json: AsJson = False) -> None:
    """List the streams of tasks, with their length; or of one, yours included, its segments."""
    with orderly():
        rows = listing.streams() if name is None else listing.contents(name)
        typer.echo(listing.as_text(rows, as_json))


def methods(name: One = None, as_json: AsJson = False) -> None:
    """List the methods, with what they cost; or of one its settings.

    Remedies compose: replay+ewc. Where nobody tells a task's end: replay@detected.
    """
    with orderly():
        if name is None:
            typer.echo(listing.as_text(listing.methods(), as_json))
        else:
            from rover_cl.settings import method

            _show(method(name), as_json)


def algorithms(name: One = None, as_json: AsJson = False) -> None:
    """List the algorithms that --algo takes; or of one its settings."""
    with orderly():
        if name is None:
            typer.echo(listing.as_text(listing.algorithms(), as_json))
        else:
            from rover_cl.settings import algorithm

            _show(algorithm(name), as_json)


def _show(entry: "Entry", as_json: bool) -> None:
    from rover_cl.settings import as_text

    width = shutil.get_terminal_size().columns
    typer.echo(json.dumps(asdict(entry), indent=1) if as_json else as_text(entry, width))
