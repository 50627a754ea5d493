"""A memory of a whole life: filled as things happen, with no need to know when a task ends."""

from __future__ import annotations

import torch
from torch import Tensor

from rover_cl_agents.memory import eviction
from rover_cl_agents.memory.task_memory import placed
from rover_cl_agents.outputs import rows_at
from rover_cl_agents.state import State

ADMISSIONS = ("reservoir", "all")
"""reservoir: item number i with probability capacity / i, so that all of a life counts alike · all: every
one, so that the memory leans to the latest"""


class LifeMemory:
    """Up to `capacity` rows of named columns; each arrival may take the place of a row.

    Ask `places` which of the arrivals come in and where, then `put` these: nothing has to be computed for
    the others, which are nearly all once the memory is full.

    Args:
        seed: Of the memory's own generator.
        capacity: Rows, >= 1.
        admission: One of `ADMISSIONS`.
        evicting: Who makes room, one of `eviction.EVICTIONS`.
        device: Where the columns are held, that of the policy. Tasks and losses, which decide who stays, are
            on the CPU.

    Source: Buzzega et al. 2020, "Dark experience for general continual learning", algorithm 3 (reservoir).
    """

    def __init__(
        self,
        seed: int,
        capacity: int,
        *,
        admission: str = "reservoir",
        evicting: str = "uniform",
        device: torch.device | str = "cpu",
    ) -> None:
        check_admission(admission)
        eviction.check(evicting)
        self.capacity = capacity
        self.seen = 0
        """Items that were offered."""
        self._admission, self._evicting = admission, evicting
        self._generator = torch.Generator().manual_seed(seed)
        self._device = torch.device(device)
        self._oldest = 0  # place of the oldest row, for fifo
        self._columns: dict[str, Tensor] = {}

    def __len__(self) -> int:
        return len(self._columns["tasks"]) if self._columns else 0

    @property
    def tasks(self) -> Tensor:
        """The task of each row, int64, shape (n,)."""
        return self._columns.get("tasks", torch.zeros(0, dtype=torch.int64))

    @property
    def bytes(self) -> int:
        """Exactly what is held [bytes]."""
        return sum(column.numel() * column.element_size() for column in self._columns.values())

    def places(self, count: int, task: int) -> tuple[Tensor, Tensor]:
        """Decide on `count` >= 0 arrivals of `task`.

        Returns:
            The numbers of those that come in, in [0, count), and each one's place, both of shape (k,). No
            place comes twice; places from `len(self)` on are new, and come in order.
        """
        arrivals = torch.arange(count)
        if self._admission == "reservoir":
            number = torch.arange(self.seen + 1, self.seen + count + 1, dtype=torch.float64)
            chance = torch.rand(count, generator=self._generator, dtype=torch.float64)
            arrivals = arrivals[chance * number < self.capacity]
        self.seen += count
        free = min(self.capacity - len(self), len(arrivals))
        places = torch.cat(
            [torch.arange(len(self), len(self) + free), self._taken(len(arrivals) - free, free, task)]
        )
        # Of several arrivals at one place the last stays, as if they had come one by one.
        last = torch.full((self.capacity,), -1)
        last.scatter_reduce_(0, places, torch.arange(len(places)), reduce="amax")
        taken = torch.nonzero(last >= 0).squeeze(1)
        return arrivals[last[taken]], taken

    def _taken(self, count: int, fresh: int, task: int) -> Tensor:
        """Choose the places that `count` arrivals take once `fresh` new rows of `task` are in."""
        if not count:
            return torch.zeros(0, dtype=torch.int64)
        if self._evicting == "uniform":
            return torch.randint(self.capacity, (count,), generator=self._generator)
        if self._evicting == "fifo":
            places = (self._oldest + torch.arange(count)) % self.capacity
            self._oldest = (self._oldest + count) % self.capacity
            return places
        losses = self._columns.get("losses", torch.zeros(0))
        neutral = float(losses.mean()) if len(losses) else 0.0
        tasks = torch.cat([self.tasks, torch.full((fresh,), task)])
        losses = torch.cat([losses, torch.full((fresh,), neutral)])
        places = torch.zeros(count, dtype=torch.int64)
        for position in range(count):
            place = eviction.evict(self._evicting, tasks, losses, self._generator, arriving=task)
            places[position], tasks[place] = place, task
            if self._evicting == "loss-aware":
                losses[place] = neutral
        return places

    def put(self, places: Tensor, task: int, columns: dict[str, Tensor]) -> None:
        """Write rows of `task` to `places`, as `places` gave them.

        Args:
            places: Shape (k,).
            task: Of all of them.
            columns: By name, the same names every time, each of shape (k, *item).
        """
        arriving = {name: column.detach() for name, column in columns.items()}
        arriving["tasks"] = torch.full((len(places),), task)
        if self._evicting == "loss-aware":
            # A fresh answer is held perfectly, and would be the first to leave: it counts as the mean until
            # it is sampled.
            held = self._columns.get("losses", torch.zeros(0))
            arriving["losses"] = torch.full((len(places),), float(held.mean()) if len(held) else 0.0)
        old = places < len(self)
        for name, column in arriving.items():
            if name in self._columns:
                self._columns[name][places[old]] = column[old]
                self._columns[name] = torch.cat([self._columns[name], column[~old]])
            else:
                self._columns[name] = column.clone()

    def draw(self, batch: int) -> Tensor:
        """Draw rows uniformly with replacement, by the memory's own generator.

        Returns:
            Their places, shape (batch,); each once if there are no more than `batch`.

        Raises:
            ValueError: if the memory is empty.
        """
        if not len(self):
            raise ValueError("the memory is empty: put something first.")
        if len(self) <= batch:
            return torch.arange(len(self))
        return torch.randint(len(self), (batch,), generator=self._generator)

    def at(self, places: Tensor) -> dict[str, Tensor]:
        """Give the rows at `places`: by name, shape (k, *item)."""
        return {name: rows_at(column, places) for name, column in self._columns.items()}

    def note(self, places: Tensor, losses: Tensor) -> None:
        """Note how badly the rows at `places` are held now, >= 0, shape (k,); only `loss-aware` needs it."""
        if self._evicting == "loss-aware":
            self._columns["losses"][places] = losses.detach().float().cpu()

    def state_dict(self) -> State:
        """Give everything held, the counters, and the generator's state."""
        return {
            "seen": self.seen,
            "oldest": self._oldest,
            "generator": self._generator.get_state(),
            **{f"column.{name}": column for name, column in self._columns.items()},
        }

    def load_state_dict(self, state: State) -> None:
        """Take back what `state_dict` gave.

        Raises:
            ValueError: if the state isn't such a memory's, or holds more rows than the capacity.
        """
        generator, seen, oldest = state.get("generator"), state.get("seen"), state.get("oldest")
        if not isinstance(generator, Tensor) or not isinstance(seen, int) or not isinstance(oldest, int):
            raise ValueError("the state of a memory needs 'generator', 'seen' and 'oldest'.")
        columns = {
            key.removeprefix("column."): value
            for key, value in state.items()
            if key.startswith("column.") and isinstance(value, Tensor)
        }
        lengths = {len(column) for column in columns.values()}
        if (
            len(lengths) > 1
            or max(lengths, default=0) > self.capacity
            or (columns and "tasks" not in columns)
        ):
            raise ValueError(
                f"the columns of a memory must have one length, at most {self.capacity}, and name the tasks."
            )
        self._generator.set_state(generator)
        self.seen, self._oldest = seen, oldest
        self._columns = placed({name: column.clone() for name, column in columns.items()}, self._device)


def check_admission(admission: str) -> None:
    """Refuse an unknown admission.

    Raises:
        ValueError: naming those there are.
    """
    if admission not in ADMISSIONS:
        raise ValueError(f"insertion is {admission!r}; expected one of {', '.join(ADMISSIONS)}.")
