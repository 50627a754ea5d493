"""Heads: a linear layer of its own for each task."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rover_cl_agents.policies.parted import PartedLinear, fresh_linear
from rover_cl_agents.policies.selection import Selection


class TaskHeads(PartedLinear):
    """One linear layer for each task, and none of them learns from another's task.

    Args:
        layer: The first task's.
        selection: See `PartedLinear`.
        gain: Of a fresh layer, see `fresh_linear`.
        warm: A new layer is a copy of the one selected last, not a fresh one.
    """

    def __init__(
        self, layer: nn.Linear, selection: Selection, *, gain: float | None, warm: bool = False
    ) -> None:
        super().__init__(selection)
        self.heads = nn.ModuleList([layer])
        self.gain = gain
        self.warm = warm

    def head(self, part: int) -> nn.Linear:
        """Give the layer of part `part`."""
        layer = self.heads[part]
        assert isinstance(layer, nn.Linear)
        return layer

    def answer(self, inputs: Tensor, part: int) -> Tensor:
        """Answer with one layer."""
        answer: Tensor = self.heads[part](inputs)
        return answer

    def __len__(self) -> int:
        return len(self.heads)

    def grow(self, generator: torch.Generator) -> None:
        """Add a layer."""
        last = self.head(min(self.selection.part, len(self) - 1))
        layer = fresh_linear(last, gain=self.gain, generator=generator)
        if self.warm:
            layer.load_state_dict(last.state_dict())
        self.heads.append(layer)

    def shrink(self, count: int) -> None:
        """Drop the layers from number `count` on."""
        self.heads = self.heads[:count]

    def open(self, part: int, *, begun: bool) -> None:
        """Let one layer learn, whether its task is new or comes back: no other builds on it."""
        for number in range(len(self)):
            self.heads[number].requires_grad_(number == part)
