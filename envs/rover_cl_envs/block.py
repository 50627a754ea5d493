"""What the rovers of a block do side by side: they drive, stand, are fed, meet bodies and see their targets.

Each pass lays what it needs of them out in lanes (lanes.py), works on all lanes at once, and writes back
what has come of it. Rovers that begin anew in place of the step are left as they are.
"""

from __future__ import annotations

import numpy as np

from rover_cl_envs.bodies import BLIND, CLEANED, DEVILS
from rover_cl_envs.compiled import Row, compiled_within
from rover_cl_envs.driving import advance, alight, board
from rover_cl_envs.dynamics import DRIVE, MOTOR, STEER
from rover_cl_envs.energy import plug_in, shine, sky_lanes, spend, unplug, use_lanes
from rover_cl_envs.footing import WHEELS, corners, footing, stance
from rover_cl_envs.instruments import bearing_errors, bearings_err, turn_bearings
from rover_cl_envs.lanes import Body, Sides
from rover_cl_envs.power import stall_share
from rover_cl_envs.ring import RING_POINTS, find_ring
from rover_cl_envs.roaming import (
    call_back,
    devil_lanes,
    halt,
    let_loose,
    let_walk,
    martian_lanes,
    walk,
    whirl,
)
from rover_cl_envs.rows import (
    MAP,
    NEXT_STEP,
    RESTART,
    VEHICLE,
    Rovers,
    Rows,
    Setting,
    broken_by,
    conditions_of,
)
from rover_cl_envs.sensors import POWER_BLOCK, aim_lanes, measure, report, sight
from rover_cl_envs.settling import bear, bear_forms, has_forms, locate, look_down, mix, press, stand, tread


@compiled_within
def waits(i: int, rovers: Rovers, setting: Setting) -> bool:
    """Whether rover i's episode has ended and it begins anew in place of this step."""
    return setting.mode == NEXT_STEP and rovers.counters[i, RESTART] == 1


@compiled_within
def drive_some(
    first: int, last: int, actions: Rows, rovers: Rovers, setting: Setting, body: Body, sides: Sides
) -> None:
    """Drive rovers `first` to `last` - 1 as the actions (n, 2) bid."""
    count = last - first
    for k in range(count):
        i = first + k
        s, c, v = rovers.state[i], conditions_of(i, rovers), rovers.counters[i, VEHICLE]
        s[DRIVE] = min(max(actions[i, 0], -1.0), 1.0)
        s[STEER] = min(max(actions[i, 1], -1.0), 1.0)
        motor = c[MOTOR]
        if setting.blocks[POWER_BLOCK] >= 0:
            motor = np.float32(motor * stall_share(rovers.power[i]))
        board(k, count, s, c, motor, setting.rovers[v], setting.wheels[v], rovers.soil[i], body, sides)
    advance(count, body, sides)
    for k in range(count):
        if not waits(first + k, rovers, setting):
            alight(k, count, rovers.state[first + k], body, sides)


@compiled_within
def stand_some(first: int, last: int, rovers: Rovers, setting: Setting, body: Body) -> None:
    """Put them on the ground where they have been driven."""
    at, cells, on, count, formed = footing(), corners(), stance(), last - first, False
    for k in range(count):
        i = first + k
        s, c, v = rovers.state[i], conditions_of(i, rovers), rovers.counters[i, VEHICLE]
        heading = (body.cos[k], body.sin[k])
        tread(k, count, s, heading, c, setting.rovers[v], setting.wheels[v], at, on)
        formed = formed or has_forms(c, setting.words[0])
    locate(WHEELS * count, at)
    # In loops of their own: small loops run ahead into the next rover while this one waits for its map.
    for k in range(count):
        look_down(k, count, setting.words[rovers.counters[first + k, MAP]], 0, at, cells)
    bear(count, cells, at, on)
    if formed:
        for k in range(count):
            look_down(k, count, setting.words[rovers.counters[first + k, MAP]], 1, at, cells)
        bear_forms(count, cells, at, on)
        for k in range(count):
            i = first + k
            if not waits(i, rovers, setting):
                rover = setting.rovers[rovers.counters[i, VEHICLE]]
                press(k, count, conditions_of(i, rovers), rover, broken_by(i, rovers), at)
    mix(count, at, on)
    for k in range(count):
        i = first + k
        if not waits(i, rovers, setting):
            v = rovers.counters[i, VEHICLE]
            stand(k, count, rovers.state[i], setting.rovers[v], setting.soils[v], rovers.soil[i], on)
            body.tallest[k] = on.tallest[k]


