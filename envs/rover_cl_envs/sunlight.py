"""Where the light comes from, in steps, so that what it falls on is not painted anew all the time."""

from __future__ import annotations

import math

Sun = tuple[float, float]
"""Bearing, 0 in the east and counter-clockwise, and elevation [rad]."""

Light = tuple[float, float, float]
"""Red, green and blue, 1 by day."""

MAP_SUN: Sun = (math.radians(135.0), math.radians(40.0))
"""From the north-west, as maps are drawn."""
LOWEST_SUN = math.radians(12.0)
"""Shadows are drawn no longer than at this elevation [rad]."""
DAY: Light = (1.0, 1.0, 1.0)
NIGHT = (0.36, 0.40, 0.52)
DUSK = (0.86, 0.72, 0.62)
BEARING_STEP, ELEVATION_STEP = math.radians(15.0), math.radians(6.0)


def stepped(sun: Sun | None) -> Sun:
    """The sun moved to the nearest step; None: as on a map."""
    if sun is None:
        return MAP_SUN
    return round(sun[0] / BEARING_STEP) * BEARING_STEP, round(sun[1] / ELEVATION_STEP) * ELEVATION_STEP


def daylight(elevation: float) -> Light:
    """Red, green and blue of the light: full from 24 degrees on, yellowish when low, faint and blue at night.

    For the eye only; the sky of Mars is not modelled.
    """
    height = elevation / math.radians(24.0)
    if height >= 1:
        return DAY
    start, end, share = (DUSK, DAY, height) if height >= 0 else (DUSK, NIGHT, -2 * height)
    share = min(share, 1.0)
    red, green, blue = (a + (b - a) * share for a, b in zip(start, end, strict=True))
    return red, green, blue
