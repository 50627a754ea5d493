"""Training: an algorithm's own learning, with the methods in it, and what it comes to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stable_baselines3.common.base_class import BaseAlgorithm

from rover_cl_agents.boundaries.untold import Untold
from rover_cl_agents.callbacks import Callback, joined
from rover_cl_agents.method import Method
from rover_cl_agents.step_hooks import StepHooks


class Training:
    """Lets an algorithm learn, task after task.

    Args:
        algorithm: It learns.
        methods: They enter its optimisers' steps.
    """

    def __init__(self, algorithm: BaseAlgorithm, methods: Sequence[Method]) -> None:
        self.steps = 0
        """Environment steps over all tasks, interrupted ones included."""
        self.running = False
        """Whether it learns at this moment."""
        self.hooks = StepHooks(algorithm, methods)
        """Where the methods enter."""
        self._algorithm, self._methods = algorithm, methods

    def run(
        self, total_timesteps: int, callback: Callback, untold: Untold | None, shown: Mapping[str, Any]
    ) -> None:
        """Learn for `total_timesteps`.

        Args:
            total_timesteps: Over all environments, >= 1.
            callback: The user's.
            untold: Who watches for boundaries; None: the learner is told, and schedules start anew.
            shown: Arguments of the algorithm's `learn`, handed on.
        """
        algorithm, told = self._algorithm, untold is None
        if told:
            algorithm.num_timesteps = 0  # as `learn` will, so that an interrupted one has its steps counted
        before = algorithm.num_timesteps
        self.hooks.attach()
        self.running = True
        try:
            every = joined(callback, self._methods, self.hooks, untold)
            algorithm.learn(total_timesteps, every, reset_num_timesteps=told, **shown)
        finally:
            self.running = False
            self.hooks.detach()
            self.steps += algorithm.num_timesteps - before
