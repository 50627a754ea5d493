"""The arrays of a batch as the kernels see them: a row for each rover, and what all have in common.

A rover's state is one row, not one column: a rover reads two dozen of its own numbers in a step, which
then lie in two cache lines. Every row has its own random generator and scratch, so rows may be stepped in
any order by any number of threads with the same result to the last bit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rover_cl_envs.compiled import Bits, Coefficients, Row, Words, compiled_within
from rover_cl_envs.landforms import Broken

Rows = NDArray[np.float32]
"""Numbers of all rovers, a row each."""
Pictures = NDArray[np.uint8]
"""Pictures of all rovers (n, 3, 64, 64), or none (0, 3, 64, 64) where the observation is the vector."""

MAP, STEP, RESTART, VEHICLE, MISSION, NEXT_MISSION = range(6)
COUNTERS = 6
"""Columns of a counters row (6,): map in the bank, steps in the episode, 1 where a restart is due, which of
the fleet the rover is, the mission of this episode and of the next."""
STAY, NEXT_STEP, SAME_STEP = range(3)
"""What the kernel does with an episode that has ended."""


class Rovers(NamedTuple):
    """What changes: a row for each rover."""

    state: Rows
    """(n, 24), columns in dynamics.py"""
    counters: NDArray[np.int32]
    """(n, 6), columns above"""
    generators: NDArray[np.uint64]
    """(n, 2), columns in randomness.py"""
    conditions: Rows
    """(n, 50), columns in dynamics.py; (1, 50) while all rovers have the same: `conditions_of` finds one's"""
    soil: Coefficients
    """(n, 2, 9) soil under each side, columns in soil.py"""
    broken: Bits
    """(n, 8192) the cells whose crust each rover has broken, a bit each; (n, 0) while there is no crust"""
    broke: Bits
    """(n,) 1 where a rover has broken the crust of any cell; both are written by way of `broken_by` alone"""
    progress: Rows
    """(n, 4) how far the mission has got, columns in objectives.py"""
    power: Rows
    """(n, 23), columns in power.py; no rows where that system is off"""
    bodies: Rows
    """(n, 34), columns in bodies.py; no rows where that system is off"""


@compiled_within
def conditions_of(i: int, rovers: Rovers) -> Row:
    """The conditions row (50,) of rover i."""
    return rovers.conditions[min(i, rovers.conditions.shape[0] - 1)]


@compiled_within
def broken_by(i: int, rovers: Rovers) -> Broken:
    """The crust that rover i has broken."""
    return Broken(cells=rovers.broken[i], some=rovers.broke[i : i + 1])


class Setting(NamedTuple):
    """What stays."""

    words: Words
    """(M, 65536 k) the maps: each cell's layers as k = 1 word, or 2 while a condition asks for landforms"""
    rovers: Row
    """(R, 9) the fleet, columns in dynamics.py"""
    wheels: Row
    """(R, 6, 2) wheel positions [m]"""
    soils: Coefficients
    """(R, 4, 9) the anchor soils"""
    plants: Row
    """(R, 12) what feeds them, columns in power_plant.py"""
    missions: Rows
    """(m, 30) the missions that rovers may have, columns in mission.py"""
    ring: Row
    """(2, 24) points of the terrain ring in the body frame, ahead and to the left [m]"""
    limit: int
    """steps of an episode"""
    mode: int
    """what is done with an episode that has ended"""
    cues: bool
    """whether the cues are shown"""
    pixels: bool
    """whether pictures are taken"""
    net_flux: Coefficients
    """(8, 7) table of sun.py"""
    blocks: NDArray[np.int64]
    """(b,) first index of each block of `sensors.BLOCKS` in the observation; -1 where the system is off"""
