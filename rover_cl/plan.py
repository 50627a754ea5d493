"""What a folder of runs should hold: the plan that a comparison wrote, or else the runs themselves."""

import dataclasses
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import rover_cl
from rover_cl.configuration import RunConfig, read_config
from rover_cl.records import Json, read_json, refuse_difference, run_path, write_json


def write_plan(folder: Path, configs: Sequence[RunConfig], command: str) -> None:
    """Write what a comparison consists of, or extend what is there by methods or seeds.

    Raises:
        ValueError: the folder holds another comparison, or a larger one; the message names the first field
            that differs.
    """
    plan = {
        "methods": list(dict.fromkeys(config.method for config in configs)),
        "seeds": sorted({config.seed for config in configs}),
        "runs": [config.settings() for config in configs],
        "stream": configs[0].describe()["stream"],
        "made_with": {"version": rover_cl.__version__},
    }
    path = folder / "plan.json"
    if path.exists():
        found = read_json(path)
        refuse_unless_part(folder, found, plan)
        if all(found.get(name) == plan[name] for name in ("methods", "seeds")):
            return
    folder.mkdir(parents=True, exist_ok=True)
    write_json(path, {"command": command, **plan})


def refuse_unless_part(folder: Path, found: Json, plan: Json) -> None:
    """Raise ValueError unless a folder's plan is `plan`, or a part of it."""
    wanted = {(run["method"], run["seed"]): run for run in plan["runs"]}
    for run in _runs(folder / "plan.json", found):
        ours = wanted.get((run.get("method"), run.get("seed")))
        if ours is None:
            kept = ("methods", "seeds")
            refuse_difference(folder, *({name: whole.get(name) for name in kept} for whole in (found, plan)))
        else:
            refuse_difference(folder, run, ours)
    if "stream" in found:
        refuse_difference(folder, {"stream": found["stream"]}, {"stream": plan["stream"]})


def find_configs(out: Path) -> list[list[RunConfig]]:
    """Find what should lie below `out`, grouped by stream: its plan, or else the run folders themselves.

    Without a plan every method is expected with every seed that any method of the stream has.

    Raises:
        ValueError: nothing is there, or runs of one stream differ in more than method and seed.
    """
    plan = out / "plan.json"
    if plan.exists():
        found = read_json(plan)
        return [[_planned(out, values, found.get("stream")) for values in _runs(plan, found)]]
    configs = [read_config(read_json(path)) for path in sorted(out.glob("*/*/seed-*/config.json"))]
    if not configs:
        raise ValueError(f"{out} holds no run folder; make some with `rover-cl compare --out {out}`")
    groups: list[list[RunConfig]] = []
    for stream in dict.fromkeys(config.stream for config in configs):
        own = [config for config in configs if config.stream == stream]
        for config in own:
            refuse_mixture(own[0], config)
        seeds = sorted({config.seed for config in own})
        there = {(config.method, config.seed): config for config in own}
        methods = {config.method: config for config in own}
        groups.append(
            [
                there.get((method, seed)) or dataclasses.replace(config, seed=seed)
                for method, config in methods.items()
                for seed in seeds
            ]
        )
    return groups


def command_of(out: Path) -> str:
    """Give the command that made a comparison, if its plan is there."""
    plan = out / "plan.json"
    return str(read_json(plan).get("command", "")) if plan.exists() else ""


def refuse_mixture(first: RunConfig, other: RunConfig) -> None:
    """Raise ValueError if two runs differ in more than method and seed."""
    own = first.settings()
    for name, value in other.settings().items():
        if name not in ("method", "seed") and value != own[name]:
            raise ValueError(
                f"runs of stream {first.stream} differ in {name}: {own[name]} ({first.label}) "
                f"and {value} ({other.label}); they cannot be compared, report them from folders of their own"
            )


def _runs(path: Path, plan: Json) -> list[Json]:
    """Give the runs of a plan; ValueError if they are not there."""
    runs = plan.get("runs")
    if not isinstance(runs, list) or not all(isinstance(run, dict) for run in runs):
        raise ValueError(f"{path} is damaged (no list of runs); delete it and compare again")
    return runs


def _planned(out: Path, values: Json, stream: Any) -> RunConfig:
    """Read a run of a plan, with the stream that its own folder records, or else the plan."""
    path = run_path(out, str(values.get("stream")), str(values.get("method")), values.get("seed", 0))
    with suppress(ValueError):  # not begun; or damaged, which is told when its scores are read
        stream = read_json(path / "config.json").get("stream", stream)
    return read_config({"config": values, "stream": stream})
