"""The gate of a stream: do its tasks conflict as declared, and can they be learned, one by one and together?

The experts are scratch runs of one segment, joint and finetune are the methods of those names: the gate
trains nothing that a comparison would not train.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rover_cl.configuration import RunConfig
from rover_cl.experiment import Listener
from rover_cl.metrics import segment_matrix
from rover_cl.records import RunFolder, read_json, write_json
from rover_cl.sweep import Failure, Job, sweep
from rover_cl_envs.streams import Stream

Matrix = NDArray[np.float64]
EXPERT, CONFLICT, JOINT, FINETUNE, RANDOM = 0.5, 0.3, 0.9, 0.8, 0.1
"""Thresholds: the first and the last as success itself, the others as shares of the expert's success."""


@dataclass(frozen=True, kw_only=True)
class Criterion:
    """One line of the verdict."""

    name: str
    """what is asked"""
    figure: float
    """what was measured"""
    limit: float
    """what it is held to"""
    at_most: bool
    """whether the limit is an upper one"""

    @property
    def passed(self) -> bool:
        """Whether the figure keeps the limit."""
        return self.figure <= self.limit if self.at_most else self.figure >= self.limit

    def __str__(self) -> str:
        """PASS or FAIL with the figures."""
        sign = "<=" if self.at_most else ">="
        return f"{'PASS' if self.passed else 'FAIL'}  {self.name}: {self.figure:.2f} {sign} {self.limit:.2f}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """Success in [0, 1], seeds averaged; T tasks."""

    experts: Matrix
    """(T, T) expert of task a on task b"""
    joint: Matrix
    """(T,) the joint agent"""
    finetune: Matrix
    """(T,) finetuning, at the end of the task's own first segment"""
    random: Matrix
    """(T,) uniform actions"""


def judge(stream: Stream, evidence: Evidence) -> list[Criterion]:
    """Hold the evidence against the criteria."""
    names = [task.name for task in stream.tasks]
    own = np.maximum(np.diag(evidence.experts), 1e-9)
    criteria = [
        Criterion(
            name=f"expert of {name} on its own task",
            figure=float(evidence.experts[t, t]),
            limit=EXPERT,
            at_most=False,
        )
        for t, name in enumerate(names)
    ]
    criteria += [
        Criterion(
            name=f"expert of {names[a]} on {names[b]}, share of its expert",
            figure=float(evidence.experts[a, b] / own[b]),
            limit=CONFLICT,
            at_most=True,
        )
        for a, b in stream.conflicts
    ]
    for title, values, limit in (("joint", evidence.joint, JOINT), ("finetune", evidence.finetune, FINETUNE)):
        place = "" if title == "joint" else " in its own segment"
        criteria += [
            Criterion(
                name=f"{title} on {name}{place}, share of its expert",
                figure=float(values[t] / own[t]),
                limit=limit,
                at_most=False,
            )
            for t, name in enumerate(names)
        ]
    worst = float(evidence.random.max())
    criteria.append(Criterion(name="random policy, best task", figure=worst, limit=RANDOM, at_most=True))
    return criteria


def gate_configs(config: RunConfig, seeds: Sequence[int]) -> dict[str, list[RunConfig]]:
    """Give the runs that the gate needs: an expert for each task, joint, finetune, random; for each seed."""
    firsts = _first_segment_of_task(config.build_stream())
    kinds: dict[str, list[RunConfig]] = {}
    for seed in seeds:
        base = dataclasses.replace(config, seed=seed)
        for method in ("joint", "finetune", "random"):
            kinds.setdefault(method, []).append(dataclasses.replace(base, method=method))
        for task, segment in firsts.items():
            expert = dataclasses.replace(base, method="scratch", only_segment=segment, evals_per_segment=1)
            kinds.setdefault(f"expert-{task}", []).append(expert)
    return kinds


