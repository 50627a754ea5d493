"""The loop over rovers: each is driven, judged, begun anew where its episode has ended, and looks around."""

from __future__ import annotations

import numpy as np
from numba import prange
from numpy.typing import NDArray

from rover_cl_envs.addresses import Addresses, rovers_at, setting_at
from rover_cl_envs.bodies import BLIND, CLEANED, appear, roam, watch
from rover_cl_envs.camera import photograph
from rover_cl_envs.compiled import Row, compiled, compiled_parallel
from rover_cl_envs.dynamics import DRIVE, MOTOR, STEER, drive
from rover_cl_envs.instruments import distort, err
from rover_cl_envs.mission import (
    BY_END,
    DRAINED,
    KIND,
    NAVIGATE,
    POWER,
    RUNNING,
    STRIKE,
    STRUCK,
    TIME_LIMIT,
    judge,
)
from rover_cl_envs.objectives import assess, prepare, tell
from rover_cl_envs.placement import begin
from rover_cl_envs.power import BALANCE, capacity, observe_power, pass_time, stall_share, sweep, wake
from rover_cl_envs.power_plant import AREA
from rover_cl_envs.randomness import uniform
from rover_cl_envs.ring import RING
from rover_cl_envs.rows import (
    MAP,
    MISSION,
    NEXT_MISSION,
    NEXT_STEP,
    RESTART,
    SAME_STEP,
    STEP,
    VEHICLE,
    Pictures,
    Rows,
    conditions_of,
)
from rover_cl_envs.sensors import BLOCKS, BODIES_BLOCK, MISSION_BLOCK, POWER_BLOCK, SIZE, observe
from rover_cl_envs.settling import rest, settle

MISSION_SIZE, BODIES_SIZE = BLOCKS["mission"], BLOCKS["bodies"]
BLOCK = 32  # rovers stepped together

Rewards = NDArray[np.float64]
"""(n,)"""
Outcomes = NDArray[np.int8]
"""(n,) codes of mission.py"""
Which = NDArray[np.int64]
"""(k,) numbers of rovers"""


@compiled
def _start(i: int, a: Addresses) -> None:
    """Begin an episode for rover i: a map, a place, two targets, at rest."""
    rovers, setting = rovers_at(a), setting_at(a)
    s, c, counters = rovers.state[i], conditions_of(i, rovers), rovers.counters[i]
    generator, count, v = rovers.generators[i], len(setting.words), counters[VEHICLE]
    m = min(int(uniform(generator) * count), count - 1)
    counters[MAP], counters[STEP], counters[RESTART] = m, 0, 0
    counters[MISSION] = counters[NEXT_MISSION]
    rover, mission = setting.rovers[v], setting.missions[counters[MISSION]]
    words, broken = setting.words[m], rovers.broken[i]
    broken[:] = 0
    begin(s, c, mission, rover, words, generator)
    if mission[KIND] != NAVIGATE:
        prepare(s, c, rovers.progress[i], mission, rover, words, generator)
    if setting.blocks[BODIES_BLOCK] >= 0:
        appear(s, c, rovers.bodies[i], generator)
    rest(s, c, rover, setting.wheels[v], words, broken, setting.soils[v], rovers.soil[i])
    if setting.blocks[POWER_BLOCK] >= 0:
        wake(rovers.power[i], s, c, setting.plants[v], setting.net_flux)


@compiled
def _look(i: int, a: Addresses, out: Row) -> None:
    """Write rover i's observation into `out` (size,)."""
    rovers, setting = rovers_at(a), setting_at(a)
    s, c, counters = rovers.state[i], conditions_of(i, rovers), rovers.counters[i]
    rover, words, broken = setting.rovers[counters[VEHICLE]], setting.words[counters[MAP]], rovers.broken[i]
    observe(s, c, rover, setting.ring, words, broken, setting.cues, out)
    if err(c):
        distort(s, c, rovers.generators[i], out)
    at = setting.blocks[POWER_BLOCK]
    if at >= 0:
        observe_power(rovers.power[i], s, c, setting.plants[counters[VEHICLE]], out[at:])
    at = setting.blocks[MISSION_BLOCK]
    if at >= 0:
        mission = setting.missions[counters[MISSION]]
        tell(s, rovers.progress[i], mission, int(counters[STEP]), out[at : at + MISSION_SIZE])
    at = setting.blocks[BODIES_BLOCK]
    if at >= 0:
        watch(s, c, rovers.bodies[i], out[at : at + BODIES_SIZE])
        if rovers.bodies[i, BLIND] == 1.0:
            out[RING:SIZE] = 0.0


