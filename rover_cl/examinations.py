"""When a run is examined, and what its examinations have found so far."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.callbacks import BaseCallback

from rover_cl.metrics import Scores
from rover_cl_envs.streams import Stream


@dataclass
class Log:
    """The examinations of a run so far."""

    steps: list[int] = field(default_factory=list)
    """environment steps trained when each was made"""
    segment: list[int] = field(default_factory=list)
    """the segment in or after which each was made, -1 before any training"""
    success: list[NDArray[np.float64]] = field(default_factory=list)
    """(T, K) each: success of K episodes of T tasks"""
    returns: list[NDArray[np.float64]] = field(default_factory=list)
    """(T, K) each: sums of rewards"""

    @classmethod
    def of(cls, scores: Scores) -> "Log":
        """Take up where a run stands."""
        return cls(scores.steps.tolist(), scores.segment.tolist(), list(scores.success), list(scores.returns))

    def add(
        self, steps: int, segment: int, success: NDArray[np.float64], returns: NDArray[np.float64]
    ) -> None:
        """Note an examination."""
        self.steps.append(steps)
        self.segment.append(segment)
        self.success.append(success)
        self.returns.append(returns)

    def scores(self, stream: Stream) -> Scores:
        """Give the tensor of scores, as a run over `stream`."""
        return Scores(
            steps=np.array(self.steps, dtype=np.int64),
            segment=np.array(self.segment, dtype=np.int64),
            success=np.array(self.success),
            returns=np.array(self.returns),
            task_of_segment=np.array([segment.task for segment in stream.segments], dtype=np.int64),
        )


def due_marks(stream: Stream, stretch: range, each: int) -> list[tuple[int, int]]:
    """Give the steps at which an examination is due, and their segments; without the one at the end.

    Args:
        stream: what is learned.
        stretch: the segments that are learned without a break; steps count from their start.
        each: examinations in each segment, >= 1.
    """
    marks, begin = [], 0
    for segment in stretch:
        length = stream.segments[segment].steps
        marks += [(begin + length * k // each, segment) for k in range(1, each + 1)]
        begin += length
    return marks[:-1]


class Examinations(BaseCallback):
    """Examines between two rollouts, when the updates of the first are done.

    Args:
        marks: from `due_marks`.
        examine: examines; is given the steps of this stretch and the segment.
        tell: is told the steps of this stretch before each rollout.
    """

    def __init__(
        self,
        *,
        marks: list[tuple[int, int]],
        examine: Callable[[int, int], None],
        tell: Callable[[int], None],
    ) -> None:
        super().__init__()
        self._marks, self._examine, self._tell = marks, examine, tell
        self._before = 0

    def _on_training_start(self) -> None:
        self._before = self.num_timesteps  # of a learner that nobody tells the boundaries: its clock goes on

    def _on_rollout_start(self) -> None:
        steps = self.num_timesteps - self._before
        self._tell(steps)
        due = {segment: None for step, segment in self._marks if step <= steps}
        self._marks = [mark for mark in self._marks if mark[0] > steps]
        for segment in due:
            self._examine(steps, segment)

    def _on_step(self) -> bool:
        return True
