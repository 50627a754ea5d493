"""Lanes: numbers of rovers that are stepped side by side, an array for each, with a place for each rover.

Or, of what its two sides have of their own, with a place for each side, the left sides of all and then the
right ones.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rover_cl_envs.compiled import Coefficients, Row, compiled, compiled_within
from rover_cl_envs.dynamics import YAW
from rover_cl_envs.elementary import sin_cos
from rover_cl_envs.memory import scratch

LANES = 32
"""Rovers that are stepped side by side, at most."""
Lane = Coefficients
"""One number of each rover (LANES,), or of several parts of each, such as its sides."""
lane, _pair = scratch(LANES, np.float64), scratch(2 * LANES, np.float64)
"""A lane on the stack of the kernel that asks for it, and one for both sides."""
Heading = tuple[float, float]
"""Cosine and sine of a yaw."""


@compiled
def heading_of(s: Row) -> Heading:
    """Cosine and sine of the yaw of the state `s` (24,)."""
    sin, cos = sin_cos(float(s[YAW]))
    return cos, sin


class Body(NamedTuple):
    """What a rover has once."""

    x: Lane
    y: Lane
    """[m]"""
    yaw: Lane
    """[rad]"""
    roll: Lane
    """tangent"""
    track: Lane
    """[m]"""
    pull_ahead: Lane
    pull_back: Lane
    """yaw per metre that dead wheels cause, to the left, when it drives ahead and back [rad/m]"""
    ahead: Lane
    turned: Lane
    """what the step brings [m] and [rad]"""
    cos: Lane
    sin: Lane
    """of the yaw that it ends with"""
    tallest: Lane
    """height of the tallest rock under a wheel, which settling finds [m]"""
    struck: Lane
    """1 where a body that must be avoided touches it"""


class Sides(NamedTuple):
    """What each of a rover's sides has."""

    goal: Lane
    """wheel speed that is asked for, in shares of top speed"""
    wheel: Lane
    """that it has"""
    slip: Lane
    sinkage: Lane
    """[m]"""
    torque: Lane
    """over load times radius"""
    pitch: Lane
    """tangent"""
    grip: Lane
    """share of its wheels that pull"""
    drag: Lane
    """of dead ones, over `DRAG`"""
    radius: Lane
    """[m]"""
    load: Lane
    """per wheel [N]"""
    stall: Lane
    """torque [N m]"""
    full: Lane
    """travel of the rim in a step at top speed [m]"""
    need: Lane
    """traction coefficient that it needs on its own; then that which the soil must give, rolling included"""
    search: Lane
    """state of the search for the slip"""
    moved: Lane
    """ground covered in the step [m]"""
    a: Lane
    b: Lane
    c: Lane
    d: Lane
    alpha: Lane
    beta: Lane
    p0: Lane
    p1: Lane
    p2: Lane
    """coefficients of the soil, equations (1) to (3) of soil.py"""
    per_b: Lane
    """one over b"""


@compiled_within
def body_lanes() -> Body:
    """Lanes on the stack of the kernel that asks for them, not yet written."""
    return Body(
        *(lane(), lane(), lane(), lane(), lane(), lane()),
        *(lane(), lane(), lane(), lane(), lane(), lane(), lane()),
    )


@compiled_within
def side_lanes() -> Sides:
    """Likewise, of both sides."""
    return Sides(
        *(_pair(), _pair(), _pair(), _pair(), _pair(), _pair(), _pair(), _pair()),
        *(_pair(), _pair(), _pair(), _pair(), _pair(), _pair(), _pair(), _pair()),
        *(_pair(), _pair(), _pair(), _pair(), _pair(), _pair(), _pair(), _pair(), _pair()),
    )
