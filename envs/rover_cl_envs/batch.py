"""n rovers in one kernel: the state arrays, and the loop that steps and restarts them.

A rover's state is one row, not one column: a rover reads two dozen of its own numbers in a step, which
then lie in two cache lines. Every row has its own random generator and scratch, so rows may be stepped in
any order by any number of threads with the same result to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numba
import numpy as np
from numba import prange
from numpy.typing import NDArray

from rover_cl_envs.camera import CHANNELS, PIXELS, photograph
from rover_cl_envs.compiled import Coefficients, Layers, Row, compiled, compiled_parallel
from rover_cl_envs.conditions import Conditions
from rover_cl_envs.dynamics import DRIVE, STATE, STEER, WEIGHTS, drive, rest, settle
from rover_cl_envs.fleet import Fleet
from rover_cl_envs.mission import REWARD_TERMS, RUNNING, TIME_LIMIT, begin, judge
from rover_cl_envs.randomness import seeded, uniform
from rover_cl_envs.rovers import Rover
from rover_cl_envs.sensors import observation_size, observe, ring_points
from rover_cl_envs.terrain import terrain_bank
from rover_cl_envs.world import World

Rows = NDArray[np.float32]
"""Numbers of all rovers, a row each."""
Pictures = NDArray[np.uint8]
"""Pictures of all rovers, (n, 3, 64, 64); (0, 3, 64, 64) where none are taken."""


class Rovers(NamedTuple):
    """What changes: a row for each rover."""

    state: Rows
    """(n, 24), columns in dynamics.py"""
    counters: NDArray[np.int64]
    """(n, 4), columns below"""
    generators: NDArray[np.uint64]
    """(n, 2), columns in randomness.py"""
    conditions: Rows
    """(n, 19), columns in dynamics.py"""
    soil: Coefficients
    """(n, 2, 13) soil under each side, and scratch"""


class Setting(NamedTuple):
    """What stays."""

    ground: Layers
    """(M, 256, 256, 4) the maps"""
    rovers: Row
    """(R, 9) the fleet, columns in dynamics.py"""
    wheels: Row
    """(R, 6, 2) wheel positions [m]"""
    soils: Coefficients
    """(R, 4, 9) the anchor soils"""
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
    pixels: bool
    """whether pictures are taken"""


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
    pictures: Pictures
    """of the observations"""
    final_pictures: Pictures
    """of the last observations under SAME_STEP"""


MAP, STEP, RESTART, VEHICLE = range(4)
"""Columns of a counters row (4,): map in the bank, steps in the episode, 1 where a restart is due, and which
of the fleet the rover is."""
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
    v = counters[VEHICLE]
    begin(s, c, setting.mission, setting.rovers[v], maps[m], generator)
    rest(s, c, setting.rovers[v], setting.wheels[v], maps[m], setting.soils[v], rovers.soil[i])


@compiled
def _look(i: int, rovers: Rovers, setting: Setting, out: Row) -> None:
    """Write rover i's observation into `out` (80,)."""
    ground, rover = setting.ground[rovers.counters[i, MAP]], setting.rovers[rovers.counters[i, VEHICLE]]
    observe(rovers.state[i], rovers.conditions[i], rover, setting.ring, ground, setting.cues, out)


@compiled
def _picture(i: int, rovers: Rovers, setting: Setting, vectors: Rows, out: Pictures) -> None:
    """Take rover i's picture, where pictures are taken; its row of `vectors` is what it was just told."""
    if setting.pixels:
        ground = setting.ground[rovers.counters[i, MAP]]
        photograph(rovers.state[i], rovers.conditions[i], vectors[i], ground, setting.cues, out[i])


@compiled
def _move(i: int, actions: Rows, rovers: Rovers, setting: Setting, results: Results) -> None:
    """Drive rover i for one control step: reward terms, reward, and how its episode stands."""
    s, c, terms = rovers.state[i], rovers.conditions[i], results.terms[i]
    s[DRIVE] = min(max(actions[i, 0], -1.0), 1.0)
    s[STEER] = min(max(actions[i, 1], -1.0), 1.0)
    v = rovers.counters[i, VEHICLE]
    rover, wheels, soils = setting.rovers[v], setting.wheels[v], setting.soils[v]
    drive(s, c, rover, wheels, rovers.soil[i])
    ground = setting.ground[rovers.counters[i, MAP]]
    tallest = settle(s, c, rover, wheels, ground, soils, rovers.soil[i])
    code = judge(s, setting.mission, rover, tallest, terms)
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
                _picture(i, rovers, setting, results.final, results.final_pictures)
                _start(i, rovers, setting)
    # In a loop of its own: small loops run ahead into the next rover while this one waits for its map.
    for i in range(first, last):
        _look(i, rovers, setting, results.observations[i])
        _picture(i, rovers, setting, results.observations, results.pictures)


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
def _start_where(
    mask: NDArray[np.bool_], rovers: Rovers, setting: Setting, observations: Rows, pictures: Pictures
) -> None:
    """Begin episodes for the rovers of the mask (n,) and write their observations."""
    for i in range(len(mask)):
        if mask[i]:
            _start(i, rovers, setting)
            _look(i, rovers, setting, observations[i])
            _picture(i, rovers, setting, observations, pictures)


