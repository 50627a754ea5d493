"""n rovers in one kernel: the state arrays, and the loop that steps and restarts them.

A rover's state is one row, not one column: a rover reads two dozen of its own numbers in a step, which
then lie in two cache lines. Every row has its own random generator and scratch, so rows may be stepped in
any order by any number of threads with the same result to the last bit.
"""

from __future__ import annotations

import numba
import numpy as np
from numba import prange
from numpy.typing import NDArray

from rover_cl_envs.compiled import Coefficients, Layers, Row, compiled, compiled_parallel
from rover_cl_envs.conditions import Conditions
from rover_cl_envs.dynamics import DRIVE, STATE, STEER, WEIGHTS, drive, rest, settle
from rover_cl_envs.mission import REWARD_TERMS, RUNNING, TIME_LIMIT, Mission, begin, judge
from rover_cl_envs.randomness import seeded, uniform
from rover_cl_envs.rovers import Rover
from rover_cl_envs.sensors import SIZE, observe, ring_points
from rover_cl_envs.terrain import terrain_bank

Rows = NDArray[np.float32]
"""Numbers of all rovers, a row each."""
Arrays = tuple[Rows, NDArray[np.int64], NDArray[np.uint64], Rows, Coefficients]
"""What changes: state, counters, generators, conditions, soil."""
Fixed = tuple[Row, Row, Coefficients, Row]
"""What doesn't: rover, wheels, soils, mission."""
MAP, STEP, RESTART = range(3)
"""Columns of a counters row (3,): map in the bank, steps in the episode, 1 where a restart is due."""
STAY, NEXT_STEP, SAME_STEP = range(3)
"""What the kernel does with an episode that has ended."""
BLOCK = 32  # rovers stepped together
SERIAL_BELOW = 64  # rovers; under it waking the threads costs more than they save


@compiled
def _start(i: int, a: Arrays, ground: Layers, fixed: Fixed) -> None:
    """Begin an episode for rover i: a map, a place, two targets, at rest."""
    state, counters, generators, conditions, soil = a
    rover, wheels, soils, mission = fixed
    m = min(int(uniform(generators[i]) * len(ground)), len(ground) - 1)
    counters[i, MAP], counters[i, STEP], counters[i, RESTART] = m, 0, 0
    begin(state[i], conditions[i], mission, rover, ground[m], generators[i])
    rest(state[i], conditions[i], rover, wheels, ground[m], soils, soil[i])


@compiled
def _look(i: int, a: Arrays, ground: Layers, fixed: Fixed, ring: Row, cues: bool, out: Row) -> None:
    """Write rover i's observation into `out` (80,)."""
    state, counters, _, conditions, _ = a
    m = counters[i, MAP]
    observe(state[i], conditions[i], fixed[0], ring, ground[m], cues, out)


@compiled
def _move(
    i: int,
    actions: Rows,
    a: Arrays,
    ground: Layers,
    fixed: Fixed,
    limit: int,
    terms: Rows,
    rewards: NDArray[np.float64],
) -> int:
    """Drive rover i for one control step; returns how its episode stands."""
    state, counters, _, conditions, soil = a
    rover, wheels, soils, mission = fixed
    s, c = state[i], conditions[i]
    s[DRIVE] = min(max(actions[i, 0], -1.0), 1.0)
    s[STEER] = min(max(actions[i, 1], -1.0), 1.0)
    drive(s, c, rover, wheels, soil[i])
    tallest = settle(s, c, rover, wheels, ground[counters[i, MAP]], soils, soil[i])
    code = judge(s, mission, rover, tallest, terms[i])
    rewards[i] = 0.0
    for k in range(terms.shape[1]):
        rewards[i] += terms[i, k]
    counters[i, STEP] += 1
    return TIME_LIMIT if code == RUNNING and counters[i, STEP] >= limit else code


@compiled
def _step_some(
    first: int,
    last: int,
    actions: Rows,
    a: Arrays,
    ground: Layers,
    fixed: Fixed,
    ring: Row,
    options: tuple[int, int, bool],
    obs: Rows,
    final: Rows,
    terms: Rows,
    rewards: NDArray[np.float64],
    codes: NDArray[np.int8],
) -> None:
    """One control step of rovers `first` to `last` - 1, with what `options` says of ended episodes."""
    restart = a[1][:, RESTART]
    limit, mode, cues = options
    for i in range(first, last):
        if mode == NEXT_STEP and restart[i] == 1:
            _start(i, a, ground, fixed)
            terms[i, :] = 0.0
            rewards[i] = 0.0
            codes[i] = RUNNING
            continue
        codes[i] = _move(i, actions, a, ground, fixed, limit, terms, rewards)
        if codes[i] != RUNNING:
            restart[i] = 1
            if mode == SAME_STEP:
                _look(i, a, ground, fixed, ring, cues, final[i])
                _start(i, a, ground, fixed)
    # In a loop of its own: small loops run ahead into the next rover while this one waits for its map.
    for i in range(first, last):
        _look(i, a, ground, fixed, ring, cues, obs[i])


