"""The physics of one control step, for rovers side by side: quasi-static driving on soft ground.

A rover at 5 cm/s has a Froude number v^2 / (g L) of 5e-4, so inertia plays no part: each step solves
for the slip at which the soil carries the load, and moves accordingly. A step is 5 s, 0.25 m at full
drive of MER. Lengths in metres, angles in radians.

What a step needs of a rover is laid out in lanes (lanes.py). Rovers `board`,
`advance` together in loops that become vector code, and `alight`: two fifths of the time that it took to
drive one after the other. What such a loop calls has no way out in its middle, and is compiled into it.

Sources: soils in soil.py; wheel faults after Spirit (sol 779 on: right front wheel dead, dragged, and the
rover turning clockwise when driven forward).
"""

from __future__ import annotations

import math

import numpy as np

from rover_cl_envs.compiled import Coefficients, Row, compiled, compiled_within
from rover_cl_envs.dynamics import (
    AHEAD,
    AT_REST,
    BIAS,
    DIG_LENGTH,
    DIG_RESISTANCE,
    DRAG,
    DRIVE,
    FULL,
    GRAVITY,
    HEALTH,
    MASS,
    PITCH,
    PULL,
    PULL_TRACK,
    RADIUS,
    RATE_LIMIT,
    ROLL,
    SHARED_LOAD,
    SIDE_SLIDE,
    SINK_L,
    SIXTH,
    SLIP_L,
    SLIP_R,
    SLOWEST,
    STALL,
    STEER,
    STEER_GAIN,
    STUCK,
    STUCK_SLIP,
    THIRD,
    TORQUE_L,
    TRACK,
    TRAILING_PULL,
    TURN_SHARE,
    TURNED,
    WHEEL_DRAG,
    WHEEL_L,
    WHEEL_R,
    YAW,
    X,
    Y,
)
from rover_cl_envs.elementary import exp, sin_cos
from rover_cl_envs.lanes import Body, Sides
from rover_cl_envs.soil import (
    ALPHA,
    BETA,
    P0,
    P1,
    P2,
    SEARCH_STEPS,
    SEARCHING,
    A,
    B,
    C,
    D,
    first_slip,
    nearer_slip,
    nearness,
    slip_found,
)


@compiled_within
def board(
    i: int,
    count: int,
    s: Row,
    c: Row,
    motor: float,
    rover: Row,
    wheels: Row,
    soil: Coefficients,
    body: Body,
    sides: Sides,
) -> None:
    """Write a rover's numbers into lane i of `count`.

    Args:
        i: lane.
        count: lanes that are used.
        s: state (24,).
        c: conditions.
        motor: gain of its drive motors, 1 for new ones that are warm.
        rover: description (9,).
        wheels: positions (6, 2) [m].
        soil: coefficients (2, 9) that settling found under each side.
        body: lanes.
        sides: likewise.
    """
    body.x[i], body.y[i], body.yaw[i], body.roll[i] = s[X], s[Y], s[YAW], s[ROLL]
    body.track[i] = rover[TRACK]
    felt = c[WHEEL_DRAG] * (PULL_TRACK / rover[TRACK])  # share of that pull
    body.pull_ahead[i], body.pull_back[i] = felt * _pull(c, wheels, 1.0), felt * _pull(c, wheels, -1.0)
    steer = STEER_GAIN * min(max(s[STEER] + c[BIAS], -1.0), 1.0)
    _board_side(i, 0, s[DRIVE] - steer, s, c, motor, rover, soil, sides)
    _board_side(count + i, 1, s[DRIVE] + steer, s, c, motor, rover, soil, sides)


