"""The physics of one control step: quasi-static driving on soft ground.

A rover at 5 cm/s has a Froude number v^2 / (g L) of 5e-4, so inertia plays no part: each step solves
for the slip at which the soil carries the load, and moves accordingly. A step is 5 s, 0.25 m at full
drive of MER. All functions work in place on one rover's row; lengths in metres, angles in radians.

Sources: soils in soil.py; rocker-bogie settling in closed form in the spirit of JPL's ACE (Otsu et al.
2018); wheel faults after Spirit (sol 779 on: right front wheel dead, dragged, and the rover turning
clockwise when driven forward).
"""

from __future__ import annotations

import math

import numpy as np

from rover_cl_envs.compiled import Bits, Coefficients, Layers, Row, compiled
from rover_cl_envs.grid import CELL, ORIGIN, SIDE
from rover_cl_envs.grid import cell_index as cell_index
from rover_cl_envs.landforms import break_crust, crest_share, form_height, has_crust, is_broken
from rover_cl_envs.rovers import STEP_SECONDS as STEP_SECONDS
from rover_cl_envs.soil import (
    ALPHA,
    BETA,
    NO_WEIGHTS,
    P0,
    P1,
    P2,
    blend,
    equilibrium_slip,
    weigh,
)
from rover_cl_envs.terrain import (
    PATCH,
    PATCH_EDGE,
    PATCH_UNIT,
    RELIEF,
    RELIEF_UNIT,
    ROCK,
    rock_height,
)

STEP_LENGTH = 0.25  # travel of MER per step at full drive on bedrock [m]
STEER_GAIN = 0.8  # difference of wheel speeds at full steer, in shares of top speed
TURN_SHARE = 0.8  # yaw rate over that of an ideal differential drive: the wheels scuff
RATE_LIMIT = 1.0  # largest change of a wheel speed per step, in shares of top speed
SHARED_LOAD = 0.9  # share of a side's missing traction that the stiff body carries over
DRAG = 0.5  # friction coefficient of a dead wheel dragged along
PULL = 1.6  # yaw per metre of a fully dead leading wheel of MER; a wider rover turns less [rad/m]
PULL_TRACK = float(np.float32(1.06))  # MER's [m], as its row has it: its yaw is scaled by 1 exactly
TRAILING_PULL = 0.05  # the same where the wheel trails, in shares of PULL
DIG_LENGTH = 0.5  # rim travel over which sinkage approaches equilibrium [m]
DIG_RESISTANCE = 0.3  # resistance coefficient per (sinkage beyond equilibrium / radius)
SIDE_SLIDE = 0.5  # sideways drift over ground covered, per tangent of roll
STUCK_SLIP = 0.6  # mean slip that counts towards embedding; MER's drives stopped at 0.4
AT_REST = 0.02  # wheel speed below which a wheel stands still, in shares of top speed
SLOWEST = 0.1  # share of the commanded speed that a motor near stall still makes
CRUST_SOIL = 1 / 6  # fluffiness of a crust that holds: half way from bedrock to regolith
MARS_GRAVITY = 3.72  # [m/s^2]

# Columns of a rover's state row (n, STATE), float32. Pitch and roll are kept as tangents.
X, Y, YAW, WHEEL_L, WHEEL_R, SLIP_L, SLIP_R, SINK_L, SINK_R = range(9)
PITCH, ROLL, TORQUE_L, TORQUE_R, AHEAD, TURNED, DRIVE, STEER = range(9, 17)
STUCK, TARGET_AX, TARGET_AY, TARGET_BX, TARGET_BY, REWARDED, TO_GO = range(17, 24)
STATE = 24

# Columns of a conditions row, float32: Conditions.to_array; HEALTH and the five behind it are the wheels.
(
    GRAVITY,
    GROUND,
    PATCHES,
    COVER,
    OUTCROP,
    CONTRAST,
    ROUGH,
    EAST,
    NORTH,
    ROCKS,
    MOTOR,
    BIAS,
    TARGET_B,
    WHEEL_DRAG,
    BEARING_BIAS,
    HEIGHT_BIAS,
    ODOMETRY,
    HEIGHT_NOISE,
    BEARING_NOISE,
    DARK,
    DEVIL_RATE,
    DEVIL_SPEED,
    MARTIAN,
    MARTIAN_SPEED,
    MARTIAN_SIGHT,
    OPTICAL_DEPTH,
    SEASON,
    LATITUDE,
    TIME_OF_SOL,
    DUST_FACTOR,
    DUST_FALL,
    CLEANING,
    BATTERY_HEALTH,
    COLD,
    INITIAL_CHARGE,
    CLOCK_RATE,
    CRATERS,
    RIPPLES,
    TARS,
    SOFTNESS,
    CRUST,
    STRENGTH,
    CRUST_LOOK,
    HEALTH,
) = range(44)
CONDITIONS = HEALTH + 6

