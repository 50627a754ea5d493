"""Instruments that err: what happens to an observation between the world and the rover.

| condition | what it changes | how a rover can tell |
|---|---|---|
| `bearing_bias`, `bearing_noise` | both targets' bearings | the target wanders as the rover drives at it |
| `height_bias`, `height_noise` | heights of the terrain ring | they disagree with pitch and roll |
| `odometry_gain` | ground covered, and slip, found from it | it disagrees with the targets' distances |
| `dark_bearings` | heights and albedo of whole bearings, from ahead outwards | they read 0 |

No number of the observation says that an instrument errs: by design it shows in inconsistency only. All sizes
are chosen. Pictures err likewise (camera.py).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rover_cl_envs.compiled import Row, compiled, compiled_within
from rover_cl_envs.dynamics import (
    AT_REST,
    BEARING_BIAS,
    BEARING_NOISE,
    DARK,
    HEIGHT_BIAS,
    HEIGHT_NOISE,
    ODOMETRY,
    WHEEL_L,
)
from rover_cl_envs.elementary import sin_cos
from rover_cl_envs.lanes import Lane
from rover_cl_envs.memory import scratch
from rover_cl_envs.randomness import COUNTER, KEY, normal, normal_at
from rover_cl_envs.ring import BEARINGS, RING, RING_POINTS, clip

HEIGHT_SCALE = 2.0  # of the ring's heights in the observation [1/m]
POINT_NUMBERS = 2 * RING_POINTS // BEARINGS  # numbers of one bearing of the ring
_errors = scratch(RING_POINTS, np.float64)


@compiled
def bearings_err(c: Row) -> bool:
    """Whether the targets' bearings err under conditions `c`."""
    return c[BEARING_BIAS] != 0.0 or c[BEARING_NOISE] > 0.0


@compiled
def bearing_errors(c: Row, generator: NDArray[np.uint64]) -> tuple[float, float]:
    """Errors of the bearings of A and of B [rad], to the left; draws only where there is noise."""
    bias, noise = c[BEARING_BIAS], c[BEARING_NOISE]
    if noise > 0.0:
        a, b = normal(generator), normal(generator)
        return bias + noise * a, bias + noise * b
    return bias, bias


@compiled_within
def turn_bearings(count: int, error: Lane, ahead: Lane, left: Lane) -> None:
    """Turn the cosines and sines of the first `count` lanes counter-clockwise, by their errors."""
    for i in range(count):
        sin, cos = sin_cos(error[i])
        on, off = float(np.float32(ahead[i])), float(np.float32(left[i]))  # as they would be told
        ahead[i], left[i] = cos * on - sin * off, sin * on + cos * off


@compiled
def heights_err(c: Row) -> bool:
    """Whether the heights of the ground do."""
    return c[HEIGHT_BIAS] != 0.0 or c[HEIGHT_NOISE] > 0.0


@compiled_within
def shift_heights(c: Row, generator: NDArray[np.uint64], heights: Row) -> None:
    """Add bias and noise to the heights of the ring (24,), as observed; draws only where there is noise."""
    if not heights_err(c):
        return
    bias, noise = c[HEIGHT_BIAS], c[HEIGHT_NOISE]
    errors = _errors()
    for p in range(RING_POINTS):
        errors[p] = bias
    if noise > 0.0:
        key, drawn = generator[KEY], generator[COUNTER]
        for p in range(RING_POINTS):
            errors[p] = bias + noise * normal_at(key, drawn + np.uint64(p + 1))
        generator[COUNTER] = drawn + np.uint64(RING_POINTS)
    for p in range(RING_POINTS):
        heights[p] = clip(heights[p] + HEIGHT_SCALE * errors[p])


@compiled
def dark_count(c: Row) -> int:
    """How many bearings of the ring are dark."""
    return int(c[DARK] + 1e-3)


@compiled
def dark_bearing(k: int) -> int:
    """The bearing of the ring that is dark as number k, from ahead outwards: 0, 1, 7, 2, 6, 3, 5, 4."""
    return (k + 1) // 2 if k % 2 == 1 else (BEARINGS - k // 2) % BEARINGS


@compiled
def distort(s: Row, c: Row, out: Row) -> None:
    """Scale the odometry, and blank the ring's dark bearings, in the observation `out` (80,)."""
    if c[ODOMETRY] != 1.0:
        out[14] = clip(out[14] * c[ODOMETRY])
        for side in range(2):
            if abs(s[WHEEL_L + side]) >= AT_REST:
                out[8 + side] = 1.0 - c[ODOMETRY] * (1.0 - out[8 + side])
    for k in range(dark_count(c)):
        at = RING + POINT_NUMBERS * dark_bearing(k)
        out[at : at + POINT_NUMBERS] = 0.0
