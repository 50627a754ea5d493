"""The energy of a step, for the rovers of a block side by side: sun, temperature, what is used, the battery.

Laid out in lanes as the driving (driving.py), whose lanes tell what the wheels have done. What the numbers
mean is told in power.py.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rover_cl_envs.air import air_temperature
from rover_cl_envs.compiled import Coefficients, Row, compiled, compiled_within
from rover_cl_envs.dynamics import (
    AT_REST,
    CLOCK_RATE,
    COLD,
    DUST_FACTOR,
    HEALTH,
    INITIAL_CHARGE,
    LATITUDE,
    OPTICAL_DEPTH,
    PITCH,
    ROLL,
    SEASON,
    SLOWEST,
    STEP_SECONDS,
    TIME_OF_SOL,
)
from rover_cl_envs.elementary import exp, sin_cos
from rover_cl_envs.lanes import Heading, Lane, Sides, lane
from rover_cl_envs.power import (
    ALMANAC_LATITUDE,
    ALMANAC_SEASON,
    BALANCE,
    CHARGE,
    CLEANED,
    CLOCK,
    COS_D,
    COS_H,
    COS_L,
    DRIVING,
    DUST,
    FALLEN,
    FLUX,
    HEATING,
    HOUR,
    KEPT_WARM,
    MEAN,
    SIN_D,
    SIN_H,
    SIN_L,
    SOL,
    STIFFNESS,
    SUN_EAST,
    SUN_NORTH,
    SUN_UP,
    SUPPLY,
    TEMPERATURE,
    capacity,
    coldness,
    let_dust_fall,
    open_almanac,
)
from rover_cl_envs.power_plant import (
    AREA,
    ASLEEP,
    AWAKE,
    CHARGING,
    EFFICIENCY,
    GEARING,
    GENERATOR,
    HEATER,
    IDLE,
    STALL_HEAT,
)
from rover_cl_envs.sun import between, beyond, column_of, direction, light_of, row_of


class Sky(NamedTuple):
    """What shines on a rover, and how it stands to it."""

    time: Lane
    """of the sol, at the step's end; a share of it"""
    sin_d: Lane
    cos_d: Lane
    """of the sun's declination"""
    sin_l: Lane
    cos_l: Lane
    """of the latitude"""
    sin_h: Lane
    cos_h: Lane
    """of the hour angle"""
    flux: Lane
    mean: Lane
    """above the air, across the beam now and on a level plane over the sol [W/m^2]"""
    depth: Lane
    """optical depth"""
    cold: Lane
    """how much colder than usual [K]"""
    dust: Lane
    """factor of the panels"""
    fallen: Lane
    """exponent of the dust that fell on them"""
    pitch: Lane
    roll: Lane
    """tangents"""
    cos: Lane
    sin: Lane
    """of the yaw"""
    east: Lane
    north: Lane
    up: Lane
    """unit vector towards the sun"""
    row: Lane
    along: Lane
    column: Lane
    across: Lane
    """place in the table of net flux"""
    f: Lane
    """what it says there"""
    temperature: Lane
    """of the air [deg C]"""
    cells: Lane
    """area of the panels times their efficiency [m^2]"""
    generator: Lane
    supply: Lane
    """power of the generator, and of it and the panels [W]"""


class Use(NamedTuple):
    """What a rover's battery has, gets and gives."""

    charge: Lane
    capacity: Lane
    """[Wh]"""
    charging: Lane
    """share of a surplus that is stored"""
    before: Lane
    """supply when the step began [W]"""
    seconds: Lane
    """that the step takes on the clock"""
    stiff: Lane
    """coldness in which it was driven, 0 to 1"""
    left_driven: Lane
    right_driven: Lane
    """wheels that pull, of three"""
    gearing: Lane
    idle: Lane
    heat: Lane
    """of the motors: efficiency, and losses of each [W]"""
    heater: Lane
    """[W/K]"""
    awake: Lane
    asleep: Lane
    """[W]"""
    driving: Lane
    heating: Lane
    """power of the step [W]"""
    balance: Lane
    """[Wh]"""


@compiled_within
def sky_lanes() -> Sky:
    """Lanes on the stack of the kernel that asks for them, not yet written."""
    return Sky(
        *(lane(), lane(), lane(), lane(), lane(), lane(), lane(), lane(), lane(), lane()),
        *(lane(), lane(), lane(), lane(), lane(), lane(), lane(), lane(), lane(), lane()),
        *(lane(), lane(), lane(), lane(), lane(), lane(), lane(), lane(), lane()),
    )


