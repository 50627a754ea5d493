"""The Wong-Reece integral of stresses under a rigid wheel, and the closed forms of soil.py fitted to it.

Wong and Reece (1967) integrate normal and shear stress over the arc on which a wheel touches the soil. The
shear stress is that of Janosi and Hanamoto (1961), the pressure under a sinking plate that of Reece (1965),
with an exponent that grows with slip, n = n0 + n1 s, so that a spinning wheel digs itself in. The load fixes
the sinkage; net traction and torque follow. Nothing of this runs in a step: it gives a rover its soils.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from rover_cl_envs.soil import Soil

GRAVITY = 3.721
"""of Mars [m/s^2]; the coefficients are fitted at it"""
FIT_SLIPS = np.linspace(0.01, 1.0, 100)
"""Slips at which the closed forms are held against the integral."""
PRESSURE_SLIP = 0.1
"""Slip at which a rover's ground pressure is told."""
_NODES, _SHARES = np.polynomial.legendre.leggauss(48)
_DEEPEST = 0.99  # sinkage over radius: to the axle, nearly
_BISECTIONS = 40  # halvings of the sinkage: to a millionth of a radius

Values = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Strength:
    """A soil as the integral takes it."""

    n0: float
    """sinkage exponent without slip"""
    n1: float
    """its growth with slip"""
    cohesive: float
    """k_c', modulus of the cohesion"""
    frictional: float
    """k_phi', modulus of the weight"""
    cohesion: float
    """[Pa]"""
    friction: float
    """angle of internal friction [deg]"""
    density: float
    """[kg/m^3]"""
    shear_length: float
    """K of Janosi and Hanamoto [m]"""
    a0: float
    """angle of the largest stress over the entry angle, without slip"""
    a1: float
    """its growth with slip"""
    rebound: float
    """height to which the soil springs back behind the wheel, over sinkage"""


STRENGTHS = {
    "regolith": Strength(
        n0=1.4,
        n1=0.354,
        cohesive=212.2,
        frictional=677.5,
        cohesion=600,
        friction=35,
        density=1550,
        shear_length=0.0146,
        a0=0.365,
        a1=0.503,
        rebound=0.07,
    ),
    "sand": Strength(
        n0=1.4,
        n1=0.45,
        cohesive=9.1,
        frictional=500.8,
        cohesion=200,
        friction=30,
        density=1650,
        shear_length=0.029,
        a0=0.33,
        a1=0.11,
        rebound=0.05,
    ),
    "drift": Strength(
        n0=1.4,
        n1=0.60,
        cohesive=9.1,
        frictional=250,
        cohesion=50,
        friction=27,
        density=1200,
        shear_length=0.035,
        a0=0.33,
        a1=0.11,
        rebound=0.02,
    ),
}
"""Regolith and sand: Mars-Terrain-Simulator, a public repository that names no source. Drift: chosen, its
friction after Pathfinder's drift (Moore et al. 1999), its cohesion after Viking 1's (Shorthill et al.)."""


@dataclass(frozen=True, kw_only=True)
class Wheel:
    """A rigid wheel and what it carries."""

    radius: float
    """[m]"""
    width: float
    """[m]"""
    load: float
    """[N]"""


@dataclass(frozen=True, kw_only=True)
class Contact:
    """How a wheel stands on a soil at each of some slips; arrays of one shape."""

    sinkage: Values
    """over the radius"""
    traction: Values
    """net traction over load, mu"""
    torque: Values
    """over load times radius"""
    entry: Values
    """angle from the lowest point of the rim to where it meets the soil [rad]"""


def contact(wheel: Wheel, soil: Strength, slips: Values) -> Contact:
    """The sinkage at which the soil carries the wheel, and what the wheel then pulls.

    Args:
        wheel: the wheel.
        soil: the soil.
        slips: (k,) from 0 to 1.
    """
    low, high = np.full(slips.shape, 1e-6), np.full(slips.shape, _DEEPEST)
    for _ in range(_BISECTIONS):
        sinkage = (low + high) / 2
        sinks = _forces(wheel, soil, slips, sinkage)[1] < wheel.load
        low, high = np.where(sinks, sinkage, low), np.where(sinks, high, sinkage)
    pull, _, moment = _forces(wheel, soil, slips, sinkage)
    return Contact(
        sinkage=sinkage,
        traction=pull / wheel.load,
        torque=moment / (wheel.load * wheel.radius),
        entry=np.arccos(1 - sinkage),
    )