@compiled
def _step_serial(
    actions: Rows,
    a: Arrays,
    ground: Layers,
    fixed: Fixed,
    ring: Row,
    options: tuple[int, int, bool],
    obs: Rows,
    final: Rows,
    terms: Rows,
    rewards: NDArray[np.float64],
    codes: NDArray[np.int8],
) -> bool:
    """Step every rover on this thread; returns False, with nothing changed, if an action is not a number."""
    for i in range(len(actions)):
        if actions[i, 0] != actions[i, 0] or actions[i, 1] != actions[i, 1]:
            return False
    for k in range(0, len(actions), BLOCK):
        last = min(k + BLOCK, len(actions))
        _step_some(k, last, actions, a, ground, fixed, ring, options, obs, final, terms, rewards, codes)
    return True


@compiled_parallel
def _step_parallel(
    actions: Rows,
    a: Arrays,
    ground: Layers,
    fixed: Fixed,
    ring: Row,
    options: tuple[int, int, bool],
    obs: Rows,
    final: Rows,
    terms: Rows,
    rewards: NDArray[np.float64],
    codes: NDArray[np.int8],
) -> bool:
    """`_step_serial` with the blocks shared out among numba's threads."""
    for i in range(len(actions)):
        if actions[i, 0] != actions[i, 0] or actions[i, 1] != actions[i, 1]:
            return False
    for b in prange((len(actions) + BLOCK - 1) // BLOCK):
        k = b * BLOCK
        last = min(k + BLOCK, len(actions))
        _step_some(k, last, actions, a, ground, fixed, ring, options, obs, final, terms, rewards, codes)
    return True


@compiled
def _start_where(
    mask: NDArray[np.bool_],
    a: Arrays,
    ground: Layers,
    fixed: Fixed,
    ring: Row,
    cues: bool,
    obs: Rows,
) -> None:
    """Begin episodes for the rovers of the mask (n,) and write their observations."""
    for i in range(len(mask)):
        if mask[i]:
            _start(i, a, ground, fixed)
            _look(i, a, ground, fixed, ring, cues, obs[i])


class Batch:
    """The rovers of an environment, their ground and their conditions."""

    def __init__(
        self,
        count: int,
        *,
        rover: Rover,
        mission: Mission,
        map_seed: int,
        num_maps: int,
        time_limit: int,
        mode: int,
        cues: bool,
        threads: int | None,
    ) -> None:
        bank = terrain_bank(map_seed, num_maps)
        self.rover = rover
        self.state = np.zeros((count, STATE), dtype=np.float32)
        self.counters = np.zeros((count, 3), dtype=np.int64)
        self.generators = seeded(0, count)
        self.conditions = np.tile(Conditions().to_array(), (count, 1))
        self.observations = np.zeros((count, SIZE), dtype=np.float32)
        self.final_observations = np.zeros((count, SIZE), dtype=np.float32)
        self.reward_terms = np.zeros((count, len(REWARD_TERMS)), dtype=np.float32)
        self.rewards = np.zeros(count, dtype=np.float64)
        self.outcomes = np.zeros(count, dtype=np.int8)
        self.ground = bank.ground
        soil = np.zeros((count, 2, WEIGHTS + 4), dtype=np.float64)
        self._arrays = (self.state, self.counters, self.generators, self.conditions, soil)
        self._fixed = (rover.to_array(), rover.wheels, rover.soil_table(), mission.to_array())
        self._ring = ring_points()
        self._options = (time_limit, mode, cues)
        # Asking Numba for its threads would start them, and set how many OpenMP gives torch as well.
        most: int = getattr(numba.config, "NUMBA_NUM_THREADS")  # noqa: B009  made at run time
        self._threads = min(threads or most, most)
        self._parallel = self._threads > 1 and count >= SERIAL_BELOW

    def seed(self, seed: int) -> None:
        """Give rover i the generator of seed + i."""
        self.generators[:] = seeded(seed, len(self.generators))

    def start(self, mask: NDArray[np.bool_]) -> None:
        """Begin an episode for each rover of the mask (n,); the others' observations stay."""
        self.observations = self.observations.copy()
        self.outcomes = np.where(mask, np.int8(RUNNING), self.outcomes)
        _start_where(
            mask,
            self._arrays,
            self.ground,
            self._fixed,
            self._ring,
            self._options[2],
            self.observations,
        )

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
        observations = np.empty((count, SIZE), dtype=np.float32)
        rewards, outcomes = np.empty(count), np.empty(count, dtype=np.int8)
        sound = kernel(
            actions,
            self._arrays,
            self.ground,
            self._fixed,
            self._ring,
            self._options,
            observations,
            self.final_observations,
            self.reward_terms,
            rewards,
            outcomes,
        )
        if not sound:
            raise ValueError(
                "action holds NaN, expected drive and steer from -1 to 1; the rovers have not moved."
            )
        self.observations, self.rewards, self.outcomes = observations, rewards, outcomes
