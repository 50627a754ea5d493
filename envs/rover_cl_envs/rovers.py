"""The rovers: masses, wheels and the soils under them.

Numbers without a source behind them are told apart in docs/simulator.md, section "Rovers".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rover_cl_envs.errors import is_number, unknown_name
from rover_cl_envs.power_plant import MER_PLANT, MSL_PLANT, SOJOURNER_PLANT, PowerPlant
from rover_cl_envs.soil import Soil, soil_table
from rover_cl_envs.stress_integral import GRAVITY, STRENGTHS, Wheel, fitted_soil, ground_pressure, most_load

STEP_SECONDS = 5.0
"""A control step [s]."""
STALL = 2.9
"""Stall torque of a motor over load times radius, where nobody says: that of MER's."""
BOUNDS: dict[str, tuple[float, float]] = {
    "mass": (0.1, 1e5),
    "wheel_radius": (0.01, 2.0),
    "wheel_width": (0.01, 2.0),
    "wheelbase": (0.1, 10.0),
    "track": (0.1, 10.0),
    "top_speed": (1e-3, 1.0),
    "stall_torque": (1e-3, 1e6),
    "obstacle": (0.0, 2.0),
    "tip_grade": (0.1, 10.0),
    "ground_pressure": (0.01, 1e4),
}
"""Valid range of every number of a rover, ends included."""


@dataclass(frozen=True, kw_only=True)
class Rover:
    """A six-wheeled rocker-bogie rover.

    One of your own is such a value, handed over as `rover=Rover(...)` or as `Conditions.rover`;
    `Rover.fitted` finds the soils and the ground pressure for its wheels.

    Raises:
        ValueError: a field out of the range of `BOUNDS`, no name, not four soils, no plant, or a rover that
            goes further in a step than it is wide: the ground between would not be looked at.
    """

    name: str
    """the name that `gym.make(..., rover=...)` takes"""
    mass: float
    """[kg]"""
    wheel_radius: float
    """effective radius: travel per turn over 2 pi [m]"""
    wheel_width: float
    """[m]"""
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
    tip_grade: float = 1.0
    """steepest slope on which it stands, as a grade; 1 is 45 degrees"""
    ground_pressure: float
    """on regolith at 10 % slip on Mars [kPa]; a weaker crust breaks"""
    soils: tuple[Soil, Soil, Soil, Soil]
    """bedrock, regolith, sand, drift for this rover's wheels and load"""
    plant: PowerPlant | None = None
    """what feeds it; None: unknown, and the system "power" refuses it"""

    def __post_init__(self) -> None:
        _check(self.name, {name: getattr(self, name) for name in BOUNDS}, self.plant)
        four = isinstance(self.soils, tuple | list) and len(self.soils) == 4
        if not four or not all(isinstance(soil, Soil) for soil in self.soils):
            raise ValueError(
                f"Rover.soils is {self.soils}, expected four of Soil: bedrock, regolith, sand, drift."
            )

    @classmethod
    def fitted(
        cls,
        *,
        name: str,
        mass: float,
        wheel_radius: float,
        wheel_width: float,
        wheelbase: float,
        track: float,
        top_speed: float,
        obstacle: float,
        tip_grade: float = 1.0,
        stall_torque: float | None = None,
        plant: PowerPlant | None = None,
    ) -> Rover:
        """A rover whose soils and ground pressure follow from its wheels, by the Wong-Reece integral.

        Takes about 0.2 s. The arguments are the fields of that name; without a `stall_torque` the motors are
        as strong for their load as MER's.

        Raises:
            ValueError: as for the class, or wheels that sink to their axles, or that soil.py has no form for.
        """
        numbers = {
            "mass": mass,
            "wheel_radius": wheel_radius,
            "wheel_width": wheel_width,
            "wheelbase": wheelbase,
            "track": track,
            "top_speed": top_speed,
            "obstacle": obstacle,
            "tip_grade": tip_grade,
        }
        if stall_torque is not None:
            numbers["stall_torque"] = stall_torque
        _check(name, numbers, plant)
        wheel = Wheel(radius=wheel_radius, width=wheel_width, load=mass * GRAVITY / 6)
        numbers.setdefault("stall_torque", STALL * wheel.load * wheel_radius)
        soils = (BEDROCK, *_soft_soils(wheel, mass))
        return cls(name=name, **numbers, ground_pressure=ground_pressure(wheel), soils=soils, plant=plant)

    @property
    def wheels(self) -> NDArray[np.float32]:
        """Wheel positions (6, 2) in the body frame [m], x forward, y left, in the order of `WHEELS`."""
        x, y = self.wheelbase / 2, self.track / 2
        return np.array([(i * x, j * y) for j in (1, -1) for i in (1, 0, -1)], dtype=np.float32)

    @property
    def step_length(self) -> float:
        """Travel in a step at full drive on bedrock [m]."""
        return self.top_speed * STEP_SECONDS

    def to_array(self) -> NDArray[np.float32]:
        """The scalars as the kernel reads them, shape (9,); see the column names in dynamics.py."""
        values = (
            self.mass,
            self.wheel_radius,
            self.wheelbase,
            self.track,
            self.stall_torque,
            self.obstacle,
            self.step_length,
            self.tip_grade,
            self.ground_pressure,
        )
        return np.array(values, dtype=np.float32)

    def soil_table(self) -> NDArray[np.float64]:
        """The four soils as the kernel reads them, shape (4, 9)."""
        return soil_table(self.soils)


