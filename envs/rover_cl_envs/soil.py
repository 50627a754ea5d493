"""Slip and sinkage of a wheel on a soil: closed forms fitted to the Wong-Reece integral.

The net traction coefficient (drawbar pull over load) of a driven wheel at slip s is

    mu(s) = a (1 - exp(-s / b)) - c - d s^2                     (1)
    z / r = exp(alpha + beta s)                                  (2)  sinkage over wheel radius
    T / (W r) = p0 + p1 (1 - exp(-s / p2))                       (3)  torque over load times radius

The coefficients reproduce the Wong and Reece (1967) stress integral with a slip-dependent
sinkage exponent to within 0.022 in mu, for each rover's wheels and load at Mars gravity
(stress_integral.py, docs/simulator.md). For MER, equation (1) peaks near 50 % slip on regolith and never
becomes positive on drift: a rover on level drift embeds, as Opportunity did at Purgatory (sol 446) and
Spirit at Troy.
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass, fields

import numpy as np
from numpy.typing import NDArray

from rover_cl_envs.compiled import compiled, compiled_within
from rover_cl_envs.elementary import exp, log
from rover_cl_envs.errors import is_number

EMBEDDED_SLIP = 0.98
"""Slip where the soil cannot carry the demanded traction: the wheel spins and digs."""
SKID_LIMIT = -0.5
"""Largest skid (negative slip) of a braked wheel on a down-slope."""
SEARCH_STEPS = 6
SEARCHING, FOUND, LOST = 1.0, 0.0, -1.0
"""States of a search for a slip."""
_BOUNDS = {
    "a": (1e-6, 100.0),
    "b": (1e-3, 100.0),
    "d": (0.0, 100.0),
    "alpha": (-50.0, 5.0),
    "beta": (-5.0, 5.0),
    "p2": (1e-3, 100.0),
}
A, B, C, D, ALPHA, BETA, P0, P1, P2 = range(9)
"""Columns of a soil table."""
COEFFICIENTS = 9
Weights = tuple[float, float, float, float]
"""Of the four anchor soils, bedrock to drift."""
NO_WEIGHTS: Weights = (0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, kw_only=True)
class Soil:
    """Coefficients of equations (1) to (3) for one wheel on one soil; all dimensionless.

    Raises:
        ValueError: a field is no number or out of range: a scale not positive, `d` negative, a sinkage beyond
            all reason.
    """

    a: float
    """traction that shear strength can give"""
    b: float
    """slip scale over which it develops"""
    c: float
    """rolling resistance at zero slip"""
    d: float
    """resistance added by slip sinkage"""
    alpha: float
    """log of sinkage over radius at zero slip"""
    beta: float
    """growth of log sinkage with slip"""
    p0: float
    """torque coefficient at zero slip"""
    p1: float
    """torque coefficient added at large slip"""
    p2: float
    """slip scale of the torque"""

    def __post_init__(self) -> None:
        for field in fields(self):
            value, (low, high) = getattr(self, field.name), _BOUNDS.get(field.name, (-100.0, 100.0))
            if not (is_number(value) and low <= value <= high):
                raise ValueError(
                    f"Soil.{field.name} is {value!r}, expected a number from {low:g} to {high:g}."
                )

    def net_traction(self, slip: float) -> float:
        """Mu at a slip from 0 to 1, equation (1)."""
        return self.a * (1 - math.exp(-slip / self.b)) - self.c - self.d * slip * slip

    @property
    def steepest_climb(self) -> float:
        """Steepest slope that the soil carries [rad]: the arc tangent of the peak of equation (1)."""
        return math.atan(max(self.net_traction(s) for s in np.linspace(0, 1, 1001)))


def soil_table(soils: tuple[Soil, Soil, Soil, Soil]) -> NDArray[np.float64]:
    """The four anchor soils, bedrock to drift, as the kernel reads them: shape (4, 9)."""
    return np.array([astuple(s) for s in soils], dtype=np.float64)


@compiled
def weigh(fluffiness: float, share: float, weights: Weights) -> Weights:
    """Add `share` of the soil at `fluffiness` (0 bedrock .. 1 drift) to the anchors' weights."""
    at = min(max(fluffiness, 0.0), 1.0) * 3.0
    return (
        weights[0] + share * max(1.0 - abs(at), 0.0),
        weights[1] + share * max(1.0 - abs(at - 1.0), 0.0),
        weights[2] + share * max(1.0 - abs(at - 2.0), 0.0),
        weights[3] + share * max(1.0 - abs(at - 3.0), 0.0),
    )


