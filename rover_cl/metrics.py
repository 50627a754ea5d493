"""Every published measure of continual learning, as a pure function of one tensor of scores.

Notation: task i, segment s of the stream, evaluation time e, episode k; p_i(e) is the mean success of task i
at evaluation e, in [0, 1]. Papers use the same words for different formulas, so every docstring gives its
own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Scores:
    """What one run scored: E evaluations of T tasks with K episodes each, over a stream of S segments."""

    steps: IntArray
    """(E,) environment steps of training when the evaluation was made, not decreasing."""
    segment: IntArray
    """(E,) the segment in or after which it was made, in [-1, S); -1 is before any training."""
    success: FloatArray
    """(E, T, K) success of each episode, in [0, 1]."""
    returns: FloatArray
    """(E, T, K) sum of rewards of each episode."""
    task_of_segment: IntArray
    """(S,) the task that each segment trains, in [0, T)."""

    def __post_init__(self) -> None:
        """Raise ValueError if the parts do not fit together or a value is missing."""
        if self.success.ndim != 3 or self.returns.shape != self.success.shape:
            raise ValueError(
                f"success {self.success.shape} and returns {self.returns.shape} must both be of shape "
                "(evaluations, tasks, episodes)"
            )
        times = len(self.success)
        if self.steps.shape != (times,) or self.segment.shape != (times,):
            raise ValueError(
                f"steps {self.steps.shape} and segment {self.segment.shape} must hold one value for each "
                f"of the {times} evaluations"
            )
        for name, values in (("success", self.success), ("returns", self.returns)):
            if not np.isfinite(values).all():
                where = tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0])
                raise ValueError(
                    f"{name} misses a value at (evaluation, task, episode) {where}; a missing run is an "
                    "error, never a zero: run it again"
                )
        if self.success.size and not (self.success.min() >= 0 and self.success.max() <= 1):
            raise ValueError(
                f"success must lie in [0, 1], got {self.success.min():g} to {self.success.max():g}"
            )
        if (np.diff(self.steps) < 0).any() or (np.diff(self.segment) < 0).any():
            raise ValueError("steps and segment must not decrease from one evaluation to the next")
        tasks = self.success.shape[1]
        if len(self.task_of_segment) == 0 or not np.isin(self.task_of_segment, np.arange(tasks)).all():
            raise ValueError(
                f"task_of_segment {self.task_of_segment.tolist()} must name tasks in [0, {tasks})"
            )

    @property
    def performance(self) -> FloatArray:
        """(E, T) p_i(e), the mean success over the episodes."""
        return np.asarray(self.success.mean(axis=2))

    @property
    def num_segments(self) -> int:
        """S, the segments of the whole stream (also of those not trained yet)."""
        return len(self.task_of_segment)


def first_segments(scores: Scores) -> dict[int, int]:
    """Give for each task that the stream trains its first segment."""
    return {int(t): s for s, t in reversed(list(enumerate(scores.task_of_segment)))}


def last_segments(scores: Scores) -> dict[int, int]:
    """Give for each task that the stream trains its last segment."""
    return {int(t): s for s, t in enumerate(scores.task_of_segment)}


def before_segment(scores: Scores, segment: int) -> FloatArray:
    """(T,) p_i at the last evaluation made before `segment` began."""
    times = np.flatnonzero(scores.segment < segment)
    if not len(times):
        raise ValueError(
            f"no evaluation was made before segment {segment}; evaluate once before any training"
        )
    return np.asarray(scores.performance[times[-1]])


def segment_matrix(scores: Scores) -> FloatArray:
    """(S, T) R[s, i] = p_i at the end of segment s: the matrix that GEM, CORA and MEAL call R.

    Raises:
        ValueError: the run has not been evaluated in every segment.
    """
    rows = []
    for segment in range(scores.num_segments):
        times = np.flatnonzero(scores.segment == segment)
        if not len(times):
            raise ValueError(
                f"segment {segment} of {scores.num_segments} has no evaluation: the run is not finished; "
                "resume it"
            )
        rows.append(scores.performance[times[-1]])
    return np.array(rows)


def final_performance(scores: Scores) -> FloatArray:
    """(T,) p_i(T), the success of each task after the whole stream."""
    return np.asarray(segment_matrix(scores)[-1])


def average_performance(scores: Scores) -> float:
    """P = (1/N) sum_i p_i(T), in [0, 1].

    Source: Continual World (Wolczyk et al. 2021), section 4.2; ACC of GEM (Lopez-Paz & Ranzato 2017).
    """
    return float(final_performance(scores).mean())


def forgetting_by_task(scores: Scores) -> dict[int, float]:
    """F_i = p_i(end of the last segment of i) - p_i(T), for each task but the one trained last.

    The task of the stream's last segment is left out: its difference is zero whatever the method does, and
    would dilute the mean by 1/N. Negative values are improvements made after the task was left.
    Source: Continual World (Wolczyk et al. 2021), section 4.2, there with the last task.
    """
    matrix = segment_matrix(scores)
    last = scores.num_segments - 1
    return {
        i: float(matrix[s, i] - matrix[-1, i]) for i, s in sorted(last_segments(scores).items()) if s != last
    }


def forgetting(scores: Scores) -> float | None:
    """Mean of `forgetting_by_task`, in [-1, 1]; None if the stream trains one task only."""
    return _mean(list(forgetting_by_task(scores).values()))


def forgetting_so_far(scores: Scores) -> float | None:
    """Forgetting at the latest evaluation, of a run that need not be finished.

    Mean over the tasks i with a finished segment, but for the one being trained: p_i at the end of its last
    finished segment, minus p_i now. None before there is such a task. After the stream it is `forgetting`.
    """
    current = int(scores.segment[-1])
    if current < 1:
        return None
    trained = {int(task): s for s, task in enumerate(scores.task_of_segment[:current])}
    trained.pop(int(scores.task_of_segment[current]), None)
    performance, ends = scores.performance, {}
    for task, s in trained.items():
        ends[task] = performance[np.flatnonzero(scores.segment == s)[-1], task]
    return _mean([float(end - performance[-1, task]) for task, end in ends.items()])


def backward_transfer(scores: Scores) -> float | None:
    """BWT = mean_i (R[S, i] - R[s_i, i]), s_i the FIRST segment of task i, without the task first met last.

    Where no task is visited twice, it is forgetting with the other sign. None if there is one task only.
    Source: GEM (Lopez-Paz & Ranzato 2017), equation 3.
    """
    matrix = segment_matrix(scores)
    last = scores.num_segments - 1
    return _mean(
        [float(matrix[-1, i] - matrix[s, i]) for i, s in first_segments(scores).items() if s != last]
    )


def zero_shot(scores: Scores) -> float | None:
    """Mean success on a task just before its first segment, without the stream's first task, in [0, 1].

    Source: the quantity whose increments CORA (Powers et al. 2022) calls zero-shot forward transfer.
    """
    values = [before_segment(scores, s)[i] for i, s in first_segments(scores).items() if s > 0]
    return _mean([float(value) for value in values])


def zero_shot_transfer(scores: Scores) -> float | None:
    """FWT = mean_i (R[s_i - 1, i] - b_i): `zero_shot` above the untrained agent's success b_i.

    Source: GEM (Lopez-Paz & Ranzato 2017), equation 4.
    """
    untrained = before_segment(scores, 0)
    later = [(i, s) for i, s in first_segments(scores).items() if s > 0]
    return _mean([float(before_segment(scores, s)[i] - untrained[i]) for i, s in later])


def segment_auc(scores: Scores) -> FloatArray:
    """(S,) AUC_s = mean success on the trained task over the evaluations made within segment s, in [0, 1].

    Source: Continual World's code, `results_processing/tables.py`.
    """
    segment_matrix(scores)
    pairs = enumerate(scores.task_of_segment)
    return np.array([scores.performance[scores.segment == s, task].mean() for s, task in pairs])


def auc_gain(scores: Scores, scratch: Scores) -> float:
    """Raw forward transfer: mean_i (AUC_i - AUC_i^b) over first segments, in [-1, 1].

    `scratch` is a run over the same stream with a new agent per segment: the b of the formula.
    """
    return float(np.mean([own - base for own, base in _first_aucs(scores, scratch)]))


def forward_transfer(scores: Scores, scratch: Scores, *, min_headroom: float = 0.1) -> float:
    """FT = mean_i (AUC_i - AUC_i^b) / max(1 - AUC_i^b, min_headroom) over first segments.

    The published formula has no `min_headroom`, and explodes where the baseline is good; see `auc_gain`
    beside it. Source: Continual World (Wolczyk et al. 2021), section 4.2.
    """
    return float(
        np.mean([(own - base) / max(1 - base, min_headroom) for own, base in _first_aucs(scores, scratch)])
    )


def plasticity(scores: Scores) -> float | None:
    """Mean of AUC(repeated segment) / AUC(first segment of that task); None if nothing is repeated.

    Below 1 the agent learns a task more slowly the second time; first visits with AUC 0 are left out.
    Source: MEAL (Tomilin et al. 2025), `RAUC`.
    """
    auc, first = segment_auc(scores), first_segments(scores)
    repeated = [(s, first[int(t)]) for s, t in enumerate(scores.task_of_segment) if s != first[int(t)]]
    return _mean([float(auc[s] / auc[origin]) for s, origin in repeated if auc[origin] > 0])


def _first_aucs(scores: Scores, scratch: Scores) -> list[tuple[float, float]]:
    if scores.task_of_segment.tolist() != scratch.task_of_segment.tolist():
        raise ValueError(
            f"the scratch run trains tasks {scratch.task_of_segment.tolist()}, the run itself "
            f"{scores.task_of_segment.tolist()}: forward transfer needs the same stream"
        )
    own, base = segment_auc(scores), segment_auc(scratch)
    return [(float(own[s]), float(base[s])) for s in first_segments(scores).values()]


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if len(values) else None
