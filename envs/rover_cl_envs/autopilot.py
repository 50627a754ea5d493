"""A driver that goes where it is told, heedless of the ground, and how it and the planner end a mission.

The bearings, distances and orders are those of the observation, with their errors; only what is asked of the
rover is read from the mission itself, which a rover without the system "mission" is not told.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rover_cl_envs.batch import Batch
from rover_cl_envs.mission import FACING, IMAGE, KIND, REACH, SAMPLE, STANDOFF_FAR, STANDOFF_NEAR, SURVIVE
from rover_cl_envs.rows import MISSION

Commands = NDArray[np.float32]
Values = NDArray[np.float64]
DISTANCE_SCALE = 20.0  # of the observation [m]
GAIN = 1.5  # steer per bearing of the target [1/rad]
WELL_WITHIN = 0.6  # share of the reach within which a sample is taken, as a rover doesn't stop at once
BRAKING = 0.4  # inside of the ring's outer edge at which a rover stops to take an image [m]
BACKING = -0.5  # drive of a rover that has come too near


class Autopilot:
    """Drives a batch's rovers by what they are told: turns to the ordered target, and drives there.

    Args:
        batch: the rovers.
    """

    def __init__(self, batch: Batch) -> None:
        self._batch = batch

    def commands(self) -> Commands:
        """Drive and steer (n, 2) for what the rovers have just been told."""
        o = self._batch.vectors
        ordered_b = o[:, 31] < 0
        told = (np.where(ordered_b, o[:, 4 + k], o[:, k]).astype(np.float64) for k in range(3))
        distance, cos, sin = told
        bearing = np.arctan2(sin, cos)
        drive = np.clip(1 - np.abs(bearing), 0, 1)
        commands = np.stack([drive, np.clip(GAIN * bearing, -1, 1)], axis=1).astype(np.float32)
        return finish(self._batch, commands, DISTANCE_SCALE * distance, bearing)


def finish(batch: Batch, commands: Commands, distance: Values, bearing: Values) -> Commands:
    """The commands (n, 2) of rovers on their way, changed where the mission asks for more than arriving.

    "survive": stand still throughout. "sample": stop within reach. "image": stop on the ring, or back off to
    it, and turn to the target.

    Args:
        batch: the rovers.
        commands: drive and steer (n, 2).
        distance: of the rewarded target (n,) [m].
        bearing: of it, from ahead counter-clockwise (n,) [rad].
    """
    missions = batch.setting.missions[batch.counters[:, MISSION]]
    kind = missions[:, KIND]
    out = commands.copy()
    out[kind == SURVIVE] = 0.0
    out[(kind == SAMPLE) & (distance < WELL_WITHIN * missions[:, REACH])] = 0.0
    there = (kind == IMAGE) & (distance < missions[:, STANDOFF_FAR] - BRAKING)
    turns = np.abs(bearing) > 0.5 * missions[:, FACING]
    out[there, 0] = 0.0
    out[there, 1] = np.where(turns, np.clip(GAIN * bearing, -1, 1), 0.0)[there]
    out[there & (distance < missions[:, STANDOFF_NEAR]) & ~turns, 0] = BACKING
    return out