def _check(name: object, numbers: Mapping[str, float], plant: object) -> None:
    """Refuse what no rover has: a name, numbers of `BOUNDS` with top speed and track among them, a plant."""
    if not isinstance(name, str) or not name:
        raise ValueError(f"Rover.name is {name!r}, expected a word.")
    for field, value in numbers.items():
        low, high = BOUNDS[field]
        if not (is_number(value) and low <= value <= high):
            raise ValueError(f"Rover.{field} is {value!r}, expected a number from {low} to {high}.")
    track, top_speed = numbers["track"], numbers["top_speed"]
    if top_speed * STEP_SECONDS > track:
        raise ValueError(
            f"Rover.top_speed is {top_speed}, expected at most {track / STEP_SECONDS:g}: "
            f"its track of {track} m in a step of {STEP_SECONDS:g} s."
        )
    if not isinstance(plant, PowerPlant | None):
        raise ValueError(f"Rover.plant is {plant!r}, expected a PowerPlant or None: MER_PLANT.")


def _soft_soils(wheel: Wheel, mass: float) -> tuple[Soil, Soil, Soil]:
    """Regolith, sand and drift under such wheels, of a rover of that mass [kg]."""
    size = f"wheels of radius {wheel.radius:g} m and width {wheel.width:g} m"
    soils = []
    for name, strength in STRENGTHS.items():
        most = most_load(wheel, strength) * 6 / GRAVITY
        if mass > most:
            raise ValueError(
                f"Rover.mass is {mass}, expected at most {most:.4g} on {size}, which sink to their axles "
                f"into {name}: make them larger."
            )
        try:
            soils.append(fitted_soil(wheel, strength)[0])
        except ValueError as error:
            raise ValueError(
                f"Rover.mass is {mass} on {size}, expected less or more on other wheels: no closed form of "
                f"soil.py fits them on {name} ({error})"
            ) from None
    regolith, sand, drift = soils
    return regolith, sand, drift


BEDROCK = Soil(a=0.75, b=0.06, c=0.02, d=0.0, alpha=-6.0, beta=0.0, p0=0.05, p1=0.6, p2=0.1)
"""Rigid rock: friction 0.6-0.9, no sinkage; coefficients chosen, not fitted."""

SOJOURNER = Rover(
    name="sojourner",
    mass=10.6,
    wheel_radius=0.065,
    wheel_width=0.079,
    wheelbase=0.54,
    track=0.40,
    top_speed=0.01,
    stall_torque=1.25,
    obstacle=0.13,
    ground_pressure=3.4,
    soils=(
        BEDROCK,
        Soil(a=1.630, b=2.0, c=0.108, d=0.208, alpha=-2.854, beta=1.461, p0=0.022, p1=1.837, p2=2.0),
        Soil(a=0.684, b=2.0, c=0.142, d=0.018, alpha=-2.438, beta=0.667, p0=0.011, p1=0.854, p2=2.0),
        Soil(a=0.498, b=2.0, c=0.201, d=0.048, alpha=-1.853, beta=0.679, p0=0.023, p1=0.588, p2=1.61),
    ),
    plant=SOJOURNER_PLANT,
)
"""Mars Pathfinder's rover. Speed: JPL's basics (0.6 m a minute); obstacle: its ground clearance, NASA."""

