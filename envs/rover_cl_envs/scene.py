"""What a picture of one rover needs: plain values, so that the renderer knows no environment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One rover on its map at one moment. Maps are periodic, rows are y (north), columns x (east)."""

    heights: NDArray[np.float32]
    """(256, 256) ground height without rocks [m]"""
    sand: NDArray[np.float32]
    """(256, 256) share of the patch soil, 0 firm ground to 1 full patch"""
    albedo: NDArray[np.float32]
    """(256, 256) what the camera sees, about -1 dark to 1 bright"""
    rocks: NDArray[np.float32]
    """(256, 256) rock height [m], 0 where there is none"""
    cell: float
    """width of a cell [m]"""
    pose: tuple[float, float, float]
    """x [m], y [m], yaw [rad]; yaw 0 looks along +x, counter-clockwise positive"""
    targets: tuple[tuple[float, float], tuple[float, float]]
    """positions of A and B [m]"""
    rewarded: int
    """0 where A is the goal, 1 where B is"""
    wheels: NDArray[np.float32]
    """(6, 2) wheel positions in the body frame [m], x forward, y left"""
    wheel_health: tuple[float, ...]
    """6 values, 1 healthy, 0 dead; in the order of `wheels`"""
    track: NDArray[np.float32]
    """(k, 2) positions visited in this episode [m]"""
    slip: tuple[float, float]
    """slip ratio left, right"""
    sinkage: tuple[float, float]
    """sinkage left, right [m]"""
    pitch: float
    """nose-up angle [rad]"""
    roll: float
    """left-side-up angle [rad]"""
    step: int
    """control steps since the episode began"""
    outcome: str
    """"running", or how the episode ended"""
    title: str
    """one line for the top of the picture"""
