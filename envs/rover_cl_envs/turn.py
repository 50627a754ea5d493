"""One rover's turn: it begins an episode, is judged, and looks around."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rover_cl_envs.addresses import Addresses, rovers_at, setting_at
from rover_cl_envs.bodies import BLIND, CLEANED, appear, watch
from rover_cl_envs.camera import photograph
from rover_cl_envs.compiled import Row, compiled
from rover_cl_envs.energy import wake
from rover_cl_envs.landforms import mend_crust
from rover_cl_envs.lanes import Heading, heading_of
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
from rover_cl_envs.power import BALANCE, CHARGE, capacity, observe_power, sweep
from rover_cl_envs.power_plant import AREA
from rover_cl_envs.randomness import uniform
from rover_cl_envs.ring import RING
from rover_cl_envs.rows import (
    MAP,
    MISSION,
    NEXT_MISSION,
    RESTART,
    STEP,
    VEHICLE,
    Pictures,
    Rows,
    broken_by,
    conditions_of,
)
from rover_cl_envs.sensors import BLOCKS, BODIES_BLOCK, MISSION_BLOCK, POWER_BLOCK, SIZE, observe
from rover_cl_envs.settling import rest

MISSION_SIZE, BODIES_SIZE = BLOCKS["mission"], BLOCKS["bodies"]

Rewards = NDArray[np.float64]
"""(n,)"""
Outcomes = NDArray[np.int8]
"""(n,) codes of mission.py"""


@compiled
def start(i: int, a: Addresses) -> None:
    """Begin an episode for rover i: a map, a place, two targets, at rest."""
    rovers, setting = rovers_at(a), setting_at(a)
    s, c, counters = rovers.state[i], conditions_of(i, rovers), rovers.counters[i]
    generator, count, v = rovers.generators[i], len(setting.words), counters[VEHICLE]
    m = min(int(uniform(generator) * count), count - 1)
    counters[MAP], counters[STEP], counters[RESTART] = m, 0, 0
    counters[MISSION] = counters[NEXT_MISSION]
    rover, mission = setting.rovers[v], setting.missions[counters[MISSION]]
    words, broken = setting.words[m], broken_by(i, rovers)
    mend_crust(broken)
    begin(s, c, mission, rover, words, generator)
    if mission[KIND] != NAVIGATE:
        prepare(s, c, rovers.progress[i], mission, rover, words, generator)
    if setting.blocks[BODIES_BLOCK] >= 0:
        appear(s, c, rovers.bodies[i], generator)
    rest(s, c, rover, setting.wheels[v], words, broken, setting.soils[v], rovers.soil[i])
    if setting.blocks[POWER_BLOCK] >= 0:
        wake(rovers.power[i], s, heading_of(s), c, setting.plants[v], setting.net_flux)


@compiled
def begin_anew(i: int, a: Addresses, terms: Row, rewards: Rewards, outcomes: Outcomes) -> None:
    """Begin an episode in place of a step, which brings no reward."""
    start(i, a)
    for k in range(terms.shape[0]):
        terms[k] = 0.0
    rewards[i] = 0.0
    outcomes[i] = RUNNING


@compiled
def look(i: int, heading: Heading, numbers: Row, a: Addresses, out: Row) -> None:
    """Write rover i's observation into `out` (size,); `numbers` (24,) are those of its ring's cells."""
    rovers, setting = rovers_at(a), setting_at(a)
    s, c, counters = rovers.state[i], conditions_of(i, rovers), rovers.counters[i]
    rover, words = setting.rovers[counters[VEHICLE]], setting.words[counters[MAP]]
    broken = broken_by(i, rovers)
    generator = rovers.generators[i]
    observe(s, heading, c, rover, setting.ring, words, broken, setting.cues, numbers, generator, out)
    at = setting.blocks[POWER_BLOCK]
    if at >= 0:
        observe_power(rovers.power[i], heading, c, setting.plants[counters[VEHICLE]], out[at:])
    at = setting.blocks[MISSION_BLOCK]
    if at >= 0:
        mission = setting.missions[counters[MISSION]]
        tell(s, rovers.progress[i], mission, int(counters[STEP]), out[at : at + MISSION_SIZE])
    at = setting.blocks[BODIES_BLOCK]
    if at >= 0:
        watch(s, heading, c, rovers.bodies[i], out[at : at + BODIES_SIZE])
        if rovers.bodies[i, BLIND] == 1.0:
            out[RING:SIZE] = 0.0


@compiled
def picture(i: int, a: Addresses, vectors: Rows, row: int, out: Pictures) -> None:
    """Take rover i's picture, where pictures are taken; that row of `vectors` is what it was just told."""
    rovers, setting = rovers_at(a), setting_at(a)
    if setting.pixels:
        s, c, words = rovers.state[i], conditions_of(i, rovers), setting.words[rovers.counters[i, MAP]]
        broken, generator = broken_by(i, rovers), rovers.generators[i]
        bodies = rovers.bodies[i : i + (1 if setting.blocks[BODIES_BLOCK] >= 0 else 0)]
        photograph(s, c, vectors[row], words, broken, bodies, setting.cues, generator, out[row])


@compiled
def _judge(i: int, tallest: float, struck: bool, a: Addresses, terms: Row) -> int:
    """Fill rover i's terms of the reward, zero before, and say how its episode stands."""
    rovers, setting = rovers_at(a), setting_at(a)
    s, c, counters = rovers.state[i], conditions_of(i, rovers), rovers.counters[i]
    rover = setting.rovers[counters[VEHICLE]]
    mission, gained, empty = setting.missions[counters[MISSION]], 0.0, False
    if setting.blocks[POWER_BLOCK] >= 0:
        p = rovers.power[i]
        empty = p[CHARGE] <= 0.0
        gained = p[BALANCE] / capacity(c, setting.plants[counters[VEHICLE]])
    if mission[KIND] == NAVIGATE:
        code = judge(s, mission, rover, tallest, terms)
    else:
        progress, generator = rovers.progress[i], rovers.generators[i]
        words, step = setting.words[counters[MAP]], int(counters[STEP])
        code = assess(s, c, progress, gained, mission, rover, tallest, step, words, generator, terms)
    if setting.blocks[BODIES_BLOCK] >= 0 and struck and code == RUNNING:
        code, terms[BY_END] = STRUCK, mission[STRIKE]
    if setting.blocks[POWER_BLOCK] >= 0 and setting.blocks[BODIES_BLOCK] >= 0:
        swept = rovers.bodies[i, CLEANED]
        if swept > 0.0 and setting.plants[counters[VEHICLE], AREA] > 0.0:
            sweep(rovers.power[i], c, swept)
    if empty and code == RUNNING:
        code, terms[BY_END] = POWER, mission[DRAINED]
    return code


@compiled
def judge_step(
    i: int, tallest: float, struck: bool, a: Addresses, terms: Row, rewards: Rewards, outcomes: Outcomes
) -> None:
    """What has come of rover i's step: reward terms, reward, and how its episode stands."""
    rovers, setting = rovers_at(a), setting_at(a)
    counters = rovers.counters[i]
    counters[STEP] += 1
    for k in range(terms.shape[0]):
        terms[k] = 0.0
    code = _judge(i, tallest, struck, a, terms)
    reward = 0.0
    for k in range(terms.shape[0]):
        reward += terms[k]
    rewards[i] = reward
    late = code == RUNNING and counters[STEP] >= setting.limit
    outcomes[i] = TIME_LIMIT if late else code
