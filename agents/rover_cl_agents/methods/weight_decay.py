"""Weight decay: keep the weights small, and so the network able to learn."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from rover_cl_agents.method import Method
from rover_cl_agents.settings import chosen
from rover_cl_agents.step_hooks import optimizers, trained_parameters
from rover_cl_agents.units.initial_weights import all_learned_weights


@dataclass(frozen=True, kw_only=True)
class WeightDecayConfig:
    """Settings of `WeightDecay`."""

    weight: float = 0.1
    """Share of itself that a weight loses in each step, per unit of learning rate, >= 0; 0 switches the
    method off."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.weight < float("inf"):
            raise ValueError(f"weight is {self.weight}; expected a finite number >= 0.")


class WeightDecay(Method):
    """Shrink all weights a little at every step: θ ← θ − learning rate · weight · θ, beside the step itself.

    Decoupled from the gradient, so that Adam doesn't scale it. It acts on all networks and forgets what
    isn't used: a remedy for plasticity, not against forgetting. The exploration spread is left alone.

    Args:
        config: The settings; or give them by name: `WeightDecay(weight=0.1)`.

    Source: Loshchilov and Hutter 2019, "Decoupled weight decay regularization", algorithm 2.
    """

    name: ClassVar[str] = "weight-decay"

    def __init__(self, config: WeightDecayConfig | None = None, **settings: Any) -> None:
        self.config = chosen(WeightDecayConfig, config, settings)

    def on_task_start(self, task: int) -> None:
        """Look anew for what decays, at the first step: other methods may freeze or add layers before it."""
        self._decays: dict[str, Tensor] = {}  # by role, shape (n,), of 1 and 0

    def _decaying(self, role: str) -> Tensor:
        """Mark what decays in the flat step of optimiser `role`, shape (n,)."""
        if role not in self._decays:
            ours = {id(p) for p in all_learned_weights(self.algorithm).values()}
            parameters = trained_parameters(optimizers(self.algorithm)[role])
            marks = [torch.full_like(p.detach().flatten(), float(id(p) in ours)) for p in parameters]
            self._decays[role] = torch.cat(marks)
        return self._decays[role]

    def adjust_update(self, role: str, delta: Tensor) -> Tensor:
        """Add the decay of the weights before the step, shape (n,)."""
        if not self.config.weight:
            return delta
        optimizer = optimizers(self.algorithm)[role]
        now = torch.cat([p.detach().flatten() for p in trained_parameters(optimizer)])
        rate = float(optimizer.param_groups[0]["lr"])
        # The step has been made by now: less it, the weights are those before it, to within rounding.
        return delta - rate * self.config.weight * self._decaying(role) * (now - delta)

    def describe(self) -> dict[str, int | float | str | bool]:
        """Give the settings."""
        return asdict(self.config)
