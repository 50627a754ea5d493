"""LoRA: a low-rank change of the first task's network for each task."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from torch import nn

from rover_cl_agents.policies.adapted import AdaptedLinear
from rover_cl_agents.policies.isolation import Isolation
from rover_cl_agents.policies.parted import PartedLinear
from rover_cl_agents.policies.slots import Slot
from rover_cl_agents.settings import chosen


@dataclass(frozen=True, kw_only=True)
class LoRAConfig:
    """Settings of `LoRA`."""

    rank: int = 8
    """Of each layer's change, >= 1; a layer with a smaller side takes that."""
    alpha: float = 8.0
    """The change is multiplied by alpha / rank; > 0."""
    infer: bool = False
    """Without a task number, guess the adapters from each observation; False: the latest ones answer."""

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise ValueError(f"rank is {self.rank}; expected at least 1.")
        if not 0.0 < self.alpha < float("inf"):
            raise ValueError(f"alpha is {self.alpha}; expected a finite number > 0.")


class LoRA(Isolation):
    """Freeze the acting network after the first task, and learn a low-rank change of it for each task.

    Each linear layer, the head too, answers W x + b + (alpha / rank) · up_k down_k x for task k. `up`
    starts at zero: a new task begins with the first task's policy, to the bit. Tasks share nothing but W
    and b, so no task changes another. If the first task comes back, its own change is learned then.

    Args:
        config: The settings; or give them by name: `LoRA(rank=4)`.

    Source: Hu et al. 2021, "LoRA: low-rank adaptation of large language models".
    """

    name: ClassVar[str] = "lora"

    def __init__(self, config: LoRAConfig | None = None, **settings: Any) -> None:
        self.config = chosen(LoRAConfig, config, settings)
        self.infers = self.config.infer

    def wrap(self, slot: Slot, layer: nn.Linear) -> PartedLinear:
        """Divide every layer."""
        return AdaptedLinear(
            layer,
            self.selection,
            rank=self.config.rank,
            scale=self.config.alpha / self.config.rank,
            generator=self._generator,
            first=slot.first,
        )

    def describe(self) -> dict[str, int | float | str | bool]:
        """Give the settings."""
        return asdict(self.config)
