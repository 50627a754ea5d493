"""Lanes of rovers that are put on the ground: their wheels, the cells under these, and how they stand."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rover_cl_envs.compiled import Row, Words, compiled_within
from rover_cl_envs.lanes import LANES, Lane, lane
from rover_cl_envs.memory import scratch

WHEELS = 6

_floats, _integers, _sides = (
    scratch(LANES, np.float32),
    scratch(LANES, np.int32),
    scratch(2 * LANES, np.float64),
)
_wheels, _words = scratch(WHEELS * LANES, np.float64), scratch(WHEELS * LANES, np.int64)
_numbers = scratch(WHEELS * LANES, np.int32)


class Footing(NamedTuple):
    """Where the wheels stand, and on what: a lane for each wheel, the front left wheels of all first."""

    x: Lane
    y: Lane
    """[m]"""
    own: Row
    """number of the cell"""
    south_west: Row
    south_east: Row
    north_west: Row
    north_east: Row
    """of the cells between whose centres it stands"""
    east: Lane
    north: Lane
    """how far it is from the first of these, in cells, 0 to 1"""
    height: Lane
    """of the ground [m], rocks included, landforms left out"""
    rock: Lane
    """height of the rock [m]"""
    soil: Lane
    """fluffiness"""
    lift: Lane
    """height of the landforms [m]"""
    crusted: Row
    """1 where there is crust"""


class Corners(NamedTuple):
    """Words of the cells that wheels stand on and between, likewise."""

    own: Words
    south_west: Words
    south_east: Words
    north_west: Words
    north_east: Words


class Stance(NamedTuple):
    """What is asked of each rover's ground, and how it stands: a lane for each rover."""

    x: Row
    y: Row
    """of the rover's middle [m]"""
    rough: Row
    slope_east: Row
    slope_north: Row
    usual: Row
    patches: Row
    cover: Row
    outcrop: Row
    craters: Row
    ripples: Row
    tars: Row
    softness: Row
    crust: Row
    """of the conditions"""
    rocks: Row
    """step of abundance"""
    climbed: Row
    """height of the largest rock that its wheels climb [m]"""
    left: Lane
    right: Lane
    """mean height of its wheels on that side [m]"""
    pitch: Lane
    """height of the front over the rear, as the rockers weigh it [m]"""
    tallest: Lane
    """rock under a wheel [m]"""
    bedrock: Lane
    regolith: Lane
    sand: Lane
    drift: Lane
    """weights of the anchor soils, a lane for each side: all left ones first"""


@compiled_within
def footing() -> Footing:
    """Lanes on the stack of the kernel that asks for them, not yet written."""
    return Footing(
        *(_wheels(), _wheels(), _numbers(), _numbers(), _numbers(), _numbers(), _numbers()),
        *(_wheels(), _wheels(), _wheels(), _wheels(), _wheels(), _wheels(), _numbers()),
    )


@compiled_within
def corners() -> Corners:
    """Likewise."""
    return Corners(_words(), _words(), _words(), _words(), _words())


@compiled_within
def stance() -> Stance:
    """Likewise."""
    return Stance(
        *(_floats(), _floats(), _floats(), _floats(), _floats(), _floats(), _floats(), _floats()),
        *(_floats(), _floats(), _floats(), _floats(), _floats(), _floats(), _integers(), _floats()),
        *(lane(), lane(), lane(), lane(), _sides(), _sides(), _sides(), _sides()),
    )