MER = Rover(
    name="mer",
    mass=174.0,
    wheel_radius=0.127,  # one turn made 0.80 m of travel on Mars
    wheel_width=0.16,
    wheelbase=1.41,
    track=1.06,
    top_speed=0.05,
    stall_torque=40.0,
    obstacle=0.2,
    ground_pressure=11.1,
    soils=(
        BEDROCK,
        Soil(a=0.738, b=0.538, c=0.073, d=0.465, alpha=-2.36, beta=1.39, p0=0.096, p1=0.580, p2=0.358),
        Soil(a=0.474, b=0.656, c=0.143, d=0.061, alpha=-2.01, beta=0.58, p0=0.049, p1=0.499, p2=0.604),
        Soil(a=0.305, b=0.534, c=0.197, d=0.070, alpha=-1.43, beta=0.58, p0=0.083, p1=0.381, p2=0.550),
    ),
    plant=MER_PLANT,
)
"""Spirit and Opportunity. Mass: NASA; wheel travel: MER visual odometry reports; soils: docs/simulator.md."""

MSL = Rover(
    name="msl",
    mass=899.0,
    wheel_radius=0.25,
    wheel_width=0.40,
    wheelbase=2.2,
    track=2.3,
    top_speed=0.038,
    stall_torque=400.0,
    obstacle=0.5,
    ground_pressure=13.0,
    soils=(
        BEDROCK,
        Soil(a=0.536, b=0.227, c=0.021, d=0.337, alpha=-2.611, beta=1.452, p0=0.125, p1=0.536, p2=0.204),
        Soil(a=0.445, b=0.352, c=0.103, d=0.057, alpha=-2.319, beta=0.676, p0=0.060, p1=0.481, p2=0.355),
        Soil(a=0.307, b=0.302, c=0.137, d=0.077, alpha=-1.741, beta=0.699, p0=0.099, p1=0.365, p2=0.327),
    ),
    plant=MSL_PLANT,
)
"""Curiosity. Mass: Niels Bohr Institute; wheels, wheelbase: NASA; 1.5 in/s and rocks of 20 in: the press."""

M2020 = Rover(
    name="m2020",
    mass=1025.0,
    wheel_radius=0.2627,  # one turn drives it 1.65 m
    wheel_width=0.33,
    wheelbase=2.2,
    track=2.27,
    top_speed=0.042,
    stall_torque=485.0,
    obstacle=0.4,
    ground_pressure=16.7,
    soils=(
        BEDROCK,
        Soil(a=0.506, b=0.212, c=0.010, d=0.345, alpha=-2.556, beta=1.409, p0=0.137, p1=0.505, p2=0.185),
        Soil(a=0.426, b=0.321, c=0.100, d=0.051, alpha=-2.256, beta=0.618, p0=0.070, p1=0.463, p2=0.331),
        Soil(a=0.293, b=0.279, c=0.131, d=0.070, alpha=-1.679, beta=0.626, p0=0.115, p1=0.347, p2=0.309),
    ),
    plant=MSL_PLANT,
)
"""Perseverance. Wheel travel, 40 cm rocks, 45 degrees: NASA's page on its wheels; 152 m/h: the press."""

ROVERS = {rover.name: rover for rover in (SOJOURNER, MER, MSL, M2020)}


def get_rover(rover: str | Rover) -> Rover:
    """The rover of that name; a rover is itself.

    Raises:
        ValueError: no rover has that name; the message names the nearest.
    """
    if isinstance(rover, Rover):
        return rover
    if not isinstance(rover, str):
        raise ValueError(f"rover is {rover!r}, expected a name ({', '.join(ROVERS)}) or a Rover.")
    if rover not in ROVERS:
        raise unknown_name("rover", rover, ROVERS)
    return ROVERS[rover]