def _forces(wheel: Wheel, soil: Strength, slips: Values, sinkage: Values) -> tuple[Values, Values, Values]:
    """Pull [N], lift [N] and torque [N m] (k,) of a wheel at those slips and sinkages over radius (k,)."""
    r, b, slip = wheel.radius, wheel.width, slips[:, None]
    exponent = soil.n0 + soil.n1 * slip
    modulus = soil.cohesion * soil.cohesive + soil.density * GRAVITY * b * soil.frictional  # [Pa]
    stiffness = modulus * (r / b) ** exponent
    entry = np.arccos(1 - sinkage)[:, None]
    leave = -np.arccos(1 - soil.rebound * sinkage)[:, None]
    peak = (soil.a0 + soil.a1 * slip) * entry
    pull = lift = moment = np.zeros_like(slips)
    for start, stop in ((peak, entry), (leave, peak)):
        angle = (start + stop) / 2 + (stop - start) / 2 * _NODES
        # Behind the peak, stress falls as it rose before it, over the arc that is left.
        mirrored = angle if start is peak else entry - (angle - leave) / (peak - leave) * (entry - peak)
        normal = stiffness * np.maximum(np.cos(mirrored) - np.cos(entry), 0) ** exponent
        sheared = r * ((entry - angle) - (1 - slip) * (np.sin(entry) - np.sin(angle)))
        strength = soil.cohesion + normal * np.tan(np.radians(soil.friction))
        shear = strength * (1 - np.exp(-sheared / soil.shear_length))
        area = r * b * _SHARES * (stop - start) / 2  # [m^2]
        pull = pull + (area * (shear * np.cos(angle) - normal * np.sin(angle))).sum(axis=1)
        lift = lift + (area * (normal * np.cos(angle) + shear * np.sin(angle))).sum(axis=1)
        moment = moment + (area * r * shear).sum(axis=1)
    return pull, lift, moment


def most_load(wheel: Wheel, soil: Strength) -> float:
    """Load under which a wheel of that size sinks to its axle at some slip [N], whatever it carries."""
    return float(_forces(wheel, soil, FIT_SLIPS, np.full(FIT_SLIPS.shape, _DEEPEST))[1].min())


def ground_pressure(wheel: Wheel) -> float:
    """Load over the arc in front of the axle, on regolith at 10 % slip [kPa]: what a crust must bear."""
    entry = contact(wheel, STRENGTHS["regolith"], np.array([PRESSURE_SLIP])).entry[0]
    return float(wheel.load / (wheel.radius * wheel.width * entry) / 1000)


def fitted_soil(wheel: Wheel, soil: Strength) -> tuple[Soil, float]:
    """The closed forms (1) to (3) of soil.py, fitted to the integral by least squares.

    Returns:
        The coefficients, and the largest error of mu.
    """
    truth, s = contact(wheel, soil, FIT_SLIPS), FIT_SLIPS
    ones = np.ones_like(s)
    b, (a, c, d) = _saturating(s, truth.traction, -ones, -s * s)
    if d < 0:  # mu has to bend downward everywhere, or one demand would have two slips
        b, (a, c) = _saturating(s, truth.traction, -ones)
        d = 0.0
    beta, alpha = np.polyfit(s, np.log(truth.sinkage), 1)
    p2, (p1, p0) = _saturating(s, truth.torque, ones)
    numbers = (round(float(value), 3) for value in (a, b, c, d, alpha, beta, p0, p1, p2))
    closed = Soil(**dict(zip((f.name for f in fields(Soil)), numbers, strict=True)))
    error = max(abs(closed.net_traction(slip) - mu) for slip, mu in zip(s, truth.traction, strict=True))
    return closed, float(error)


def _saturating(slips: Values, wanted: Values, *others: Values) -> tuple[float, Values]:
    """The scale, 0.02 to 2, and the factors of 1 - exp(-s / scale) and the others, by least squares."""
    best: tuple[float, float, Values] = (np.inf, 0.0, slips)
    for scale in np.geomspace(0.02, 2.0, 1000):
        terms = np.stack([1 - np.exp(-slips / scale), *others], axis=1)
        factors = np.linalg.lstsq(terms, wanted, rcond=None)[0]
        error = float(((terms @ factors - wanted) ** 2).sum())
        if error < best[0]:
            best = (error, float(scale), factors)
    return best[1:]
