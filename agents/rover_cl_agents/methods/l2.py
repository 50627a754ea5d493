"""L2: hold every acting weight alike to where the last task left it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from rover_cl_agents.importance.holder import HolderConfig, WeightHolder, acting_parameters
from rover_cl_agents.settings import chosen


@dataclass(frozen=True, kw_only=True)
class L2Config(HolderConfig):
    """Settings of `L2`."""


class L2(WeightHolder):
    """Penalty (weight / 2) Σ_i (θ_i − θ*_i)² on the acting network, θ* from the last task's end.

    Every weight has importance 1, to which the other methods scale the mean of theirs, so that after one task
    the same `weight` holds about as much in all. The control that tells whether measuring importance pays. It
    pulls to the latest anchor, not to zero: it is no weight decay.

    Args:
        config: The settings; or give them by name: `L2(weight=1.0)`.

    Source: the L2 baseline of Kirkpatrick et al. 2017, "Overcoming catastrophic forgetting in neural
    networks", figure 2, and of Wolczyk et al. 2021, "Continual World".
    """

    name: ClassVar[str] = "l2"
    config: L2Config

    def __init__(self, config: L2Config | None = None, **settings: Any) -> None:
        self.config = chosen(L2Config, config, settings)

    def on_task_end(self) -> None:
        """Move the anchor here."""
        if self.config.weight:
            held = acting_parameters(self.algorithm.policy)
            self.quadratics.anchor(0, {name: torch.ones_like(p) for name, p in held.items()})