class Batch:
    """The rovers of an environment, their ground and their conditions."""

    def __init__(self, count: int, world: World, *, mode: int = STAY, threads: int | None = None) -> None:
        self.mission = world.mission
        self._fleet = Fleet(world.rover)
        self.state = np.zeros((count, STATE), dtype=np.float32)
        self.counters = np.zeros((count, 4), dtype=np.int64)
        self.generators = seeded(0, count)
        self.conditions = np.tile(Conditions().to_array(), (count, 1))
        size = observation_size(world.systems)
        self.vectors = np.zeros((count, size), dtype=np.float32)
        self.final_vectors = np.zeros((count, size), dtype=np.float32)
        self._pixels = world.observation == "pixels"
        shape = (count if self._pixels else 0, CHANNELS, PIXELS, PIXELS)
        self.pictures: Pictures = np.zeros(shape, dtype=np.uint8)
        self.final_pictures: Pictures = np.zeros(shape, dtype=np.uint8)
        self.reward_terms = np.zeros((count, len(REWARD_TERMS)), dtype=np.float32)
        self.rewards = np.zeros(count, dtype=np.float64)
        self.outcomes = np.zeros(count, dtype=np.int8)
        self.ground = terrain_bank(world.map_seed, world.num_maps).ground
        self.rovers = Rovers(
            state=self.state,
            counters=self.counters,
            generators=self.generators,
            conditions=self.conditions,
            soil=np.zeros((count, 2, WEIGHTS + 4), dtype=np.float64),
        )
        self.setting = Setting(
            ground=self.ground,
            **self._fleet.to_arrays()._asdict(),
            mission=world.mission.to_array(),
            ring=ring_points(),
            limit=world.time_limit,
            mode=mode,
            cues=world.cues,
            pixels=self._pixels,
        )
        # Asking Numba for its threads would start them, and set how many OpenMP gives torch as well.
        most: int = getattr(numba.config, "NUMBA_NUM_THREADS")  # noqa: B009  made at run time
        self._threads = min(threads or most, most)
        self._parallel = self._threads > 1 and count >= SERIAL_BELOW

    def set_conditions(self, conditions: Conditions | Sequence[Conditions]) -> None:
        """Put all rovers into the same conditions, or each into its own: the numbers, and the vehicle.

        Raises:
            ValueError: a sequence whose length is not that of the batch.
        """
        if isinstance(conditions, Conditions):
            self.conditions[:] = conditions.to_array()
            self.counters[:, VEHICLE] = self._place(conditions.rover)
            return
        if len(conditions) != len(self.state):
            raise ValueError(
                f"conditions has {len(conditions)} entries, "
                f"expected one, or one for each of {len(self.state)} rovers."
            )
        self.conditions[:] = np.stack([c.to_array() for c in conditions])
        self.counters[:, VEHICLE] = [self._place(c.rover) for c in conditions]

    def vehicle(self, index: int) -> Rover:
        """Which rover that one of the batch is now."""
        return self._fleet.rovers[self.counters[index, VEHICLE]]

    def _place(self, rover: str | Rover | None) -> int:
        """Index of a vehicle in the kernel's arrays, which grow where it is new."""
        known = len(self._fleet.rovers)
        place = self._fleet.place(rover)
        if len(self._fleet.rovers) > known:
            self.setting = self.setting._replace(**self._fleet.to_arrays()._asdict())
        return place

    @property
    def observations(self) -> NDArray[Any]:
        """What the agents are given: the vectors (n, size) or the pictures (n, 3, 64, 64)."""
        return self.pictures if self._pixels else self.vectors

    @property
    def final_observations(self) -> NDArray[Any]:
        """The last observations of episodes that ended under SAME_STEP, likewise."""
        return self.final_pictures if self._pixels else self.final_vectors

    def seed(self, seed: int) -> None:
        """Give rover i the generator of seed + i."""
        self.generators[:] = seeded(seed, len(self.generators))

    def start(self, mask: NDArray[np.bool_]) -> None:
        """Begin an episode for each rover of the mask (n,); the others' observations stay."""
        self.vectors, self.pictures = self.vectors.copy(), self.pictures.copy()
        self.outcomes = np.where(mask, np.int8(RUNNING), self.outcomes)
        _start_where(mask, self.rovers, self.setting, self.vectors, self.pictures)

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
            observations=np.empty_like(self.vectors),
            final=self.final_vectors,
            terms=self.reward_terms,
            rewards=np.empty(count),
            outcomes=np.empty(count, dtype=np.int8),
            pictures=np.empty_like(self.pictures),
            final_pictures=self.final_pictures,
        )
        sound = kernel(actions, self.rovers, self.setting, results)
        if not sound:
            raise ValueError(
                "action holds NaN, expected drive and steer from -1 to 1; the rovers have not moved."
            )
        self.vectors, self.pictures = results.observations, results.pictures
        self.rewards, self.outcomes = results.rewards, results.outcomes
