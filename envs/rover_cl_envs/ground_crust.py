"""Crust on a tile: pale plates on loose soil, and dark churned soil between their shards where it broke."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rover_cl_envs import palette
from rover_cl_envs.ground_soil import stain
from rover_cl_envs.ground_texture import Floats, crust_textures

PALE = 0.52  # how far plates go towards their own colour; the rest is albedo
DARK = 0.72  # likewise churned soil
JOINT = 0.24  # how much darker the joints between plates are
RAGGED = 0.20  # how far single plates reach over the edge of the crust, in shares of a cell
SHELF = 1.6  # height of the crust's edge [px]
DOME = 0.30  # slope of a plate's rim
TONES = 0.06  # how much plates differ in brightness
CLODS = 0.16  # how uneven churned soil is
REACH = 0.3  # share of broken cells at which the soil is churned: below a half, as wheels tear at the edge
LEAST = 0.02  # below it nothing is churned


@dataclass(frozen=True, kw_only=True, eq=False)
class Crust:
    """The crust of a tile, (side, side) each."""

    held: Floats
    """share of crust that holds, 0 to 1"""
    churned: Floats
    """share of soil where it broke"""
    east: Floats
    """slope of the plates and of the crust's edge towards east"""
    north: Floats
    """likewise towards north"""
    bright: Floats
    """factor of the brightness"""

    @property
    def covered(self) -> Floats:
        """What hides the ground below, 0 to 1."""
        result: Floats = np.maximum(self.held, self.churned)
        return result

    def tint(self, picture: Floats) -> None:
        """Colour a picture (side, side, 3) of the albedo."""
        stain(picture, self.held * np.float32(PALE), palette.CRUST)
        stain(picture, self.churned * np.float32(DARK), palette.CHURNED)


def crust_of(there: Floats, gone: Floats) -> Crust:
    """The crust of a tile; its edge, and that of what is broken, goes more or less along the plates'.

    Args:
        there: share of crust at the beginning of the episode, (side, side), smoothed.
        gone: likewise of that which broke since.
    """
    fine = crust_textures(len(there))
    ragged = np.float32(RAGGED) * fine.plate
    churned: Floats = (np.clip(4 * (gone + ragged - REACH) + 0.5, 0, 1) * (gone > LEAST)).astype(np.float32)
    held: Floats = (np.clip(4 * (there + ragged - 0.5) + 0.5, 0, 1) * (1 - churned)).astype(np.float32)
    bright: Floats = 1 + held * (TONES * fine.plate - JOINT * fine.joint) + CLODS * churned * fine.clods
    down, right = np.gradient(held)
    return Crust(
        held=held,
        churned=churned,
        east=SHELF * right + DOME * held * fine.rim_east,
        north=DOME * held * fine.rim_north - SHELF * down,
        bright=bright,
    )
