"""What there is: environments, streams, methods."""

import typer

from rover_cl import listing
from rover_cl.commands.arguments import AsJson


def envs(as_json: AsJson = False) -> None:
    """List the environments."""
    typer.echo(listing.as_text(listing.environments(), as_json))


def streams(as_json: AsJson = False) -> None:
    """List the streams of tasks, with their length."""
    typer.echo(listing.as_text(listing.streams(), as_json))


def methods(as_json: AsJson = False) -> None:
    """List the methods, with what they cost.

    Remedies compose: replay+ewc. Where nobody tells a task's end: replay@detected.
    """
    typer.echo(listing.as_text(listing.methods(), as_json))
