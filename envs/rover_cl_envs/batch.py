"""n rovers in one kernel: the state arrays, and the loop that steps and restarts them.

A rover's state is one row, not one column: a rover reads two dozen of its own numbers in a step, which
then lie in two cache lines. Every row has its own random generator and scratch, so rows may be stepped in
any order by any number of threads with the same result to the last bit.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numba import prange
from numpy.typing import NDArray

from rover_cl_envs.compiled import Bits, Coefficients, Layers, Row, compiled, compiled_parallel
from rover_cl_envs.conditions import Conditions
from rover_cl_envs.dynamics import (
    CRATERS,
    CRUST,
    DRIVE,
    RIPPLES,
    STATE,
    STEER,
    TARS,
    WEIGHTS,
    drive,
    rest,
    settle,
)
from rover_cl_envs.grid import SIDE
from rover_cl_envs.landforms import no_landforms
from rover_cl_envs.mission import REWARD_TERMS, RUNNING, TIME_LIMIT, begin, judge
from rover_cl_envs.randomness import seeded, uniform
from rover_cl_envs.rovers import get_rover
from rover_cl_envs.sensors import observation_size, observe, ring_points
from rover_cl_envs.terrain import terrain_bank
from rover_cl_envs.world import World

Rows = NDArray[np.float32]
"""Numbers of all rovers, a row each."""


class Rovers(NamedTuple):
    """What changes: a row for each rover."""

    state: Rows
    """(n, 24), columns in dynamics.py"""
    counters: NDArray[np.int64]
    """(n, 3), columns below"""
    generators: NDArray[np.uint64]
    """(n, 2), columns in randomness.py"""
    conditions: Rows
    """(n, 26), columns in dynamics.py"""
    soil: Coefficients
    """(n, 2, 13) soil under each side, and scratch"""
    broken: Bits
    """(n, 8192) the cells whose crust each rover has broken, a bit each; (n, 0) while there is no crust"""


class Setting(NamedTuple):
    """What stays."""

    ground: Layers
    """(M, 256, 256, 4) the maps"""
    forms: Layers
    """(M, 256, 256, 4) their landforms; (M, 1, 1, 4) while no condition asks for them"""
    rover: Row
    """(6,), columns in dynamics.py"""
    wheels: Row
    """(6, 2) wheel positions [m]"""
    soils: Coefficients
    """(4, 9) the anchor soils"""
    mission: Row
    """(14,), columns in mission.py"""
    ring: Row
    """(24, 2) points of the terrain ring [m]"""
    limit: int
    """steps of an episode"""
    mode: int
    """what is done with an episode that has ended"""
    cues: bool
    """whether the cues are shown"""


class Results(NamedTuple):
    """What a step writes: a row for each rover."""

    observations: Rows
    """(n, size)"""
    final: Rows
    """(n, size) the last observation of episodes that ended under SAME_STEP"""
    terms: Rows
    """(n, 5) terms of the reward"""
    rewards: NDArray[np.float64]
    """(n,)"""
    outcomes: NDArray[np.int8]
    """(n,)"""


MAP, STEP, RESTART = range(3)
"""Columns of a counters row (3,): map in the bank, steps in the episode, 1 where a restart is due."""
STAY, NEXT_STEP, SAME_STEP = range(3)
"""What the kernel does with an episode that has ended."""
BLOCK = 32  # rovers stepped together
SERIAL_BELOW = 64  # rovers; under it waking the threads costs more than they save


@compiled
def _start(i: int, rovers: Rovers, setting: Setting) -> None:
    """Begin an episode for rover i: a map, a place, two targets, at rest."""
    s, c, generator, counters = (
        rovers.state[i],
        rovers.conditions[i],
        rovers.generators[i],
        rovers.counters[i],
    )
    maps = setting.ground
    m = min(int(uniform(generator) * len(maps)), len(maps) - 1)
    counters[MAP], counters[STEP], counters[RESTART] = m, 0, 0
    forms, broken = setting.forms[m], rovers.broken[i]
    broken[:] = 0
    begin(s, c, setting.mission, setting.rover, maps[m], forms, generator)
    rest(s, c, setting.rover, setting.wheels, maps[m], forms, broken, setting.soils, rovers.soil[i])


@compiled
def _look(i: int, rovers: Rovers, setting: Setting, out: Row) -> None:
    """Write rover i's observation into `out` (80,)."""
    s, c, m = rovers.state[i], rovers.conditions[i], rovers.counters[i, MAP]
    ground, forms, broken = setting.ground[m], setting.forms[m], rovers.broken[i]
    observe(s, c, setting.rover, setting.ring, ground, forms, broken, setting.cues, out)


