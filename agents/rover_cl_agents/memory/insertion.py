"""Which of the states that were met enter a memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rover_cl_agents.experience.marks import Marks

INSERTIONS = ("all", "reservoir", "return-gated", "difficulty", "episodes", "diversity")
"""all: the latest · reservoir: a uniform sample · return-gated: a uniform sample of the best episodes ·
difficulty: likelier where the value function was wrong · episodes: from as many episodes as there are ·
diversity: those that stand for the rest"""

MARKED = ("return-gated", "difficulty", "episodes")
"""The insertions that look at marks."""


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


def sample(items: NDArray[np.int64], count: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Draw min(count, n) of n `items` uniformly without replacement, by a reservoir; shape (k,)."""
    reservoir = Reservoir(count, generator)
    reservoir.add(items)
    return np.asarray(reservoir.items, dtype=np.int64)


def best_episodes(marks: Marks, count: int, share: float) -> NDArray[np.int64]:
    """Find the states of the best episodes: at least `share` of all states, and at least `count` of them.

    Episodes that weren't seen whole come last; of equal ones all or none are in.

    Args:
        marks: Of n states.
        count: >= 1.
        share: In (0, 1].

    Returns:
        Their indices, ascending; all n if there are no more than `count`.

    Source: Rolnick et al. 2019 and Buzzega et al. 2020 store whatever the policy answered; the gate keeps
    what it answered while it did well.
    """
    returns = np.where(np.isnan(marks.returns), -np.inf, marks.returns)
    wanted = min(max(count, round(share * len(returns))), len(returns))
    limit = np.sort(returns)[::-1][wanted - 1]
    return np.flatnonzero(returns >= limit)


def difficult(marks: Marks, count: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Draw `count` states without replacement, each with a probability in proportion to its surprise.

    Source: Schaul et al. 2016, "Prioritized experience replay", its proportional variant; the draw by
    Efraimidis & Spirakis 2006, "Weighted random sampling with a reservoir".
    """
    waits = generator.exponential(size=len(marks.surprises))
    order = np.argsort(waits / np.maximum(marks.surprises, 1e-12), kind="stable")
    return order[:count]


def over_episodes(marks: Marks, count: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Draw `count` states from as many episodes as possible: one of each before a second of any.

    Within an episode the states are drawn uniformly without replacement.
    """
    shuffled = generator.permutation(len(marks.episodes))
    episodes = marks.episodes[shuffled]
    # After a stable sort by episode, the rank within the episode is the distance from its first entry.
    order = np.argsort(episodes, kind="stable")
    ranked = episodes[order]
    first = np.searchsorted(ranked, ranked)
    turn = np.empty(len(order), dtype=np.int64)
    turn[order] = np.arange(len(order)) - first
    return shuffled[np.argsort(turn, kind="stable")][:count]


def check(insertion: str) -> None:
    """Refuse an unknown policy.

    Raises:
        ValueError: naming those there are.
    """
    if insertion not in INSERTIONS:
        raise ValueError(f"insertion is {insertion!r}; expected one of {', '.join(INSERTIONS)}.")