# Columns of a rover description (9,), float32: Rover.to_array. FULL is a step's travel at full drive [m].
MASS, RADIUS, WHEELBASE, TRACK, STALL, OBSTACLE, FULL, TIP_GRADE, PRESSURE = range(9)
DESCRIPTION = 9


@compiled
def patch_share(field: float, cover: float) -> float:
    """Share of a soft patch, 0 to 1, where the uniform patch field has that value: its upper tail."""
    return min(max((field - (1.0 - cover)) / PATCH_EDGE, 0.0), 1.0)


@compiled
def outcrop_share(field: float, cover: float) -> float:
    """Share of outcrop, 0 to 1, where the uniform patch field has that value: its lower tail."""
    return min(max((cover - field) / PATCH_EDGE, 0.0), 1.0)


@compiled
def relief_at(ground: Layers, x: float, y: float) -> float:
    """Unit relief at x, y, bilinear between cell centres."""
    u, v = x / CELL + (ORIGIN - 0.5), y / CELL + (ORIGIN - 0.5)
    iu, iv = int(u), int(v)
    fu, fv = u - iu, v - iv
    x0, y0 = iu & (SIDE - 1), iv & (SIDE - 1)
    x1, y1 = (x0 + 1) & (SIDE - 1), (y0 + 1) & (SIDE - 1)
    low = (1.0 - fu) * ground[y0, x0, RELIEF] + fu * ground[y0, x1, RELIEF]
    high = (1.0 - fu) * ground[y1, x0, RELIEF] + fu * ground[y1, x1, RELIEF]
    return ((1.0 - fv) * low + fv * high) * RELIEF_UNIT


@compiled
def has_forms(c: Row, forms: Layers) -> bool:
    """Whether conditions `c` ask for landforms; never where these are stood in for by one cell."""
    asked = c[CRATERS] > 0.0 or c[RIPPLES] > 0.0 or c[TARS] > 0.0 or c[CRUST] > 0.0
    return asked and forms.shape[0] == SIDE


@compiled
def ground_pressure(c: Row, rover: Row) -> float:
    """Mean pressure under the rover's wheels [kPa], in proportion to its weight."""
    return rover[PRESSURE] * c[GRAVITY] / MARS_GRAVITY


@compiled
def _formed_soil(
    fluffiness: float, iy: int, ix: int, c: Row, rover: Row, forms: Layers, broken: Bits
) -> float:
    """Fluffiness under a wheel where landforms may lie on the ground; breaks a crust that is too weak."""
    cell = forms[iy, ix]
    if has_crust(cell, c[CRUST]):
        if not is_broken(broken, iy, ix):
            if ground_pressure(c, rover) <= c[STRENGTH]:
                return CRUST_SOIL
            break_crust(broken, iy, ix)
        return c[PATCHES]
    loose = c[SOFTNESS] * crest_share(cell, c[RIPPLES], c[TARS])
    return fluffiness + loose * (1.0 - fluffiness)


@compiled
def _bare_soil(field: float, c: Row) -> float:
    """Fluffiness of ground without landforms where the uniform patch field has that value."""
    soft, firm = patch_share(field, c[COVER]), outcrop_share(field, c[OUTCROP])
    return c[GROUND] * (1.0 - soft - firm) + soft * c[PATCHES]


@compiled
def _lean(s: Row, rover: Row, left: float, right: float, pitch: float) -> None:
    """Write pitch and roll from the sides' mean heights and the pitch summed up over the wheels [m]."""
    s[PITCH] = pitch / (0.75 * rover[WHEELBASE])
    s[ROLL] = (left - right) / rover[TRACK]


@compiled
def _settle_on_forms(
    s: Row,
    c: Row,
    rover: Row,
    wheels: Row,
    forms: Layers,
    broken: Bits,
    soils: Coefficients,
    soil: Coefficients,
) -> float:
    """`settle` where there are landforms: a loop of its own, so that other rovers don't carry it along."""
    cos, sin = math.cos(s[YAW]), math.sin(s[YAW])
    tallest, pitch, left, right = 0.0, 0.0, 0.0, 0.0
    lift_pitch, lift_left, lift_right = 0.0, 0.0, 0.0
    for side in range(2):
        mean, lift_mean, weights = 0.0, 0.0, NO_WEIGHTS
        for k in range(3):
            wheel = wheels[3 * side + k]
            x = s[X] + cos * wheel[0] - sin * wheel[1]
            y = s[Y] + sin * wheel[0] + cos * wheel[1]
            iy, ix = cell_index(y), cell_index(x)
            cell = forms[iy, ix]
            rock = rock_height(cell[ROCK], c[ROCKS])
            tallest = max(tallest, rock)
            height = c[ROUGH] * relief_at(forms, x, y) + c[EAST] * (x - s[X]) + c[NORTH] * (y - s[Y])
            height += min(rock, rover[OBSTACLE])
            lift = form_height(forms, x, y, c[CRATERS], c[RIPPLES], c[TARS])
            mean += height / 3.0
            lift_mean += lift / 3.0
            pitch += (0.5 if k == 0 else -0.25) * height
            lift_pitch += (0.5 if k == 0 else -0.25) * lift
            bare = _bare_soil(cell[PATCH] * PATCH_UNIT, c)
            weights = weigh(_formed_soil(bare, iy, ix, c, rover, forms, broken), 1.0 / 3.0, weights)
        blend(soils, weights, soil[side])
        if side == 0:
            left, lift_left = mean, lift_mean
        else:
            right, lift_right = mean, lift_mean
    _lean(s, rover, left + lift_left, right + lift_right, pitch + lift_pitch)
    return tallest


