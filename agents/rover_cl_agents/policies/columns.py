"""Columns: a network of its own for each task, fed by the hidden layers of the older ones."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from rover_cl_agents.policies.parted import PartedLinear, fresh_linear
from rover_cl_agents.policies.selection import Selection


class ColumnLinear(PartedLinear):
    """One layer of all columns.

    Between two layers the activations of the columns 0..k lie side by side, shape (batch, (k + 1) · width),
    so that the activation functions of the network, which work entry by entry, stay as they are. The first
    layer feeds all columns with the observations; the head answers for the selected column alone.

    z^(k) = W^(k) h^(k) + b^(k) + Σ_{j<k} U^(k:j) h^(j), where no U feeds the first layer.

    Args:
        layer: The first column's.
        selection: See `PartedLinear`.
        gain: Of a fresh layer, see `fresh_linear`.
        first: Whether the observations come in here.
        head: Whether the answer comes out here.

    Source: Rusu et al. 2016, "Progressive neural networks", equation 1.
    """

    def __init__(
        self,
        layer: nn.Linear,
        selection: Selection,
        *,
        gain: float | None,
        first: bool = False,
        head: bool = False,
    ) -> None:
        super().__init__(selection, first=first)
        self.gain = gain
        self.is_head = head
        self.width = layer.in_features
        self.columns = nn.ModuleList([layer])
        # Of all columns in turn, column k has k of them: a flat list keeps the state's names short.
        self.laterals = nn.ModuleList()

    def laterals_of(self, part: int) -> nn.ModuleList:
        """Give the layers U^(part:j), j = 0..part - 1; none in the first layer."""
        begin = part * (part - 1) // 2
        return self.laterals[begin : begin + part]

    def _column(self, chunks: tuple[Tensor, ...], part: int) -> Tensor:
        answer: Tensor = self.columns[part](chunks[part])
        for lateral, chunk in zip(self.laterals_of(part), chunks, strict=False):
            answer = answer + lateral(chunk)
        return answer

    def answer(self, inputs: Tensor, part: int) -> Tensor:
        """Answer for the columns 0..part side by side, or, in the head, for column `part`."""
        chunks = (inputs,) * (part + 1) if self.first else torch.split(inputs, self.width, dim=1)
        if self.is_head or part == 0:
            return self._column(chunks, part)
        return torch.cat([self._column(chunks, number) for number in range(part + 1)], dim=1)

    def by_rows(self, inputs: Tensor, rows: Tensor) -> Tensor:
        """Answer for all columns up to the head, where each row goes its own way."""
        return super().by_rows(inputs, rows) if self.is_head else self.answer(inputs, len(self) - 1)

    def __len__(self) -> int:
        return len(self.columns)

    def grow(self, generator: torch.Generator) -> None:
        """Add a column. What it takes from the others starts at zero: at first it is a fresh network."""
        first = self.columns[0]
        assert isinstance(first, nn.Linear)
        if not self.first:
            for _ in range(len(self)):
                lateral = fresh_linear(first, gain=None, generator=generator)
                lateral.register_parameter("bias", None)
                nn.init.zeros_(lateral.weight)
                self.laterals.append(lateral)
        self.columns.append(fresh_linear(first, gain=self.gain, generator=generator))

    def shrink(self, count: int) -> None:
        """Drop the columns from number `count` on."""
        self.columns = self.columns[:count]
        self.laterals = self.laterals[: count * (count - 1) // 2]

    def open(self, part: int, *, begun: bool) -> None:
        """Let the newest column learn, and of an older one the head: nothing builds on that."""
        self.requires_grad_(False)
        if self.is_head or part == len(self) - 1:
            self.columns[part].requires_grad_(True)
            self.laterals_of(part).requires_grad_(True)


def column_parameters(sizes: list[int], part: int) -> int:
    """Count the numbers in column `part` of a network whose layers have `sizes`, inputs first.

    Example:
        >>> [column_parameters([4, 32, 32, 2], part) for part in range(3)]
        [1282, 2370, 3458]
    """
    own = sum((inputs + 1) * outputs for inputs, outputs in pairwise(sizes))
    return own + part * sum(inputs * outputs for inputs, outputs in pairwise(sizes[1:]))
