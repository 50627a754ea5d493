"""n rovers: their arrays, their ground, their conditions, and the kernel that steps them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from rover_cl_envs.addresses import addresses
from rover_cl_envs.bodies import BODIES
from rover_cl_envs.compiled import Bits, Layers, Words
from rover_cl_envs.conditions import Conditions
from rover_cl_envs.dynamics import CRATERS, CRUST, RIPPLES, STATE, TARS
from rover_cl_envs.fleet import Fleet
from rover_cl_envs.frame import CHANNELS, PIXELS
from rover_cl_envs.grid import SIDE
from rover_cl_envs.landforms import no_landforms
from rover_cl_envs.mission import REWARD_TERMS, RUNNING, Mission
from rover_cl_envs.objectives import PROGRESS
from rover_cl_envs.power import POWER_STATE
from rover_cl_envs.randomness import seeded
from rover_cl_envs.ring import ring_points
from rover_cl_envs.rovers import Rover
from rover_cl_envs.rows import (
    COUNTERS,
    MISSION,
    NEXT_MISSION,
    SAME_STEP,
    STAY,
    VEHICLE,
    Pictures,
    Rovers,
    Rows,
    Setting,
)
from rover_cl_envs.sensors import block_starts, observation_size
from rover_cl_envs.soil import COEFFICIENTS
from rover_cl_envs.stepping import look_anew, start_where, step_parallel, step_serial
from rover_cl_envs.sun import NET_FLUX
from rover_cl_envs.terrain import TerrainBank, terrain_bank
from rover_cl_envs.world import World

SERIAL_BELOW = 64  # rovers; under it waking the threads costs more than they save
NOBODY = np.zeros(0, dtype=np.int64)
NO_WORDS = np.zeros((0, 0), dtype=np.int64)
_asked = threading.local()


def _use_threads(count: int) -> None:
    """Let kernels run on so many threads; Numba takes time to hear it, so it is told when it changes."""
    if getattr(_asked, "count", None) != count:
        numba.set_num_threads(count)
        _asked.count = count


class Batch:
    """The rovers of an environment, their ground and their conditions."""

    def __init__(
        self,
        count: int,
        world: World,
        *,
        terrain: TerrainBank | None = None,
        mode: int = STAY,
        threads: int | None = None,
    ) -> None:
        self.world = world
        self._fleet = Fleet(world.rover, powered="power" in world.systems)
        self._missions = {world.mission: 0}
        self._allocate(count, world)
        self._mode = mode
        self.rovers = self._state(count, world)
        self._bank = terrain or terrain_bank(world.map_seed, world.num_maps)
        self.setting = Setting(
            words=self._bank.words,
            **self._fleet.to_arrays()._asdict(),
            missions=world.mission.to_array()[None],
            net_flux=NET_FLUX,
            ring=ring_points(),
            limit=world.time_limit,
            mode=mode,
            cues=world.cues,
            pixels=self._pixels,
            blocks=block_starts(world.systems),
        )
        self._formed = False
        self._addresses = addresses(self.rovers, self.setting)
        # Asking Numba for its threads would start them, and set how many OpenMP gives torch as well.
        most: int = getattr(numba.config, "NUMBA_NUM_THREADS")  # noqa: B009  made at run time
        self._threads = min(threads or most, most)
        self._parallel = self._threads > 1 and count >= SERIAL_BELOW

    def __getstate__(self) -> dict[str, Any]:
        """What a copy is made of: the maps once, not as words again, which the bank makes."""
        return self.__dict__ | {"setting": self.setting._replace(words=NO_WORDS)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Become the copy of another batch, whose arrays lie elsewhere."""
        self.__dict__.update(state)
        self.setting = self.setting._replace(words=self._words)
        self._addresses = addresses(self.rovers, self.setting)

    def _allocate(self, count: int, world: World) -> None:
        """Make the arrays that a step writes."""
        size = observation_size(world.systems)
        self.vectors = np.zeros((count, size), dtype=np.float32)
        self._pixels = world.observation == "pixels"
        shape = (CHANNELS, PIXELS, PIXELS)
        self.pictures: Pictures = np.zeros((count if self._pixels else 0, *shape), dtype=np.uint8)
        self.final_vectors, self.final_pictures = self.vectors[:0], self.pictures[:0]
        self.reward_terms = np.zeros((count, len(REWARD_TERMS)), dtype=np.float32)
        self.rewards = np.zeros(count, dtype=np.float64)
        self.outcomes = np.zeros(count, dtype=np.int8)
        self.ended = NOBODY

    def _state(self, count: int, world: World) -> Rovers:
        """Make the arrays that a step reads and changes."""
        self.state = np.zeros((count, STATE), dtype=np.float32)
        self.counters = np.zeros((count, COUNTERS), dtype=np.int32)
        self.generators = seeded(0, count)
        self.power = np.zeros((count if "power" in world.systems else 0, POWER_STATE), dtype=np.float32)
        self.bodies = np.zeros((count if "bodies" in world.systems else 0, BODIES), dtype=np.float32)
        return Rovers(
            state=self.state,
            counters=self.counters,
            generators=self.generators,
            conditions=Conditions().to_array()[None],
            soil=np.zeros((count, 2, COEFFICIENTS), dtype=np.float64),
            broken=np.zeros((count, 0), dtype=np.uint8),
            broke=np.zeros(count, dtype=np.uint8),
            progress=np.zeros((count, PROGRESS), dtype=np.float32),
            power=self.power,
            bodies=self.bodies,
        )

    def set_conditions(self, conditions: Conditions | Sequence[Conditions]) -> None:
        """Put all rovers into the same conditions, or each into its own.

        Numbers and vehicle change at once, the mission with the next episode.

        Raises:
            ValueError: a sequence whose length is not that of the batch, or a mission that this world can't
                have; nothing is changed then.
        """
        if not isinstance(conditions, Conditions) and len(conditions) != len(self.state):
            raise ValueError(
                f"conditions has {len(conditions)} entries, "
                f"expected one, or one for each of {len(self.state)} rovers."
            )
        each = [conditions] if isinstance(conditions, Conditions) else conditions
        missions = [self._mission_index(c.mission) for c in each]
        self.counters[:, NEXT_MISSION] = missions
        self.counters[:, VEHICLE] = [self._place(c.rover) for c in each]
        self.rovers = self.rovers._replace(conditions=np.stack([c.to_array() for c in each]))
        self._lay_out()

    @property
    def conditions(self) -> Rows:
        """The conditions row of each rover (n, 50), columns in dynamics.py; to be read, not written."""
        rows = self.rovers.conditions
        return np.broadcast_to(rows, (len(self.state), rows.shape[1]))

    def _lay_out(self) -> None:
        """Make the landforms, and the memory of broken crust, once a condition asks for them."""
        conditions = self.rovers.conditions
        if not self._formed and conditions[:, [CRATERS, RIPPLES, TARS, CRUST]].any():
            self._formed = True
            self.setting = self.setting._replace(words=self._words)
        if not self.rovers.broken.size and conditions[:, CRUST].any():
            broken = np.zeros((len(self.state), SIDE * SIDE // 8), dtype=np.uint8)
            self.rovers = self.rovers._replace(broken=broken)
        self._addresses = addresses(self.rovers, self.setting)

    @property
    def ground(self) -> Layers:
        """The maps (M, 256, 256, 4)."""
        return self._bank.ground

    @property
    def forms(self) -> Layers:
        """Their landforms (M, 256, 256, 4); one cell each while no condition has asked for them."""
        return self._bank.forms if self._formed else no_landforms(len(self.ground))

    @property
    def _words(self) -> Words:
        """The maps as kernels see them: with their landforms once a condition has asked for them."""
        return self._bank.formed_words if self._formed else self._bank.words

    def broken(self, index: int) -> Bits:
        """The cells whose crust rover `index` has broken: (8192,), a bit each, or (0,) without crust."""
        return self.rovers.broken[index]

    def vehicle(self, index: int) -> Rover:
        """Which rover that one of the batch is now."""
        return self._fleet.rovers[self.counters[index, VEHICLE]]

    def mission(self, index: int) -> Mission:
        """The mission of rover `index` in this episode."""
        return list(self._missions)[self.counters[index, MISSION]]

    def _place(self, rover: str | Rover | None) -> int:
        """Index of a vehicle in the kernel's arrays, which grow where it is new."""
        known = len(self._fleet.rovers)
        place = self._fleet.place(rover)
        if len(self._fleet.rovers) > known:
            self.setting = self.setting._replace(**self._fleet.to_arrays()._asdict())
        return place

    def _mission_index(self, mission: Mission | None) -> int:
        """Row of the missions' table that holds this one; a new one is added."""
        if mission is None:
            return 0
        if mission not in self._missions:
            self.world.check_mission(mission)
            self._missions[mission] = len(self._missions)
            table = np.concatenate([self.setting.missions, mission.to_array()[None]])
            self.setting = self.setting._replace(missions=table)
        return self._missions[mission]

    @property
    def observations(self) -> NDArray[Any]:
        """What the agents are given: the vectors (n, size) or the pictures (n, 3, 64, 64)."""
        return self.pictures if self._pixels else self.vectors

    @property
    def final_observations(self) -> NDArray[Any]:
        """Likewise, the last ones (k, ...) of episodes that ended in this step under SAME_STEP, by rover."""
        return self.final_pictures if self._pixels else self.final_vectors

    def seed(self, seed: int) -> None:
        """Give rover i the generator of seed + i."""
        self.generators[:] = seeded(seed, len(self.generators))

    def start(self, mask: NDArray[np.bool_]) -> None:
        """Begin an episode for each rover of the mask (n,); the others' observations stay."""
        self.vectors, self.pictures = self.vectors.copy(), self.pictures.copy()
        self.outcomes = np.where(mask, np.int8(RUNNING), self.outcomes)
        start_where(mask, self._addresses, self.vectors, self.pictures)

    def step(self, actions: NDArray[np.float32]) -> None:
        """Step every rover.

        The results are in `observations`, `final_observations`, `reward_terms`, `rewards` and `outcomes`, new
        arrays each time so that nobody need copy them, and in `ended`, which rovers' episodes have ended.

        Args:
            actions: (n, 2) float32, drive and steer, clipped to [-1, 1].

        Raises:
            ValueError: an action is NaN; no rover has moved.
        """
        if self._parallel:
            _use_threads(self._threads)
        kernel = step_parallel if self._parallel else step_serial
        vectors = np.empty(self.vectors.shape, dtype=np.float32)
        pictures = np.empty(self.pictures.shape, dtype=np.uint8) if self._pixels else self.pictures
        terms = np.empty(self.reward_terms.shape, dtype=np.float32)
        rewards, outcomes = np.empty(len(terms)), np.empty(len(terms), dtype=np.int8)
        ended = kernel(actions, self._addresses, vectors, terms, rewards, outcomes, pictures)
        if ended < 0:
            raise ValueError(
                "action holds NaN, expected drive and steer from -1 to 1; the rovers have not moved."
            )
        self.vectors, self.pictures, self.reward_terms = vectors, pictures, terms
        self.rewards, self.outcomes = rewards, outcomes
        self.ended = outcomes.nonzero()[0] if ended else NOBODY
        if self._mode == SAME_STEP:
            self._renew()

    def _renew(self) -> None:
        """Keep the last observations of the episodes that have ended, and look at the new ones."""
        self.final_vectors = self.vectors[self.ended]
        if self._pixels:
            self.final_pictures = self.pictures[self.ended]
        if len(self.ended):
            look_anew(self.ended, self._addresses, self.vectors, self.pictures)
