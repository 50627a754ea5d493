"""The sun over the sol and the season, and what of its light the dust lets through.

Sources: orbit, flux at the top of the atmosphere, direct beam and the table of net flux are those of
Appelbaum and Flood (1990), "Solar radiation on Mars", Solar Energy 45; the sol and the year are those of
Allison and McEwen (2000). Seasons are areocentric longitudes Ls in degrees: 0 is the northern spring
equinox, 90 the northern summer solstice. Times are shares of a sol: 0 midnight, 0.5 noon.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from rover_cl_envs.compiled import Coefficients, compiled, compiled_within
from rover_cl_envs.elementary import acos, exp

SOL_SECONDS = 88775.244  # [s]
SOL_HOURS = SOL_SECONDS / 3600.0
YEAR_SOLS = 668.6
MEAN_FLUX = 590.0  # at the top of the atmosphere, at the mean distance [W/m^2]
ECCENTRICITY = 0.093377
PERIHELION = 248.0  # Ls [deg]
SIN_OBLIQUITY = math.sin(math.radians(24.936))
ALBEDO = 0.1  # of the ground, for which the table holds
RADIAN = math.pi / 180.0

DEPTHS = (0.1, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
"""Optical depths of the rows of `NET_FLUX`; smaller ones read the first row."""
ZENITHS = (0.0, 30.0, 50.0, 60.0, 70.0, 80.0, 85.0)
"""Zenith angles of its columns [deg]; lower suns read the last column."""
NET_FLUX: NDArray[np.float64] = np.array(
    [
        [0.885, 0.880, 0.870, 0.857, 0.830, 0.755, 0.635],
        [0.810, 0.796, 0.752, 0.708, 0.628, 0.452, 0.342],
        [0.732, 0.700, 0.628, 0.560, 0.455, 0.317, 0.252],
        [0.582, 0.537, 0.448, 0.378, 0.293, 0.208, 0.170],
        [0.460, 0.414, 0.330, 0.273, 0.206, 0.150, 0.128],
        [0.370, 0.330, 0.258, 0.212, 0.160, 0.118, 0.100],
        [0.294, 0.258, 0.203, 0.166, 0.130, 0.094, 0.080],
        [0.228, 0.200, 0.153, 0.130, 0.103, 0.080, 0.068],
    ]
)
"""f (8, 7): flux that the ground keeps over the flux above the air; Table III of Appelbaum and Flood."""
_DEPTHS, _ZENITHS = np.array(DEPTHS), np.array(ZENITHS)
BEYOND = 0.42
"""Decay of f per unit of optical depth beyond 6, where the table ends. Fitted to one reading: Opportunity
made 22 Wh at a depth of 10.8, and 652 Wh at 0.61 the week before (mission status reports, June 2018)."""


@compiled
def sine_of_declination(season: float) -> float:
    """Sine of the sun's declination at that season [deg]."""
    return SIN_OBLIQUITY * math.sin(RADIAN * season)


@compiled
def top_flux(season: float) -> float:
    """Flux above the air, across the beam [W/m^2], from 493 at aphelion to 718 at perihelion."""
    near = 1.0 + ECCENTRICITY * math.cos(RADIAN * (season - PERIHELION))
    far = 1.0 - ECCENTRICITY * ECCENTRICITY
    return MEAN_FLUX * near * near / (far * far)


@compiled
def direction(
    sin_d: float, cos_d: float, sin_l: float, cos_l: float, sin_h: float, cos_h: float
) -> tuple[float, float, float]:
    """`sun_direction` from sines and cosines of declination, latitude and hour angle."""
    return -cos_d * sin_h, sin_d * cos_l - cos_d * sin_l * cos_h, sin_d * sin_l + cos_d * cos_l * cos_h


@compiled
def sun_direction(season: float, latitude: float, time: float) -> tuple[float, float, float]:
    """Unit vector towards the sun: east, north, up; up is the cosine of the zenith angle.

    Args:
        season: Ls [deg].
        latitude: north positive [deg].
        time: local true solar time, share of a sol.
    """
    sin_d = sine_of_declination(season)
    cos_d = math.sqrt(1.0 - sin_d * sin_d)
    hour = 2.0 * math.pi * (time - 0.5)
    sin_l, cos_l = math.sin(RADIAN * latitude), math.cos(RADIAN * latitude)
    return direction(sin_d, cos_d, sin_l, cos_l, math.sin(hour), math.cos(hour))


@compiled
def column_of(up: float) -> tuple[int, float]:
    """Column of `NET_FLUX` at or before a sun so high, and the share of the way to the next one.

    `up` is the cosine of the zenith angle.
    """
    zenith = acos(min(max(up, 0.0), 1.0)) / RADIAN
    column, low, high = 0, ZENITHS[0], ZENITHS[1]
    for k in range(1, 6):
        beyond = zenith > _ZENITHS[k]
        column += 1 if beyond else 0
        low, high = _ZENITHS[k] if beyond else low, _ZENITHS[k + 1] if beyond else high
    return column, min((zenith - low) / (high - low), 1.0)


