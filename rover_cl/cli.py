"""The command line: a table of its commands.

They import what is heavy when they are called: names and help come at once.
"""

import sys
from collections.abc import Callable
from typing import Annotated

import typer

import rover_cl
from rover_cl.commands import catalogues, judging, learning, measuring, watching
from rover_cl.console import INTERRUPTED, USAGE_ERROR

COMMANDS: tuple[tuple[Callable[..., None], str], ...] = (
    (catalogues.envs, "Example: rover-cl envs --json"),
    (catalogues.streams, "Example: rover-cl streams mars6"),
    (catalogues.methods, "Example: rover-cl methods replay"),
    (catalogues.algorithms, "Example: rover-cl algorithms ppo"),
    (
        learning.train,
        "Example: rover-cl train --stream lookalike --method replay:weight=0.1,capacity=100 --seed 3",
    ),
    (
        learning.compare,
        "Example: rover-cl compare --tier smoke --methods finetune,replay,ewc --seeds 3 --out runs/mine",
    ),
    (judging.report, "Example: rover-cl report results/mars6 --against joint"),
    (judging.verify, "Example: rover-cl verify results/mars6 --methods finetune,replay --seeds 3"),
    (judging.check_stream, "Example: rover-cl check-stream lookalike --seeds 2 --out results/streams"),
    (measuring.bench, "Example: rover-cl bench methods --methods ewc,replay"),
    (watching.watch, "Example: rover-cl watch --run runs/smoke/mars3/finetune/seed-0 --segment 1"),
    (measuring.drivers, "Example: rover-cl drivers lookalike mars6:target-b --episodes 500"),
)
"""Each command with the example that its help ends on; it is called as the function is, with hyphens."""

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Mars rovers on drifting ground: train learners, and measure what they forget.",
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"rover-cl {rover_cl.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


for _command, _example in COMMANDS:
    app.command(_command.__name__.replace("_", "-"), epilog=_example)(_command)


def main() -> None:
    """Run the command line; a word that it doesn't know is one line, too."""
    try:
        code = app(standalone_mode=False)
    except typer.Abort as error:
        raise SystemExit(INTERRUPTED) from error
    except Exception as error:
        # Typer's own errors: of click, or of a copy of it, as the version has it.
        message = getattr(error, "format_message", None)
        if message is None:
            raise
        text = " ".join(message().split())
        if not text or len(sys.argv) == 1:  # help, which is no mistake
            error.show()  # type: ignore[attr-defined]
        else:
            typer.echo(f"rover-cl: error: {text}", err=True)
        raise SystemExit(USAGE_ERROR) from error
    raise SystemExit(code or 0)
