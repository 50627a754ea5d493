"""The rovers: masses, wheels and the soils under them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rover_cl_envs.errors import unknown_name
from rover_cl_envs.soil import Soil, soil_table


@dataclass(frozen=True, kw_only=True)
class Rover:
    """A six-wheeled rocker-bogie rover."""

    name: str
    """the name that `gym.make(..., rover=...)` takes"""
    mass: float
    """[kg]"""
    wheel_radius: float
    """effective radius: travel per turn over 2 pi [m]"""
    wheelbase: float
    """front to rear axle [m]"""
    track: float
    """left to right wheel centres [m]"""
    top_speed: float
    """rim speed at full command on level bedrock [m/s]"""
    stall_torque: float
    """of one drive motor at the wheel [N m]"""
    obstacle: float
    """highest rock that a wheel climbs; a higher one ends the drive [m]"""
    soils: tuple[Soil, Soil, Soil, Soil]
    """bedrock, regolith, sand, drift for this rover's wheels and load"""

    @property
    def wheels(self) -> NDArray[np.float32]:
        """Wheel positions (6, 2) in the body frame [m], x forward, y left, in the order of `WHEELS`."""
        x, y = self.wheelbase / 2, self.track / 2
        return np.array([(i * x, j * y) for j in (1, -1) for i in (1, 0, -1)], dtype=np.float32)

    def to_array(self) -> NDArray[np.float32]:
        """The scalars as the kernel reads them, shape (6,); see the column names in dynamics.py."""
        values = (self.mass, self.wheel_radius, self.wheelbase, self.track, self.stall_torque, self.obstacle)
        return np.array(values, dtype=np.float32)

    def soil_table(self) -> NDArray[np.float64]:
        """The four soils as the kernel reads them, shape (4, 9)."""
        return soil_table(self.soils)


BEDROCK = Soil(a=0.75, b=0.06, c=0.02, d=0.0, alpha=-6.0, beta=0.0, p0=0.05, p1=0.6, p2=0.1)
"""Rigid rock: friction 0.6-0.9, no sinkage; coefficients chosen, not fitted."""

MER = Rover(
    name="mer",
    mass=174.0,
    wheel_radius=0.127,  # one turn made 0.80 m of travel on Mars
    wheelbase=1.41,
    track=1.06,
    top_speed=0.05,
    stall_torque=40.0,
    obstacle=0.2,
    soils=(
        BEDROCK,
        Soil(a=0.738, b=0.538, c=0.073, d=0.465, alpha=-2.36, beta=1.39, p0=0.096, p1=0.580, p2=0.358),
        Soil(a=0.474, b=0.656, c=0.143, d=0.061, alpha=-2.01, beta=0.58, p0=0.049, p1=0.499, p2=0.604),
        Soil(a=0.305, b=0.534, c=0.197, d=0.070, alpha=-1.43, beta=0.58, p0=0.083, p1=0.381, p2=0.550),
    ),
)
"""Spirit and Opportunity. Mass: NASA; wheel travel: MER visual odometry reports; soils: docs/simulator.md."""

ROVERS = {rover.name: rover for rover in (MER,)}


def get_rover(name: str) -> Rover:
    """The rover of that name.

    Raises:
        ValueError: no rover has that name; the message names the nearest.
    """
    if name not in ROVERS:
        raise unknown_name("rover", name, ROVERS)
    return ROVERS[name]
