"""A linear layer in parts: one for each task, of which the selected one answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from rover_cl_agents.networks import DividedLayer
from rover_cl_agents.policies.selection import Selection


class PartedLinear(DividedLayer, ABC):
    """What takes the place of a linear layer in a network whose tasks have parts of their own.

    Part 0 is the layer that was there, the same parameters, so that the first task is learned as without
    it.

    Args:
        selection: Shared with the other layers of the network.
        first: Whether this is the network's first layer, which sees the observations.
    """

    def __init__(self, selection: Selection, *, first: bool = False) -> None:
        super().__init__()
        self.selection = selection
        self.first = first

    def forward(self, inputs: Tensor) -> Tensor:
        """Answer with the selected part, shape (batch, out)."""
        if self.first:
            self.selection.look(inputs)
        if self.selection.rows is None:
            return self.answer(inputs, self.selection.part)
        return self.by_rows(inputs, self.selection.rows)

    def by_rows(self, inputs: Tensor, rows: Tensor) -> Tensor:
        """Answer each row with its own part."""
        found: Tensor | None = None
        for part in sorted(set(rows.tolist())):
            index = torch.nonzero(rows == part).squeeze(1)
            answer = self.answer(inputs.index_select(0, index), part)
            if found is None:
                found = answer.new_empty(len(inputs), answer.shape[1])
            found = found.index_copy(0, index, answer)
        assert found is not None, "there is at least one row"
        return found

    @abstractmethod
    def answer(self, inputs: Tensor, part: int) -> Tensor:
        """Answer with part `part`, shape (batch, out)."""

    @abstractmethod
    def __len__(self) -> int:
        """How many parts there are."""

    @abstractmethod
    def grow(self, generator: torch.Generator) -> None:
        """Add a part, its random numbers drawn from `generator`."""

    @abstractmethod
    def shrink(self, count: int) -> None:
        """Drop all parts but the first `count`."""

    @abstractmethod
    def open(self, part: int, *, begun: bool) -> None:
        """Let the optimisers change part `part`, as far as no other part builds on it, and nothing else.

        Args:
            part: The one that is going to be learned.
            begun: Whether any task was learned before this one.
        """

    @property
    def bytes(self) -> int:
        """All tensors of the layer [bytes]."""
        return sum(t.numel() * t.element_size() for t in [*self.parameters(), *self.buffers()])


@contextmanager
def each_by_its_task(policy: nn.Module, tasks: Tensor) -> Iterator[None]:
    """Let each row of what `policy` is asked meanwhile be answered by the part of its own task.

    A network without parts answers as ever.

    Args:
        policy: Of any kind.
        tasks: The task of each row, shape (batch,); on any device.
    """
    device = next(policy.parameters()).device
    found = [module.selection for module in policy.modules() if isinstance(module, PartedLinear)]
    before = [(selection, selection.rows, selection.guess) for selection in found]
    try:
        for selection in found:
            selection.rows, selection.guess = selection.parts_of(tasks).to(device), None
        yield
    finally:
        for selection, rows, guess in before:
            selection.rows, selection.guess = rows, guess


def fresh_linear(like: nn.Linear, *, gain: float | None, generator: torch.Generator) -> nn.Linear:
    """Make a layer of the same shape with new weights.

    Args:
        like: The pattern.
        gain: Of an orthogonal start with zero bias, as Stable-Baselines3 makes on-policy networks; None:
            PyTorch's own uniform start.
        generator: Draws the weights; nothing is drawn from the global one.
    """
    sides, biased, dtype = (like.in_features, like.out_features), like.bias is not None, like.weight.dtype
    # By way of the meta device, where PyTorch's own start draws nothing; then on the CPU, where methods draw.
    layer = nn.Linear(*sides, bias=biased, device="meta", dtype=dtype).to_empty(device="cpu")
    if gain is not None:
        nn.init.orthogonal_(layer.weight, gain, generator=generator)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
        return layer.to(like.weight.device)
    bound = like.in_features**-0.5
    nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
    if layer.bias is not None:
        nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
    return layer.to(like.weight.device)
