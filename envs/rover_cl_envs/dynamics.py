"""Constants of the driving physics, and the columns of the rows of state, conditions and vehicle.

The physics itself is in driving.py.
"""

from __future__ import annotations

import numpy as np

from rover_cl_envs.rovers import STEP_SECONDS as STEP_SECONDS

STEP_LENGTH = 0.25  # travel of MER per step at full drive on bedrock [m]
STEER_GAIN = 0.8  # difference of wheel speeds at full steer, in shares of top speed
TURN_SHARE = 0.8  # yaw rate over that of an ideal differential drive: the wheels scuff
RATE_LIMIT = 1.0  # largest change of a wheel speed per step, in shares of top speed
SHARED_LOAD = 0.9  # share of a side's missing traction that the stiff body carries over
DRAG = 0.5  # friction coefficient of a dead wheel dragged along
PULL = 1.6  # yaw per metre of a fully dead leading wheel of MER; a wider rover turns less [rad/m]
PULL_TRACK = float(np.float32(1.06))  # MER's [m], as its row has it: its yaw is scaled by 1 exactly
TRAILING_PULL = 0.05  # the same where the wheel trails, in shares of PULL
THIRD, SIXTH = 1.0 / 3.0, 1.0 / 6.0  # a wheel's share of its side, and of the rover
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