@compiled
def blend(table: NDArray[np.float64], weights: Weights, out: NDArray[np.float64]) -> None:
    """Write the anchors' coefficients (4, 9), averaged with those weights, into `out` (9,)."""
    w0, w1, w2, w3 = weights
    for k in range(COEFFICIENTS):
        out[k] = w0 * table[0, k] + w1 * table[1, k] + w2 * table[2, k] + w3 * table[3, k]


@compiled_within
def first_slip(missing: float, a: float, b: float) -> tuple[float, float]:
    """Slip and state of the search before its first step: the root of equation (1) for d = 0.

    `missing` is the traction coefficient that the soil must give, the rolling resistance included. Outside
    of 0 to `a` there is nothing to search for.
    """
    slip = -b * log(max(1.0 - missing / a, 1e-12))
    return slip, SEARCHING if (missing > 0.0) & (missing < a) else FOUND


@compiled_within
def nearer_slip(
    missing: float, slip: float, search: float, near: float, a: float, per_b: float, d: float
) -> tuple[float, float]:
    """Slip and state of the search after one more step; nothing changes where it is over.

    Halley's step; near the peak, where that might jump past the root, Newton's, which is shorter. `near` is
    the gap in traction at which the root counts as found, `per_b` one over b.
    """
    rise = a * per_b
    decay = exp(-slip * per_b)
    steep = rise * decay - 2.0 * d * slip
    gap = missing + d * slip * slip - a * (1.0 - decay)
    # gap / steep / (1 - bend / (2 steep^2)), in one quotient: those are what the time goes to.
    square, bend = steep * steep, gap * (rise * per_b * decay + 2.0 * d)
    further = slip + gap * steep / (square - 0.5 * (bend if bend < 0.5 * square else 0.0))
    after = FOUND if gap < near else SEARCHING
    after = LOST if steep <= 1e-3 else after
    after = LOST if further >= EMBEDDED_SLIP else after
    after = after if search > FOUND else search
    further = further if after > LOST else slip
    return further if search > FOUND else slip, after


@compiled_within
def slip_found(missing: float, slip: float, search: float, a: float, per_b: float) -> float:
    """The slip that a search ended with; what is still searching demands more than the peak."""
    slip = slip if search == FOUND else EMBEDDED_SLIP
    slip = slip if missing < a else EMBEDDED_SLIP
    return slip if missing > 0.0 else max(missing / (a * per_b), SKID_LIMIT)


@compiled
def nearness(step: int) -> float:
    """Gap in traction at which a search counts as over at its step number `step`, from 0."""
    return 1e-3 if step < SEARCH_STEPS - 1 else 5e-3


@compiled
def equilibrium_slip(demand: float, soil: NDArray[np.float64]) -> float:
    """Slip at which equation (1) meets the demanded traction coefficient, lower branch.

    The search begins at the root for d = 0, which lies below the wanted one: mu is concave and rising there,
    so the iterates climb to the root from below. It is cut into parts without a way out, so that the kernel
    searches for many wheels at a time (driving.py).

    Args:
        demand: tangent of the slope plus resistances over load; negative downhill.
        soil: coefficients (9,).

    Returns:
        Slip: negative (skid) if the demand is below the rolling resistance, at most
        `EMBEDDED_SLIP`, which is also returned where the soil cannot carry the demand.
    """
    a, b, d, missing = soil[A], soil[B], soil[D], demand + soil[C]
    slip, search = first_slip(missing, a, b)
    per_b = 1.0 / b
    for step in range(SEARCH_STEPS):
        slip, search = nearer_slip(missing, slip, search, nearness(step), a, per_b, d)
    return slip_found(missing, slip, search, a, per_b)
