"""What happens after each rollout: methods look at it, and their penalties go into the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stable_baselines3.common.callbacks import BaseCallback
from torch import Tensor

from rover_cl_agents.method import Method


class RolloutCallback(BaseCallback):
    """Tells the methods of each rollout, and Stable-Baselines3's logger of their penalties.

    The scalars are called `methods/<name>`, and are those of the last optimiser step before the rollout.

    Args:
        methods: Those that watch rollouts.
        penalties: By the methods' names; read after each rollout.
    """

    def __init__(self, methods: Sequence[Method], penalties: Mapping[str, Tensor]) -> None:
        super().__init__()
        self._methods = methods
        self._penalties = penalties

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        for name, value in self._penalties.items():
            self.logger.record(f"methods/{name}", float(value))
        for method in self._methods:
            method.on_rollout_end()
