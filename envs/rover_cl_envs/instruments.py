"""Instruments that err: what happens to an observation between the world and the rover.

| condition | what it changes | how a rover can tell |
|---|---|---|
| `bearing_bias`, `bearing_noise` | both targets' bearings | the target wanders as the rover drives at it |
| `height_bias`, `height_noise` | heights of the terrain ring | they disagree with pitch and roll |
| `odometry_gain` | ground covered, and slip, found from it | it disagrees with the targets' distances |
| `dark_bearings` | heights and albedo of whole bearings, from ahead outwards | they read 0 |

No number of the observation says that an instrument errs: by design it shows in inconsistency only. All sizes
are chosen.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rover_cl_envs.compiled import Row, compiled
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
from rover_cl_envs.memory import scratch
from rover_cl_envs.randomness import COUNTER, KEY, normal, normal_at
from rover_cl_envs.ring import BEARINGS, LIMIT, RING, RING_POINTS

HEIGHT_SCALE = 2.0  # of the ring's heights in the observation [1/m]
_errors = scratch(RING_POINTS, np.float64)
POINT_NUMBERS = 2 * RING_POINTS // BEARINGS  # numbers of one bearing of the ring


@compiled
def err(c: Row) -> bool:
    """Whether any instrument errs."""
    biased = c[BEARING_BIAS] != 0.0 or c[HEIGHT_BIAS] != 0.0 or c[ODOMETRY] != 1.0
    return biased or c[HEIGHT_NOISE] > 0.0 or c[BEARING_NOISE] > 0.0 or c[DARK] >= 1.0


@compiled
def distort(s: Row, c: Row, generator: NDArray[np.uint64], out: Row) -> None:
    """Change the observation `out` (80,) as the instruments do; draws only where there is noise."""
    if c[ODOMETRY] != 1.0:
        out[14] = min(max(out[14] * c[ODOMETRY], -LIMIT), LIMIT)
        for side in range(2):
            if abs(s[WHEEL_L + side]) >= AT_REST:
                out[8 + side] = 1.0 - c[ODOMETRY] * (1.0 - out[8 + side])
    if c[BEARING_BIAS] != 0.0 or c[BEARING_NOISE] > 0.0:
        noise_a, noise_b = 0.0, 0.0
        if c[BEARING_NOISE] > 0.0:
            noise_a, noise_b = normal(generator), normal(generator)
        _turn(c[BEARING_BIAS] + c[BEARING_NOISE] * noise_a, out[1:3])
        _turn(c[BEARING_BIAS] + c[BEARING_NOISE] * noise_b, out[5:7])
    if c[HEIGHT_BIAS] != 0.0 or c[HEIGHT_NOISE] > 0.0:
        _shift_heights(c[HEIGHT_BIAS], c[HEIGHT_NOISE], generator, out)
    for k in range(int(c[DARK] + 1e-3)):
        # From ahead outwards: 0, 1, 7, 2, 6, 3, 5, 4.
        bearing = (k + 1) // 2 if k % 2 == 1 else (BEARINGS - k // 2) % BEARINGS
        at = RING + POINT_NUMBERS * bearing
        out[at : at + POINT_NUMBERS] = 0.0


@compiled
def _turn(angle: float, bearing: Row) -> None:
    """Turn a cosine and sine (2,) counter-clockwise."""
    sin, cos = sin_cos(angle)
    ahead, left = bearing[0], bearing[1]
    bearing[0], bearing[1] = cos * ahead - sin * left, sin * ahead + cos * left


@compiled
def _shift_heights(bias: float, noise: float, generator: NDArray[np.uint64], out: Row) -> None:
    """Add bias and noise [m] to the heights of the ring."""
    errors = _errors()
    for p in range(RING_POINTS):
        errors[p] = bias
    if noise > 0.0:
        key, drawn = generator[KEY], generator[COUNTER]
        for p in range(RING_POINTS):
            errors[p] = bias + noise * normal_at(key, drawn + np.uint64(p + 1))
        generator[COUNTER] = drawn + np.uint64(RING_POINTS)
    for p in range(RING_POINTS):
        at = RING + 2 * p
        out[at] = min(max(out[at] + HEIGHT_SCALE * errors[p], -LIMIT), LIMIT)
