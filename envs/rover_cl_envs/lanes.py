"""Lanes: numbers of rovers that are stepped side by side, an array for each, with a place for each rover."""

from __future__ import annotations

import numpy as np

from rover_cl_envs.compiled import Coefficients, Row, compiled
from rover_cl_envs.dynamics import YAW
from rover_cl_envs.elementary import sin_cos
from rover_cl_envs.memory import scratch

LANES = 32
"""Rovers that are stepped side by side, at most."""
Lane = Coefficients
"""One number of each rover (LANES,), or of several parts of each, such as its sides."""
lane = scratch(LANES, np.float64)
"""A lane on the stack of the kernel that asks for it."""
Heading = tuple[float, float]
"""Cosine and sine of a yaw."""


@compiled
def heading_of(s: Row) -> Heading:
    """Cosine and sine of the yaw of the state `s` (24,)."""
    sin, cos = sin_cos(float(s[YAW]))
    return cos, sin