@compiled_within
def use_lanes() -> Use:
    """Likewise."""
    return Use(
        *(lane(), lane(), lane(), lane(), lane(), lane(), lane(), lane()),
        *(lane(), lane(), lane(), lane(), lane(), lane(), lane(), lane(), lane()),
    )


@compiled_within
def look_up(i: int, p: Row, s: Row, heading: Heading, c: Row, plant: Row, sky: Sky) -> None:
    """Write into lane i what shines on the rover of the power row `p` (23,), which stands as `s` says."""
    if p[ALMANAC_SEASON] != c[SEASON] or p[ALMANAC_LATITUDE] != c[LATITUDE]:
        open_almanac(p, c)
    sky.time[i] = c[TIME_OF_SOL] + p[CLOCK]
    sky.sin_d[i], sky.cos_d[i], sky.sin_l[i], sky.cos_l[i] = p[SIN_D], p[COS_D], p[SIN_L], p[COS_L]
    sky.flux[i], sky.mean[i] = p[FLUX], p[MEAN]
    sky.depth[i], sky.cold[i] = c[OPTICAL_DEPTH], c[COLD]
    sky.dust[i], sky.fallen[i] = c[DUST_FACTOR] * p[CLEANED], p[FALLEN]
    sky.pitch[i], sky.roll[i] = s[PITCH], s[ROLL]
    sky.cos[i], sky.sin[i] = heading
    sky.cells[i], sky.generator[i] = plant[AREA] * plant[EFFICIENCY], plant[GENERATOR]


@compiled_within
def shine(count: int, sky: Sky, table: Coefficients) -> None:
    """Sun, temperature and supply of the first `count` lanes at their time of the sol."""
    for i in range(count):
        sin_h, cos_h = sin_cos(2.0 * math.pi * (sky.time[i] - 0.5))
        sky.sin_h[i], sky.cos_h[i] = sin_h, cos_h
        sky.temperature[i] = air_temperature(sky.mean[i], sin_h, cos_h, sky.depth[i], sky.cold[i])
        sky.dust[i] = min(sky.dust[i] * exp(-sky.fallen[i]), 1.0)
        sky.east[i], sky.north[i], sky.up[i] = direction(
            sky.sin_d[i], sky.cos_d[i], sky.sin_l[i], sky.cos_l[i], sin_h, cos_h
        )
        sky.column[i], sky.across[i] = column_of(sky.up[i])
        sky.row[i], sky.along[i] = row_of(sky.depth[i])
    for i in range(count):
        row, column = int(sky.row[i]), int(sky.column[i])
        sky.f[i] = between(row, sky.along[i], column, sky.across[i], table)
    for i in range(count):
        east, north, up, pitch, roll = sky.east[i], sky.north[i], sky.up[i], sky.pitch[i], sky.roll[i]
        beam, scattered = light_of(sky.flux[i], up, sky.depth[i], sky.f[i] * beyond(sky.depth[i]))
        # Pitch and roll are the ground's rise ahead and to the left: its normal is (-pitch, -roll, 1).
        upright = 1.0 / math.sqrt(1.0 + pitch * pitch + roll * roll)
        ahead, left = sky.cos[i] * east + sky.sin[i] * north, sky.cos[i] * north - sky.sin[i] * east
        facing = up - pitch * ahead - roll * left
        light = beam * max(facing * upright, 0.0) + 0.5 * scattered * (1.0 + upright)
        sky.supply[i] = sky.generator[i] + light * sky.cells[i] * sky.dust[i]


@compiled_within
def look_down(i: int, p: Row, sky: Sky) -> None:
    """Write what shines on the rover of lane i into its power row."""
    p[SIN_H], p[COS_H], p[DUST] = sky.sin_h[i], sky.cos_h[i], sky.dust[i]
    p[SUN_EAST], p[SUN_NORTH], p[SUN_UP] = sky.east[i], sky.north[i], sky.up[i]
    p[TEMPERATURE], p[SUPPLY] = sky.temperature[i], sky.supply[i]


