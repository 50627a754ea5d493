"""Packed layers: every weight belongs to one task, or is free for the next."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from rover_cl_agents.policies.parted import PartedLinear
from rover_cl_agents.policies.selection import Selection

FREE = 127
"""Owner of a weight that no task has yet: above every part's number."""


class PackedLinear(PartedLinear):
    """A linear layer whose weights are shared out: part k sees those of the parts 0..k.

    Weights of other parts are read from `kept`, which no optimiser knows, so they stay as they are to the
    bit whatever the optimiser does. Biases are the first part's and stay.

    Args:
        layer: The layer to share out, at first the first part's alone.
        selection: See `PartedLinear`.
        first: Whether the observations come in here.

    Source: Mallya & Lazebnik 2018, "PackNet: adding multiple tasks to a single network by iterative
    pruning", section 3.
    """

    kept: Tensor
    owner: Tensor

    def __init__(self, layer: nn.Linear, selection: Selection, *, first: bool = False) -> None:
        super().__init__(selection, first=first)
        self.weight = layer.weight
        self.bias = layer.bias
        self.register_buffer("kept", layer.weight.detach().clone())
        self.register_buffer("owner", torch.zeros_like(layer.weight, dtype=torch.int8))
        self.count = 1
        self.learning = 0
        """The part whose weights are read from `weight`, where the optimiser changes them; -1: none."""

    def answer(self, inputs: Tensor, part: int) -> Tensor:
        """Answer with the weights of the parts 0..part."""
        weight = torch.where(self.owner == self.learning, self.weight, self.kept)
        return functional.linear(inputs, weight * (self.owner <= part), self.bias)

    def __len__(self) -> int:
        return self.count

    @torch.no_grad()
    def grow(self, generator: torch.Generator) -> None:
        """Give all free weights to a new part."""
        self.owner[self.owner == FREE] = self.count
        self.count += 1

    def shrink(self, count: int) -> None:
        """Forget the parts from number `count` on; their weights become free."""
        self.owner[self.owner >= count] = FREE
        self.count = count

    def open(self, part: int, *, begun: bool) -> None:
        """Let the newest part's weights learn; an older part's not, as the newer ones build on them."""
        newest = part == self.count - 1
        self.learning = part if newest else -1
        self.weight.requires_grad_(newest)
        if self.bias is not None:
            self.bias.requires_grad_(not begun)

    @torch.no_grad()
    def prune(self, part: int, share: int) -> None:
        """Leave part `part` its `share` largest weights; the others become zero and free."""
        own = self.owner.flatten() == part
        size = torch.where(own, self.weight.flatten().abs(), -1.0)
        stay = torch.zeros_like(own)
        stay[size.topk(min(share, int(own.sum()))).indices] = True
        free = (own & ~stay).view_as(self.owner)
        self.owner[free] = FREE
        self.weight[free] = 0.0
        self.keep(part)

    @torch.no_grad()
    def keep(self, part: int) -> None:
        """Put down the weights of part `part` as they are now, if it was learning."""
        if self.learning == part:
            self.kept.copy_(torch.where(self.owner == part, self.weight, self.kept))
            self.kept[self.owner == FREE] = 0.0
