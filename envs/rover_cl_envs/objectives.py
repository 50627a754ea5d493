"""How each kind of mission but "navigate" is judged, and what the rover is told of its mission.

The block "mission" of the observation (10 numbers):

| number | what | scale |
|---|---|---|
| 0-4 | kind of the mission, one-hot: navigate, image, sample, survive, traverse | 1 |
| 5 | image, sample: steps held in a row over those that make a success | 1 |
| 6 | traverse: waypoints left over those of the mission | 1 |
| 7 | image: distance to the ring of the stand-off, above 0 too far, below 0 too near | 5 m |
| 8 | survive, traverse: what is left of the time or of the budget that ends first | 1 |
| 9 | navigate, sample: reward for touching the other target | 5 |

What a kind does not use reads 0. All functions work on one rover's rows.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from rover_cl_envs.compiled import Row, Words, compiled
from rover_cl_envs.dynamics import (
    AT_REST,
    FULL,
    GRAVITY,
    MASS,
    REWARDED,
    SIXTH,
    TARGET_AX,
    TO_GO,
    TORQUE_L,
    TORQUE_R,
    WHEEL_L,
    WHEEL_R,
    YAW,
    X,
    Y,
)
from rover_cl_envs.mission import (
    BY_CONTACT,
    BY_END,
    BY_ENERGY,
    BY_HOLD,
    BY_PROGRESS,
    BY_WAYPOINT,
    DURATION,
    EMPTY,
    ENERGY,
    ENERGY_BUDGET,
    FACING,
    GOAL,
    HELD,
    HOLD,
    IMAGE,
    KIND,
    KINDS,
    NAVIGATE,
    REACH,
    RUNNING,
    SAMPLE,
    SPENT,
    STANDOFF_FAR,
    STANDOFF_NEAR,
    STEP_BUDGET,
    SUCCESS,
    SURVIVE,
    TRAVERSE,
    WAYPOINT,
    WAYPOINTS,
    WRONG,
    WRONG_ENDS,
    WRONG_TARGET,
    distance_to,
    driving_terms,
    mishap,
)
from rover_cl_envs.mission import PROGRESS as NEARER
from rover_cl_envs.placement import place_target

STREAK, WAYPOINTS_LEFT, WORK, TOUCHING = range(4)
"""Columns of a progress row (4,), float32: steps held in a row; waypoints still to reach; work that the
wheels did [J]; 1 while the other target is touched."""
PROGRESS = 4
"""Columns of a progress row."""
STANDOFF_SCALE = 5.0  # [m]
SIZE = len(KINDS) + 5  # of the block


@compiled
def _standoff_error(s: Row, mission: Row) -> float:
    """Distance to the ring of the stand-off [m]: above 0 outside of it, below 0 within."""
    distance = distance_to(s, s[REWARDED])
    return max(distance - mission[STANDOFF_FAR], 0.0) - max(mission[STANDOFF_NEAR] - distance, 0.0)


@compiled
def _faces(s: Row, angle: float) -> bool:
    """Whether the rewarded target lies within that angle of the heading."""
    column = TARGET_AX + 2 * int(s[REWARDED])
    dx, dy = s[column] - s[X], s[column + 1] - s[Y]
    return math.cos(s[YAW]) * dx + math.sin(s[YAW]) * dy >= math.cos(angle) * math.sqrt(dx * dx + dy * dy)


@compiled
def _place_waypoint(
    s: Row,
    c: Row,
    mission: Row,
    rover: Row,
    words: Words,
    generator: NDArray[np.uint64],
    target: float,
) -> None:
    """Draw target 0 (A) or 1 (B) around the other one, on clear ground: the waypoint after the next."""
    column, other = TARGET_AX + 2 * int(target), TARGET_AX + 2 * int(1.0 - target)
    place_target(s, column, other, 0.0, c, mission, rover, words, generator)


@compiled
def prepare(
    s: Row,
    c: Row,
    progress: Row,
    mission: Row,
    rover: Row,
    words: Words,
    generator: NDArray[np.uint64],
) -> None:
    """Begin a mission of another kind than "navigate", after `placement.begin` has placed all."""
    progress[:] = 0.0
    if mission[KIND] == IMAGE:
        s[TO_GO] = abs(_standoff_error(s, mission))
    elif mission[KIND] == TRAVERSE:
        progress[WAYPOINTS_LEFT] = mission[WAYPOINTS]
        _place_waypoint(s, c, mission, rover, words, generator, 1.0 - s[REWARDED])


@compiled
def assess(
    s: Row,
    c: Row,
    progress: Row,
    gained: float,
    mission: Row,
    rover: Row,
    tallest: float,
    step: int,
    words: Words,
    generator: NDArray[np.uint64],
    terms: Row,
) -> int:
    """Reward terms (9,), zero before, of the step just made, and how the episode stands.

    `mission.judge` for the other kinds of mission.

    Args:
        gained: charge gained in the step, in shares of a full battery.
        tallest: height of the tallest rock under a wheel [m].
        step: steps of the episode, this one included.

    Returns:
        Code of the outcome; the time limit is not looked at here.
    """
    driving_terms(s, mission, terms)
    if mission[KIND] == IMAGE:
        code = _judge_image(s, progress, mission, rover, terms)
    elif mission[KIND] == SAMPLE:
        code = _judge_sample(s, progress, mission, rover, terms)
    elif mission[KIND] == SURVIVE:
        terms[BY_ENERGY] = mission[ENERGY] * gained
        code = RUNNING
    else:
        code = _judge_waypoint(s, c, progress, mission, rover, words, generator, terms)
    if code == RUNNING:
        code = mishap(s, mission, rover, tallest, terms)
    if code != RUNNING:
        return code
    if _is_spent(progress, mission, step):
        terms[BY_END] = mission[EMPTY]
        return SPENT
    if mission[KIND] == SURVIVE and step >= mission[DURATION]:
        terms[BY_END] = mission[GOAL]
        return SUCCESS
    return RUNNING


@compiled
def _come_nearer(s: Row, to_go: float, mission: Row, rover: Row, terms: Row) -> None:
    """Pay for what is left to go having become less."""
    terms[BY_PROGRESS] = mission[NEARER] * (s[TO_GO] - to_go) / rover[FULL]
    s[TO_GO] = to_go


@compiled
def _count_held(holds: bool, progress: Row, mission: Row, terms: Row) -> int:
    """Count a step that is held, or begin the row anew; what was paid for a broken row is taken back."""
    before = progress[STREAK]
    progress[STREAK] = before + 1.0 if holds else 0.0
    terms[BY_HOLD] = mission[HELD] * (progress[STREAK] - before)
    if progress[STREAK] >= mission[HOLD]:
        terms[BY_END] = mission[GOAL]
        return SUCCESS
    return RUNNING


@compiled
def _judge_image(s: Row, progress: Row, mission: Row, rover: Row, terms: Row) -> int:
    error = _standoff_error(s, mission)
    _come_nearer(s, abs(error), mission, rover, terms)
    return _count_held(error == 0.0 and _faces(s, mission[FACING]), progress, mission, terms)


@compiled
def _judge_sample(s: Row, progress: Row, mission: Row, rover: Row, terms: Row) -> int:
    distance = distance_to(s, s[REWARDED])
    _come_nearer(s, distance, mission, rover, terms)
    rests = abs(s[WHEEL_L]) < AT_REST and abs(s[WHEEL_R]) < AT_REST
    if _count_held(rests and distance < mission[REACH], progress, mission, terms) == SUCCESS:
        return SUCCESS
    touches = distance_to(s, 1.0 - s[REWARDED]) < mission[REACH]
    touched, progress[TOUCHING] = progress[TOUCHING], 1.0 if touches else 0.0
    if not touches or touched == 1.0:
        return RUNNING
    if mission[WRONG_ENDS] == 1.0:
        terms[BY_END] = mission[WRONG]
        return WRONG_TARGET
    terms[BY_CONTACT] = mission[WRONG]
    return RUNNING


@compiled
def _judge_waypoint(
    s: Row,
    c: Row,
    progress: Row,
    mission: Row,
    rover: Row,
    words: Words,
    generator: NDArray[np.uint64],
    terms: Row,
) -> int:
    """Judge a step of a traverse; a reached waypoint makes room for the next one."""
    load = rover[MASS] * c[GRAVITY] * SIXTH  # [N] per wheel
    effort = s[TORQUE_L] * abs(s[WHEEL_L]) + s[TORQUE_R] * abs(s[WHEEL_R])
    progress[WORK] += 3.0 * load * rover[FULL] * effort  # three wheels a side, at the speed asked for
    _come_nearer(s, distance_to(s, s[REWARDED]), mission, rover, terms)
    if s[TO_GO] >= mission[REACH]:
        return RUNNING
    progress[WAYPOINTS_LEFT] -= 1.0
    if progress[WAYPOINTS_LEFT] <= 0.0:
        terms[BY_END] = mission[GOAL]
        return SUCCESS
    terms[BY_WAYPOINT] = mission[WAYPOINT]
    column, after = TARGET_AX + 2 * int(s[REWARDED]), TARGET_AX + 2 * int(1.0 - s[REWARDED])
    s[column], s[column + 1] = s[after], s[after + 1]
    _place_waypoint(s, c, mission, rover, words, generator, 1.0 - s[REWARDED])
    s[TO_GO] = distance_to(s, s[REWARDED])
    return RUNNING


@compiled
def _left(progress: Row, mission: Row, step: int) -> float:
    """What is left, 1 to 0, of the time to survive or of the budget of a traverse that ends first."""
    if mission[KIND] == SURVIVE:
        return 1.0 - step / mission[DURATION]
    left = 1.0
    if mission[STEP_BUDGET] > 0.0:
        left = 1.0 - step / mission[STEP_BUDGET]
    if mission[ENERGY_BUDGET] > 0.0:
        left = min(left, 1.0 - progress[WORK] / mission[ENERGY_BUDGET])
    return max(left, 0.0)


@compiled
def _is_spent(progress: Row, mission: Row, step: int) -> bool:
    return mission[KIND] == TRAVERSE and _left(progress, mission, step) <= 0.0


@compiled
def tell(s: Row, progress: Row, mission: Row, step: int, out: Row) -> None:
    """Write the block "mission" into `out` (10,); `step` is that of the episode."""
    kind = int(mission[KIND])
    for k in range(SIZE):
        out[k] = 0.0
    out[kind] = 1.0
    rest = out[len(KINDS) :]
    if kind in (IMAGE, SAMPLE):
        rest[0] = progress[STREAK] / mission[HOLD]
    if kind == TRAVERSE:
        rest[1] = progress[WAYPOINTS_LEFT] / mission[WAYPOINTS]
    if kind == IMAGE:
        rest[2] = min(_standoff_error(s, mission) / STANDOFF_SCALE, 5.0)
    if kind in (SURVIVE, TRAVERSE):
        rest[3] = _left(progress, mission, step)
    if kind in (NAVIGATE, SAMPLE):
        rest[4] = min(max(mission[WRONG] / 5.0, -5.0), 5.0)
