"""Train one method, or compare many."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rover_cl.commands.arguments import (
    Algorithm,
    AsJson,
    Board,
    Episodes,
    First,
    Jobs,
    Out,
    Rovers,
    Steps,
    Stream,
)
from rover_cl.console import FAILURE, command_line, orderly, progress

if TYPE_CHECKING:
    from rover_cl.configuration import RunConfig


def train(
    stream: Annotated[
        str, typer.Option(help="Name from `rover-cl streams`, or a TOML file or module:attribute.")
    ] = "lookalike",
    method: Annotated[
        str, typer.Option(help="From `rover-cl methods`: replay+ewc, replay:weight=0.1, replay@detected.")
    ] = "echo-replay",
    algo: Algorithm = "ppo",
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    steps: Steps = None,
    first: First = None,
    episodes: Annotated[int, typer.Option(help="Episodes of each task in an examination.")] = 100,
    num_envs: Rovers = 256,
    out: Out = Path("runs"),
    watch: Annotated[bool, typer.Option("--watch", help="Show the current policy in a window.")] = False,
    tensorboard: Board = None,
    as_json: AsJson = False,
) -> None:
    """Train one method on one stream, or resume where its folder stands."""
    with orderly(command_line()):
        from rover_cl.configuration import checked_config

        config = checked_config(
            stream=stream,
            method=method,
            algorithm=algo,
            seed=seed,
            steps_per_segment=steps,
            first_segments=first,
            eval_episodes=episodes,
            num_envs=num_envs,
        )
        from rover_cl import metrics
        from rover_cl.audience import onlookers
        from rover_cl.experiment import run
        from rover_cl.records import run_path

        path = run_path(out, config.stream, config.method, config.seed)
        with onlookers(config, tensorboard, window=watch) as looking, progress(1, quiet=as_json) as listen:
            finished = run(config, path, listen, looking)
        names = [task.name for task in config.build_stream().tasks]
        final = dict(zip(names, metrics.final_performance(finished.scores).tolist(), strict=True))
        result = {
            "run": str(path),
            "performance": metrics.average_performance(finished.scores),
            "forgetting": metrics.forgetting(finished.scores),
            "final": final,
            "cost": dataclasses.asdict(finished.cost),
        }
        if as_json:
            typer.echo(json.dumps(result, indent=1))
            return
        forgetting = "" if result["forgetting"] is None else f", forgetting {result['forgetting']:.2f}"
        typer.echo(f"{path}: final performance {result['performance']:.2f}{forgetting}")
        typer.echo("  ".join(f"{name} {value:.2f}" for name, value in final.items()))


def compare(
    tier: Annotated[
        str, typer.Option(help="smoke (minutes), small (an hour) or full (overnight).")
    ] = "smoke",
    stream: Stream = None,
    methods: Annotated[str | None, typer.Option(help="Methods, separated by commas.")] = None,
    algo: Algorithm = "ppo",
    seeds: Annotated[int | None, typer.Option(help="Number of seeds, counted from 0.")] = None,
    steps: Steps = None,
    first: First = None,
    episodes: Episodes = None,
    num_envs: Rovers = 256,
    shuffle: Annotated[
        bool, typer.Option("--shuffle", help="Order of the segments drawn from the seed.")
    ] = False,
    jobs: Jobs = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the results. [default: runs/TIER]")] = None,
    tensorboard: Board = None,
    as_json: AsJson = False,
) -> None:
    """Compare methods over seeds, and report. Again: resumes; more seeds or methods extend; else refused."""
    with orderly(command_line()):
        from rover_cl.options import split_list
        from rover_cl.plan import write_plan
        from rover_cl.publication import publish
        from rover_cl.records import run_path
        from rover_cl.sweep import Job, sweep
        from rover_cl.tiers import get_tier

        if tensorboard is not None:
            from rover_cl.tensorboard import check_tensorboard

            check_tensorboard()
        size = get_tier(tier)
        configs = _paired(
            split_list(methods) if methods is not None else list(size.methods),
            seeds if seeds is not None else size.seeds,
            stream=stream or size.stream,
            algorithm=algo,
            steps_per_segment=steps if steps is not None else size.steps_per_segment,
            first_segments=first,
            eval_episodes=episodes if episodes is not None else size.eval_episodes,
            evals_per_segment=size.evals_per_segment,
            num_envs=num_envs,
            shuffle=shuffle,
        )
        folder = out or Path("runs") / tier
        write_plan(folder, configs, command_line())
        paths = [run_path(folder, c.stream, c.method, c.seed) for c in configs]
        boards = [tensorboard and tensorboard / path.relative_to(folder) for path in paths]
        work = [Job(config=c, path=p, board=b) for c, p, b in zip(configs, paths, boards, strict=True)]
        with progress(len(work), quiet=as_json) as listen:
            failures = sweep(work, processes=jobs, listen=listen)
        for failure in failures:
            typer.echo(f"rover-cl: error: {failure.job.config.label} failed: {failure.reason}", err=True)
        publish(folder, as_json)
        if failures:
            raise typer.Exit(FAILURE)


def _paired(methods: Sequence[str], seeds: int, **shared: Any) -> "list[RunConfig]":
    """Every method with every seed from 0, all else equal; seed by seed, so that early rows are pairs."""
    from rover_cl.configuration import checked_config

    if seeds < 1 or not methods:
        raise ValueError(f"seeds is {seeds} and methods are {list(methods)}, expected at least one of each")
    if len(set(methods)) < len(methods):
        raise ValueError(f"methods {','.join(methods)} name one twice")
    return [checked_config(**shared, method=name, seed=seed) for seed in range(seeds) for name in methods]
