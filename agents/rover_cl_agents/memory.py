"""What is kept of old tasks: observations, and the policy's answers to them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rover_cl_agents.outputs import KINDS, Kind, Outputs


class Reservoir:
    """A uniform sample of fixed size from a stream of unknown length.

    After n items each of them is held with probability min(1, capacity / n).

    Source: Vitter 1985, "Random sampling with a reservoir", algorithm R.
    """

    def __init__(self, capacity: int, generator: np.random.Generator) -> None:
        if capacity < 1:
            raise ValueError(f"capacity is {capacity}; expected at least 1.")
        self.capacity = capacity
        self.seen = 0
        self._generator = generator
        self._items: NDArray[Any] | None = None

    def add(self, items: NDArray[Any]) -> None:
        """Offer `items`, shape (k, *item), in their order."""
        if self._items is None:
            self._items = np.empty((self.capacity, *items.shape[1:]), dtype=items.dtype)
        arrival = np.arange(self.seen, self.seen + len(items))
        # Item number i (from 0) takes a place drawn from 0..i, if there is such a place; the first fill the
        # places.
        drawn = (self._generator.random(len(items)) * (arrival + 1)).astype(np.int64)
        places = np.where(arrival < self.capacity, arrival, drawn)
        admitted = np.flatnonzero(places < self.capacity)
        # Of several items that draw one place the last stays, as if they had come one by one.
        last_first = places[admitted][::-1]
        taken, first = np.unique(last_first, return_index=True)
        self._items[taken] = items[admitted[::-1][first]]
        self.seen += len(items)

    @property
    def items(self) -> NDArray[Any]:
        """The items held, shape (min(capacity, seen), *item)."""
        if self._items is None:
            raise ValueError("the reservoir is empty: add items first.")
        return self._items[: min(self.capacity, self.seen)]


class Memory:
    """Observations with the answers to keep, task by task, sampled uniformly over all of them."""

    def __init__(self, seed: int) -> None:
        self._generator = torch.Generator().manual_seed(seed)
        self._kind: Kind = "gaussian"  # of what is stored; of no account while nothing is
        self._tensors: dict[str, Tensor] = {}

    def __len__(self) -> int:
        return len(self._tensors["tasks"]) if self._tensors else 0

    @property
    def tasks(self) -> Tensor:
        """The task of each state held, int64, shape (n,)."""
        return self._tensors.get("tasks", torch.zeros(0, dtype=torch.int64))

    @property
    def bytes(self) -> int:
        """Exactly what is held [bytes]."""
        return sum(tensor.numel() * tensor.element_size() for tensor in self._tensors.values())

    def store(self, task: int, observations: Tensor, outputs: Outputs) -> None:
        """Keep `observations` (n, *observation) and their `outputs`, in place of what was kept of this
        task.
        """
        arriving = {
            "observations": observations.detach().clone(),
            "location": outputs.location.detach().clone(),
            "tasks": torch.full((len(observations),), task, dtype=torch.int64),
        }
        if outputs.log_scale is not None:
            arriving["log_scale"] = outputs.log_scale.detach().clone()
        if self._tensors:
            others = torch.nonzero(self.tasks != task).squeeze(1)
            arriving = {
                name: torch.cat([self._tensors[name].index_select(0, others), tensor])
                for name, tensor in arriving.items()
            }
        self._kind, self._tensors = outputs.kind, arriving

    def sample(self, batch: int) -> tuple[Tensor, Outputs]:
        """Draw `batch` states uniformly with replacement, by the memory's own generator.

        Raises:
            ValueError: if the memory is empty.
        """
        if not len(self):
            raise ValueError("the memory is empty: store a task first.")
        index = torch.randint(len(self), (batch,), generator=self._generator)
        return self._tensors["observations"].index_select(0, index), self._outputs()[index]

    def _outputs(self) -> Outputs:
        return Outputs(
            kind=self._kind, location=self._tensors["location"], log_scale=self._tensors.get("log_scale")
        )

    def state_dict(self) -> dict[str, Tensor | int | float | str | bool]:
        """Give everything held, and the generator's state."""
        return {"kind": self._kind, "generator": self._generator.get_state(), **self._tensors}

    def load_state_dict(self, state: dict[str, Tensor | int | float | str | bool]) -> None:
        """Take back what `state_dict` gave.

        Raises:
            ValueError: if the state isn't a memory's.
        """
        tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
        generator = tensors.pop("generator", None)
        kind = next((k for k in KINDS if k == state.get("kind")), None)
        if generator is None or kind is None:
            raise ValueError(
                "the state of a memory needs a 'generator' tensor and the 'kind' of its outputs."
            )
        if len({len(tensor) for tensor in tensors.values()}) > 1:
            raise ValueError("the tensors of a memory must have the same length.")
        self._generator.set_state(generator)
        self._kind, self._tensors = kind, tensors
