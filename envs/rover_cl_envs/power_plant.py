"""What feeds the rovers and what they use: panels or a radioisotope generator, battery, heaters, motors."""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields

import numpy as np
from numpy.typing import NDArray

from rover_cl_envs.errors import is_number


@dataclass(frozen=True, kw_only=True)
class PowerPlant:
    """The energy side of a rover.

    Raises:
        ValueError: a field is no finite number or negative, or there is no source of power.
    """

    area: float
    """of the solar cells [m^2]; 0 for none"""
    efficiency: float
    """electricity at the bus over sunlight on clean cells"""
    generator: float
    """power of a radioisotope generator [W]; 0 for none"""
    capacity: float
    """of a new battery [Wh]"""
    charging: float
    """share of a surplus that the battery stores; 0 for one that can't be charged"""
    awake: float
    """used by computer, radio and cameras while the wheels turn [W]"""
    asleep: float
    """used while they stand [W]"""
    heating: float
    """power of the heaters per degree that the air is below -40 deg C [W/K]"""
    gearing: float
    """mechanical power over electrical, but for the two losses below"""
    idle: float
    """used by each wheel that turns free of load in warm air [W]"""
    stall: float
    """heat of a drive motor that a load holds fast; it goes with the square of the torque [W]"""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not (is_number(value) and value >= 0):
                raise ValueError(f"PowerPlant.{field.name} is {value!r}, expected a finite number >= 0.")
        for name in ("capacity", "gearing"):
            if getattr(self, name) == 0:
                raise ValueError(f"PowerPlant.{name} is 0, expected a number above 0.")
        if self.reference == 0:
            raise ValueError("PowerPlant.area and generator are both 0, expected a source of power.")

    @property
    def reference(self) -> float:
        """Power of clean panels across a sun of 590 W/m^2, Mars' mean, or of the generator [W]."""
        return self.area * self.efficiency * 590 + self.generator

    def to_array(self) -> NDArray[np.float32]:
        """The fields and the reference as the kernel reads them, shape (12,)."""
        return np.array([*astuple(self), self.reference], dtype=np.float32)


# Columns of a plant row (12,), float32: PowerPlant.to_array.
(
    AREA,
    EFFICIENCY,
    GENERATOR,
    CAPACITY,
    CHARGING,
    AWAKE,
    ASLEEP,
    HEATER,
    GEARING,
    IDLE,
    STALL_HEAT,
    REFERENCE,
) = range(12)
PLANT = 12

SOJOURNER_PLANT = PowerPlant(
    area=0.2,
    efficiency=0.18,
    generator=0.0,
    capacity=150.0,
    charging=0.0,
    awake=8.0,
    asleep=0.5,
    heating=0.02,
    gearing=0.5,
    idle=0.4,
    stall=3.0,
)
"""0.2 m^2 and 16 W at noon (NASM), cells that could not be charged; 150 Wh, from memory. What is used is
chosen here and below; docs/simulator.md."""
MER_PLANT = PowerPlant(
    area=1.33,
    efficiency=0.16,
    generator=0.0,
    capacity=560.0,
    charging=0.95,
    awake=35.0,
    asleep=6.0,
    heating=0.335,
    gearing=0.5,
    idle=4.0,
    stall=30.0,
)
"""1.33 m^2; area x efficiency is the 0.2126 m^2 that its daily energy was fitted to. Two batteries of 10 Ah
at 28 V, from memory."""
MSL_PLANT = PowerPlant(
    area=0.0,
    efficiency=0.0,
    generator=110.0,
    capacity=2350.0,
    charging=0.95,
    awake=130.0,
    asleep=45.0,
    heating=0.5,
    gearing=0.5,
    idle=15.0,
    stall=120.0,
)
"""110 W (NASA), also Perseverance's. Two batteries of 42 Ah at 28 V, from memory."""
NO_PLANT = np.zeros(PLANT, dtype=np.float32)
"""Row of a rover of which nothing is known."""
