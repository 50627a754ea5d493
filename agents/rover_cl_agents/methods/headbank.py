"""HeadBank: an output layer of its own for each task."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from torch import nn

from rover_cl_agents.policies.heads import TaskHeads
from rover_cl_agents.policies.isolation import Isolation
from rover_cl_agents.policies.parted import PartedLinear
from rover_cl_agents.policies.slots import Slot
from rover_cl_agents.settings import chosen


@dataclass(frozen=True, kw_only=True)
class HeadBankConfig:
    """Settings of `HeadBank`."""

    warm: bool = True
    """A new head starts as a copy of the last one; False: as a fresh one."""


class HeadBank(Isolation):
    """Give each task its own head: the last linear layer of the acting network (SAC: mean and spread).

    The heads of other tasks stay as they are to the bit, but the layers before them are shared and go on
    learning: alone it forgets what those lose. `Freeze` holds them, a penalty slows them down. Without a
    task number the latest head answers.

    Args:
        config: The settings; or give them by name: `HeadBank(warm=False)`.

    Source: Wolczyk et al. 2021, "Continual World", section 4 (its multi-head setting).
    """

    name: ClassVar[str] = "headbank"

    def __init__(self, config: HeadBankConfig | None = None, **settings: Any) -> None:
        self.config = chosen(HeadBankConfig, config, settings)

    def wrap(self, slot: Slot, layer: nn.Linear) -> PartedLinear | None:
        """Divide the head alone."""
        if not slot.head:
            return None
        return TaskHeads(layer, self.selection, gain=slot.gain, warm=self.config.warm)

    def describe(self) -> dict[str, int | float | str | bool]:
        """Give the settings."""
        return asdict(self.config)
