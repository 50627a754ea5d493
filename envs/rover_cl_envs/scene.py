"""What a picture of one rover needs: plain values, so that the renderer knows no environment."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

TRAIL = 5
"""Columns of a trail: x, y [m], yaw [rad], slip left, slip right."""
BODIES = ("dust devil", "martian")
"""Kinds of moving bodies; the index is the last column of `Scene.bodies`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Ground:
    """The map that scenes share. Maps are periodic, rows are y (north), columns x (east).

    Grounds are told apart by identity: whoever changes a map makes a new one.
    """

    heights: NDArray[np.float32]
    """(n, n) ground height without rocks [m]"""
    sand: NDArray[np.float32]
    """(n, n) share of the patch soil, 0 firm ground to 1 full patch"""
    outcrop: NDArray[np.float32]
    """(n, n) share of bare rock, 0 to 1"""
    albedo: NDArray[np.float32]
    """(n, n) what the camera sees, about -1 dark to 1 bright"""
    rocks: NDArray[np.float32]
    """(n, n) rock height [m], 0 where there is none"""
    cell: float
    """width of a cell [m]"""
    crust: NDArray[np.bool_] = field(default_factory=lambda: np.zeros((1, 1), dtype=np.bool_))
    """(n, n) where there is crust at the beginning of an episode; (1, 1) where there are no landforms"""
    below: NDArray[np.float32] = field(default_factory=lambda: np.zeros((1, 1), dtype=np.float32))
    """(n, n) albedo below the crust, which shows where it is broken; (1, 1) where there is no crust"""
    crests: NDArray[np.float32] = field(default_factory=lambda: np.zeros((1, 1), dtype=np.float32))
    """(n, n) how far the crests of ripples and ridges go towards drift, 0 to 1; (1, 1) where none does"""
    soil: float = 1 / 3
    """between the patches: 0 bedrock, 1/3 regolith, 2/3 sand, 1 drift"""
    patch_soil: float = 1.0
    """of the patches, same scale"""
    climbed: float = math.inf
    """rocks up to this height can be driven over [m]"""
    slope: tuple[float, float] = (0.0, 0.0)
    """mean grade towards east and north, which the heights leave out"""

    @property
    def period(self) -> float:
        """Width of the map [m]."""
        return self.heights.shape[0] * self.cell


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """One rover on its map at one moment."""

    ground: Ground
    """the map"""
    pose: tuple[float, float, float]
    """x [m], y [m], yaw [rad]; yaw 0 looks along +x, counter-clockwise positive"""
    targets: tuple[tuple[float, float], tuple[float, float]]
    """positions of A and B [m]"""
    rewarded: int
    """0 where A is the goal, 1 where B is"""
    reach: float
    """a target counts as reached within this distance [m]"""
    wheels: NDArray[np.float32]
    """(6, 2) wheel positions in the body frame [m], x forward, y left"""
    wheel_health: tuple[float, ...]
    """6 values, 1 healthy, 0 dead; in the order of `wheels`"""
    trail: NDArray[np.float32]
    """(k, 5) poses passed in this episode and the slip there, columns as `TRAIL` says"""
    slip: tuple[float, float]
    """slip ratio left, right"""
    sinkage: tuple[float, float]
    """sinkage left, right [m]"""
    pitch: float
    """nose-up angle [rad]"""
    roll: float
    """left-side-up angle [rad]"""
    command: tuple[float, float] = (0.0, 0.0)
    """the last command, drive and steer, each -1 to 1"""
    ring: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 4), dtype=np.float32))
    """(k, 4) what the rover senses around it: x forward, y left [m], height above the rover [m], albedo"""
    step: int
    """control steps since the episode began"""
    outcome: str
    """"running", or how the episode ended"""
    title: str
    """one line for the top of the picture"""
    reward: tuple[tuple[str, float], ...] = ()
    """the terms of the last step's reward, by name"""
    score: float | None = None
    """sum of rewards in this episode, where somebody keeps it"""
    rover: str = ""
    """name of the vehicle"""
    wheel_size: tuple[float, float] = (0.254, 0.16)
    """diameter and width of a wheel [m]"""
    broken: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), dtype=np.int64))
    """(k, 2) row and column of the cells whose crust this rover has broken"""
    haze: float = 0.0
    """how much of the distance the dust in the air hides, 0 none to 1 all but the surroundings"""
    sun: tuple[float, float] | None = None
    """where the light comes from: bearing, 0 in the east and counter-clockwise, and elevation [rad]; below 0
    it is night. None: from the north-west, 40 degrees high, as maps are drawn"""
    bodies: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 4), dtype=np.float32))
    """(k, 4) what moves: x, y, radius [m], and the kind's index in `BODIES`"""
    charge: float | None = None
    """charge of the battery, 0 empty to 1 full; None where energy is not simulated"""
    conditions: tuple[tuple[str, float, float, bool], ...] = ()
    """the world: name, value, where that lies in its range, 0 to 1, and whether it is out of the ordinary"""
    mission: str = "navigate"
    """kind of the mission"""

    @property
    def site(self) -> tuple[float, float]:
        """The point between the rover and its targets [m]; it may lie beyond the map's edge."""
        half = self.ground.period / 2
        x, y = self.pose[:2]
        ways = np.array([(a - x, b - y) for a, b in self.targets] + [(0.0, 0.0)])
        ways = (ways + half) % (2 * half) - half
        east, north = (ways.min(axis=0) + ways.max(axis=0)) / 2
        return float(x + east), float(y + north)


def between(before: Scene, after: Scene, share: float) -> Scene:
    """The scene a share, 0 to 1, of the way from one moment to the next, for a smooth film.

    Only what moves is blended; a rover that has been put elsewhere, as by a new episode, jumps.
    """
    if share >= 1 or before.ground is not after.ground or after.step != before.step + 1:
        return after
    turn = (after.pose[2] - before.pose[2] + math.pi) % (2 * math.pi) - math.pi
    pose = (
        before.pose[0] + share * (after.pose[0] - before.pose[0]),
        before.pose[1] + share * (after.pose[1] - before.pose[1]),
        before.pose[2] + share * turn,
    )
    trail = after.trail.copy()
    if len(trail) > 1:
        trail[-1, :3] = pose
    return replace(
        after,
        pose=pose,
        bodies=_moved(before, after, share),
        trail=trail,
        slip=_blend(before.slip, after.slip, share),
        sinkage=_blend(before.sinkage, after.sinkage, share),
        pitch=before.pitch + share * (after.pitch - before.pitch),
        roll=before.roll + share * (after.roll - before.roll),
        outcome=before.outcome,
    )


def _moved(before: Scene, after: Scene, share: float) -> NDArray[np.float32]:
    """Bodies on their way; on the periodic map they take the shorter one."""
    if before.bodies.shape != after.bodies.shape or (before.bodies[:, 3] != after.bodies[:, 3]).any():
        return after.bodies
    half = after.ground.period / 2
    bodies = before.bodies.copy()
    bodies[:, :2] += share * ((after.bodies[:, :2] - before.bodies[:, :2] + half) % (2 * half) - half)
    bodies[:, 2] += share * (after.bodies[:, 2] - before.bodies[:, 2])
    return bodies


def _blend(a: tuple[float, float], b: tuple[float, float], share: float) -> tuple[float, float]:
    return a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])
