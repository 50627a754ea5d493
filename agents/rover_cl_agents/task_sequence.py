"""The tasks of a learner: what happens where one begins and ends, and which of them the networks act for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.preprocessing import maybe_transpose

from rover_cl_agents.method import Method, overrides
from rover_cl_agents.outputs import act, acts


class TaskSequence:
    """One task after another, as the methods are told of them.

    Args:
        algorithm: It learns them.
        methods: Their doors are opened at each task's start and end.
        switch: Puts back what the last task left behind; called before every task but the first.
    """

    def __init__(
        self, algorithm: BaseAlgorithm, methods: Sequence[Method], switch: Callable[[], None]
    ) -> None:
        self.learned: list[int] = []
        """The tasks that have ended, in order, revisits included."""
        self.current: int | None = None
        """The task that the networks are turned to while they learn; None before the first."""
        self._algorithm = algorithm
        self._methods = methods
        self._selective = [m for m in methods if overrides(m, "select")]
        self._switch = switch

    def begin(self, task: int) -> None:
        """Start `task`: put back what the last one left behind, and open the methods' doors."""
        if self.learned:
            self._switch()
        for method in self._methods:
            method.on_task_start(task)
        self._turn_to(task)

    def end(self) -> None:
        """Let the methods consolidate the task at hand."""
        for method in self._methods:
            method.on_task_end()
        assert self.current is not None, "a task was begun"
        self.learned.append(self.current)

    def restore(self, learned: Sequence[int], current: int | None) -> None:
        """Go on from where a checkpoint left off."""
        self.learned = list(learned)
        self._turn_to(current)

    def act(
        self, observations: NDArray[Any], deterministic: bool, task: int | NDArray[np.int64] | None
    ) -> NDArray[Any]:
        """Act on observations of one task or several, then turn back to the task at hand.

        Args:
            observations: Shape (n, *observation), n >= 1, as the algorithm is fed.
            deterministic: Greedily, or as in training (then drawing from torch's global generator).
            task: That of all observations, or of each, shape (n,); a task that was never learned counts as
                unknown, like None.

        Returns:
            Actions, shape (n, *action), inside the action space.
        """
        if not self._selective:
            return self._act(observations, deterministic)
        shape = () if task is None else np.shape(task)
        if shape not in ((), (len(observations),)):
            raise ValueError(
                f"task has shape {shape}; expected one number, or one for each of the "
                f"{len(observations)} observations."
            )
        tasks = np.full(len(observations), -1 if task is None else task)
        tasks[~np.isin(tasks, [*self.learned, -1 if self.current is None else self.current])] = -1
        actions: NDArray[Any] | None = None
        try:
            for number in np.unique(tasks):
                self._select(None if number < 0 else int(number))
                part = self._act(observations[tasks == number], deterministic)
                actions = np.empty((len(tasks), *part.shape[1:]), part.dtype) if actions is None else actions
                actions[tasks == number] = part
        finally:
            self._select(self.current)
        assert actions is not None, "there is at least one observation"
        return actions

    def _turn_to(self, task: int | None) -> None:
        self._select(task)
        self.current = task

    def _select(self, task: int | None) -> None:
        for method in self._selective:
            method.select(task)

    def _act(self, observations: NDArray[Any], deterministic: bool) -> NDArray[Any]:
        if deterministic and acts(self._algorithm):
            self._algorithm.policy.set_training_mode(False)
            return act(self._algorithm, observations)
        return self._algorithm.predict(observations, deterministic=deterministic)[0]


def batched(observations: Any, space: spaces.Space[Any]) -> tuple[Any, bool]:
    """Give a batch of observations, and whether they were a single one, now a batch of its own.

    Args:
        observations: Of `space`, with or without an axis of rows before it.
        space: What the algorithm observes.
    """
    if isinstance(space, spaces.Dict):
        parts = {name: batched(observations[name], part) for name, part in space.spaces.items()}
        return {name: rows for name, (rows, _) in parts.items()}, all(single for _, single in parts.values())
    rows = maybe_transpose(np.asarray(observations), space)  # pictures with their channels last
    single = rows.ndim == len(space.shape or ())
    return rows[None] if single else rows, single
