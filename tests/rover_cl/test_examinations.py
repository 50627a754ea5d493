from dataclasses import replace

import numpy as np
import pytest

from rover_cl.examinations import Log, due_marks
from rover_cl_envs.streams import get_stream

STREAM = get_stream("mars3")
LENGTHS = replace(
    STREAM,
    segments=tuple(replace(s, steps=n) for s, n in zip(STREAM.segments, (100, 200, 300), strict=True)),
)


@pytest.mark.parametrize(
    ("stretch", "each", "marks"),
    [
        (range(1), 1, []),
        (range(1), 4, [(25, 0), (50, 0), (75, 0)]),
        (range(1, 2), 2, [(100, 1)]),
        (range(3), 2, [(50, 0), (100, 0), (200, 1), (300, 1), (450, 2)]),
    ],
)
def test_marks_lie_evenly_and_leave_out_the_end(
    stretch: range, each: int, marks: list[tuple[int, int]]
) -> None:
    assert due_marks(LENGTHS, stretch, each) == marks


def test_a_log_comes_back_from_its_scores() -> None:
    log = Log()
    for steps, segment in ((0, -1), (50, 0), (100, 0)):
        log.add(steps, segment, np.full((3, 2), 0.5), np.full((3, 2), float(steps)))
    scores = log.scores(STREAM)
    assert scores.task_of_segment.tolist() == [0, 1, 2]
    assert scores.returns[:, 0, 0].tolist() == [0.0, 50.0, 100.0]
    again = Log.of(scores).scores(STREAM)
    assert np.array_equal(again.success, scores.success)
    assert again.steps.tolist() == [0, 50, 100]
    assert again.segment.tolist() == [-1, 0, 0]