@compiled
def _move(i: int, actions: Rows, rovers: Rovers, setting: Setting, results: Results) -> None:
    """Drive rover i for one control step: reward terms, reward, and how its episode stands."""
    s, c, terms = rovers.state[i], rovers.conditions[i], results.terms[i]
    s[DRIVE] = min(max(actions[i, 0], -1.0), 1.0)
    s[STEER] = min(max(actions[i, 1], -1.0), 1.0)
    drive(s, c, setting.rover, setting.wheels, rovers.soil[i])
    m, soil, broken = rovers.counters[i, MAP], rovers.soil[i], rovers.broken[i]
    ground, forms, soils = setting.ground[m], setting.forms[m], setting.soils
    tallest = settle(s, c, setting.rover, setting.wheels, ground, forms, broken, soils, soil)
    code = judge(s, setting.mission, setting.rover, tallest, terms)
    reward = 0.0
    for k in range(terms.shape[0]):
        reward += terms[k]
    results.rewards[i] = reward
    rovers.counters[i, STEP] += 1
    late = code == RUNNING and rovers.counters[i, STEP] >= setting.limit
    results.outcomes[i] = TIME_LIMIT if late else code


@compiled
def _step_some(
    first: int, last: int, actions: Rows, rovers: Rovers, setting: Setting, results: Results
) -> None:
    """One control step of rovers `first` to `last` - 1, with what the mode says of ended episodes."""
    restart = rovers.counters[:, RESTART]
    for i in range(first, last):
        if setting.mode == NEXT_STEP and restart[i] == 1:
            _start(i, rovers, setting)
            results.terms[i, :] = 0.0
            results.rewards[i] = 0.0
            results.outcomes[i] = RUNNING
            continue
        _move(i, actions, rovers, setting, results)
        if results.outcomes[i] != RUNNING:
            restart[i] = 1
            if setting.mode == SAME_STEP:
                _look(i, rovers, setting, results.final[i])
                _start(i, rovers, setting)
    # In a loop of its own: small loops run ahead into the next rover while this one waits for its map.
    for i in range(first, last):
        _look(i, rovers, setting, results.observations[i])


@compiled
def _step_serial(actions: Rows, rovers: Rovers, setting: Setting, results: Results) -> bool:
    """Step every rover on this thread; returns False, with nothing changed, if an action is not a number."""
    for i in range(len(actions)):
        if actions[i, 0] != actions[i, 0] or actions[i, 1] != actions[i, 1]:
            return False
    for k in range(0, len(actions), BLOCK):
        _step_some(k, min(k + BLOCK, len(actions)), actions, rovers, setting, results)
    return True


