"""The window on a periodic map: which point is in its middle, and how large a metre is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.floating]


@dataclass(frozen=True, kw_only=True)
class View:
    """A window on the map, north up."""

    width: int
    """[px]"""
    height: int
    """[px]"""
    scale: float
    """[px/m]"""
    centre: tuple[float, float]
    """the point in the middle [m]"""
    period: float
    """width of the map [m]"""

    def offset(self, points: Points) -> Points:
        """Shortest way from the centre to points (k, 2) on the periodic map [m]."""
        offset: Points = (points - np.asarray(self.centre) + self.period / 2) % self.period - self.period / 2
        return offset

    def pixels(self, offsets: Points) -> Points:
        """Pixel coordinates (k, 2) of points given relative to the centre [m]."""
        return offsets * (self.scale, -self.scale) + (self.width / 2, self.height / 2)