@compiled_within
def feed_some(first: int, last: int, rovers: Rovers, setting: Setting, body: Body, sides: Sides) -> None:
    """Let the step's sun shine on them, and their batteries give what it takes."""
    sky, use, count = sky_lanes(), use_lanes(), last - first
    for k in range(count):
        i = first + k
        if not waits(i, rovers, setting):
            p, s, c = rovers.power[i], rovers.state[i], conditions_of(i, rovers)
            heading = (body.cos[k], body.sin[k])
            plant = setting.plants[rovers.counters[i, VEHICLE]]
            plug_in(k, p, s, heading, c, plant, rovers.generators[i], sky, use)
    shine(count, sky, setting.net_flux)
    spend(count, sides, sky, use)
    for k in range(count):
        if not waits(first + k, rovers, setting):
            unplug(k, rovers.power[first + k], sky, use)


@compiled_within
def roam_some(first: int, last: int, rovers: Rovers, setting: Setting, body: Body) -> None:
    """Move the bodies around them, and note what those do to them."""
    devils, martian, count = devil_lanes(), martian_lanes(), last - first
    for k in range(count):
        b, c = rovers.bodies[first + k], conditions_of(first + k, rovers)
        for slot in range(DEVILS):
            let_loose(slot * count + k, slot, body.x[k], body.y[k], b, c, devils)
        let_walk(k, b, c, martian)
    whirl(DEVILS * count, devils)
    walk(count, body, martian)
    for k in range(count):
        if not waits(first + k, rovers, setting):
            b, rover = rovers.bodies[first + k], setting.rovers[rovers.counters[first + k, VEHICLE]]
            b[BLIND] = b[CLEANED] = 0.0
            for slot in range(DEVILS):
                call_back(slot * count + k, slot, b, devils)
            body.struck[k] = 1.0 if halt(k, b, rover, martian) else 0.0


@compiled_within
def find_some(first: int, last: int, rovers: Rovers, setting: Setting, body: Body, numbers: Row) -> None:
    """Find the cells of their rings: the numbers (768,) of `ring.block_points`."""
    for k in range(last - first):
        words = setting.words[rovers.counters[first + k, MAP]]
        points = numbers[RING_POINTS * k : RING_POINTS * (k + 1)]
        find_ring(rovers.state[first + k], (body.cos[k], body.sin[k]), setting.ring, words, points)


@compiled_within
def sight_some(first: int, last: int, rovers: Rovers, body: Body, observations: Rows) -> None:
    """Write what they see of their targets.

    Draws where bearings are noisy, and so comes before `look`, which draws for the heights.
    """
    aim, count, erring = aim_lanes(), last - first, False
    for k in range(count):
        c = conditions_of(first + k, rovers)
        aim.error[k] = aim.error[count + k] = 0.0
        if bearings_err(c):
            aim.error[k], aim.error[count + k] = bearing_errors(c, rovers.generators[first + k])
            erring = True
        for target in range(2):
            sight(target * count + k, target, rovers.state[first + k], (body.cos[k], body.sin[k]), aim)
    measure(2 * count, aim)
    if erring:
        turn_bearings(2 * count, aim.error, aim.ahead, aim.left)
    for k in range(count):
        for target in range(2):
            report(target * count + k, target, aim, observations[first + k])
