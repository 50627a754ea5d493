"""The frame of a picture: where its pixels lie around the rover, and what their values mean."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from rover_cl_envs.compiled import compiled
from rover_cl_envs.ring import BEARINGS

Picture = NDArray[np.uint8]
"""(3, 64, 64)"""

CHANNELS = 3
PIXELS = 64  # rows and columns
METRES = 0.2  # width of a pixel [m]
AHEAD_ROWS = 48  # rows of pixels ahead of the rover's middle
ALBEDO, HEIGHT, MARKS = range(CHANNELS)
"""Channels of a picture."""
MIDDLE = 128  # value of albedo, height or an instrument at 0


def _sectors() -> NDArray[np.uint8]:
    """The bearing of the terrain ring in whose sector of 45 degrees each pixel lies, (64, 64)."""
    ahead = AHEAD_ROWS - 0.5 - np.arange(PIXELS)[:, None]
    left = PIXELS / 2 - 0.5 - np.arange(PIXELS)
    turns = np.arctan2(left, ahead) / (2 * math.pi)
    return (np.rint(BEARINGS * turns).astype(np.int64) % BEARINGS).astype(np.uint8)


SECTORS = _sectors()


@compiled
def byte(value: float) -> int:
    """A value rounded and clipped to 0..255."""
    return int(min(max(value, 0.0), 255.0) + 0.5)