@compiled_parallel
def _step_parallel(actions: Rows, rovers: Rovers, setting: Setting, results: Results) -> bool:
    """`_step_serial` with the blocks shared out among numba's threads."""
    for i in range(len(actions)):
        if actions[i, 0] != actions[i, 0] or actions[i, 1] != actions[i, 1]:
            return False
    for b in prange((len(actions) + BLOCK - 1) // BLOCK):
        k = b * BLOCK
        _step_some(k, min(k + BLOCK, len(actions)), actions, rovers, setting, results)
    return True


@compiled
def _start_where(mask: NDArray[np.bool_], rovers: Rovers, setting: Setting, observations: Rows) -> None:
    """Begin episodes for the rovers of the mask (n,) and write their observations."""
    for i in range(len(mask)):
        if mask[i]:
            _start(i, rovers, setting)
            _look(i, rovers, setting, observations[i])


class Batch:
    """The rovers of an environment, their ground and their conditions."""

    def __init__(self, count: int, world: World, *, mode: int = STAY, threads: int | None = None) -> None:
        rover, mission = get_rover(world.rover), world.mission
        self.rover, self.mission = rover, mission
        self.state = np.zeros((count, STATE), dtype=np.float32)
        self.counters = np.zeros((count, 3), dtype=np.int64)
        self.generators = seeded(0, count)
        self.conditions = np.tile(Conditions().to_array(), (count, 1))
        size = observation_size(world.systems)
        self.observations = np.zeros((count, size), dtype=np.float32)
        self.final_observations = np.zeros((count, size), dtype=np.float32)
        self.reward_terms = np.zeros((count, len(REWARD_TERMS)), dtype=np.float32)
        self.rewards = np.zeros(count, dtype=np.float64)
        self.outcomes = np.zeros(count, dtype=np.int8)
        self._bank = world.terrain or terrain_bank(world.map_seed, world.num_maps)
        self.ground = self._bank.ground
        self._rovers = Rovers(
            state=self.state,
            counters=self.counters,
            generators=self.generators,
            conditions=self.conditions,
            soil=np.zeros((count, 2, WEIGHTS + 4), dtype=np.float64),
            broken=np.zeros((count, 0), dtype=np.uint8),
        )
        self._setting = Setting(
            ground=self.ground,
            forms=no_landforms(len(self.ground)),
            rover=rover.to_array(),
            wheels=rover.wheels,
            soils=rover.soil_table(),
            mission=mission.to_array(),
            ring=ring_points(),
            limit=world.time_limit,
            mode=mode,
            cues=world.cues,
        )
        # Asking Numba for its threads would start them, and set how many OpenMP gives torch as well.
        most: int = getattr(numba.config, "NUMBA_NUM_THREADS")  # noqa: B009  made at run time
        self._threads = min(threads or most, most)
        self._parallel = self._threads > 1 and count >= SERIAL_BELOW

    def seed(self, seed: int) -> None:
        """Give rover i the generator of seed + i."""
        self.generators[:] = seeded(seed, len(self.generators))

    def set_conditions(self, conditions: Rows) -> None:
        """Give every rover its conditions, and the memory that these need.

        Args:
            conditions: (n, 26) or (26,) for all, columns in dynamics.py.
        """
        self.conditions[:] = conditions
        if conditions[..., [CRATERS, RIPPLES, TARS, CRUST]].any():
            self._setting = self._setting._replace(forms=self._bank.forms)
        if not self._rovers.broken.size and conditions[..., CRUST].any():
            broken = np.zeros((len(self.state), SIDE * SIDE // 8), dtype=np.uint8)
            self._rovers = self._rovers._replace(broken=broken)

    @property
    def forms(self) -> Layers:
        """Landforms of the maps (M, 256, 256, 4); one cell each while no condition has asked for them."""
        return self._setting.forms

    def broken(self, index: int) -> Bits:
        """The cells whose crust rover `index` has broken: (8192,), a bit each, or (0,) without crust."""
        return self._rovers.broken[index]

    def start(self, mask: NDArray[np.bool_]) -> None:
        """Begin an episode for each rover of the mask (n,); the others' observations stay."""
        self.observations = self.observations.copy()
        self.outcomes = np.where(mask, np.int8(RUNNING), self.outcomes)
        _start_where(mask, self._rovers, self._setting, self.observations)

    def step(self, actions: NDArray[np.float32]) -> None:
        """Step every rover.

        The results are in `observations`, `rewards` and `outcomes`, new arrays each time so that nobody need
        copy them, and in `reward_terms` and `final_observations`, which the next step overwrites.

        Args:
            actions: (n, 2) float32, drive and steer, clipped to [-1, 1].

        Raises:
            ValueError: an action is NaN; no rover has moved.
        """
        if self._parallel:
            numba.set_num_threads(self._threads)
        kernel = _step_parallel if self._parallel else _step_serial
        count = len(self.state)
        results = Results(
            observations=np.empty_like(self.observations),
            final=self.final_observations,
            terms=self.reward_terms,
            rewards=np.empty(count),
            outcomes=np.empty(count, dtype=np.int8),
        )
        sound = kernel(actions, self._rovers, self._setting, results)
        if not sound:
            raise ValueError(
                "action holds NaN, expected drive and steer from -1 to 1; the rovers have not moved."
            )
        self.observations, self.rewards, self.outcomes = (
            results.observations,
            results.rewards,
            results.outcomes,
        )
