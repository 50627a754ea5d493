"""The loops over rovers: each takes its turn, and begins anew where its episode has ended."""

from __future__ import annotations

import numpy as np
from numba import prange
from numpy.typing import NDArray

from rover_cl_envs.addresses import Addresses, rovers_at, setting_at
from rover_cl_envs.compiled import compiled, compiled_parallel
from rover_cl_envs.mission import RUNNING
from rover_cl_envs.rows import NEXT_STEP, RESTART, SAME_STEP, Pictures, Rows
from rover_cl_envs.turn import Outcomes, Rewards, look, move, picture, start

BLOCK = 32  # rovers stepped together

Which = NDArray[np.int64]
"""(k,) numbers of rovers"""


@compiled
def _step_some(
    first: int,
    last: int,
    actions: Rows,
    a: Addresses,
    observations: Rows,
    terms: Rows,
    rewards: Rewards,
    outcomes: Outcomes,
    pictures: Pictures,
) -> None:
    """One control step of rovers `first` to `last` - 1; those that NEXT_STEP bids begin anew instead.

    A rover whose episode has ended under SAME_STEP is left where it stands, for `renew`.
    """
    mode, counters = setting_at(a).mode, rovers_at(a).counters
    for i in range(first, last):
        if mode == NEXT_STEP and counters[i, RESTART] == 1:
            start(i, a)
            for k in range(terms.shape[1]):
                terms[i, k] = 0.0
            rewards[i] = 0.0
            outcomes[i] = RUNNING
            continue
        move(i, actions, a, terms[i], rewards, outcomes)
        if outcomes[i] != RUNNING:
            counters[i, RESTART] = 1
    # In a loop of its own: small loops run ahead into the next rover while this one waits for its map.
    for i in range(first, last):
        if mode != SAME_STEP or outcomes[i] == RUNNING:
            look(i, a, observations[i])
            picture(i, a, observations, i, pictures)


@compiled
def _sound(actions: Rows) -> bool:
    """Whether every action is a number."""
    for i in range(len(actions)):
        if actions[i, 0] != actions[i, 0] or actions[i, 1] != actions[i, 1]:
            return False
    return True


@compiled
def _ended(outcomes: Outcomes) -> int:
    """How many episodes have ended."""
    count = 0
    for i in range(len(outcomes)):
        count += 1 if outcomes[i] != RUNNING else 0
    return count


@compiled
def step_serial(
    actions: Rows,
    a: Addresses,
    observations: Rows,
    terms: Rows,
    rewards: Rewards,
    outcomes: Outcomes,
    pictures: Pictures,
) -> int:
    """Step every rover on this thread.

    Returns:
        How many episodes have ended; -1, with nothing changed, if an action is not a number.
    """
    if not _sound(actions):
        return -1
    for k in range(0, len(actions), BLOCK):
        last = min(k + BLOCK, len(actions))
        _step_some(k, last, actions, a, observations, terms, rewards, outcomes, pictures)
    return _ended(outcomes)


@compiled_parallel
def step_parallel(
    actions: Rows,
    a: Addresses,
    observations: Rows,
    terms: Rows,
    rewards: Rewards,
    outcomes: Outcomes,
    pictures: Pictures,
) -> int:
    """`step_serial` with the blocks shared out among numba's threads."""
    if not _sound(actions):
        return -1
    for b in prange((len(actions) + BLOCK - 1) // BLOCK):
        k = b * BLOCK
        last = min(k + BLOCK, len(actions))
        _step_some(k, last, actions, a, observations, terms, rewards, outcomes, pictures)
    return _ended(outcomes)


@compiled
def _renew_one(
    k: int,
    which: Which,
    a: Addresses,
    last: Rows,
    last_pictures: Pictures,
    observations: Rows,
    pictures: Pictures,
) -> None:
    """Write the last observation of rover `which[k]` into row k of `last`, and begin its next episode."""
    i = which[k]
    look(i, a, last[k])
    picture(i, a, last, k, last_pictures)
    start(i, a)
    look(i, a, observations[i])
    picture(i, a, observations, i, pictures)


@compiled
def renew_serial(
    which: Which, a: Addresses, last: Rows, last_pictures: Pictures, observations: Rows, pictures: Pictures
) -> None:
    """End the episodes of the rovers `which` (k,): their last observations (k, size), and a new start."""
    for k in range(len(which)):
        _renew_one(k, which, a, last, last_pictures, observations, pictures)


@compiled_parallel
def renew_parallel(
    which: Which, a: Addresses, last: Rows, last_pictures: Pictures, observations: Rows, pictures: Pictures
) -> None:
    """`renew_serial` with the rovers shared out among numba's threads."""
    for k in prange(len(which)):
        _renew_one(k, which, a, last, last_pictures, observations, pictures)


@compiled
def start_where(mask: NDArray[np.bool_], a: Addresses, observations: Rows, pictures: Pictures) -> None:
    """Begin episodes for the rovers of the mask (n,) and write their observations."""
    for i in range(len(mask)):
        if mask[i]:
            start(i, a)
            look(i, a, observations[i])
            picture(i, a, observations, i, pictures)
