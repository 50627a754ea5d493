"""Which task's part of the network acts: told, or guessed from the observations."""

from __future__ import annotations

import torch
from torch import Tensor

SPREAD_FLOOR = 0.01
"""Least spread of an observation's entry: one that never changed within a task mustn't decide alone."""


class TaskGuess:
    """The mean and the spread of each task's observations, a Gaussian with a diagonal covariance.

    It looks at one observation at a time and keeps no memory of the last ones: tasks whose observations look
    alike can't be told apart by it.
    """

    def __init__(self) -> None:
        self._means: dict[int, Tensor] = {}
        self._spreads: dict[int, Tensor] = {}

    def __len__(self) -> int:
        return len(self._means)

    def learn(self, part: int, features: Tensor) -> None:
        """Remember what part `part` was fed, shape (n, d), in place of what was known of it."""
        self._means[part] = features.mean(dim=0)
        self._spreads[part] = features.std(dim=0, correction=0).clamp_min(SPREAD_FLOOR)

    def most_likely(self, features: Tensor) -> Tensor:
        """Name the part under which each row, shape (n, d), is the likeliest; int64, shape (n,)."""
        parts = sorted(self._means)
        mean = torch.stack([self._means[part] for part in parts])  # (parts, d)
        spread = torch.stack([self._spreads[part] for part in parts])
        surprise = 0.5 * ((features.unsqueeze(1) - mean) / spread).square().sum(-1) + spread.log().sum(-1)
        return torch.tensor(parts, device=features.device)[surprise.argmin(dim=1)]

    @property
    def bytes(self) -> int:
        """Exactly what is held [bytes]."""
        held = [*self._means.values(), *self._spreads.values()]
        return sum(tensor.numel() * tensor.element_size() for tensor in held)

    def state_dict(self) -> dict[str, Tensor]:
        """Give the moments, named `mean.<part>` and `spread.<part>`."""
        return {f"mean.{part}": mean for part, mean in self._means.items()} | {
            f"spread.{part}": spread for part, spread in self._spreads.items()
        }

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take back what `state_dict` gave.

        Raises:
            ValueError: if an entry isn't a moment, or lacks its partner.
        """
        moments: dict[str, dict[int, Tensor]] = {"mean": {}, "spread": {}}
        for name, tensor in state.items():
            kind, _, part = name.partition(".")
            if kind not in moments or not part.isdecimal():
                raise ValueError(f"the state has an unknown entry {name!r}.")
            moments[kind][int(part)] = tensor
        if set(moments["mean"]) != set(moments["spread"]):
            raise ValueError("each mean of a task's observations needs its spread.")
        self._means, self._spreads = moments["mean"], moments["spread"]


class Selection:
    """The part that acts; one object shared by all layers of a network."""

    def __init__(self) -> None:
        self.part = 0
        """For all rows of a batch, while `rows` is None."""
        self.rows: Tensor | None = None
        """The part of each row, int64, shape (batch,)."""
        self.tasks: list[int] = []
        """The task of each part."""
        self.guess: TaskGuess | None = None
        """What fills `rows`, at each forward pass; None: `part` is told."""

    def tell(self, part: int) -> None:
        """Let part `part` act, for all rows."""
        self.part, self.rows, self.guess = part, None, None

    def infer(self, guess: TaskGuess) -> None:
        """Let the likeliest part act, row by row."""
        self.guess = guess

    def parts_of(self, tasks: Tensor) -> Tensor:
        """Give the part of each task, int64, shape (batch,); that selected for a task without one."""
        parts = {task: part for part, task in enumerate(self.tasks)}
        return torch.tensor([parts.get(task, self.part) for task in tasks.tolist()])

    def look(self, features: Tensor) -> None:
        """See what the network is fed, shape (batch, d), before its first layer."""
        if self.guess is not None:
            self.rows = self.guess.most_likely(features)