@compiled
def wake(p: Row, s: Row, heading: Heading, c: Row, plant: Row, table: Coefficients) -> None:
    """Begin an episode: the clock at its start, the battery as the conditions say."""
    p[:] = 0.0
    p[CLEANED] = 1.0
    p[CHARGE] = c[INITIAL_CHARGE] * capacity(c, plant)
    open_almanac(p, c)
    sky = sky_lanes()
    look_up(0, p, s, heading, c, plant, sky)
    shine(1, sky, table)
    look_down(0, p, sky)


@compiled_within
def plug_in(
    i: int,
    p: Row,
    s: Row,
    heading: Heading,
    c: Row,
    plant: Row,
    generator: NDArray[np.uint64],
    sky: Sky,
    use: Use,
) -> None:
    """Let a rover's clock run on by the step that it has driven, dust fall, and its numbers lie in lane i."""
    seconds = STEP_SECONDS * c[CLOCK_RATE]
    sols = seconds * SOL
    if plant[AREA] > 0.0:
        let_dust_fall(p, c, sols, generator)
    clock = p[CLOCK] + sols
    p[CLOCK] = clock - 1.0 if clock >= 1.0 else clock
    use.seconds[i], use.charge[i], use.capacity[i] = seconds, p[CHARGE], capacity(c, plant)
    use.before[i], use.stiff[i], use.charging[i] = p[SUPPLY], coldness(p[TEMPERATURE]), plant[CHARGING]
    use.left_driven[i] = c[HEALTH] + c[HEALTH + 1] + c[HEALTH + 2]
    use.right_driven[i] = c[HEALTH + 3] + c[HEALTH + 4] + c[HEALTH + 5]
    use.gearing[i], use.idle[i], use.heat[i] = plant[GEARING], plant[IDLE], plant[STALL_HEAT]
    use.heater[i], use.awake[i], use.asleep[i] = plant[HEATER], plant[AWAKE], plant[ASLEEP]
    look_up(i, p, s, heading, c, plant, sky)


@compiled_within
def _side_power(k: int, driven: float, gearing: float, idle: float, heat: float, sides: Sides) -> float:
    """Electrical power of the drive motors of the side in lane k, averaged over the step just made [W].

    Work at the wheels over the efficiency of the gears, losses that turn with the motor, and the heat of the
    current, which goes with the square of the torque; for the share of the step in which the wheels turn.
    """
    wheel, pull = abs(sides.wheel[k]), sides.torque[k] * sides.load[k]  # pull in [N] at the rim
    strain = pull * sides.radius[k] / sides.stall[k]
    rim = max(1.0 - strain, SLOWEST)  # in shares of top speed
    used = pull * rim * sides.full[k] / (STEP_SECONDS * gearing) + idle + heat * min(strain * strain, 1.0)
    return wheel * driven * used if wheel >= AT_REST else 0.0


@compiled_within
def spend(count: int, sides: Sides, sky: Sky, use: Use) -> None:
    """Loads and battery of the first `count` lanes, once the sun of the step's end has shone on them.

    Losses of the motors grow in the cold that they were driven in.
    """
    for i in range(count):
        gearing, idle, heat = use.gearing[i], use.idle[i] * (1.0 + STIFFNESS * use.stiff[i]), use.heat[i]
        left = _side_power(i, use.left_driven[i], gearing, idle, heat, sides)
        use.driving[i] = left + _side_power(count + i, use.right_driven[i], gearing, idle, heat, sides)
    for i in range(count):
        hours, driven = use.seconds[i] * HOUR, use.driving[i] * STEP_SECONDS * HOUR
        turning = max(abs(sides.wheel[i]), abs(sides.wheel[count + i]))  # share of the step
        turning = turning if turning >= AT_REST else 0.0
        heating = use.heater[i] * max(KEPT_WARM - sky.temperature[i], 0.0)
        used = use.asleep[i] + turning * (use.awake[i] - use.asleep[i]) + heating
        balance = (0.5 * (use.before[i] + sky.supply[i]) - used) * hours - driven
        stored = balance * use.charging[i] if balance > 0.0 else balance
        use.charge[i] = min(max(use.charge[i] + stored, 0.0), use.capacity[i])
        use.heating[i], use.balance[i] = heating, balance


@compiled_within
def unplug(i: int, p: Row, sky: Sky, use: Use) -> None:
    """Write what the step has brought the rover of lane i into its power row."""
    look_down(i, p, sky)
    p[CHARGE], p[BALANCE] = use.charge[i], use.balance[i]
    p[DRIVING], p[HEATING] = use.driving[i], use.heating[i]
