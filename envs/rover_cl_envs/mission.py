"""What the rover is asked to do: the start, the reward by named terms, and how an episode ends.

Five kinds of mission share one row of numbers. How the kinds other than "navigate" are judged is in
objectives.py.
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass, fields
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from rover_cl_envs.compiled import Row, compiled
from rover_cl_envs.dynamics import (
    FULL,
    OBSTACLE,
    PITCH,
    REWARDED,
    ROLL,
    SLIP_L,
    SLIP_R,
    STUCK,
    TARGET_AX,
    TIP_GRADE,
    TO_GO,
    WHEEL_L,
    WHEEL_R,
    X,
    Y,
)
from rover_cl_envs.errors import unknown_name

OUTCOMES = (
    "running",
    "success",
    "embedded",
    "tipped",
    "rock",
    "wrong_target",
    "time_limit",
    "spent",
    "struck",
    "power",
)
"""How an episode stands; the index is the code in `info["outcome"]`."""
RUNNING, SUCCESS, EMBEDDED, TIPPED, ROCK, WRONG_TARGET, TIME_LIMIT = range(7)
SPENT, STRUCK, POWER = range(7, len(OUTCOMES))

REWARD_TERMS = ("progress", "time", "slip", "reverse", "end", "hold", "waypoint", "energy", "contact")
"""Names of the terms that add up to the reward, in the order of `reward_terms`; those that a kind of mission
does not use are 0."""
BY_PROGRESS, BY_TIME, BY_SLIP, BY_REVERSE, BY_END, BY_HOLD, BY_WAYPOINT, BY_ENERGY, BY_CONTACT = range(
    len(REWARD_TERMS)
)

Kind = Literal["navigate", "image", "sample", "survive", "traverse"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""Kinds of missions; the index is the code in a mission row."""
NAVIGATE, IMAGE, SAMPLE, SURVIVE, TRAVERSE = range(len(KINDS))
_OWN_TERMS = {
    "image": ("hold",),
    "sample": ("hold", "contact"),
    "survive": ("energy",),
    "traverse": ("waypoint",),
}


@dataclass(frozen=True, kw_only=True)
class Mission:
    """A task for the rover, by default: drive to the rewarded target and keep off the drift.

    | kind | success | `progress` pays for coming nearer to |
    |---|---|---|
    | navigate | within `reach` of the rewarded target | it |
    | image | `hold` steps in a row on the ring `standoff_near` to `standoff_far` around it, heading for \
it | the ring, from either side |
    | sample | `hold` steps in a row at rest within `reach` of it | it |
    | survive | `duration` steps with the battery alive; needs the system "power" | nothing |
    | traverse | within `reach` of the last of `waypoints` | the next waypoint |

    Touching the other target ends "navigate"; in "sample" it costs `wrong_target` each time, and ends it if
    `wrong_ends`; in "traverse" it is the waypoint after the next; elsewhere it means nothing.

    Raises:
        ValueError: a field is not finite or out of range, or the distances do not fit together.
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
    """reward for a tilt above what the rover stands, 45 degrees"""
    rock: float = -3.0
    """reward for hitting a rock that the wheels can't climb"""
    wrong_target: float = -0.5
    """reward for touching the other target"""
    kind: Kind = "navigate"
    """what the rover is asked to do; the fields below that name a kind count for that kind alone"""
    struck: float = -4.0
    """reward for being touched by a body that must be avoided"""
    spent: float = -3.0
    """traverse: reward for an empty budget"""
    standoff_near: float = 3.0
    """image: least distance to the target [m]"""
    standoff_far: float = 5.0
    """image: largest distance to the target [m]"""
    facing: float = 0.35
    """image: largest angle between heading and target [rad]"""
    hold: int = 5
    """image and sample: steps in a row that make a success"""
    held: float = 0.2
    """image and sample: reward of each such step, taken back when the row breaks"""
    wrong_ends: bool = True
    """sample: whether touching the other target ends the episode"""
    duration: int = 150
    """survive: steps to be alive [steps]; at most the time limit"""
    energy: float = 2.0
    """survive: reward for a step's gain of charge, per full battery"""
    waypoints: int = 3
    """traverse: how many"""
    waypoint: float = 2.0
    """traverse: reward for each waypoint but the last, which pays `goal`"""
    step_budget: int = 0
    """traverse: steps after which an episode is spent [steps]; 0: no such budget"""
    energy_budget: float = 0.0
    """traverse: work of the wheels after which an episode is spent [J]; 0: no such budget"""
    power: float = -4.0
    """reward for an empty battery, where the system "power" is on"""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise unknown_name("mission", self.kind, KINDS)
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name != "kind" and not math.isfinite(value):
                raise ValueError(f"Mission.{field.name} is {value}, expected a finite number.")
        for name, (low, high) in _BOUNDS.items():
            if not low <= getattr(self, name) <= high:
                raise ValueError(
                    f"Mission.{name} is {getattr(self, name)}, expected a number from {low:g} to {high:g}."
                )
        if not self.standoff_near < self.standoff_far:
            raise ValueError(
                f"Mission.standoff_near, standoff_far are {self.standoff_near}, {self.standoff_far}, "
                "expected standoff_near < standoff_far."
            )
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
        """The fields as the kernel reads them, shape (30,); the kind is its index in `KINDS`."""
        values = [KINDS.index(v) if isinstance(v, str) else float(v) for v in astuple(self)]
        return np.array(values, dtype=np.float32)

    @property
    def reward_terms(self) -> tuple[str, ...]:
        """Names of the terms that a mission of this kind uses, of `REWARD_TERMS`."""
        return REWARD_TERMS[: BY_END + 1] + _OWN_TERMS.get(self.kind, ())


