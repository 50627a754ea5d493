"""The states that the policy visits now, in batches."""

from __future__ import annotations

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from torch import Tensor

from rover_cl_agents.experience.recent import RecentStates
from rover_cl_agents.outputs import rows_at, to_tensor
from rover_cl_agents.state import State


class VisitedStates:
    """The latest states of the task at hand, at least `batch` of them once that many were seen.

    On-policy: the rollout that is being trained on (several, where one holds fewer). Off-policy: the latest
    `batch` of the replay buffer.

    Args:
        algorithm: Whose states.
        batch: Size of a draw, >= 1.
        generator: The method's own.
    """

    def __init__(self, algorithm: BaseAlgorithm, batch: int, generator: torch.Generator) -> None:
        self._policy = algorithm.policy
        self._recent = RecentStates(algorithm, batch)
        self._batch = batch
        self._generator = generator
        self._states: Tensor | None = None

    def clear(self) -> None:
        """Forget everything: a task begins or ends."""
        self._recent.clear()
        self._states = None

    @property
    def bytes(self) -> int:
        """Exactly what is held [bytes]: the latest states, and the copy of them that draws are made from."""
        states = self._states
        return self._recent.bytes + (0 if states is None else states.numel() * states.element_size())

    def note_rollout(self) -> None:
        """Look at the rollout that has just ended."""
        self._recent.note_rollout()
        self._states = None  # read again when asked: off-policy, most steps of a warm-up aren't

    def state_dict(self) -> State:
        """Give the latest states, without copying them."""
        return self._recent.state_dict()

    def load_state_dict(self, state: State) -> None:
        """Take back what `state_dict` gave."""
        self._recent.load_state_dict(state)
        self._states = None

    def draw(self) -> Tensor | None:
        """Draw `batch` of the states uniformly with replacement, all if there are no more; None before any.

        Returns:
            Shape (at most batch, *observation), on the policy's device.
        """
        if self._states is None:
            found = self._recent.observations()
            if not len(found):
                return None
            self._states = to_tensor(self._policy, found)
        if len(self._states) <= self._batch:
            return self._states
        index = torch.randint(len(self._states), (self._batch,), generator=self._generator)
        return rows_at(self._states, index)
