"""Every number that can drift: one frozen point in the space of worlds."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from rover_cl_envs.errors import is_number
from rover_cl_envs.mission import Mission
from rover_cl_envs.rovers import Rover, get_rover

WHEELS = ("left front", "left middle", "left rear", "right front", "right middle", "right rear")
"""The order of `Conditions.wheel_health` everywhere."""

RANGES: dict[str, tuple[float, float]] = {
    "gravity": (1.0, 12.0),
    "ground_fluffiness": (0.0, 1.0),
    "patch_fluffiness": (0.0, 1.0),
    "patch_cover": (0.0, 0.5),
    "outcrop_cover": (0.0, 0.5),
    "albedo_contrast": (-1.0, 1.0),
    "relief": (0.0, 0.5),
    "slope_east": (-1.0, 1.0),
    "slope_north": (-1.0, 1.0),
    "rock_abundance": (0.0, 0.2),
    "motor_gain": (0.2, 2.0),
    "steering_bias": (-1.0, 1.0),
    "target_b": (0.0, 1.0),
    "wheel_drag": (0.0, 2.0),
    "bearing_bias": (-0.5, 0.5),
    "height_bias": (-0.3, 0.3),
    "odometry_gain": (0.5, 1.5),
    "height_noise": (0.0, 0.2),
    "bearing_noise": (0.0, 0.5),
    "dark_bearings": (0.0, 8.0),
    "devil_rate": (0.0, 3.0),
    "devil_speed": (0.0, 0.2),
    "martian": (0.0, 1.0),
    "martian_speed": (0.0, 0.1),
    "martian_sight": (0.0, 20.0),
    "optical_depth": (0.3, 11.0),
    "season": (0.0, 360.0),
    "latitude": (-90.0, 90.0),
    "time_of_sol": (0.0, 1.0),
    "dust_factor": (0.2, 1.0),
    "dust_fall": (0.0, 0.05),
    "cleaning": (0.0, 1.0),
    "battery_health": (0.5, 1.0),
    "cold": (-30.0, 60.0),
    "initial_charge": (0.05, 1.0),
    "clock_rate": (1.0, 720.0),
    "crater_freshness": (0.0, 1.0),
    "ripple_height": (0.0, 0.3),
    "tar_height": (0.0, 2.0),
    "ripple_softness": (0.0, 1.0),
    "crust_cover": (0.0, 1.0),
    "crust_strength": (0.0, 30.0),
    "crust_contrast": (-1.0, 1.0),
}
"""Valid range of every scalar condition, ends included."""


YEAR = 360.0  # of areocentric longitude [deg]


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """The world that a rover drives in. Every field may drift; sources in docs/simulator.md.

    Raises:
        ValueError: a field is not finite or out of the range of `RANGES`, or no rover; the message names it.
    """

    gravity: float = 3.72
    """surface gravity [m/s^2]; 1.62 Moon, 3.72 Mars, 9.81 Earth"""
    ground_fluffiness: float = 1 / 3
    """soil between the patches: 0 bedrock, 1/3 regolith, 2/3 sand, 1 drift"""
    patch_fluffiness: float = 1.0
    """soil of the patches, same scale; 1 is the drift that traps a rover on level ground"""
    patch_cover: float = 0.2
    """share of the ground under soft patches"""
    outcrop_cover: float = 0.25
    """share of the ground that is outcrop of bedrock, firm and free of slip"""
    albedo_contrast: float = 1.0
    """+1: patches look bright and outcrops dark; -1: the other way round; 0: nothing tells them apart"""
    relief: float = 0.04
    """rms height difference over 1 m [m]; Pathfinder and Viking sites 0.08-0.10"""
    slope_east: float = 0.0
    """mean grade towards +x [rise/run]"""
    slope_north: float = 0.0
    """mean grade towards +y [rise/run]"""
    rock_abundance: float = 0.02
    """share of the ground covered by rocks, k of Golombek and Rapp (1997)"""
    motor_gain: float = 1.0
    """stall torque of the drive motors over that of new ones: below 1 they have aged"""
    steering_bias: float = 0.0
    """added to every steering command, in units of full steer"""
    target_b: float = 0.0
    """probability that an episode rewards target B instead of A"""
    wheel_drag: float = 1.0
    """drag of the torque that a wheel lacks: 1 it is locked and dragged along, 0 it rolls freely"""
    bearing_bias: float = 0.0
    """error of both targets' bearings, counter-clockwise [rad]"""
    height_bias: float = 0.0
    """error of every height of the terrain ring [m]"""
    odometry_gain: float = 1.0
    """ground covered as the odometry reads it, over what was covered; the slip reading follows from it"""
    height_noise: float = 0.0
    """standard deviation of each height of the terrain ring, anew at every look [m]"""
    bearing_noise: float = 0.0
    """standard deviation of each target's bearing, anew at every look [rad]"""
    dark_bearings: float = 0.0
    """blind bearings of the terrain ring, from ahead outwards, that read 0; a fraction counts as none"""
    devil_rate: float = 0.0
    """dust devils on the map, expected number in an episode; needs the system "bodies" """
    devil_speed: float = 0.1
    """how fast they cross the map [m/s]"""
    martian: float = 0.0
    """probability that an episode has a body that must be avoided; needs the system "bodies" """
    martian_speed: float = 0.02
    """how fast it walks [m/s]; at 0 it stands in the way"""
    martian_sight: float = 0.0
    """it pursues the rover within this distance [m]; at 0 it only walks across the way"""
    optical_depth: float = 0.5
    """of the dust in the air: 0.3-0.5 clear, 1-2 regional, 5-11 global storm; above 2 it shortens sight.
    It, like all down to `clock_rate`, is felt otherwise only where the system "power" is on"""
    season: float = 340.0
    """areocentric longitude of the sun, Ls [deg]; 0 northern spring; Opportunity came at 339. On the way to
    a lower one it runs forward through 360, as the year does"""
    latitude: float = -2.0
    """north positive [deg]; Opportunity's -2, Spirit's -14.6"""
    time_of_sol: float = 0.4
    """local true solar time at which episodes begin, share of a sol; 0.5 is noon"""
    dust_factor: float = 0.8
    """share of the light that the dust on the panels lets through when an episode begins"""
    dust_fall: float = 0.003
    """share of that lost in a sol"""
    cleaning: float = 0.01
    """gusts in a sol, on average, that clean the panels"""
    battery_health: float = 1.0
    """capacity of the battery over that of a new one"""
    cold: float = 0.0
    """the air is that much colder than the season's [K]"""
    initial_charge: float = 0.8
    """charge over capacity when an episode begins; counts from the next episode"""
    clock_rate: float = 1.0
    """time on the clock over time driven: rovers stand and think between moves; a step is 5 s of driving"""
    crater_freshness: float = 0.0
    """depth of the craters over that of fresh ones, a fifth of their width; 0 none, 0.15-0.5 degraded"""
    ripple_height: float = 0.0
    """height of ripples, 3 m from crest to crest [m]; Meridiani 0.1-0.3"""
    tar_height: float = 0.0
    """height of transverse aeolian ridges, about 26 m from crest to crest [m]; typically 1.3"""
    ripple_softness: float = 0.0
    """how far the soil of ripple and ridge crests goes towards drift; 0 as the ground between, 1 drift"""
    crust_cover: float = 0.0
    """share of the ground under a crust, firm while it holds; below it lies the soil of the patches"""
    crust_strength: float = 8.0
    """ground pressure at which the crust breaks [kPa]; it stays broken for the rest of the episode"""
    crust_contrast: float = 0.0
    """how crust looks: +1 bright, -1 dark, like outcrop or patches; 0 like what is below"""
    wheel_health: tuple[float, ...] = (1.0,) * 6
    """driving torque of each wheel, 1 healthy, 0 dead (`wheel_drag` says how); in the order of `WHEELS`"""
    rover: str | Rover | None = None
    """another vehicle than the world's: a name, or one of your own; None is the world's"""
    mission: Mission | None = None
    """what the rover is asked to do from the next episode on; None: the world's mission"""

    def __post_init__(self) -> None:
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            if not (is_number(value) and low <= value <= high):
                raise ValueError(f"Conditions.{name} is {value}, expected a number from {low} to {high}.")
        health = self.wheel_health
        six = isinstance(health, tuple | list) and len(health) == len(WHEELS)
        if not six or not all(is_number(h) and 0 <= h <= 1 for h in health):
            raise ValueError(
                f"Conditions.wheel_health is {self.wheel_health}, expected 6 numbers from 0 to 1 "
                f"({', '.join(WHEELS)})."
            )
        if self.rover is not None:
            get_rover(self.rover)
        if not isinstance(self.mission, Mission | None):
            raise ValueError(
                f"Conditions.mission is {self.mission!r}, expected a Mission: Mission(kind='image')."
            )

    def to_array(self) -> NDArray[np.float32]:
        """The numbers as the kernel reads them, in the order of the fields; not vehicle and mission."""
        scalars = [getattr(self, name) for name in RANGES]
        return np.array([*scalars, *self.wheel_health], dtype=np.float32)

    def mixed_with(self, other: Conditions, weight: float) -> Conditions:
        """The point `weight` of the way from here to `other`; 0 is self, 1 is other.

        Vehicle and mission can't be blended: from half the way on they are those of `other`. A season that is
        lower there is of the next year: from Ls 340 to 20 it goes 350, 0, 10.

        Args:
            other: the far end.
            weight: share of the way, from 0 to 1.
        """
        if not 0 <= weight <= 1:
            raise ValueError(f"weight is {weight}, expected a number from 0 to 1.")
        if weight == 0:
            return self
        if weight == 1:
            return other

        def blend(a: float, b: float) -> float:
            return a + weight * (b - a)

        scalars = {name: blend(getattr(self, name), getattr(other, name)) for name in RANGES}
        if other.season < self.season:
            scalars["season"] = blend(self.season, other.season + YEAR) % YEAR
        health = tuple(blend(a, b) for a, b in zip(self.wheel_health, other.wheel_health, strict=True))
        nearer = self if weight < 0.5 else other
        return Conditions(wheel_health=health, rover=nearer.rover, mission=nearer.mission, **scalars)


def check_conditions(given: object) -> None:
    """Refuse what are no conditions.

    Raises:
        ValueError: as said.
    """
    if not isinstance(given, Conditions):
        raise ValueError(
            f"conditions is {given!r}, expected a Conditions: Conditions(gravity=1.62), or that of a site, "
            "get_site('gale').conditions."
        )


assert [f.name for f in fields(Conditions)] == [*RANGES, "wheel_health", "rover", "mission"], (
    "array layout follows the fields"
)
