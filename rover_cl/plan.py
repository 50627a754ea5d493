"""What a folder of runs should hold: the plan that a comparison wrote, or else the runs themselves."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import rover_cl
from rover_cl.configuration import RunConfig, read_config
from rover_cl.records import read_json, refuse_difference, write_json


def write_plan(folder: Path, configs: Sequence[RunConfig], command: str) -> None:
    """Write what a comparison consists of.

    Raises:
        ValueError: the folder holds another comparison; the message names the first field that differs.
    """
    plan = {
        "methods": list(dict.fromkeys(config.method for config in configs)),
        "seeds": sorted({config.seed for config in configs}),
        "runs": [dataclasses.asdict(config) for config in configs],
        "made_with": {"version": rover_cl.__version__},
    }
    path = folder / "plan.json"
    if path.exists():
        found = read_json(path)
        found.pop("command", None)
        refuse_difference(folder, found, plan)
        return
    folder.mkdir(parents=True, exist_ok=True)
    write_json(path, {"command": command, **plan})


def find_configs(out: Path) -> list[list[RunConfig]]:
    """Find what should lie below `out`, grouped by stream: its plan, or else the run folders themselves.

    Without a plan every method is expected with every seed that any method of the stream has.

    Raises:
        ValueError: nothing is there, or runs of one stream differ in more than method and seed.
    """
    plan = out / "plan.json"
    if plan.exists():
        runs = read_json(plan).get("runs")
        if not isinstance(runs, list):
            raise ValueError(f"{plan} is damaged (no list of runs); delete it and compare again")
        return [[read_config({"config": values}) for values in runs]]
    configs = [read_config(read_json(path)) for path in sorted(out.glob("*/*/seed-*/config.json"))]
    if not configs:
        raise ValueError(f"{out} holds no run folder; make some with `rover-cl compare --out {out}`")
    groups: list[list[RunConfig]] = []
    for stream in dict.fromkeys(config.stream for config in configs):
        own = [config for config in configs if config.stream == stream]
        for config in own:
            refuse_mixture(own[0], config)
        seeds = sorted({config.seed for config in own})
        methods = {config.method: config for config in own}
        groups.append(
            [dataclasses.replace(config, seed=seed) for config in methods.values() for seed in seeds]
        )
    return groups


def command_of(out: Path) -> str:
    """Give the command that made a comparison, if its plan is there."""
    plan = out / "plan.json"
    return str(read_json(plan).get("command", "")) if plan.exists() else ""


def refuse_mixture(first: RunConfig, other: RunConfig) -> None:
    """Raise ValueError if two runs differ in more than method and seed."""
    for name, value in vars(other).items():
        if name not in ("method", "seed") and value != vars(first)[name]:
            raise ValueError(
                f"runs of stream {first.stream} differ in {name}: {vars(first)[name]} ({first.label}) "
                f"and {value} ({other.label}); they cannot be compared, report them from folders of their own"
            )
