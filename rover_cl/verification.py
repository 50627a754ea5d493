"""Published rows run again: does what comes out lie where the publication says?"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rover_cl import metrics
from rover_cl.comparison import Result, load_comparison
from rover_cl.configuration import RunConfig
from rover_cl.experiment import Listener
from rover_cl.metrics import Scores
from rover_cl.plan import find_configs
from rover_cl.records import RunFolder, difference_between, run_path
from rover_cl.statistics import Estimate, bootstrap
from rover_cl.sweep import Job, sweep
from rover_cl_envs.errors import unknown_name

MEASURES: dict[str, Callable[[Scores], float | None]] = {
    "performance": metrics.average_performance,
    "forgetting": metrics.forgetting,
}
LEAST_SEEDS = 2
"""One seed has no interval to lie in."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One measure of one row, as published and as found again."""

    method: str
    """the row"""
    measure: str
    """one of `MEASURES`"""
    published: Estimate
    """of the seeds that were run again, with its 95 % bootstrap interval"""
    again: float
    """the same statistic of the new runs"""

    @property
    def inside(self) -> bool:
        """Whether the new value lies in the published interval; rounding of the last digits is allowed."""
        return self.published.low - 1e-9 <= self.again <= self.published.high + 1e-9

    def __str__(self) -> str:
        """The verdict in one line."""
        verdict, p = "inside" if self.inside else "OUTSIDE", self.published
        # A digit more than in tables: many a miss is smaller than a hundredth.
        published = f"{p.value + 0.0:.3f} [{p.low:.3f}, {p.high:.3f}]"
        return f"{verdict:<8} {self.method}: {self.measure} {self.again + 0.0:.3f}, published {published}"


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What running the rows of one stream again has shown."""

    checks: tuple[Check, ...]
    """a line for each row and measure"""
    runs: int
    """runs that were made again"""
    identical: int
    """those whose scores came out the same to the bit"""
    differences: tuple[str, ...]
    """what the code that ran them does differently, as far as it is recorded; one line for each method"""

    @property
    def confirmed(self) -> bool:
        """Whether every measure lies in its interval."""
        return all(check.inside for check in self.checks)


Rows = dict[str, list[Result]]
"""Published runs by row, seeds ascending."""


def choose_rows(folder: Path, methods: Sequence[str] | None, seeds: int | None) -> list[Rows]:
    """Read the rows that are to be run again, for each stream in a published folder.

    Args:
        folder: the publication; nothing is written there, and nothing that it names is imported.
        methods: rows, as the publication names them; None: all.
        seeds: how many of the published seeds, >= 2; None: all.

    Raises:
        ValueError: nothing is published there, or not what is asked for, or a run is missing.
    """
    return [_chosen(folder, configs, methods, seeds) for configs in find_configs(folder)]


def verify(
    published: Sequence[Rows], out: Path, *, processes: int | None, listen: Listener
) -> list[Verification]:
    """Run rows again below `out`, on the seeds and streams recorded with them; the same call resumes.

    On the machine and with the versions that made it, a run comes out the same to the bit. Elsewhere
    rounding makes each run another draw: with five seeds, such a draw misses a 95 % interval about once in
    five times by chance alone, so that one row outside, of many, is no refutation.

    Args:
        published: from `choose_rows`.
        out: where the new runs go.
        processes: at once; None: one for each core.
        listen: is told of the progress.

    Raises:
        ValueError: `out` holds runs of another configuration.
        RuntimeError: a run failed.
    """
    configs = [run.config for rows in published for runs in rows.values() for run in runs]
    jobs = [Job(config=c, path=run_path(out, c.stream, c.method, c.seed)) for c in configs]
    failures = sweep(jobs, processes=processes, listen=listen)
    if failures:
        raise RuntimeError(f"{failures[0].job.config.label} failed: {failures[0].reason}")
    return [compare_with_published(rows, out) for rows in published]


def report_verification(found: Sequence[Verification], as_json: bool) -> str:
    """Give the verdicts as text for people, or as JSON."""
    if as_json:
        rows = [
            {
                "method": c.method,
                "measure": c.measure,
                "again": c.again,
                **vars(c.published),
                "inside": c.inside,
            }
            for verification in found
            for c in verification.checks
        ]
        same = {name: sum(getattr(v, name) for v in found) for name in ("runs", "identical")}
        differences = [line for verification in found for line in verification.differences]
        return json.dumps({**same, "differences": differences, "checks": rows}, indent=1)
    lines = []
    for verification in found:
        lines += [str(check) for check in verification.checks]
        lines += [f"made by different code: {difference}" for difference in verification.differences]
        lines.append(f"{verification.identical} of {verification.runs} runs came out the same to the bit")
    return "\n".join(lines)


def compare_with_published(published: Rows, out: Path) -> Verification:
    """Hold the runs below `out` against published ones, which must all be there and finished."""
    again = load_comparison([run.config for runs in published.values() for run in runs], out)
    if again.problems:
        raise ValueError("; ".join(again.problems))
    checks, identical, differences = [], 0, []
    for method, runs in published.items():
        pairs = list(zip(runs, again.results[method], strict=True))
        checks += _checks(method, pairs)
        identical += sum(_same(old.finished.scores, new.finished.scores) for old, new in pairs)
        difference = difference_between(
            RunFolder(runs[0].path).config(), RunFolder(again.results[method][0].path).config()
        )
        if difference:
            differences.append(f"{method}: {difference}")
    return Verification(
        checks=tuple(checks),
        runs=sum(map(len, published.values())),
        identical=identical,
        differences=tuple(differences),
    )


def _chosen(folder: Path, configs: list[RunConfig], methods: Sequence[str] | None, seeds: int | None) -> Rows:
    """Read the rows that are to be run again; every one of their runs must be there."""
    names = list(dict.fromkeys(config.method for config in configs))
    for method in methods or ():
        if method not in names:
            raise unknown_name("row", method, names)
    known = sorted({config.seed for config in configs})
    count = len(known) if seeds is None else seeds
    if len(known) < LEAST_SEEDS:
        raise ValueError(f"{folder} holds one seed, expected {LEAST_SEEDS} or more: one has no interval")
    if not LEAST_SEEDS <= count <= len(known):
        raise ValueError(
            f"seeds is {count}, expected an integer from {LEAST_SEEDS} to {len(known)}, the seeds there: "
            "one seed has no interval"
        )
    wanted = [c for c in configs if c.method in (methods or names) and c.seed in known[:count]]
    comparison = load_comparison(wanted, folder)
    if comparison.problems:
        raise ValueError("; ".join(comparison.problems))
    return comparison.results


def _checks(method: str, pairs: Sequence[tuple[Result, Result]]) -> list[Check]:
    checks = []
    for measure, function in MEASURES.items():
        old = [function(published.finished.scores) for published, _ in pairs]
        new = [function(again.finished.scores) for _, again in pairs]
        known = [value for value in old if value is not None]
        found = [value for value in new if value is not None]
        if len(known) == len(found) == len(pairs):  # a stream of one task defines no forgetting
            value = bootstrap(found).value
            checks.append(Check(method=method, measure=measure, published=bootstrap(known), again=value))
    return checks


def _same(old: Scores, new: Scores) -> bool:
    return np.array_equal(old.success, new.success) and np.array_equal(old.returns, new.returns)