@compiled_within
def _board_side(
    i: int,
    which: int,
    goal: float,
    s: Row,
    c: Row,
    motor: float,
    rover: Row,
    soil: Coefficients,
    sides: Sides,
) -> None:
    sides.goal[i], sides.wheel[i] = goal, s[WHEEL_L + which]
    sides.slip[i], sides.sinkage[i] = s[SLIP_L + which], s[SINK_L + which]
    sides.pitch[i], sides.drag[i] = s[PITCH], c[WHEEL_DRAG]
    sides.grip[i] = (c[HEALTH + 3 * which] + c[HEALTH + 3 * which + 1] + c[HEALTH + 3 * which + 2]) * THIRD
    sides.radius[i], sides.full[i] = rover[RADIUS], rover[FULL]
    sides.load[i], sides.stall[i] = rover[MASS] * c[GRAVITY] * SIXTH, rover[STALL] * motor
    sides.a[i], sides.b[i], sides.c[i], sides.d[i] = (
        soil[which, A],
        soil[which, B],
        soil[which, C],
        soil[which, D],
    )
    sides.alpha[i], sides.beta[i] = soil[which, ALPHA], soil[which, BETA]
    sides.p0[i], sides.p1[i], sides.p2[i] = soil[which, P0], soil[which, P1], soil[which, P2]


