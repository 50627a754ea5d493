"""What happens after each rollout and at the end: methods look at it, their penalties go into the log."""

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
    penalties at the weights of this moment whose gradient has a closed form. After the last step they are
    logged once more, with what Stable-Baselines3 has noted of its last training and would throw away.

    Args:
        methods: Those that watch rollouts.
        penalties: By the methods' names in the log; read after each rollout.
        closed: Methods with a `penalty` of their own, by their names in the log.
    """

    def __init__(
        self,
        methods: Sequence[Method],
        penalties: Mapping[str, Tensor],
        closed: Mapping[str, Method] | None = None,
    ) -> None:
        super().__init__()
        self._methods = methods
        self._penalties = penalties
        self._closed = dict(closed or {})
        self._looked: int | None = None  # num_timesteps at the last look at them

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        self._log()
        for method in self._methods:
            method.on_rollout_end()

    def _on_training_end(self) -> None:
        self._looked = None
        if self._log():
            self.logger.dump(self.num_timesteps)

    def _log(self) -> bool:
        """Log the penalties; say whether there are any."""
        for name, value in self._penalties.items():
            self.logger.record(f"methods/{name}", float(value))
        return self._look() or bool(self._penalties)

    @torch.no_grad()
    def _look(self) -> bool:
        """Log the penalties that no optimiser step computes; say whether there are any."""
        soon = self._looked is not None and self.num_timesteps < self._looked + SPARING
        if not self._closed or (soon and not isinstance(self.model, OnPolicyAlgorithm)):
            return False
        self._looked = self.num_timesteps
        found = {name: method.penalty() for name, method in self._closed.items()}
        logged = {name: float(value) for name, value in found.items() if value is not None}
        for name, value in logged.items():
            self.logger.record(f"methods/{name}", value)
        return bool(logged)
