"""How fast it is, and what drivers that learn nothing reach."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from rover_cl import listing
from rover_cl.commands.arguments import AsJson
from rover_cl.console import orderly
from rover_cl_envs.errors import unknown_name


def bench(
    what: Annotated[str, typer.Argument(help="speed, or methods: their wall over finetuning.")] = "speed",
    seconds: Annotated[float, typer.Option(help="Seconds for each rate (speed).")] = 2.0,
    train: Annotated[bool, typer.Option(help="Measure PPO too, about a minute (speed).")] = True,
    methods: Annotated[str | None, typer.Option(help="Some of the methods only.")] = None,
    tasks: Annotated[int, typer.Option(help="Tasks learned before the timed one (methods).", min=0)] = 1,
    out: Annotated[Path | None, typer.Option(help="File to write the figures to, as JSON.")] = None,
    as_json: AsJson = False,
) -> None:
    """Measure the speed, beside EnvPool and Gymnasium where installed. Writes nothing without --out."""
    with orderly():
        from rover_cl import overhead
        from rover_cl.bench import bench as measure
        from rover_cl.options import split_list
        from rover_cl.remedies import METHODS

        def tell(line: object) -> None:
            if not as_json:
                typer.echo(str(line))

        figures: Sequence[Any]
        if what == "speed":
            figures = measure(seconds=seconds, train=train, tell=tell)
        elif what == "methods":
            names = split_list(methods) if methods else [n for n, e in METHODS.items() if e.composes]
            figures = overhead.overheads(names, tasks=tasks, tell=tell)
        else:
            raise unknown_name("bench", what, ("speed", "methods"))
        rows = [dataclasses.asdict(figure) for figure in figures]
        # JSON knows no NaN.
        rows = [{key: None if value != value else value for key, value in row.items()} for row in rows]
        text = json.dumps(rows, indent=1)
        if out is not None:
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_text(text + "\n", encoding="utf-8")
        if as_json:
            typer.echo(text)


def drivers(
    tasks: Annotated[
        list[str] | None,
        typer.Argument(help="Streams, their tasks, missions, sites: lookalike, mars6:target-b, image, gale."),
    ] = None,
    episodes: Annotated[int, typer.Option(help="Episodes of each task.", min=1)] = 200,
    seed: Annotated[int, typer.Option(help="Seed of the maps.", min=0)] = 0,
    as_json: AsJson = False,
) -> None:
    """Measure what drivers that learn nothing reach: the floor (random) and the ceiling (planner)."""
    with orderly():
        from rover_cl.references import TASKS, success

        rows = success(tasks or TASKS, episodes=episodes, seed=seed)
        if as_json:
            typer.echo(json.dumps(rows, indent=1))
            return
        shown = [{k: v if isinstance(v, str) else f"{v:.2f}" for k, v in row.items()} for row in rows]
        heads = {key: key for key in shown[0]}
        typer.echo(listing.as_text([heads, *shown], False))
