"""The command line. Everything heavy is imported inside the commands: names and help come at once."""

import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

import rover_cl
from rover_cl import listing
from rover_cl.console import FAILURE, INTERRUPTED, USAGE_ERROR, command_line, orderly, progress
from rover_cl_envs.errors import unknown_name

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Mars rovers on drifting ground: train learners, and measure what they forget.",
)

Stream = Annotated[
    str | None,
    typer.Option(help="Name from `rover-cl streams`, or a TOML file or module:attribute."),
]
Steps = Annotated[int | None, typer.Option(help="Environment steps of each segment.")]
First = Annotated[int | None, typer.Option(help="Only so many segments from the start.")]
Algorithm = Annotated[
    str, typer.Option("--algo", help="ppo, recurrent-ppo, sac or dqn, with options: ppo:gamma=0.99.")
]
Out = Annotated[Path, typer.Option(help="Folder of the results.")]
Jobs = Annotated[int | None, typer.Option(help="Processes at once. [default: one for each core]")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Episodes = Annotated[int | None, typer.Option(help="Episodes of each task in an examination.")]
Board = Annotated[
    Path | None, typer.Option(help="Folder for TensorBoard: scores, forgetting, losses, pictures of drives.")
]
Rovers = Annotated[int, typer.Option(help="Rovers that train side by side.")]


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


@app.command(epilog="Example: rover-cl envs --json")
def envs(as_json: AsJson = False) -> None:
    """List the environments."""
    typer.echo(listing.as_text(listing.environments(), as_json))


@app.command(epilog="Example: rover-cl streams --json")
def streams(as_json: AsJson = False) -> None:
    """List the streams of tasks, with their length."""
    typer.echo(listing.as_text(listing.streams(), as_json))


@app.command(epilog="Example: rover-cl methods")
def methods(as_json: AsJson = False) -> None:
    """List the methods, with what they cost.

    Remedies compose: replay+ewc. Where nobody tells a task's end: replay@detected.
    """
    typer.echo(listing.as_text(listing.methods(), as_json))


@app.command(
    epilog="Example: rover-cl train --stream lookalike --method replay:weight=0.1,capacity=100 --seed 3"
)
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


@app.command(
    epilog="Example: rover-cl compare --tier smoke --methods finetune,replay,ewc --seeds 3 --out runs/mine"
)
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
        from rover_cl.configuration import checked_config
        from rover_cl.options import split_list
        from rover_cl.plan import write_plan
        from rover_cl.publication import publish
        from rover_cl.records import run_path
        from rover_cl.sweep import Job, sweep

        if tensorboard is not None:
            from rover_cl.tensorboard import check_tensorboard

            check_tensorboard()
        from rover_cl.tiers import get_tier

        size = get_tier(tier)
        names = split_list(methods) if methods is not None else list(size.methods)
        count = seeds if seeds is not None else size.seeds
        if count < 1 or not names:
            raise ValueError(f"seeds is {count} and methods are {names}, expected at least one of each")
        if len(set(names)) < len(names):
            raise ValueError(f"methods {','.join(names)} name one twice")
        shared: dict[str, Any] = {
            "stream": stream or size.stream,
            "algorithm": algo,
            "steps_per_segment": steps if steps is not None else size.steps_per_segment,
            "first_segments": first,
            "eval_episodes": episodes if episodes is not None else size.eval_episodes,
            "evals_per_segment": size.evals_per_segment,
            "num_envs": num_envs,
            "shuffle": shuffle,
        }
        pairs = [(name, seed) for seed in range(count) for name in names]
        configs = [checked_config(**shared, method=name, seed=seed) for name, seed in pairs]
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


@app.command(epilog="Example: rover-cl report results/mars6 --against joint")
def report(
    folder: Annotated[Path, typer.Argument(help="Folder of a comparison.")],
    against: Annotated[str, typer.Option(help="The row that differences are to.")] = "finetune",
    as_json: AsJson = False,
) -> None:
    """Print the table, and write report.html, table.csv and table.json."""
    with orderly():
        from rover_cl.publication import publish

        publish(folder, as_json, against)


@app.command(epilog="Example: rover-cl verify results/mars6 --methods finetune,replay --seeds 3")
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


@app.command(
    "check-stream", epilog="Example: rover-cl check-stream lookalike --seeds 2 --out results/streams"
)
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


@app.command(epilog="Example: rover-cl bench methods --methods ewc,replay")
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


@app.command(epilog="Example: rover-cl watch --run runs/smoke/mars3/finetune/seed-0 --segment 1")
def watch(
    who: Annotated[
        list[str] | None,
        typer.Argument(help="One driver, or two side by side: folders of runs, or policies. [keyboard]"),
    ] = None,
    run: Annotated[list[str] | None, typer.Option(help="A run's folder, or a checkpoint's.")] = None,
    policy: Annotated[
        list[str] | None, typer.Option(help="keyboard, heuristic (the autopilot), planner or random.")
    ] = None,
    stream: Stream = None,
    task: Annotated[str | None, typer.Option(help="Name of the task to begin with.")] = None,
    episode: Annotated[int, typer.Option(help="Number of the episode to begin with.", min=0)] = 0,
    segment: Annotated[int | None, typer.Option(help="Agent after this segment. [default: latest]")] = None,
    against_segment: Annotated[
        int | None, typer.Option(help="The same for the second driver; alone, the same run's.")
    ] = None,
    record: Annotated[Path | None, typer.Option(help="Film to this .mp4 or .gif; no window.")] = None,
    episodes: Annotated[int, typer.Option(help="Episodes to film, each of the next task.", min=1)] = 1,
) -> None:
    """Watch an agent drive, or drive yourself; two side by side. The keys are shown on the screen."""
    with orderly():
        from rover_cl.drive import Drive
        from rover_cl.drivers import find_driver, named, stream_for
        from rover_cl.footage import film_with_progress
        from rover_cl.recording import check_film
        from rover_cl.viewer import Viewer

        if record is not None:
            check_film(record)
        asked = named(who or [], run or [], policy or [])
        if against_segment is not None and len(asked) == 1:
            asked = 2 * asked
        drivers = [find_driver(*pair) for pair in zip(asked, (segment, against_segment), strict=False)]
        shown = stream_for(drivers[0], stream)
        tasks = [t.name for t in shown.tasks]
        if task is not None and task not in tasks:
            raise unknown_name("task", task, tasks)
        drives = [Drive(driver, shown, drivers[0].seed) for driver in drivers]
        for drive in drives:
            drive.begin(tasks.index(task) if task else 0, episode)
        if record is None:
            Viewer(drives).run()
        else:
            film_with_progress(drives, record, episodes)


@app.command(epilog="Example: rover-cl drivers lookalike mars6:target-b --episodes 500")
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
