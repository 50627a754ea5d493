"""Online EWC: one Fisher information and one anchor for all the past."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from rover_cl_agents.importance.fisher import fisher
from rover_cl_agents.importance.holder import MeasuredConfig, MeasuredHolder
from rover_cl_agents.importance.quadratic import Tensors
from rover_cl_agents.settings import chosen


@dataclass(frozen=True, kw_only=True)
class OnlineEWCConfig(MeasuredConfig):
    """Settings of `OnlineEWC`."""

    weight: float = 0.3
    """Of the penalty, beside the algorithm's own loss, >= 0; 0 switches the method off."""
    decay: float = 0.95
    """γ: the share of the Fisher information so far that a task's end leaves, in [0, 1]; 1 forgets no task,
    0 knows the latest alone."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 <= self.decay <= 1.0:
            raise ValueError(f"decay is {self.decay}; expected a number in [0, 1].")


class OnlineEWC(MeasuredHolder):
    """EWC with one running Fisher information: penalty (weight / 2) Σ_i F̄_i (θ_i − θ*_i)².

    At each task's end F̄ ← γ F̄ + F, with F the exact diagonal Fisher information of the task, divided by
    its mean and capped, and θ* the weights at that moment. The one anchor is a faithful summary: at the end
    of a task its weights are the minimum of the new loss and of the old penalty together, so a sum over old
    anchors would count the earlier tasks twice. Memory doesn't grow with the tasks. A task visited again
    counts as one more.

    Args:
        config: The settings; or give them by name: `OnlineEWC(weight=3.0)`.

    Source: Huszár 2018, "Note on the quadratic penalties in elastic weight consolidation"; Schwarz et al.
    2018, "Progress & Compress", whose penalty has γ F̄ where this has F̄: `weight` takes that up.
    """

    name: ClassVar[str] = "online-ewc"
    config: OnlineEWCConfig

    def __init__(self, config: OnlineEWCConfig | None = None, **settings: Any) -> None:
        self.config = chosen(OnlineEWCConfig, config, settings)

    def measure(self, observations: Tensor, actions: Tensor | None = None) -> Tensors:
        """Give the exact Fisher information, mean over `observations`."""
        return fisher(self.algorithm.policy, observations)

    def hold(self, importance: Tensors) -> None:
        """Add the task's Fisher information to the faded past, and move the anchor here."""
        self.quadratics.accumulate(importance, self.config.decay)
