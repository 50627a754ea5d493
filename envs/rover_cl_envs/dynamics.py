"""The physics of one control step: quasi-static driving on soft ground.

A rover at 5 cm/s has a Froude number v^2 / (g L) of 5e-4, so inertia plays no part: each step solves
for the slip at which the soil carries the load, and moves accordingly. A step is 5 s, 0.25 m at full
drive of MER. All functions work in place on one rover's row; lengths in metres, angles in radians.

Sources: soils in soil.py; wheel faults after Spirit (sol 779 on: right front wheel dead, dragged, and the
rover turning clockwise when driven forward).
"""

from __future__ import annotations

import math

import numpy as np

from rover_cl_envs.compiled import Coefficients, Row, compiled
from rover_cl_envs.rovers import STEP_SECONDS as STEP_SECONDS
from rover_cl_envs.soil import ALPHA, BETA, P0, P1, P2, equilibrium_slip

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
def _turn_wheels(
    side: int, demand: float, s: Row, c: Row, motor: float, rover: Row, soil: Coefficients
) -> float:
    """Turn the wheels of one side for a step: slip, torque and sinkage; returns the ground covered [m]."""
    wheel = s[WHEEL_L + side]
    if abs(wheel) < AT_REST:
        s[SLIP_L + side], s[TORQUE_L + side] = 0.0, 0.0
        return 0.0
    slip = equilibrium_slip(demand, soil[side])
    torque = soil[side, P0] + soil[side, P1] * (1.0 - math.exp(-abs(slip) / soil[side, P2]))
    load = rover[MASS] * c[GRAVITY] / 6.0  # [N] per wheel
    speed = max(1.0 - torque * load * rover[RADIUS] / (rover[STALL] * motor), SLOWEST)
    rim = wheel * speed * rover[FULL]  # [m] travelled by the rim
    sunk = rover[RADIUS] * math.exp(soil[side, ALPHA] + soil[side, BETA] * max(slip, 0.0))
    # Wheels dig with the travel of their rims but come up only as far as the rover really moves.
    travel = abs(rim) if sunk > s[SINK_L + side] else abs(rim * (1.0 - slip))
    s[SINK_L + side] += (sunk - s[SINK_L + side]) * min(travel / DIG_LENGTH, 1.0)
    s[SLIP_L + side], s[TORQUE_L + side] = slip, torque
    return rim * (1.0 - slip)


@compiled
def drive(s: Row, c: Row, motor: float, rover: Row, wheels: Row, soil: Coefficients) -> None:
    """Move the rover of state `s` by one step on the soils (2, 9) that `settle` found.

    `motor` is the gain of its drive motors, 1 for new ones that are warm.
    """
    steer = min(max(s[STEER] + c[BIAS], -1.0), 1.0)
    goal_l = min(max(s[DRIVE] - STEER_GAIN * steer, -1.0), 1.0)
    goal_r = min(max(s[DRIVE] + STEER_GAIN * steer, -1.0), 1.0)
    s[WHEEL_L] += min(max(goal_l - s[WHEEL_L], -RATE_LIMIT), RATE_LIMIT)
    s[WHEEL_R] += min(max(goal_r - s[WHEEL_R], -RATE_LIMIT), RATE_LIMIT)
    demand_l, demand_r = _demands(s, c, rover, soil)
    moved_l = _turn_wheels(0, demand_l, s, c, motor, rover, soil)
    moved_r = _turn_wheels(1, demand_r, s, c, motor, rover, soil)
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
