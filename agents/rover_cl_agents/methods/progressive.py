"""Progressive networks: a new column for each task, fed by the frozen old ones."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from torch import nn

from rover_cl_agents.policies.columns import ColumnLinear
from rover_cl_agents.policies.isolation import Isolation
from rover_cl_agents.policies.parted import PartedLinear
from rover_cl_agents.policies.slots import Slot
from rover_cl_agents.settings import chosen


@dataclass(frozen=True, kw_only=True)
class ProgressiveConfig:
    """Settings of `Progressive`."""

    infer: bool = False
    """Without a task number, guess the column from each observation; False: the latest one answers."""


class Progressive(Isolation):
    """Give each task a new acting network, a column, that also reads the hidden layers of all older ones.

    Old columns are frozen: their answers stay as they are to the bit. A new column starts fresh, its
    lateral weights at zero, so at first it is a network of its own. The laterals are linear, without the
    adapters' hidden layer of the paper. There is one value network for all tasks, which goes on learning:
    only the newest task needs it. When an old task comes back only its column's head learns on.

    The parameters grow with the square of the number of tasks (`columns.column_parameters`).

    With `infer`, the mean and the spread of a task's latest observations are kept at its end, and an
    observation of an unknown task is answered by the column under whose Gaussian (diagonal covariance) it
    is the likeliest.

    Args:
        config: The settings; or give them by name: `Progressive(infer=True)`.

    Source: Rusu et al. 2016, "Progressive neural networks".
    """

    name: ClassVar[str] = "progressive"

    def __init__(self, config: ProgressiveConfig | None = None, **settings: Any) -> None:
        self.config = chosen(ProgressiveConfig, config, settings)
        self.infers = self.config.infer

    def wrap(self, slot: Slot, layer: nn.Linear) -> PartedLinear:
        """Divide every layer."""
        return ColumnLinear(layer, self.selection, gain=slot.gain, first=slot.first, head=slot.head)

    def describe(self) -> dict[str, int | float | str | bool]:
        """Give the settings."""
        return asdict(self.config)
