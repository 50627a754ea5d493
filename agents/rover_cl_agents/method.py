"""What every method is: five doors into training, and a state that can be written down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from torch import Tensor

from rover_cl_agents.state import State


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a method or a learner carries from task to task."""

    bytes: int = 0
    """Memory held beside the policy's own parameters [bytes]."""
    parameters: int = 0
    """Numbers that an optimiser changes."""

    def __add__(self, other: Cost) -> Cost:
        return Cost(bytes=self.bytes + other.bytes, parameters=self.parameters + other.parameters)


class Method:
    """A remedy against forgetting: override the doors it needs, leave the others shut.

    A door that a subclass doesn't override costs nothing. The learner calls, in this order: `bind` once;
    then for each task `on_task_start`; during training `on_rollout_end` after each rollout and, at every
    optimiser step, `auxiliary_loss`, `auxiliary_gradient` and `adjust_update`; at last `on_task_end`.
    `select` comes before every prediction.

    Where nobody tells the boundaries (`boundaries.finders.Boundaries`), a task may be interrupted by a
    checkpoint, or be found to have ended some rollouts ago: `pause` gives what was gathered of it, and
    `resume` goes on from there. `bind` and `state_dict` know nothing of that.

    A role names an optimiser: `"policy"` (PPO, A2C, DQN), or `"actor"` and `"critic"` (SAC, TD3).

    A method must draw random numbers from generators of its own: a draw from torch's global generator would
    change the actions that the algorithm samples, and so the baseline it is compared with.
    """

    name: ClassVar[str] = "method"
    """Written into checkpoints, and checked when they are read."""

    algorithm: BaseAlgorithm
    """The algorithm whose training the method enters; known after `bind`."""

    def bind(self, algorithm: BaseAlgorithm, seed: int) -> None:
        """Take the algorithm, and a seed for the method's own generators.

        Args:
            algorithm: The Stable-Baselines3 algorithm, built.
            seed: In [0, 2^63); differs between the methods of one learner.
        """
        self.algorithm = algorithm

    def on_task_start(self, task: int) -> None:
        """Begin task `task` (>= 0), before its first step; the task's environment is already set."""

    def auxiliary_loss(self, role: str) -> Tensor | None:
        """Give a scalar to add to the loss of this step of optimiser `role`, or None."""
        return None

    def auxiliary_gradient(self, role: str) -> Mapping[torch.nn.Parameter, Tensor] | None:
        """Give fresh gradients to add, where a closed form beats automatic differentiation; or None."""
        return None

    def penalty(self) -> Tensor | None:
        """Give the loss that `auxiliary_gradient` is the gradient of, for the log; None if there is none."""
        return None

    def adjust_update(self, role: str, delta: Tensor) -> Tensor:
        """Edit the step that optimiser `role` has just made.

        Args:
            role: The optimiser.
            delta: All its trained parameters after the step less before it, flat, in its order, shape (n,).

        Returns:
            The step to make instead, shape (n,).
        """
        return delta

    def on_rollout_end(self) -> None:
        """Look at the experience just gathered, before the algorithm trains on it."""

    def on_task_end(self) -> None:
        """Consolidate the task just learned.

        The algorithm still holds its last experience if the boundary was told; otherwise rely on what
        `on_rollout_end` saw.
        """

    def pause(self) -> State:
        """Give what was gathered of the task at hand, beside `state_dict`; it must not change afterwards."""
        return {}

    def resume(self, task: int, state: State) -> None:
        """Go on with `task` where `pause` gave `state`, instead of `on_task_start`.

        Args:
            task: The task at hand.
            state: As `pause` gave it: of another process after a checkpoint, or of an earlier rollout.
        """
        self.on_task_start(task)

    def select(self, task: int | None) -> None:
        """Turn the networks to `task` before they act: its head, column or mask.

        Args:
            task: One that was learned or is being learned; None if nobody says, so that the method takes the
                latest, or infers it.
        """

    def describe(self) -> dict[str, int | float | str | bool]:
        """Give the settings that a checkpoint writes down, and that a restored learner must share."""
        return {}

    def state_dict(self) -> State:
        """Give all that the method has to remember between two tasks."""
        return {}

    def reshape(self, state: State) -> None:
        """Give the networks the layers that they had when `state` was taken.

        Called before the networks' weights and the optimisers are put back, and `load_state_dict` after them.
        A method that exchanges or adds layers while it learns needs it.
        """

    def load_state_dict(self, state: State) -> None:
        """Take back what `state_dict` gave.

        Raises:
            ValueError: if `state` isn't this method's, or doesn't fit the algorithm.
        """
        if state:
            raise ValueError(f"{type(self).__name__} keeps no state, but was given {sorted(state)[:3]}.")

    def cost(self) -> Cost:
        """Give what the method holds at this moment."""
        return Cost()


def labels(methods: Sequence[Method]) -> list[str]:
    """Name each method of a learner in its log: by its name, numbered from 1 where several share one."""
    names = [method.name for method in methods]
    return [
        name if names.count(name) == 1 else f"{name}.{names[:place].count(name) + 1}"
        for place, name in enumerate(names)
    ]


def overrides(method: Method, door: str) -> bool:
    """Say whether `method` has its own version of `door`."""
    return getattr(type(method), door) is not getattr(Method, door)
