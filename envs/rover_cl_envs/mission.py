"""What the rover is asked to do: the start, the reward by named terms, and how an episode ends."""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass, fields

import numpy as np
from numpy.typing import NDArray

from rover_cl_envs.compiled import Layers, Row, compiled
from rover_cl_envs.dynamics import (
    COVER,
    CRATERS,
    CRUST,
    OBSTACLE,
    PITCH,
    REWARDED,
    ROCKS,
    ROLL,
    SLIP_L,
    SLIP_R,
    STEP_LENGTH,
    STRENGTH,
    STUCK,
    TARGET_AX,
    TARGET_AY,
    TARGET_B,
    TARGET_BX,
    TARGET_BY,
    TARS,
    TO_GO,
    WHEEL_L,
    WHEEL_R,
    YAW,
    X,
    Y,
    cell_index,
    ground_pressure,
    has_forms,
    patch_share,
)
from rover_cl_envs.landforms import form_height, has_crust
from rover_cl_envs.randomness import uniform
from rover_cl_envs.terrain import CELL, PATCH, PATCH_UNIT, SIDE, rock_height
from rover_cl_envs.terrain import ROCK as ROCK_LAYER

OUTCOMES = ("running", "success", "embedded", "tipped", "rock", "wrong_target", "time_limit")
"""How an episode stands; the index is the code in `info["outcome"]`."""
RUNNING, SUCCESS, EMBEDDED, TIPPED, ROCK, WRONG_TARGET, TIME_LIMIT = range(len(OUTCOMES))

REWARD_TERMS = ("progress", "time", "slip", "reverse", "end")
"""Names of the terms that add up to the reward, in the order of `reward_terms`."""


@dataclass(frozen=True, kw_only=True)
class Mission:
    """Drive to the rewarded target and keep off the drift.

    Raises:
        ValueError: a field is not finite, or the distances do not fit together.
    """

    near: float = 6.0
    """least distance from the start to a target [m]"""
    far: float = 14.0
    """largest distance from the start to a target [m]"""
    reach: float = 1.0
    """a target counts as reached within this distance [m]"""
    apart: float = 4.0
    """least distance between the two targets [m]"""
    progress: float = 0.1
    """reward for coming nearer by one step of full drive"""
    time: float = -0.02
    """reward of every step"""
    slip: float = -0.05
    """reward per unit of slip above `slip_free`"""
    slip_free: float = 0.4
    """slip that costs nothing"""
    reverse: float = -0.02
    """reward of a step of full drive backward: the navigation cameras look ahead"""
    goal: float = 5.0
    """reward for reaching the rewarded target"""
    embedded: float = -4.0
    """reward for embedding: mean slip above 0.6 over two driven steps"""
    tipped: float = -5.0
    """reward for a tilt above 45 degrees"""
    rock: float = -3.0
    """reward for hitting a rock that the wheels can't climb"""
    wrong_target: float = -0.5
    """reward for touching the other target"""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not math.isfinite(value):
                raise ValueError(f"Mission.{field.name} is {value}, expected a finite number.")
        if not 0 < self.reach < self.near <= self.far:
            raise ValueError(
                f"Mission.reach, near, far are {self.reach}, {self.near}, {self.far}, "
                "expected 0 < reach < near <= far."
            )
        if not 2 * self.reach <= self.apart <= 2 * self.near:
            raise ValueError(
                f"Mission.apart is {self.apart}, expected a number from {2 * self.reach:g} "
                f"to {2 * self.near:g} (twice the reach to twice the near)."
            )

    def to_array(self) -> NDArray[np.float32]:
        """The fields as the kernel reads them, shape (14,)."""
        return np.array(astuple(self), dtype=np.float32)


# Columns of a mission row (14,), float32: Mission.to_array.
(NEAR, FAR, REACH, APART, PROGRESS, TIME, SLIP, SLIP_FREE, REVERSE, GOAL, EMBED, TIP, HIT, WRONG) = range(14)
STUCK_STEPS = 2  # driven steps of spinning after which a rover counts as embedded
TIP_GRADE = 1.0  # tangent of 45 degrees
TRIES = 64  # draws of a place before an unlucky one is taken
STEEP_START = 0.36  # grade of landforms, 20 degrees, on which nobody starts and no target lies
CLEAR = 4  # cells of free ground on each side of a start or a target: a rover's wheels, whatever its yaw


@compiled
def _is_even(forms: Layers, x: float, y: float, c: Row) -> bool:
    """Whether the ground up to one metre from x, y bears no crust that breaks, and isn't a steep wall."""
    if ground_pressure(c) > c[STRENGTH]:
        for i in range(-CLEAR, CLEAR + 1):
            for j in range(-CLEAR, CLEAR + 1):
                if has_crust(forms[cell_index(y + i * CELL), cell_index(x + j * CELL)], c[CRUST]):
                    return False
    reach = CLEAR * CELL
    craters, tars = c[CRATERS], c[TARS]
    rise_x = form_height(forms, x + reach, y, craters, 0.0, tars)
    rise_x -= form_height(forms, x - reach, y, craters, 0.0, tars)
    rise_y = form_height(forms, x, y + reach, craters, 0.0, tars)
    rise_y -= form_height(forms, x, y - reach, craters, 0.0, tars)
    return math.hypot(rise_x, rise_y) <= 2.0 * reach * STEEP_START


