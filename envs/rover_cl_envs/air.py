"""The air: how warm it is, how far one sees through its dust, and the weather that brings both about."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rover_cl_envs.compiled import compiled
from rover_cl_envs.conditions import Conditions

COLDEST = -128.0  # carbon dioxide freezes out below [deg C]
NO_SUN = -101.0  # mean temperature without any sun [deg C]
PER_FLUX = 0.3  # rise of the mean per flux above the air, meant over a sol [K m^2/W]
SWING = 45.0  # from the mean to the afternoon's warmth, were the air free of dust [K]
DULLING = 0.12  # how much optical depth flattens the swing
SIN_LATE, COS_LATE = 0.5, 0.8660254  # of two hours in twenty-four: it is warmest that long after noon

HAZE = 2.0
"""Optical depth up to which the whole terrain ring is seen."""
SIGHT = 6.0
"""Metres seen clearly, times optical depth."""


@compiled
def air_temperature(mean_flux: float, sin_h: float, cos_h: float, depth: float, cold: float) -> float:
    """Temperature of the air [deg C]: a mean that follows the sun of the season, and a swing over the sol.

    All numbers are chosen, so that the two places where MER drove come near what NASA reported: -110 deg C
    on the coldest nights, and around freezing on ordinary afternoons. Dust flattens the swing, as it did
    for Curiosity in June 2018.

    Args:
        mean_flux: `sun.mean_top_flux` [W/m^2].
        sin_h: sine of the hour angle.
        cos_h: its cosine; 1 at noon.
        depth: optical depth of the dust.
        cold: how much colder than usual [K].
    """
    late = COS_LATE * cos_h + SIN_LATE * sin_h
    return max(NO_SUN + PER_FLUX * mean_flux + SWING * late / (1.0 + DULLING * depth) - cold, COLDEST)


@compiled
def seen(distance: float, depth: float) -> float:
    """Share of what lies at that distance [m] that is seen: 1 within `SIGHT` / depth, 0 from twice that on.

    Chosen, and far shorter than dust alone would make it: at an optical depth of 10 the light is a tenth of a
    per cent of a clear noon's beam, and it stands for pictures taken in that dark through dusty optics.
    """
    return min(max(2.0 - distance * (depth / SIGHT), 0.0), 1.0)


@dataclass(frozen=True, kw_only=True)
class Weather:
    """What comes and goes together in the air, as changes of `Conditions`."""

    optical_depth: float
    """of the dust"""
    dust_fall: float
    """share of the panels' light lost in a sol"""
    cleaning: float
    """cleaning gusts in a sol"""

    def over(self, conditions: Conditions) -> Conditions:
        """The same conditions in this weather."""
        return replace(
            conditions,
            optical_depth=self.optical_depth,
            dust_fall=self.dust_fall,
            cleaning=self.cleaning,
        )


CLEAR = Weather(optical_depth=0.5, dust_fall=0.003, cleaning=0.01)
"""Ordinary sols. Depth: MER, 0.3-0.5; fall: 0.28 % a sol on Sojourner's cell (Landis and Jenkins 1997), 0.2 %
typical (Lorenz et al. 2021); gusts: chosen near what Opportunity's energy reports show."""
REGIONAL = Weather(optical_depth=1.5, dust_fall=0.006, cleaning=0.01)
"""A dusty season or a storm not far away. Depth: Opportunity, 1.3-1.85 late in 2014; fall: chosen."""
GLOBAL = Weather(optical_depth=8.0, dust_fall=0.02, cleaning=0.0)
"""A storm around the planet. Depth: above 5 in 2007, 10.8 in June 2018 (Opportunity); fall: within the
0.05-2 % a sol of Lorenz et al. (2021)."""