def check_stream(
    config: RunConfig, out: Path, *, seeds: Sequence[int], processes: int | None, listen: Listener
) -> tuple[Evidence, list[Criterion]]:
    """Train what the gate needs below `out`, judge, and write `<stream>.json` and `<stream>.txt` there.

    Raises:
        ValueError: a task is trained by no segment, or evidence of more seeds lies there.
        RuntimeError: a run failed.
    """
    stream = config.build_stream()
    missing = set(range(len(stream.tasks))) - set(_first_segment_of_task(stream))
    if missing:
        raise ValueError(f"stream {stream.name}: no segment trains task {stream.tasks[min(missing)].name}")
    refuse_fewer_seeds(out / f"{stream.name}.json", seeds)
    kinds = gate_configs(config, seeds)
    jobs = {
        kind: [Job(config=c, path=_path(out, stream, kind, c.seed)) for c in cs] for kind, cs in kinds.items()
    }
    failures: list[Failure] = sweep(
        [job for group in jobs.values() for job in group], processes=processes, listen=listen
    )
    if failures:
        raise RuntimeError(f"{failures[0].job.config.label} failed: {failures[0].reason}")
    evidence = _gather(stream, jobs)
    criteria = judge(stream, evidence)
    text = verdict(stream, evidence, criteria)
    write_json(out / f"{stream.name}.json", _values(config, seeds, stream, evidence, criteria))
    (out / f"{stream.name}.txt").write_text(text + "\n", encoding="utf-8")
    return evidence, criteria


def refuse_fewer_seeds(path: Path, seeds: Sequence[int]) -> None:
    """Raise ValueError if a file holds the evidence of more seeds, which would be lost."""
    if not path.exists():
        return
    try:
        found = read_json(path).get("seeds")
    except ValueError as error:
        raise ValueError(f"{path} is damaged, so it tells no number of seeds; delete it") from error
    count = len(found) if isinstance(found, list) else 0
    if count > len(seeds):
        raise ValueError(
            f"{path} holds evidence of {count} seeds, more than the {len(seeds)} here; choose another --out, "
            f"or give --seeds {count}"
        )


def verdict(stream: Stream, evidence: Evidence, criteria: Sequence[Criterion]) -> str:
    """Give the matrix and the criteria as text."""
    names = [task.name for task in stream.tasks]
    width = max(len(name) for name in [*names, "finetune, own segment"]) + 10
    head = " " * width + "".join(f"{name[:12]:>14}" for name in names)
    rows: list[tuple[str, Matrix]] = [(f"expert of {n}", evidence.experts[t]) for t, n in enumerate(names)]
    rows += [
        ("joint", evidence.joint),
        ("finetune, own segment", evidence.finetune),
        ("random", evidence.random),
    ]
    lines = [f"{title:<{width}}" + "".join(f"{value:14.2f}" for value in values) for title, values in rows]
    conflicts = (
        [] if stream.conflicts else ["", "No conflict is declared: a control stream, nothing is asked there."]
    )
    passed = all(criterion.passed for criterion in criteria)
    end = f"{stream.name}: {'PASS' if passed else 'FAIL'}"
    title = f"{stream.name}: success on unseen maps, columns are the task examined"
    return "\n".join([title, "", head, *lines, *conflicts, "", *map(str, criteria), "", end])


def _gather(stream: Stream, jobs: Mapping[str, Sequence[Job]]) -> Evidence:
    def mean(kind: str) -> Matrix:
        """(S, T) the segment matrix of a kind of run."""
        matrices = []
        for job in jobs[kind]:
            finished = RunFolder(job.path).finished()
            assert finished is not None, "the sweep has finished it"
            matrices.append(segment_matrix(finished.scores))
        return np.asarray(np.mean(matrices, axis=0))

    tasks = range(len(stream.tasks))
    finetune = mean("finetune")
    firsts = _first_segment_of_task(stream)
    return Evidence(
        experts=np.array([mean(f"expert-{task}")[-1] for task in tasks]),
        joint=mean("joint")[-1],
        finetune=np.array([finetune[firsts[task], task] for task in tasks]),
        random=mean("random")[-1],
    )


def _first_segment_of_task(stream: Stream) -> dict[int, int]:
    return {part.task: s for s, part in reversed(list(enumerate(stream.segments)))}


def _path(out: Path, stream: Stream, kind: str, seed: int) -> Path:
    return out / "gate" / stream.name / kind / f"seed-{seed}"


def _values(
    config: RunConfig, seeds: Sequence[int], stream: Stream, evidence: Evidence, criteria: Sequence[Criterion]
) -> dict[str, Any]:
    return {
        "stream": stream.name,
        "tasks": [task.name for task in stream.tasks],
        "seeds": list(seeds),
        "description": config.describe(),
        "evidence": {name: values.tolist() for name, values in vars(evidence).items()},
        "criteria": [{**vars(criterion), "passed": criterion.passed} for criterion in criteria],
        "passed": all(criterion.passed for criterion in criteria),
    }
