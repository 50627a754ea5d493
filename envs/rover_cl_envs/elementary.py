"""Exponential, logarithm, sine, cosine and arc cosine as plain arithmetic.

The C library's take one number at a time. These have no branch and call nothing, so that a loop over rovers
becomes vector code; and as they add and multiply alone, they give the same bits on every processor.
Polynomials are Taylor's, cut off where they no longer change a double, but that of the arc cosine, which goes
through Chebyshev's points; the reduction of arguments in two parts is Cody and Waite's (1980).
"""

from __future__ import annotations

import math

import numpy as np

from rover_cl_envs.compiled import compiled

_SHIFT = (
    1.5 * 2.0**52
)  # added and taken off again, it leaves the nearest integer, which also fills the low bits
_PER_LN2, _PER_QUARTER = 1.0 / math.log(2.0), 2.0 / math.pi
_LN2_HIGH, _LN2_LOW = 0.6931471803691238, 1.9082149292705877e-10  # the first has 33 bits
_QUARTER_HIGH, _QUARTER_LOW = 1.5707963267341256, 6.077100506506192e-11  # likewise
_EXPONENT, _ROOT_HALF = np.int64(52), np.int64(0x3FE6A09E667F3BCD)  # bits of sqrt(1/2)
LARGEST_EXPONENT = 700.0
_ACOS = (
    1.5707963267948954,
    -0.21460183660182866,
    0.0890486224781379,
    -0.05079281184732053,
    0.03368123219816827,
    -0.02437365322246755,
    0.018666751652338415,
    -0.014854289462978544,
    0.012083057280460375,
    -0.00980969602427563,
    0.0076416976974388534,
    -0.0054043323235331165,
    0.0032500530152205155,
    -0.0015461442592397717,
    0.0005334320338027516,
    -0.00011697848169483264,
    1.2131445971917302e-05,
)
"""Of the polynomial in x that acos(x) / sqrt(1 - x) is on 0 to 1."""


@compiled
def exp(x: float) -> float:
    """E to the power of x, which is cut off at +-700, to within 2 ulp."""
    x = min(max(x, -LARGEST_EXPONENT), LARGEST_EXPONENT)
    shifted = x * _PER_LN2 + _SHIFT
    n = shifted - _SHIFT
    r = (x - n * _LN2_HIGH) - n * _LN2_LOW
    r2 = r * r
    r4 = r2 * r2
    low = (1 / 2 + r * (1 / 6)) + r2 * (1 / 24 + r * (1 / 120))
    middle = (1 / 720 + r * (1 / 5040)) + r2 * (1 / 40320 + r * (1 / 362880))
    high = (1 / 3628800 + r * (1 / 39916800)) + r2 * (1 / 479001600)
    value = 1.0 + (r + r2 * (low + r4 * (middle + r4 * high)))
    return _scaled(value, np.float64(shifted).view(np.int64))


@compiled
def _scaled(value: float, power: np.int64) -> float:
    """The value times two to the power that the low bits say."""
    bits = np.float64(value).view(np.int64) + (power << _EXPONENT)
    return np.int64(bits).view(np.float64)


@compiled
def log(x: float) -> float:
    """Natural logarithm of x, a normal number above 0, to within 4 ulp, or 1e-16 near x = 1."""
    bits = np.float64(x).view(np.int64)
    power = (bits - _ROOT_HALF) >> _EXPONENT
    f = np.int64(bits - (power << _EXPONENT)).view(np.float64) - 1.0
    s = f / (2.0 + f)  # log(1 + f) = 2 artanh(s)
    z = s * s
    z2 = z * z
    low = (1 / 3 + z * (1 / 5)) + z2 * (1 / 7 + z * (1 / 9))
    high = (1 / 11 + z * (1 / 13)) + z2 * (1 / 15 + z * (1 / 17 + z * (1 / 19)))
    return power * _LN2_HIGH + (2.0 * s * (1.0 + z * (low + z2 * z2 * high)) + power * _LN2_LOW)


@compiled
def sin_cos(x: float) -> tuple[float, float]:
    """Sine and cosine of an angle [rad] of at most 1e5, to within 2e-16."""
    shifted = x * _PER_QUARTER + _SHIFT
    n = shifted - _SHIFT
    r = (x - n * _QUARTER_HIGH) - n * _QUARTER_LOW
    z = r * r
    z2 = z * z
    odd = (1 / 6 - z * (1 / 120)) + z2 * (1 / 5040 - z * (1 / 362880))
    odd += z2 * z2 * ((1 / 39916800 - z * (1 / 6227020800)) + z2 * (1 / 1307674368000))
    even = (1 / 2 - z * (1 / 24)) + z2 * (1 / 720 - z * (1 / 40320))
    even += (
        z2 * z2 * ((1 / 3628800 - z * (1 / 479001600)) + z2 * (1 / 87178291200 - z * (1 / 20922789888000)))
    )
    near_sin, near_cos = r - r * z * odd, 1.0 - z * even
    quarter = np.float64(shifted).view(np.int64) & np.int64(3)
    swapped = (quarter & np.int64(1)) != 0
    sin, cos = near_cos if swapped else near_sin, near_sin if swapped else near_cos
    sin = -sin if quarter >= 2 else sin
    cos = -cos if ((quarter + np.int64(1)) & np.int64(2)) != 0 else cos
    return sin, cos


@compiled
def acos(x: float) -> float:
    """Arc cosine of x, 0 to 1 [rad], to within 2e-15."""
    x2 = x * x
    x4 = x2 * x2
    x8 = x4 * x4
    first = (_ACOS[0] + x * _ACOS[1]) + x2 * (_ACOS[2] + x * _ACOS[3])
    second = (_ACOS[4] + x * _ACOS[5]) + x2 * (_ACOS[6] + x * _ACOS[7])
    third = (_ACOS[8] + x * _ACOS[9]) + x2 * (_ACOS[10] + x * _ACOS[11])
    fourth = (_ACOS[12] + x * _ACOS[13]) + x2 * (_ACOS[14] + x * _ACOS[15])
    over_root = (first + x4 * second) + x8 * ((third + x4 * fourth) + x8 * _ACOS[16])
    return math.sqrt(1.0 - x) * over_root
