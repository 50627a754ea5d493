"""What stays as it is while the conditions drift: rover, mission, systems, maps, time limit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from rover_cl_envs.errors import unknown_name
from rover_cl_envs.mission import Mission
from rover_cl_envs.rovers import get_rover
from rover_cl_envs.sensors import BLOCKS
from rover_cl_envs.terrain import TerrainBank


@dataclass(frozen=True, kw_only=True)
class World:
    """The part of an environment that its conditions do not hold.

    Raises:
        ValueError: a field out of range or of an unknown name.
    """

    rover: str = "mer"
    """name of the rover"""
    mission: Mission = field(default_factory=Mission)
    """targets, rewards and reach"""
    systems: tuple[str, ...] = ()
    """what is simulated besides driving, of `sensors.BLOCKS`; each adds its block to the observation"""
    map_seed: int = 0
    """seed of the bank of maps; another seed shares no map"""
    num_maps: int = 8
    """maps in the bank; an episode draws one"""
    terrain: TerrainBank | None = field(default=None, repr=False)
    """maps to drive on, as of `Terrain.from_dem`; None: procedural ones, by the two fields above"""
    time_limit: int = 200
    """steps after which an episode is truncated; `max_episode_steps` of `gymnasium.make` puts a wrapper
    around it that can only shorten it, and that `outcome` knows nothing of"""
    cues: bool = True
    """whether the site and order cues are shown; if not, they read 0"""

    def __post_init__(self) -> None:
        get_rover(self.rover)
        for name in self.systems:
            if name not in BLOCKS:
                raise unknown_name("system", name, BLOCKS)
        for name, low in (("map_seed", 0), ("num_maps", 1), ("time_limit", 1)):
            if getattr(self, name) < low:
                raise ValueError(f"{name} is {getattr(self, name)}, expected an integer >= {low}.")

    def with_fields(self, changes: Mapping[str, Any]) -> World:
        """The same world with some fields changed.

        Raises:
            ValueError: as for the class, or no field has that name; the message names the nearest.
        """
        names = [f.name for f in fields(self)]
        for name in changes:
            if name not in names:
                raise unknown_name("argument", name, names)
        return replace(self, **changes)
