"""The vehicles of a batch: which there are, and which of them each rover is."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rover_cl_envs.compiled import Coefficients, Row
from rover_cl_envs.power_plant import NO_PLANT
from rover_cl_envs.rovers import Rover, get_rover


class Vehicles(NamedTuple):
    """A fleet as the kernel reads it, a row each."""

    rovers: Row
    """(R, 9) scalars, columns in dynamics.py"""
    wheels: Row
    """(R, 6, 2) wheel positions [m]"""
    soils: Coefficients
    """(R, 4, 9) the anchor soils"""
    plants: Row
    """(R, 12) what feeds them, columns in power_plant.py; zeros where nothing is known of it"""


class Fleet:
    """The vehicles that a batch has met so far; the first is the world's.

    Args:
        ordinary: the rover of whoever names none.
        powered: whether they need a plant.

    Raises:
        ValueError: nothing feeds a rover that needs it.
    """

    def __init__(self, ordinary: str | Rover, *, powered: bool = False) -> None:
        self.rovers: list[Rover] = []
        self._places: dict[Rover, int] = {}
        self._powered = powered
        self.place(ordinary)

    def place(self, rover: str | Rover | None) -> int:
        """Index of a vehicle, which joins the fleet if it is new; None is the world's."""
        if rover is None:
            return 0
        rover = get_rover(rover)
        if rover not in self._places:
            if self._powered and rover.plant is None:
                raise ValueError(
                    f"Rover.plant of {rover.name!r} is None, which the system 'power' can't do with: give it "
                    "a PowerPlant, such as MER.plant."
                )
            self._places[rover] = len(self.rovers)
            self.rovers.append(rover)
        return self._places[rover]

    def to_arrays(self) -> Vehicles:
        """Numbers, wheels and soils of all vehicles, by index."""
        return Vehicles(
            rovers=np.stack([rover.to_array() for rover in self.rovers]),
            wheels=np.stack([rover.wheels for rover in self.rovers]),
            soils=np.stack([rover.soil_table() for rover in self.rovers]),
            plants=np.stack([rover.plant.to_array() if rover.plant else NO_PLANT for rover in self.rovers]),
        )