@compiled
def settle(
    s: Row,
    c: Row,
    rover: Row,
    wheels: Row,
    ground: Layers,
    forms: Layers,
    broken: Bits,
    soils: Coefficients,
    soil: Coefficients,
) -> float:
    """Put the rover's six wheels on the ground.

    Writes pitch and roll into the state `s` (24,), as tangents, and the mean soil of each side into
    `soil` (2, 9). Crust that gives way is noted in the rover's row `broken`.
    The differential halves the pitch of the two rockers; each rocker's pitch is that of the line from
    the middle of its bogie, which carries the middle and the rear wheel, to its front wheel.

    Returns:
        Height of the tallest rock under a wheel [m].
    """
    if has_forms(c, forms):
        return _settle_on_forms(s, c, rover, wheels, forms, broken, soils, soil)
    cos, sin = math.cos(s[YAW]), math.sin(s[YAW])
    tallest, pitch, left, right = 0.0, 0.0, 0.0, 0.0
    for side in range(2):
        mean, weights = 0.0, NO_WEIGHTS
        for k in range(3):
            wheel = wheels[3 * side + k]
            x = s[X] + cos * wheel[0] - sin * wheel[1]
            y = s[Y] + sin * wheel[0] + cos * wheel[1]
            cell = ground[cell_index(y), cell_index(x)]
            rock = rock_height(cell[ROCK], c[ROCKS])
            tallest = max(tallest, rock)
            height = c[ROUGH] * relief_at(ground, x, y) + c[EAST] * (x - s[X]) + c[NORTH] * (y - s[Y])
            height += min(rock, rover[OBSTACLE])
            mean += height / 3.0
            # The bogie's pivot is halfway between middle and rear wheel, 0.75 wheelbase behind the front one.
            pitch += (0.5 if k == 0 else -0.25) * height
            weights = weigh(_bare_soil(cell[PATCH] * PATCH_UNIT, c), 1.0 / 3.0, weights)
        blend(soils, weights, soil[side])
        if side == 0:
            left = mean
        else:
            right = mean
    _lean(s, rover, left, right, pitch)
    return tallest


@compiled
def _side_demand(side: int, s: Row, c: Row, rover: Row, soil: Coefficients) -> tuple[float, float]:
    """Traction that one side needs on its own, and the share of its wheels that can give it.

    A dead wheel neither pulls its share nor rolls: it is dragged, unless it is free to roll.
    """
    grip = (c[HEALTH + 3 * side] + c[HEALTH + 3 * side + 1] + c[HEALTH + 3 * side + 2]) / 3.0
    direction = 1.0 if s[WHEEL_L + side] >= 0.0 else -1.0
    settled = math.exp(soil[side, ALPHA] + soil[side, BETA] * max(s[SLIP_L + side], 0.0))
    dug = max(s[SINK_L + side] / rover[RADIUS] - settled, 0.0)
    need = direction * s[PITCH] + (1.0 - grip) * DRAG * c[WHEEL_DRAG] + DIG_RESISTANCE * dug
    return need, max(grip, 0.05)


@compiled
def _demands(s: Row, c: Row, rover: Row, soil: Coefficients) -> tuple[float, float]:
    """Traction coefficient demanded of the driven wheels, left and right.

    The stiff body carries `SHARED_LOAD` of what one side lacks over to the other.
    """
    left, grip_left = _side_demand(0, s, c, rover, soil)
    right, grip_right = _side_demand(1, s, c, rover, soil)
    shared = SHARED_LOAD * (left + right) / (grip_left + grip_right)
    own = 1.0 - SHARED_LOAD
    return shared + own * left / grip_left, shared + own * right / grip_right