@compiled
def row_of(depth: float) -> tuple[int, float]:
    """Row of `NET_FLUX` at or before an optical depth, and the share of the way to the next one."""
    row, low, high = 0, DEPTHS[0], DEPTHS[1]
    for k in range(1, 7):
        beyond = depth > _DEPTHS[k]
        row += 1 if beyond else 0
        low, high = _DEPTHS[k] if beyond else low, _DEPTHS[k + 1] if beyond else high
    return row, min(max((depth - low) / (high - low), 0.0), 1.0)


@compiled
def between(row: int, along: float, column: int, across: float, table: Coefficients) -> float:
    """What a table holds between a row and the next and a column and the next, bilinear."""
    low = (1.0 - across) * table[row, column] + across * table[row, column + 1]
    high = (1.0 - across) * table[row + 1, column] + across * table[row + 1, column + 1]
    return (1.0 - along) * low + along * high


@compiled
def beyond(depth: float) -> float:
    """What is left of f beyond the table's last optical depth, 6: it falls as exp(-BEYOND depth)."""
    return exp(-BEYOND * max(depth - DEPTHS[-1], 0.0))


@compiled
def net_flux(up: float, depth: float, table: Coefficients) -> float:
    """f, bilinear in zenith angle and optical depth, and `beyond`.

    Args:
        up: cosine of the zenith angle, above 0.
        depth: optical depth of the dust.
        table: `NET_FLUX` (8, 7).
    """
    (row, along), (column, across) = row_of(depth), column_of(up)
    return between(row, along, column, across, table) * beyond(depth)


@compiled_within
def light_of(flux: float, up: float, depth: float, f: float) -> tuple[float, float]:
    """`sunlight` for a known `net_flux` f."""
    lit = flux if up > 0.0 else 0.0
    beam = lit * exp(-depth / max(up, 1e-9))
    level = lit * up * f / (1.0 - ALBEDO)
    return beam, max(level - beam * up, 0.0)


@compiled
def sunlight(flux: float, up: float, depth: float, table: Coefficients) -> tuple[float, float]:
    """Light at the ground: the beam, across it, and what the sky scatters on a level plane [W/m^2].

    Together they make the global flux of Appelbaum and Flood, flux x up x f / (1 - albedo); the beam follows
    Beer's law, exp(-depth / up).

    Args:
        flux: above the air, across the beam [W/m^2].
        up: cosine of the zenith angle; below 0 it is night.
        depth: optical depth of the dust.
        table: `NET_FLUX` (8, 7).
    """
    return light_of(flux, up, depth, net_flux(up, depth, table))


@compiled
def mean_top_flux(season: float, latitude: float) -> float:
    """Mean over a sol of the flux above the air on a level plane [W/m^2]."""
    sin_d = sine_of_declination(season)
    cos_d = math.sqrt(1.0 - sin_d * sin_d)
    sin_l, cos_l = math.sin(RADIAN * latitude), math.cos(RADIAN * latitude)
    still, swing = sin_d * sin_l, cos_d * cos_l
    # The sun sets where still + swing cos(hour) = 0, unless it never does or never rises.
    sunset = math.acos(min(max(-still / max(swing, 1e-9), -1.0), 1.0))
    return top_flux(season) * (sunset * still + math.sin(sunset) * swing) / math.pi


@compiled
def _daily(season: float, depth: float, latitude: float, moments: int, table: Coefficients) -> float:
    total, flux = 0.0, top_flux(season)
    for k in range(moments):
        _, _, up = sun_direction(season, latitude, (k + 0.5) / moments)
        beam, sky = sunlight(flux, up, depth, table)
        total += beam * up + sky
    return total * SOL_HOURS / moments


def daily_insolation(season: float, depth: float, latitude: float, *, moments: int = 480) -> float:
    """Energy that a level square metre receives in a sol [Wh/m^2]: the H of the energy law.

    Args:
        season: Ls [deg].
        depth: optical depth of the dust.
        latitude: north positive [deg].
        moments: points of the midpoint rule over the sol.
    """
    return _daily(season, depth, latitude, moments, NET_FLUX)


def season_after(season: float, sols: float) -> float:
    """Ls [deg] that many sols after the season `season`, by Kepler's equation."""
    ahead = math.sqrt((1 + ECCENTRICITY) / (1 - ECCENTRICITY))
    half = math.radians(season - PERIHELION) / 2
    eccentric = 2 * math.atan2(math.sin(half), ahead * math.cos(half))
    mean = eccentric - ECCENTRICITY * math.sin(eccentric) + 2 * math.pi * sols / YEAR_SOLS
    eccentric = mean
    for _ in range(20):  # Newton; at this eccentricity five would do
        wrong = eccentric - ECCENTRICITY * math.sin(eccentric) - mean
        eccentric -= wrong / (1 - ECCENTRICITY * math.cos(eccentric))
    anomaly = 2 * math.atan2(ahead * math.sin(eccentric / 2), math.cos(eccentric / 2))
    return (math.degrees(anomaly) + PERIHELION) % 360