@compiled
def _is_clear(ground: Layers, forms: Layers, x: float, y: float, c: Row, climbed: float) -> bool:
    """Whether the ground up to one metre from x, y has no patch, and no rock higher than `climbed` [m].

    Where there are landforms, no crust that breaks and no steep wall either.
    """
    if has_forms(c, forms) and not _is_even(forms, x, y, c):
        return False
    column, row = math.floor(x / CELL), math.floor(y / CELL)
    for i in range(row - CLEAR, row + CLEAR + 1):
        for j in range(column - CLEAR, column + CLEAR + 1):
            iy, ix = i & (SIDE - 1), j & (SIDE - 1)
            if patch_share(ground[iy, ix, PATCH] * PATCH_UNIT, c[COVER]) > 0.0:
                return False
            if rock_height(ground[iy, ix, ROCK_LAYER], c[ROCKS]) > climbed:
                return False
    return True


@compiled
def _place_target(
    s: Row,
    c: Row,
    mission: Row,
    climbed: float,
    ground: Layers,
    forms: Layers,
    generator: NDArray[np.uint64],
    column: int,
) -> None:
    """Draw target A (column TARGET_AX) or B around the rover, on clear ground and apart from the other."""
    for _ in range(TRIES):
        distance = mission[NEAR] + (mission[FAR] - mission[NEAR]) * uniform(generator)
        bearing = 2.0 * math.pi * uniform(generator)
        s[column] = s[X] + distance * math.cos(bearing)
        s[column + 1] = s[Y] + distance * math.sin(bearing)
        gap = math.hypot(s[TARGET_BX] - s[TARGET_AX], s[TARGET_BY] - s[TARGET_AY])
        if column == TARGET_BX and gap < mission[APART]:
            continue
        if _is_clear(ground, forms, s[column], s[column + 1], c, climbed):
            return


@compiled
def begin(
    s: Row,
    c: Row,
    mission: Row,
    rover: Row,
    ground: Layers,
    forms: Layers,
    generator: NDArray[np.uint64],
) -> None:
    """Place the rover of state `s` (24,) and its two targets, and draw which target is rewarded."""
    for _ in range(TRIES):
        s[X], s[Y] = SIDE * CELL * uniform(generator), SIDE * CELL * uniform(generator)
        if _is_clear(ground, forms, s[X], s[Y], c, rover[OBSTACLE]):
            break
    s[YAW] = math.pi * (2.0 * uniform(generator) - 1.0)
    s[REWARDED] = 1.0 if uniform(generator) < c[TARGET_B] else 0.0
    _place_target(s, c, mission, rover[OBSTACLE], ground, forms, generator, TARGET_AX)
    _place_target(s, c, mission, rover[OBSTACLE], ground, forms, generator, TARGET_BX)
    s[TO_GO] = distance_to(s, s[REWARDED])


@compiled
def distance_to(s: Row, target: float) -> float:
    """Distance from the rover to target 0 (A) or 1 (B) [m]."""
    column = TARGET_AX + 2 * int(target)
    dx, dy = s[column] - s[X], s[column + 1] - s[Y]
    return math.sqrt(dx * dx + dy * dy)


@compiled
def judge(s: Row, mission: Row, rover: Row, tallest: float, terms: Row) -> int:
    """Reward terms (5,) of the step just made, and how the episode stands.

    Args:
        tallest: height of the tallest rock under a wheel [m].

    Returns:
        Code of the outcome; the time limit is not looked at here.
    """
    to_go = distance_to(s, s[REWARDED])
    terms[0] = mission[PROGRESS] * (s[TO_GO] - to_go) / STEP_LENGTH
    terms[1] = mission[TIME]
    terms[2] = mission[SLIP] * max(max(s[SLIP_L], s[SLIP_R]) - mission[SLIP_FREE], 0.0)
    terms[3] = mission[REVERSE] * max(-0.5 * (s[WHEEL_L] + s[WHEEL_R]), 0.0)
    terms[4] = 0.0
    s[TO_GO] = to_go
    if to_go < mission[REACH]:
        terms[4] = mission[GOAL]
        return SUCCESS
    if distance_to(s, 1.0 - s[REWARDED]) < mission[REACH]:
        terms[4] = mission[WRONG]
        return WRONG_TARGET
    if s[PITCH] * s[PITCH] + s[ROLL] * s[ROLL] > TIP_GRADE * TIP_GRADE:
        terms[4] = mission[TIP]
        return TIPPED
    if tallest > rover[OBSTACLE]:
        terms[4] = mission[HIT]
        return ROCK
    if s[STUCK] >= STUCK_STEPS:
        terms[4] = mission[EMBED]
        return EMBEDDED
    return RUNNING
