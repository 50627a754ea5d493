"""Adapted layers: a linear layer shared by all tasks, and a low-rank change of it for each."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from rover_cl_agents.policies.parted import PartedLinear
from rover_cl_agents.policies.selection import Selection


class Adapter(nn.Module):
    """The matrices `down` (rank, in) and `up` (out, rank); `up` starts at zero, so that nothing changes."""

    def __init__(self, layer: nn.Linear, rank: int, generator: torch.Generator) -> None:
        super().__init__()
        like, bound = layer.weight.detach(), layer.in_features**-0.5
        down = torch.empty(rank, layer.in_features, dtype=like.dtype)
        nn.init.uniform_(down, -bound, bound, generator=generator)
        self.down = nn.Parameter(down.to(like.device))
        self.up = nn.Parameter(like.new_zeros(layer.out_features, rank))

    def forward(self, inputs: Tensor) -> Tensor:
        """Give up · down · inputs, shape (batch, out)."""
        return functional.linear(functional.linear(inputs, self.down), self.up)


class AdaptedLinear(PartedLinear):
    """z = W x + b + scale · up_k down_k x, where W and b are learned on the first task and then stay.

    The first task has an adapter too, which learns if the task comes back.

    Args:
        layer: The layer to adapt.
        selection: See `PartedLinear`.
        rank: Of the change, >= 1; lowered to the layer's smaller side.
        scale: Factor of the change.
        generator: Draws the first part's `down`.
        first: Whether the observations come in here.

    Source: Hu et al. 2021, "LoRA: low-rank adaptation of large language models", section 4.1.
    """

    def __init__(
        self,
        layer: nn.Linear,
        selection: Selection,
        *,
        rank: int,
        scale: float,
        generator: torch.Generator,
        first: bool = False,
    ) -> None:
        super().__init__(selection, first=first)
        self.layer = layer
        self.rank = min(rank, layer.in_features, layer.out_features)
        self.scale = scale
        self.adapters = nn.ModuleList([Adapter(layer, self.rank, generator).requires_grad_(False)])

    def answer(self, inputs: Tensor, part: int) -> Tensor:
        """Answer with the shared layer and one adapter."""
        answer: Tensor = self.layer(inputs) + self.scale * self.adapters[part](inputs)
        return answer

    def __len__(self) -> int:
        return len(self.adapters)

    def grow(self, generator: torch.Generator) -> None:
        """Add an adapter that changes nothing yet."""
        self.adapters.append(Adapter(self.layer, self.rank, generator))

    def shrink(self, count: int) -> None:
        """Drop the adapters from number `count` on."""
        self.adapters = self.adapters[:count]

    def open(self, part: int, *, begun: bool) -> None:
        """Let the shared layer learn on the first task, and from then on one adapter."""
        self.layer.requires_grad_(not begun)
        for number in range(len(self)):
            self.adapters[number].requires_grad_(begun and number == part)