@compiled
def _picture(i: int, a: Addresses, vectors: Rows, row: int, out: Pictures) -> None:
    """Take rover i's picture, where pictures are taken; that row of `vectors` is what it was just told."""
    rovers, setting = rovers_at(a), setting_at(a)
    if setting.pixels:
        words = setting.words[rovers.counters[i, MAP]]
        photograph(rovers.state[i], conditions_of(i, rovers), vectors[row], words, setting.cues, out[row])


@compiled
def _drive(i: int, a: Addresses) -> float:
    """Drive rover i with what its motors give in this cold; returns the tallest rock under a wheel [m]."""
    rovers, setting = rovers_at(a), setting_at(a)
    s, c, v = rovers.state[i], conditions_of(i, rovers), rovers.counters[i, VEHICLE]
    rover, wheels, soil = setting.rovers[v], setting.wheels[v], rovers.soil[i]
    motor = c[MOTOR]
    if setting.blocks[POWER_BLOCK] >= 0:
        motor = np.float32(motor * stall_share(rovers.power[i]))
    drive(s, c, motor, rover, wheels, soil)
    words, broken = setting.words[rovers.counters[i, MAP]], rovers.broken[i]
    return settle(s, c, rover, wheels, words, broken, setting.soils[v], soil)


@compiled
def _judge(i: int, tallest: float, a: Addresses, terms: Row) -> int:
    """Fill rover i's terms of the reward, zero before, and say how its episode stands."""
    rovers, setting = rovers_at(a), setting_at(a)
    s, c, counters = rovers.state[i], conditions_of(i, rovers), rovers.counters[i]
    rover = setting.rovers[counters[VEHICLE]]
    mission, gained, empty = setting.missions[counters[MISSION]], 0.0, False
    if setting.blocks[POWER_BLOCK] >= 0:
        p, plant = rovers.power[i], setting.plants[counters[VEHICLE]]
        empty = pass_time(p, s, c, rover, plant, setting.net_flux, rovers.generators[i])
        gained = p[BALANCE] / capacity(c, plant)
    if mission[KIND] == NAVIGATE:
        code = judge(s, mission, rover, tallest, terms)
    else:
        progress, generator = rovers.progress[i], rovers.generators[i]
        words, step = setting.words[counters[MAP]], int(counters[STEP])
        code = assess(s, c, progress, gained, mission, rover, tallest, step, words, generator, terms)
    if setting.blocks[BODIES_BLOCK] >= 0 and roam(s, c, rover, rovers.bodies[i]) and code == RUNNING:
        code, terms[BY_END] = STRUCK, mission[STRIKE]
    if setting.blocks[POWER_BLOCK] >= 0 and setting.blocks[BODIES_BLOCK] >= 0:
        swept = rovers.bodies[i, CLEANED]
        if swept > 0.0 and setting.plants[counters[VEHICLE], AREA] > 0.0:
            sweep(rovers.power[i], c, swept)
    if empty and code == RUNNING:
        code, terms[BY_END] = POWER, mission[DRAINED]
    return code


@compiled
def _move(i: int, actions: Rows, a: Addresses, terms: Row, rewards: Rewards, outcomes: Outcomes) -> None:
    """Drive rover i for one control step: reward terms, reward, and how its episode stands."""
    rovers, setting = rovers_at(a), setting_at(a)
    s, counters = rovers.state[i], rovers.counters[i]
    s[DRIVE] = min(max(actions[i, 0], -1.0), 1.0)
    s[STEER] = min(max(actions[i, 1], -1.0), 1.0)
    tallest = _drive(i, a)
    counters[STEP] += 1
    for k in range(terms.shape[0]):
        terms[k] = 0.0
    code = _judge(i, tallest, a, terms)
    reward = 0.0
    for k in range(terms.shape[0]):
        reward += terms[k]
    rewards[i] = reward
    late = code == RUNNING and counters[STEP] >= setting.limit
    outcomes[i] = TIME_LIMIT if late else code


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
            _start(i, a)
            for k in range(terms.shape[1]):
                terms[i, k] = 0.0
            rewards[i] = 0.0
            outcomes[i] = RUNNING
            continue
        _move(i, actions, a, terms[i], rewards, outcomes)
        if outcomes[i] != RUNNING:
            counters[i, RESTART] = 1
    # In a loop of its own: small loops run ahead into the next rover while this one waits for its map.
    for i in range(first, last):
        if mode != SAME_STEP or outcomes[i] == RUNNING:
            _look(i, a, observations[i])
            _picture(i, a, observations, i, pictures)


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
    _look(i, a, last[k])
    _picture(i, a, last, k, last_pictures)
    _start(i, a)
    _look(i, a, observations[i])
    _picture(i, a, observations, i, pictures)


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
            _start(i, a)
            _look(i, a, observations[i])
            _picture(i, a, observations, i, pictures)
