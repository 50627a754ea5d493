"""What stays as it is while the conditions drift: rover, mission, systems, maps, time limit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from rover_cl_envs.errors import is_integer, unknown_name
from rover_cl_envs.mission import Mission
from rover_cl_envs.rovers import Rover, get_rover
from rover_cl_envs.sensors import BLOCKS

OBSERVATIONS = ("vector", "pixels")
"""What an agent is given: the numbers of sensors.py, or the picture of camera.py."""


@dataclass(frozen=True, kw_only=True)
class World:
    """The part of an environment that its conditions do not hold.

    Raises:
        ValueError: a field out of range or of an unknown name.
    """

    rover: str | Rover = "mer"
    """the rover where the conditions name no other: a name, or one of your own"""
    mission: Mission = field(default_factory=Mission)
    """what rovers are asked to do whose conditions name no mission of their own"""
    systems: tuple[str, ...] = ()
    """what is simulated besides driving, of `sensors.BLOCKS`; each adds its block to the observation"""
    map_seed: int = 0
    """seed of the bank of maps; another seed shares no map"""
    num_maps: int = 8
    """maps in the bank; an episode draws one"""
    time_limit: int = 200
    """steps after which an episode is truncated; `max_episode_steps` of `gymnasium.make` puts a wrapper
    around it that can only shorten it, and that `outcome` knows nothing of"""
    cues: bool = True
    """whether the site and order cues are shown; if not, they read 0"""
    observation: str = "vector"
    """"vector": numbers, laid out in sensors.py; "pixels": a picture from above, laid out in camera.py"""

    def __post_init__(self) -> None:
        get_rover(self.rover)
        if not isinstance(self.systems, tuple | list):
            raise ValueError(f"World.systems is {self.systems!r}, expected a tuple of names: ('power',).")
        for name in self.systems:
            if name not in BLOCKS:
                raise unknown_name("system", name, BLOCKS)
        if len(set(self.systems)) < len(self.systems):
            raise ValueError(f"World.systems is {self.systems}, expected each system once.")
        if self.observation not in OBSERVATIONS:
            raise unknown_name("observation", self.observation, OBSERVATIONS)
        self.check_mission(self.mission)
        for name, low in (("map_seed", 0), ("num_maps", 1), ("time_limit", 1)):
            if not is_integer(getattr(self, name), low):
                raise ValueError(f"{name} is {getattr(self, name)!r}, expected an integer >= {low}.")
        if not isinstance(self.cues, bool):
            raise ValueError(f"World.cues is {self.cues!r}, expected True or False.")

    def check_mission(self, mission: Mission) -> None:
        """Refuse a mission that rovers of this world can't have.

        Raises:
            ValueError: it is no mission, it is not the world's own and nothing would tell the rover so, it
                needs a system that is off, or more steps than an episode has.
        """
        if not isinstance(mission, Mission):
            raise ValueError(f"mission is {mission!r}, expected a Mission: Mission(kind='image').")
        if mission != self.mission and "mission" not in self.systems:
            raise ValueError(
                f"Conditions.mission is of kind {mission.kind!r} and not the world's own: the rover could "
                "not tell which one it has. Add 'mission' to World.systems, or leave it None."
            )
        if mission.kind == "survive" and "power" not in self.systems:
            raise ValueError(
                "Mission.kind is 'survive', which needs a battery: add 'power' to World.systems, "
                f"which are {', '.join(self.systems) or 'none'}."
            )
        if mission.kind == "survive" and mission.duration > self.time_limit:
            raise ValueError(
                f"Mission.duration is {mission.duration}, expected at most the time limit of "
                f"{self.time_limit} steps."
            )

    def with_fields(self, changes: Mapping[str, Any], *, beside: Iterable[str] = ()) -> World:
        """The same world with some fields changed.

        Args:
            changes: the fields by name.
            beside: what else an argument may be called where these come from, for the error to guess at.

        Raises:
            ValueError: as for the class, or no field has that name; the message names the nearest.
        """
        names = [f.name for f in fields(self)]
        for name in changes:
            if name not in names:
                raise unknown_name("argument", name, {*names, *beside})
        return replace(self, **changes)
