from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rover_cl_agents import Method
from rover_cl_agents.task_sequence import TaskSequence


class Diary(Method):
    """Notes what it is told."""

    name = "diary"

    def __init__(self) -> None:
        self.lines: list[Any] = []

    def on_task_start(self, task: int) -> None:
        self.lines.append(f"start {task}")

    def on_task_end(self) -> None:
        self.lines.append("end")

    def select(self, task: int | None) -> None:
        self.lines.append(task)


class Echo:
    """Answers with the task that its diary names last; refuses task 1 if it is told to."""

    def __init__(self, diary: Diary, refuse: bool = False) -> None:
        self.diary, self.refuse = diary, refuse

    def predict(self, observations: Any, deterministic: bool) -> tuple[Any, None]:
        task = self.diary.lines[-1]
        if self.refuse and task == 1:
            raise RuntimeError("refused")
        return np.full(len(observations), -1 if task is None else task), None


def test_doors_open_in_order_and_nothing_is_put_back_before_the_first_task() -> None:
    diary = Diary()
    tasks = TaskSequence(None, [diary], lambda: diary.lines.append("switch"))  # type: ignore[arg-type]
    for task in (0, 3):
        tasks.begin(task)
        tasks.end()
    assert diary.lines == ["start 0", 0, "end", "switch", "start 3", 3, "end"]
    assert (tasks.learned, tasks.current) == ([0, 3], 3)


@pytest.mark.parametrize("refuse", [False, True])
def test_each_row_is_answered_by_its_task_and_the_task_at_hand_comes_back(refuse: bool) -> None:
    diary = Diary()
    tasks = TaskSequence(Echo(diary, refuse), [diary], lambda: None)  # type: ignore[arg-type]
    tasks.restore([0, 1], 1)
    rows, wanted = np.zeros((5, 2)), np.array([1, 0, 7, 1, -1])
    if refuse:
        with pytest.raises(RuntimeError, match="refused"):
            tasks.act(rows, False, wanted)
    else:
        assert tasks.act(rows, False, wanted).tolist() == [1, 0, -1, 1, -1]
    assert diary.lines == [1, None, 0, 1, 1]