@compiled
def _pull(c: Row, wheels: Row, ahead: float) -> float:
    """Yaw per metre driven that dead wheels cause on MER's track if they are dragged in full [rad/m].

    Positive to the left; `ahead` is 1 or -1.

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
    return pull


@compiled_within
def advance(count: int, body: Body, sides: Sides) -> None:
    """Drive the rovers of the first `count` lanes for one step."""
    _turn_wheels(2 * count, sides)
    _share_load(count, sides)
    _find_slip(2 * count, sides)
    _dig(2 * count, sides)
    _move(count, body, sides)


@compiled_within
def _turn_wheels(count: int, sides: Sides) -> None:
    """Wheel speeds, and the traction that each side needs on its own.

    A dead wheel neither pulls its share nor rolls: it is dragged, unless it is free to roll.
    """
    for i in range(count):
        wheel = sides.wheel[i]
        wheel += min(max(min(max(sides.goal[i], -1.0), 1.0) - wheel, -RATE_LIMIT), RATE_LIMIT)
        direction = 1.0 if wheel >= 0.0 else -1.0
        settled = exp(sides.alpha[i] + sides.beta[i] * max(sides.slip[i], 0.0))
        dug = max(sides.sinkage[i] / sides.radius[i] - settled, 0.0)
        dragged = (1.0 - sides.grip[i]) * DRAG * sides.drag[i]
        sides.wheel[i] = wheel
        sides.need[i] = direction * sides.pitch[i] + dragged + DIG_RESISTANCE * dug
        sides.grip[i] = max(sides.grip[i], 0.05)


@compiled_within
def _share_load(count: int, sides: Sides) -> None:
    """What the soil must give: the stiff body carries `SHARED_LOAD` of what one side lacks to the other."""
    for i in range(count):
        j, own = count + i, 1.0 - SHARED_LOAD
        left, right, grip_l, grip_r = sides.need[i], sides.need[j], sides.grip[i], sides.grip[j]
        shared = SHARED_LOAD * (left + right) / (grip_l + grip_r)
        sides.need[i] = shared + own * left / grip_l + sides.c[i]
        sides.need[j] = shared + own * right / grip_r + sides.c[j]


@compiled_within
def _find_slip(count: int, sides: Sides) -> None:
    """The slip at which the soil gives what is needed, as `soil.equilibrium_slip`."""
    for i in range(count):
        sides.slip[i], sides.search[i] = first_slip(sides.need[i], sides.a[i], sides.b[i])
        sides.per_b[i] = 1.0 / sides.b[i]
    for step in range(SEARCH_STEPS):
        searching = 0
        for i in range(count):
            slip, search = nearer_slip(
                sides.need[i],
                sides.slip[i],
                sides.search[i],
                nearness(step),
                sides.a[i],
                sides.per_b[i],
                sides.d[i],
            )
            sides.slip[i], sides.search[i] = slip, search
            searching += 1 if search == SEARCHING else 0
        if searching == 0:
            break
    for i in range(count):
        sides.slip[i] = slip_found(sides.need[i], sides.slip[i], sides.search[i], sides.a[i], sides.per_b[i])


@compiled_within
def _dig(count: int, sides: Sides) -> None:
    """Torque, sinkage, ground covered; a wheel at rest has neither slip nor torque, and stays as deep."""
    for i in range(count):
        slip, wheel, radius, deep = sides.slip[i], sides.wheel[i], sides.radius[i], sides.sinkage[i]
        torque = sides.p0[i] + sides.p1[i] * (1.0 - exp(-abs(slip) / sides.p2[i]))
        speed = max(1.0 - torque * sides.load[i] * radius / sides.stall[i], SLOWEST)
        rim = wheel * speed * sides.full[i]  # [m] travelled by the rim
        sunk = radius * exp(sides.alpha[i] + sides.beta[i] * max(slip, 0.0))
        # Wheels dig with the travel of their rims but come up only as far as the rover really moves.
        travel = abs(rim) if sunk > deep else abs(rim * (1.0 - slip))
        dug = deep + (sunk - deep) * min(travel / DIG_LENGTH, 1.0)
        rests = abs(wheel) < AT_REST
        sides.slip[i], sides.torque[i] = 0.0 if rests else slip, 0.0 if rests else torque
        sides.sinkage[i] = deep if rests else dug
        sides.moved[i] = 0.0 if rests else rim * (1.0 - slip)


@compiled_within
def _move(count: int, body: Body, sides: Sides) -> None:
    """Where the rovers get to, along an arc; across a slope they slide."""
    for i in range(count):
        ahead = (sides.moved[i] + sides.moved[count + i]) / 2.0
        pull = body.pull_ahead[i] if ahead > 0.0 else body.pull_back[i]
        turn = TURN_SHARE * (sides.moved[count + i] - sides.moved[i]) / body.track[i] + pull * ahead
        slide = -SIDE_SLIDE * body.roll[i] * abs(ahead)
        sin, cos = sin_cos(body.yaw[i] + turn / 2.0)
        body.x[i] = float(np.float32(body.x[i] + (ahead * cos - slide * sin)))
        body.y[i] = float(np.float32(body.y[i] + (ahead * sin + slide * cos)))
        yaw = body.yaw[i] + turn
        yaw = yaw - 2.0 * math.pi if yaw > math.pi else yaw
        yaw = yaw + 2.0 * math.pi if yaw < -math.pi else yaw
        kept = float(np.float32(yaw))  # as the state has it
        body.yaw[i], body.ahead[i], body.turned[i] = kept, ahead, turn
        body.sin[i], body.cos[i] = sin_cos(kept)


@compiled_within
def alight(i: int, count: int, s: Row, body: Body, sides: Sides) -> None:
    """Write what the step has brought the rover of lane i of `count` into its state (24,)."""
    s[X], s[Y], s[YAW] = body.x[i], body.y[i], body.yaw[i]
    s[AHEAD], s[TURNED] = body.ahead[i], body.turned[i]
    _alight_side(i, 0, s, sides)
    _alight_side(count + i, 1, s, sides)
    if s[SLIP_L] + s[SLIP_R] > 2.0 * STUCK_SLIP:
        s[STUCK] += 1.0
    elif max(abs(s[WHEEL_L]), abs(s[WHEEL_R])) >= AT_REST:  # a pause in between frees nobody
        s[STUCK] = 0.0


@compiled_within
def _alight_side(i: int, which: int, s: Row, sides: Sides) -> None:
    s[WHEEL_L + which], s[SLIP_L + which] = sides.wheel[i], sides.slip[i]
    s[SINK_L + which], s[TORQUE_L + which] = sides.sinkage[i], sides.torque[i]