_BOUNDS = {
    "standoff_near": (0.5, 50.0),
    "standoff_far": (0.5, 50.0),
    "facing": (0.01, math.pi),
    "hold": (1, 1000),
    "duration": (1, 100_000),
    "waypoints": (1, 100),
    "step_budget": (0, 100_000),
    "energy_budget": (0.0, 1e9),
}
MISSIONS: dict[str, Mission] = {
    "navigate": Mission(),
    "image": Mission(kind="image"),
    "sample": Mission(kind="sample", hold=2, wrong_target=-2.0),
    "survive": Mission(kind="survive", time=0.0),
    "traverse": Mission(kind="traverse", step_budget=180),
}
"""A mission of each kind, to begin with."""

# Columns of a mission row (30,), float32: Mission.to_array.
(NEAR, FAR, REACH, APART, PROGRESS, TIME, SLIP, SLIP_FREE, REVERSE, GOAL, EMBED, TIP, HIT, WRONG) = range(14)
(KIND, STRIKE, EMPTY, STANDOFF_NEAR, STANDOFF_FAR, FACING, HOLD, HELD, WRONG_ENDS, DURATION) = range(14, 24)
ENERGY, WAYPOINTS, WAYPOINT, STEP_BUDGET, ENERGY_BUDGET, DRAINED = range(24, 30)
MISSION_ROW = 30
STUCK_STEPS = 2  # driven steps of spinning after which a rover counts as embedded


@compiled
def distance_to(s: Row, target: float) -> float:
    """Distance from the rover to target 0 (A) or 1 (B) [m]."""
    column = TARGET_AX + 2 * int(target)
    dx, dy = s[column] - s[X], s[column + 1] - s[Y]
    return math.sqrt(dx * dx + dy * dy)


@compiled
def driving_terms(s: Row, mission: Row, terms: Row) -> None:
    """Write what a step costs in any mission: time, slip and reverse."""
    terms[BY_TIME] = mission[TIME]
    terms[BY_SLIP] = mission[SLIP] * max(max(s[SLIP_L], s[SLIP_R]) - mission[SLIP_FREE], 0.0)
    terms[BY_REVERSE] = mission[REVERSE] * max(-0.5 * (s[WHEEL_L] + s[WHEEL_R]), 0.0)


@compiled
def mishap(s: Row, mission: Row, rover: Row, tallest: float, terms: Row) -> int:
    """Whether the ground ends the episode: the code of the outcome, and its reward in the terms."""
    if s[PITCH] * s[PITCH] + s[ROLL] * s[ROLL] > rover[TIP_GRADE] * rover[TIP_GRADE]:
        terms[BY_END] = mission[TIP]
        return TIPPED
    if tallest > rover[OBSTACLE]:
        terms[BY_END] = mission[HIT]
        return ROCK
    if s[STUCK] >= STUCK_STEPS:
        terms[BY_END] = mission[EMBED]
        return EMBEDDED
    return RUNNING


@compiled
def judge(s: Row, mission: Row, rover: Row, tallest: float, terms: Row) -> int:
    """Reward terms (9,), zero before, of the step just made under "navigate", and how the episode stands.

    Args:
        tallest: height of the tallest rock under a wheel [m].

    Returns:
        Code of the outcome; the time limit is not looked at here.
    """
    to_go = distance_to(s, s[REWARDED])
    terms[BY_PROGRESS] = mission[PROGRESS] * (s[TO_GO] - to_go) / rover[FULL]
    driving_terms(s, mission, terms)
    s[TO_GO] = to_go
    if to_go < mission[REACH]:
        terms[BY_END] = mission[GOAL]
        return SUCCESS
    if distance_to(s, 1.0 - s[REWARDED]) < mission[REACH]:
        terms[BY_END] = mission[WRONG]
        return WRONG_TARGET
    return mishap(s, mission, rover, tallest, terms)
