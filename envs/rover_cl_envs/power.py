"""The system "power": sun and dust on the panels, cold, what driving costs, and the battery between them.

It comes behind the driving in every step. A step is 5 s of driving, and `Conditions.clock_rate` times as long
on the clock: the rest of it the rover stands and thinks. Wheels turn at full speed or not at all: who is
asked for a tenth of the speed drives, and is awake, for a tenth of the step, so that a little driving costs
little.

The block that it adds to the observation:

| index in the block | what | scale |
|---|---|---|
| 0 | charge over the capacity of a new battery | 1 |
| 1 | power of the panels or the generator | `PowerPlant.reference` |
| 2 | optical depth | 5 |
| 3 | dust factor of the panels | 1 |
| 4 | sine of the sun's elevation | 1 |
| 5-6 | cosine, sine of the sun's bearing, from ahead counter-clockwise | 1 |
| 7-8 | cosine, sine of the time of the sol, 0 at midnight | 1 |
| 9 | air temperature above -50 deg C | 50 K |
| 10 | power of the drive motors in the last step | `PowerPlant.reference` |

Sources: energy a sol, 0.2126 m^2 x dust factor x insolation, fitted to 408 of Opportunity's status reports
from 2009 to 2018; gusts: jumps of 5 to 40 % in the same; dust factor 0.964 at best. What is chosen is marked
so in docs/simulator.md.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from rover_cl_envs.compiled import Row, compiled
from rover_cl_envs.dynamics import (
    BATTERY_HEALTH,
    CLEANING,
    DUST_FACTOR,
    DUST_FALL,
    LATITUDE,
    OPTICAL_DEPTH,
    SEASON,
)
from rover_cl_envs.elementary import exp
from rover_cl_envs.lanes import Heading
from rover_cl_envs.power_plant import (
    CAPACITY,
    REFERENCE,
)
from rover_cl_envs.randomness import uniform
from rover_cl_envs.sensors import LIMIT
from rover_cl_envs.sun import (
    RADIAN,
    SOL_SECONDS,
    mean_top_flux,
    sine_of_declination,
    top_flux,
)

CLEANEST = 0.964  # dust factor that no gust goes beyond
WEAK_GUST, STRONG_GUST = 0.05, 0.40  # rise of the dust factor by a gust
KEPT_WARM = -40.0  # below it heaters run and grease stiffens [deg C]
STIFF_SPAN = 60.0  # over so many degrees more the effect of the cold grows to its full size [K]
STIFFNESS = 1.0  # rise of the motors' idle losses in full cold
WEAKENING = 0.3  # loss of their stall torque in full cold
PER_DEPTH, PER_KELVIN = 1.0 / 5.0, 1.0 / 50.0  # of what is observed: optical depth, temperature
HOUR, SOL = 1.0 / 3600.0, 1.0 / SOL_SECONDS  # of a second: products cost less than quotients

# Columns of a power row (n, POWER_STATE), float32.
CHARGE, CLOCK, FALLEN, CLEANED, SUPPLY, DRIVING, HEATING, TEMPERATURE, BALANCE = range(9)
"""Charge [Wh]; sols since the episode began, less whole ones; dust fallen since the last gust, and the dust
factor then over that of the conditions; power of panels or generator, of drive motors and heaters [W]; air
temperature [deg C]; and the energy balance of the last step [Wh]: what came in less what was used, whether
or not the battery could take or give it."""
SUN_EAST, SUN_NORTH, SUN_UP, SIN_H, COS_H, DUST = range(9, 15)
"""Unit vector towards the sun, sine and cosine of the hour angle, dust factor now."""
ALMANAC_SEASON, ALMANAC_LATITUDE, SIN_D, COS_D, SIN_L, COS_L, FLUX, MEAN = range(15, 23)
"""What depends on season and latitude only, and the two that it holds for."""
POWER_STATE = 23


@compiled
def dust_factor(p: Row, c: Row) -> float:
    """Share of the light that the dust on the panels lets through."""
    return min(c[DUST_FACTOR] * p[CLEANED] * exp(-p[FALLEN]), 1.0)


@compiled
def capacity(c: Row, plant: Row) -> float:
    """What the battery holds at its age [Wh]."""
    return plant[CAPACITY] * c[BATTERY_HEALTH]


@compiled
def coldness(temperature: float) -> float:
    """How much the cold is felt, 0 above -40 deg C to 1 from -100 deg C down."""
    return min(max((KEPT_WARM - temperature) * (1.0 / STIFF_SPAN), 0.0), 1.0)


@compiled
def stall_share(p: Row) -> float:
    """Stall torque that the cold leaves to the drive motors."""
    return 1.0 - WEAKENING * coldness(p[TEMPERATURE])


@compiled
def open_almanac(p: Row, c: Row) -> None:
    """Work out what depends on season and latitude only; they seldom change, and cost half a step's time."""
    season, latitude = float(c[SEASON]), float(c[LATITUDE])
    sin_d = sine_of_declination(season)
    p[ALMANAC_SEASON], p[ALMANAC_LATITUDE] = season, latitude
    p[SIN_D], p[COS_D] = sin_d, math.sqrt(1.0 - sin_d * sin_d)
    p[SIN_L], p[COS_L] = math.sin(RADIAN * latitude), math.cos(RADIAN * latitude)
    p[FLUX], p[MEAN] = top_flux(season), mean_top_flux(season, latitude)


@compiled
def let_dust_fall(p: Row, c: Row, sols: float, generator: NDArray[np.uint64]) -> None:
    """Dust falls on the panels for that long, and sometimes a gust takes some away."""
    p[FALLEN] += c[DUST_FALL] * sols
    if c[CLEANING] > 0.0 and uniform(generator) < c[CLEANING] * sols:
        before = dust_factor(p, c)
        gain = WEAK_GUST + (STRONG_GUST - WEAK_GUST) * uniform(generator)
        after = max(min(before * (1.0 + gain), CLEANEST), before)
        p[CLEANED], p[FALLEN] = after / c[DUST_FACTOR], 0.0


@compiled
def sweep(p: Row, c: Row, share: float) -> None:
    """Take a share of the dust off the panels of the power row `p`, though not more than a gust would."""
    before = dust_factor(p, c)
    after = max(min(before + share * (1.0 - before), CLEANEST), before)
    p[CLEANED], p[FALLEN], p[DUST] = after / c[DUST_FACTOR], 0.0, after


@compiled
def observe_power(p: Row, heading: Heading, c: Row, plant: Row, out: Row) -> None:
    """Write the system's block (11,) of the observation."""
    cos, sin = heading
    east, north = p[SUN_EAST], p[SUN_NORTH]
    per_level = 1.0 / (math.sqrt(east * east + north * north) + 1e-6)
    per_reference = 1.0 / plant[REFERENCE]
    out[0] = p[CHARGE] / plant[CAPACITY]
    out[1] = min(p[SUPPLY] * per_reference, LIMIT)
    out[2] = c[OPTICAL_DEPTH] * PER_DEPTH
    out[3] = p[DUST]
    out[4] = p[SUN_UP]
    out[5], out[6] = (cos * east + sin * north) * per_level, (cos * north - sin * east) * per_level
    out[7], out[8] = -p[COS_H], -p[SIN_H]  # midnight is half a turn from noon
    out[9] = (p[TEMPERATURE] + 50.0) * PER_KELVIN
    out[10] = min(p[DRIVING] * per_reference, LIMIT)
