"""What happens after each rollout: methods look at it, and their penalties go into the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from torch import Tensor

from rover_cl_agents.method import Method

SPARING = 100
"""Steps between two looks at penalties that are computed for the log alone, where each step is a rollout."""


class RolloutCallback(BaseCallback):
    """Tells the methods of each rollout, and Stable-Baselines3's logger of their penalties.

    The scalars are called `methods/<name>`: the losses of the last optimiser step before the rollout, and the
    penalties at the weights of this moment whose gradient has a closed form.

    Args:
        methods: Those that watch rollouts.
        penalties: By the methods' names; read after each rollout.
        closed: Methods with a `penalty` of their own.
    """

    def __init__(
        self, methods: Sequence[Method], penalties: Mapping[str, Tensor], closed: Sequence[Method] = ()
    ) -> None:
        super().__init__()
        self._methods = methods
        self._penalties = penalties
        self._closed = closed
        self._looked: int | None = None  # num_timesteps at the last look at them

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        for name, value in self._penalties.items():
            self.logger.record(f"methods/{name}", float(value))
        self._look()
        for method in self._methods:
            method.on_rollout_end()

    @torch.no_grad()
    def _look(self) -> None:
        """Log the penalties that no optimiser step computes."""
        soon = self._looked is not None and self.num_timesteps < self._looked + SPARING
        if not self._closed or (soon and not isinstance(self.model, OnPolicyAlgorithm)):
            return
        self._looked = self.num_timesteps
        for method in self._closed:
            value = method.penalty()
            if value is not None:
                self.logger.record(f"methods/{method.name}", float(value))