@compiled
def _turn_wheels(side: int, demand: float, s: Row, c: Row, rover: Row, soil: Coefficients) -> float:
    """Turn the wheels of one side for a step: slip, torque and sinkage; returns the ground covered [m]."""
    wheel = s[WHEEL_L + side]
    if abs(wheel) < AT_REST:
        s[SLIP_L + side], s[TORQUE_L + side] = 0.0, 0.0
        return 0.0
    slip = equilibrium_slip(demand, soil[side])
    torque = soil[side, P0] + soil[side, P1] * (1.0 - math.exp(-abs(slip) / soil[side, P2]))
    load = rover[MASS] * c[GRAVITY] / 6.0  # [N] per wheel
    speed = max(1.0 - torque * load * rover[RADIUS] / (rover[STALL] * c[MOTOR]), SLOWEST)
    rim = wheel * speed * rover[FULL]  # [m] travelled by the rim
    sunk = rover[RADIUS] * math.exp(soil[side, ALPHA] + soil[side, BETA] * max(slip, 0.0))
    # Wheels dig with the travel of their rims but come up only as far as the rover really moves.
    travel = abs(rim) if sunk > s[SINK_L + side] else abs(rim * (1.0 - slip))
    s[SINK_L + side] += (sunk - s[SINK_L + side]) * min(travel / DIG_LENGTH, 1.0)
    s[SLIP_L + side], s[TORQUE_L + side] = slip, torque
    return rim * (1.0 - slip)


@compiled
def drive(s: Row, c: Row, rover: Row, wheels: Row, soil: Coefficients) -> None:
    """Move the rover of state `s` by one step on the soils (2, 9) that `settle` found."""
    steer = min(max(s[STEER] + c[BIAS], -1.0), 1.0)
    goal_l = min(max(s[DRIVE] - STEER_GAIN * steer, -1.0), 1.0)
    goal_r = min(max(s[DRIVE] + STEER_GAIN * steer, -1.0), 1.0)
    s[WHEEL_L] += min(max(goal_l - s[WHEEL_L], -RATE_LIMIT), RATE_LIMIT)
    s[WHEEL_R] += min(max(goal_r - s[WHEEL_R], -RATE_LIMIT), RATE_LIMIT)
    demand_l, demand_r = _demands(s, c, rover, soil)
    moved_l = _turn_wheels(0, demand_l, s, c, rover, soil)
    moved_r = _turn_wheels(1, demand_r, s, c, rover, soil)
    ahead = (moved_l + moved_r) / 2.0
    turn = TURN_SHARE * (moved_r - moved_l) / rover[TRACK] + _pull(c, rover, wheels, ahead) * ahead
    slide = -SIDE_SLIDE * s[ROLL] * abs(ahead)
    middle = s[YAW] + turn / 2.0
    s[X] += ahead * math.cos(middle) - slide * math.sin(middle)
    s[Y] += ahead * math.sin(middle) + slide * math.cos(middle)
    yaw = s[YAW] + turn
    s[YAW] = yaw - 2.0 * math.pi if yaw > math.pi else (yaw + 2.0 * math.pi if yaw < -math.pi else yaw)
    s[AHEAD], s[TURNED] = ahead, turn
    if s[SLIP_L] + s[SLIP_R] > 2.0 * STUCK_SLIP:
        s[STUCK] += 1.0
    elif max(abs(s[WHEEL_L]), abs(s[WHEEL_R])) >= AT_REST:  # a pause in between frees nobody
        s[STUCK] = 0.0


@compiled
def _pull(c: Row, rover: Row, wheels: Row, ahead: float) -> float:
    """Yaw per metre driven that dead wheels cause [rad/m], positive to the left.

    A dragged wheel turns the rover towards its side. Where it leads, the pull grows as the rover turns
    about it; where it trails, it steadies the course like a rudder, which is why Spirit drove backward.
    """
    pull = 0.0
    for w in range(6):
        if c[HEALTH + w] == 1.0:
            continue
        leads = wheels[w, 0] * ahead
        lever = 1.0 if leads > 0.0 else (0.5 if wheels[w, 0] == 0.0 else TRAILING_PULL)
        toward = 1.0 if wheels[w, 1] > 0.0 else -1.0
        pull += PULL * (1.0 - c[HEALTH + w]) * lever * toward
    return pull / (rover[TRACK] / PULL_TRACK) * c[WHEEL_DRAG]


@compiled
def rest(
    s: Row,
    c: Row,
    rover: Row,
    wheels: Row,
    ground: Layers,
    forms: Layers,
    broken: Bits,
    soils: Coefficients,
    soil: Coefficients,
) -> None:
    """Put a rover that has just been placed at rest: settled on the ground, nothing turning."""
    s[WHEEL_L : AHEAD + 2] = 0.0
    s[DRIVE], s[STEER], s[STUCK] = 0.0, 0.0, 0.0
    settle(s, c, rover, wheels, ground, forms, broken, soils, soil)
    for side in range(2):
        s[SINK_L + side] = rover[RADIUS] * math.exp(soil[side, ALPHA])
