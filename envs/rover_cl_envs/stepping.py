"""The loops over rovers: each takes its turn, and begins anew where its episode has ended."""

from __future__ import annotations

import numpy as np
from numba import prange
from numpy.typing import NDArray

from rover_cl_envs.addresses import Addresses, rovers_at, setting_at
from rover_cl_envs.block import drive_some, feed_some, find_some, roam_some, sight_some, stand_some, waits
from rover_cl_envs.compiled import compiled, compiled_parallel
from rover_cl_envs.lanes import LANES, body_lanes, heading_of, side_lanes
from rover_cl_envs.mission import RUNNING
from rover_cl_envs.ring import RING_POINTS, block_points
from rover_cl_envs.rows import RESTART, SAME_STEP, Pictures, Rows
from rover_cl_envs.sensors import BODIES_BLOCK, POWER_BLOCK
from rover_cl_envs.turn import (
    Outcomes,
    Rewards,
    begin_anew,
    judge_step,
    look,
    picture,
    start,
)

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

    A rover whose episode has ended under SAME_STEP begins anew once its last observation is written; the
    first one of the new episode is left to `look_anew`.
    """
    rovers, setting = rovers_at(a), setting_at(a)
    body, sides = body_lanes(), side_lanes()
    drive_some(first, last, actions, rovers, setting, body, sides)
    stand_some(first, last, rovers, setting, body)
    if setting.blocks[POWER_BLOCK] >= 0:
        feed_some(first, last, rovers, setting, body, sides)
    if setting.blocks[BODIES_BLOCK] >= 0:
        roam_some(first, last, rovers, setting, body)
    for k in range(last - first):
        i = first + k
        if waits(i, rovers, setting):
            begin_anew(i, a, terms[i], rewards, outcomes)
            body.cos[k], body.sin[k] = heading_of(rovers.state[i])
            continue
        judge_step(i, body.tallest[k], body.struck[k] == 1.0, a, terms[i], rewards, outcomes)
        if outcomes[i] != RUNNING:
            rovers.counters[i, RESTART] = 1
    numbers = block_points()
    find_some(first, last, rovers, setting, body, numbers)
    sight_some(first, last, rovers, body, observations)
    for k in range(last - first):  # a loop of its own, which runs ahead as those of block.py do
        points = numbers[RING_POINTS * k : RING_POINTS * (k + 1)]
        look(first + k, (body.cos[k], body.sin[k]), points, a, observations[first + k])
        picture(first + k, a, observations, first + k, pictures)
    if setting.mode == SAME_STEP:
        for i in range(first, last):
            if outcomes[i] != RUNNING:
                start(i, a)


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
    for k in range(0, len(actions), LANES):
        last = min(k + LANES, len(actions))
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
    for b in prange((len(actions) + LANES - 1) // LANES):
        k = b * LANES
        last = min(k + LANES, len(actions))
        _step_some(k, last, actions, a, observations, terms, rewards, outcomes, pictures)
    return _ended(outcomes)


@compiled
def _look_once(i: int, a: Addresses, observations: Rows, pictures: Pictures) -> None:
    """Write the observation of rover i, whose episode has just begun."""
    rovers, body, numbers = rovers_at(a), body_lanes(), block_points()
    heading = heading_of(rovers.state[i])
    body.cos[0], body.sin[0] = heading
    find_some(i, i + 1, rovers, setting_at(a), body, numbers)
    sight_some(i, i + 1, rovers, body, observations)
    look(i, heading, numbers[:RING_POINTS], a, observations[i])
    picture(i, a, observations, i, pictures)


@compiled
def look_anew(which: Which, a: Addresses, observations: Rows, pictures: Pictures) -> None:
    """Write the first observations of the rovers `which` (k,), who have begun anew, over their last ones."""
    for i in which:
        _look_once(i, a, observations, pictures)


@compiled
def start_where(mask: NDArray[np.bool_], a: Addresses, observations: Rows, pictures: Pictures) -> None:
    """Begin episodes for the rovers of the mask (n,) and write their observations."""
    for i in range(len(mask)):
        if mask[i]:
            start(i, a)
            _look_once(i, a, observations, pictures)
