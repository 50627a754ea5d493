"""Who leaves a memory that is full."""

from __future__ import annotations

import torch
from torch import Tensor

EVICTIONS = ("uniform", "fifo", "balanced", "loss-aware")
"""uniform: any state · fifo: the oldest · balanced: one of the tasks with the most states · loss-aware:
likeliest one that is held well, of a task with many states"""


def loss_aware_probabilities(losses: Tensor, tasks: Tensor) -> Tensor:
    """Give the probability of each state to leave a loss-aware balanced reservoir.

    With score s = −loss and b the number of states of the same task: p ∝ minmax(½ s / (mean|s| · mean b) +
    ½ b). Uniform if all are alike.

    Args:
        losses: How badly each state's answer is held, >= 0, shape (n,).
        tasks: The task of each state, shape (n,).

    Returns:
        Sums to 1, float64, shape (n,).

    Source: Buzzega et al. 2021, "Rethinking experience replay: a bag of tricks for continual learning",
    section III-D.
    """
    _, inverse, counts = torch.unique(tasks, return_inverse=True, return_counts=True)
    balance = counts[inverse].double()
    score = -losses.double()
    size = score.abs().mean() * balance.mean()
    combined = 0.5 * balance + (0.5 * score / size if size > 0 else 0.0)
    combined = combined - combined.min()
    total = combined.sum()
    even = torch.full_like(combined, 1 / len(combined))
    return combined / total if total > 0 else even


def evict(
    eviction: str,
    tasks: Tensor,
    losses: Tensor,
    generator: torch.Generator,
    *,
    arriving: int | None = None,
) -> int:
    """Choose the one state to leave.

    Args:
        eviction: One of `EVICTIONS`.
        tasks: The task of each state held, oldest first, shape (n,), n >= 1.
        losses: How badly each is held, >= 0, shape (n,); only `loss-aware` looks at it.
        generator: Drawn from.
        arriving: Task of the state that room is made for, if there is one; `balanced` counts it with its
            task, so that a task with its full share replaces its own states.

    Returns:
        An index in [0, n).
    """
    if eviction == "fifo":
        return 0
    if eviction == "loss-aware":
        return int(torch.multinomial(loss_aware_probabilities(losses, tasks), 1, generator=generator))
    candidates = torch.arange(len(tasks))
    if eviction == "balanced":
        _, inverse, counts = torch.unique(tasks, return_inverse=True, return_counts=True)
        share = counts[inverse] if arriving is None else counts[inverse] + (tasks == arriving)
        candidates = torch.nonzero(share == share.max()).squeeze(1)
    return int(candidates[torch.randint(len(candidates), (1,), generator=generator)])


def survivors(
    eviction: str, capacity: int, tasks: Tensor, losses: Tensor, generator: torch.Generator
) -> Tensor:
    """Evict until `capacity` states are left.

    Args:
        eviction: One of `EVICTIONS`.
        capacity: >= 1.
        tasks: The task of each state, oldest first, shape (n,).
        losses: How badly each is held, >= 0, shape (n,).
        generator: Drawn from.

    Returns:
        The indices of those that stay, in their order, shape (min(capacity, n),).
    """
    alive = torch.arange(len(tasks))
    surplus = len(tasks) - capacity
    if surplus <= 0:
        return alive
    if eviction == "fifo":
        return alive[surplus:]
    if eviction == "uniform":  # as one by one, but at once
        return torch.randperm(len(tasks), generator=generator)[:capacity].sort().values
    for _ in range(surplus):
        leaving = evict(eviction, tasks[alive], losses[alive], generator)
        alive = torch.cat([alive[:leaving], alive[leaving + 1 :]])
    return alive


def check(eviction: str) -> None:
    """Refuse an unknown policy.

    Raises:
        ValueError: naming those there are.
    """
    if eviction not in EVICTIONS:
        raise ValueError(f"eviction is {eviction!r}; expected one of {', '.join(EVICTIONS)}.")
