"""What finished runs say, whether published ones hold, and whether a stream is fit."""

from pathlib import Path
from typing import Annotated

import typer

from rover_cl.commands.arguments import Algorithm, AsJson, Jobs, Out, Rovers, Steps
from rover_cl.console import FAILURE, command_line, orderly, progress


def report(
    folder: Annotated[Path, typer.Argument(help="Folder of a comparison.")],
    against: Annotated[str, typer.Option(help="The row that differences are to.")] = "finetune",
    as_json: AsJson = False,
) -> None:
    """Print the table, and write report.html, table.csv and table.json."""
    with orderly():
        from rover_cl.publication import publish

        publish(folder, as_json, against)


def verify(
    folder: Annotated[Path, typer.Argument(help="Folder of a published comparison.")],
    methods: Annotated[
        str | None, typer.Option(help="Rows to run again, separated by commas. [default: all]")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(help="How many of the published seeds, 2 or more. [default: all]")
    ] = None,
    jobs: Jobs = None,
    out: Out = Path("runs/verify"),
    as_json: AsJson = False,
) -> None:
    """Run published rows again: inside their intervals or not? Exit code 1 if not."""
    with orderly(command_line()):
        from rover_cl.options import split_list
        from rover_cl.verification import choose_rows, report_verification
        from rover_cl.verification import verify as run_again

        rows = choose_rows(folder, split_list(methods) if methods is not None else None, seeds)
        runs = sum(len(seeds_of) for row in rows for seeds_of in row.values())
        with progress(runs, quiet=as_json) as listen:
            found = run_again(rows, out, processes=jobs, listen=listen)
        typer.echo(report_verification(found, as_json))
        if not all(verification.confirmed for verification in found):
            raise typer.Exit(FAILURE)


def check_stream(
    stream: Annotated[
        str,
        typer.Argument(help="Name from `rover-cl streams`, or a TOML file or module:attribute."),
    ],
    seeds: Annotated[int, typer.Option(help="Number of seeds, counted from 0.")] = 1,
    algo: Algorithm = "ppo",
    steps: Steps = None,
    episodes: Annotated[int, typer.Option(help="Episodes of each task in an examination.")] = 200,
    num_envs: Rovers = 256,
    jobs: Jobs = None,
    out: Out = Path("results/streams"),
    as_json: AsJson = False,
) -> None:
    """Run the gate: do the tasks conflict as declared, and can they be learned, one by one and together?

    Exit code 1 if a criterion fails.
    """
    with orderly(command_line()):
        from rover_cl.configuration import checked_config

        if seeds < 1:
            raise ValueError(f"seeds is {seeds}, expected an integer >= 1")
        config = checked_config(
            stream=stream,
            algorithm=algo,
            steps_per_segment=steps,
            eval_episodes=episodes,
            num_envs=num_envs,
            evals_per_segment=1,
        )
        from rover_cl import gate

        runs = sum(map(len, gate.gate_configs(config, range(seeds)).values()))
        with progress(runs, quiet=as_json) as listen:
            evidence, criteria = gate.check_stream(
                config, out, seeds=range(seeds), processes=jobs, listen=listen
            )
        built = config.build_stream()
        text = (
            (out / f"{built.name}.json").read_text() if as_json else gate.verdict(built, evidence, criteria)
        )
        typer.echo(text)
        if not all(criterion.passed for criterion in criteria):
            raise typer.Exit(FAILURE)
