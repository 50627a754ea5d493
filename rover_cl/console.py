"""What the commands show: progress with the time left, one-line errors, exit codes."""

import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from rover_cl.experiment import Progress as RunProgress

USAGE_ERROR, FAILURE, INTERRUPTED = 2, 1, 130
LINE_EVERY = 20.0
"""Seconds between two lines of progress where the output is no terminal."""


@contextmanager
def orderly(resume: str = "") -> Iterator[None]:
    """Turn an error of the user's or of the disk into one line, Ctrl-C into a hint and exit code 130."""
    try:
        yield
    except typer.Exit:  # a RuntimeError to Python, but no error of anybody's
        raise
    except ValueError as error:
        typer.echo(f"rover-cl: error: {' '.join(str(error).split())}", err=True)
        raise typer.Exit(USAGE_ERROR) from error
    except (RuntimeError, OSError) as error:
        typer.echo(f"rover-cl: error: {' '.join(str(error).split())}", err=True)
        raise typer.Exit(FAILURE) from error
    except KeyboardInterrupt as error:
        hint = f"; finished segments are kept, resume with: {resume}" if resume else ""
        typer.echo(f"\nrover-cl: interrupted{hint}", err=True)
        raise typer.Exit(INTERRUPTED) from error


def command_line() -> str:
    """Give the command as it was typed."""
    return shlex.join(["rover-cl", *sys.argv[1:]])


@contextmanager
def progress(total: int, *, quiet: bool = False) -> "Iterator[Callable[[RunProgress], None]]":
    """Show the progress of `total` runs on stderr: bars on a terminal, now and then a line elsewhere."""
    console = Console(stderr=True)
    if quiet:
        yield lambda event: None
    elif console.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
        times = (TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
        with Progress(*columns, *times, console=console) as display:
            yield _Bars(display, total).update
    else:
        yield _Lines(total).update


class _Bars:
    """One bar for all runs and one for each that is under way."""

    def __init__(self, display: Progress, total: int) -> None:
        self._display = display
        self._all = display.add_task(f"{total} runs", total=float(total))
        self._shares: dict[str, float] = {}
        self._bars: dict[str, TaskID] = {}

    def update(self, event: Any) -> None:
        self._shares[event.run] = event.share
        if event.run not in self._bars:
            self._bars[event.run] = self._display.add_task(event.run, total=1.0)
        bar = self._bars[event.run]
        self._display.update(bar, completed=event.share, description=f"{event.run}: {event.text}")
        self._display.update(bar, visible=event.share < 1.0)
        self._display.update(self._all, completed=sum(self._shares.values()))


class _Lines:
    """A line when a run is done, and every `LINE_EVERY` seconds, with the time left."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._shares: dict[str, float] = {}
        self._began = self._said = monotonic()

    def update(self, event: Any) -> None:
        self._shares[event.run] = event.share
        now = monotonic()
        if event.share < 1.0 and now - self._said < LINE_EVERY:
            return
        self._said = now
        done = sum(self._shares.values()) / self._total
        if done > 0.01:  # before that the time left would be a guess
            left = (now - self._began) * (1 - done) / done
            typer.echo(f"{done:4.0%}  {event.run}: {event.text}; about {left:.0f} s left", err=True)
