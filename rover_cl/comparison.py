"""From run folders to the rows of a comparison: every measure, its interval, the difference to a baseline."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rover_cl import metrics
from rover_cl.catalogue import parse_method
from rover_cl.configuration import RunConfig, read_config
from rover_cl.metrics import Scores
from rover_cl.plan import refuse_mixture
from rover_cl.records import Finished, RunFolder, SegmentCost, run_path
from rover_cl.statistics import Difference, Estimate, bootstrap, paired_differences
from rover_cl_envs.errors import unknown_name
from rover_cl_envs.streams import Stream

BASELINE = "finetune"
SCRATCH = "scratch"


@dataclass(frozen=True, kw_only=True)
class Result:
    """One finished run."""

    config: RunConfig
    """what was run"""
    path: Path
    """its folder"""
    finished: Finished
    """scores and costs"""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A method over its seeds. A measure is None where the stream does not define it."""

    method: str
    """as in `--method`"""
    seeds: tuple[int, ...]
    """the seeds"""
    performance: Estimate
    """final average performance"""
    forgetting: Estimate | None
    """without the last task"""
    backward_transfer: Estimate | None
    """of GEM"""
    forward_transfer: Estimate | None
    """of Continual World; needs the scratch runs"""
    auc_gain: Estimate | None
    """raw forward transfer; needs the scratch runs"""
    zero_shot: Estimate | None
    """success on tasks not met yet; None for joint and random"""
    plasticity: Estimate | None
    """AUC of repeated segments over the first visit; None for joint and random"""
    final: tuple[Estimate, ...]
    """final success of each task"""
    difference: Difference | None
    """performance minus the baseline's, paired; None for the baseline itself"""
    cost: SegmentCost
    """mean over the seeds"""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """All complete rows of one stream, and what is missing for the others."""

    stream: Stream
    """as the first seed trains on it"""
    results: dict[str, list[Result]]
    """complete methods, seeds ascending"""
    rows: tuple[Row, ...]
    """one for each of them"""
    problems: tuple[str, ...]
    """one line for each run that is missing, unfinished or damaged"""
    baseline: str
    """the row that the others are held against"""


def load_comparison(configs: Sequence[RunConfig], out: Path, baseline: str = BASELINE) -> Comparison:
    """Read the runs below `out`; a method that misses a run gets no row, and `problems` says why.

    Args:
        configs: the runs that should be there.
        out: the folder they lie in.
        baseline: the row that the others are held against; without it there are no differences.

    Raises:
        ValueError: there is no run to compare, or none of the baseline though another than finetune is named.
    """
    if baseline != BASELINE and baseline not in (methods := {config.method for config in configs}):
        raise unknown_name("row", baseline, sorted(methods))
    results: dict[str, list[Result]] = {}
    problems: list[str] = []
    for config in configs:
        path = run_path(out, config.stream, config.method, config.seed)
        results.setdefault(config.method, [])
        try:
            results[config.method].append(Result(config=config, path=path, finished=_read(config, path)))
        except ValueError as error:
            problems.append(str(error))
    wanted = {method: sum(config.method == method for config in configs) for method in results}
    complete = {method: runs for method, runs in results.items() if len(runs) == wanted[method]}
    if not configs:
        raise ValueError(f"{out} holds no run; make some with `rover-cl compare --out {out}`")
    return Comparison(
        stream=configs[0].build_stream(),
        results=complete,
        rows=build_rows(complete, baseline),
        problems=tuple(problems),
        baseline=baseline,
    )


def build_rows(results: dict[str, list[Result]], baseline: str = BASELINE) -> tuple[Row, ...]:
    """Measure every method over its seeds."""
    if not results:
        return ()
    performance = {
        method: [metrics.average_performance(run.finished.scores) for run in runs]
        for method, runs in results.items()
    }
    differences: dict[str, Difference] = {}
    if baseline in results:
        seeds = [run.config.seed for run in results[baseline]]
        paired = {m: v for m, v in performance.items() if [run.config.seed for run in results[m]] == seeds}
        # Only remedies are candidates; what the reference rows differ by is no discovery to be corrected for.
        remedies = {
            m for m in paired if m not in (baseline, BASELINE) and parse_method(m).protocol == "sequential"
        }
        differences = paired_differences(paired, baseline, family=remedies)
    scratch = {run.config.seed: run.finished.scores for run in results.get(SCRATCH, [])}
    return tuple(_row(method, runs, scratch, differences.get(method)) for method, runs in results.items())


def _row(method: str, runs: list[Result], scratch: dict[int, Scores], difference: Difference | None) -> Row:
    scores = [run.finished.scores for run in runs]
    pairs = [(run.finished.scores, scratch.get(run.config.seed)) for run in runs]
    visits = method not in ("joint", "random")  # these have no segment of a task's own

    def against_scratch(measure: Callable[[Scores, Scores], float]) -> Estimate | None:
        if not visits or method == SCRATCH:
            return None
        return _estimate([None if base is None else measure(own, base) for own, base in pairs])

    final = np.array([metrics.final_performance(own) for own in scores])
    costs = [run.finished.cost for run in runs]
    return Row(
        method=method,
        seeds=tuple(run.config.seed for run in runs),
        performance=bootstrap([metrics.average_performance(own) for own in scores]),
        forgetting=_estimate([metrics.forgetting(own) for own in scores]),
        backward_transfer=_estimate([metrics.backward_transfer(own) for own in scores]),
        forward_transfer=against_scratch(metrics.forward_transfer),
        auc_gain=against_scratch(metrics.auc_gain),
        zero_shot=_estimate([metrics.zero_shot(own) for own in scores]) if visits else None,
        plasticity=_estimate([metrics.plasticity(own) for own in scores]) if visits else None,
        final=tuple(bootstrap(final[:, task]) for task in range(final.shape[1])),
        difference=difference,
        cost=_mean_cost(costs),
    )


def _estimate(values: Sequence[float | None]) -> Estimate | None:
    """An estimate if every seed has a value."""
    known = [value for value in values if value is not None]
    return bootstrap(known) if known and len(known) == len(values) else None


def _mean_cost(costs: Sequence[SegmentCost]) -> SegmentCost:
    total = sum(costs, SegmentCost())
    n = len(costs)
    return SegmentCost(
        training_s=total.training_s / n,
        evaluation_s=total.evaluation_s / n,
        simulator_s=total.simulator_s / n,
        env_steps=total.env_steps // n,
        evaluation_steps=total.evaluation_steps // n,
        method_bytes=total.method_bytes,
        parameters=total.parameters,
    )


def _read(config: RunConfig, path: Path) -> Finished:
    folder = RunFolder(path)
    if not path.exists():
        raise ValueError(f"{path} is missing; run the comparison again to add it")
    found = read_config(folder.config())
    if found != config:
        refuse_mixture(config, found)
    finished = folder.finished()
    if finished is None or not finished.complete:
        done = 0 if finished is None else finished.segments
        raise ValueError(
            f"{path} is not finished ({done} segments done); run the comparison again to resume it"
        )
    return finished
