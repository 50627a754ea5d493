"""Crust on a tile: pale plates on loose soil, and dark churned soil between their shards where it broke."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rover_cl_envs import palette
from rover_cl_envs.ground_soil import stain
from rover_cl_envs.ground_texture import Floats, crust_textures

Pixels = NDArray[np.uint8]

PALE = 0.52  # how far plates go towards their own colour; the rest is albedo
DARK = 0.72  # likewise churned soil
JOINT = 0.24  # how much darker the joints between plates are
RAGGED = 0.20  # how far single plates reach over the edge of the crust, in shares of a cell
SHELF = 1.6  # height of the crust's edge [px]
RIM, STEEPEST = 1.3, 0.4  # how much brighter or darker that edge is where crust broke, and at most
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


def crust_of(there: Floats, broken: bool) -> Crust:
    """The crust of a tile; its edge goes more or less along the plates'.

    Args:
        there: share of crust at the beginning of the episode, (side, side), smoothed.
        broken: all of it is broken, rather than none.
    """
    fine = crust_textures(len(there))
    torn, nothing = _torn(there), np.zeros_like(there)
    edge = np.clip(4 * (there + RAGGED * fine.plate - 0.5) + 0.5, 0, 1).astype(np.float32)
    churned, held = (torn, nothing) if broken else (nothing, edge)
    bright: Floats = 1 + held * (TONES * fine.plate - JOINT * fine.joint) + CLODS * churned * fine.clods
    down, right = np.gradient(held)
    return Crust(
        held=held,
        churned=churned,
        east=SHELF * right + DOME * held * fine.rim_east,
        north=DOME * held * fine.rim_north - SHELF * down,
        bright=bright,
    )


def crack(whole: Pixels, broken: Pixels, gone: Floats, towards: tuple[float, float]) -> Pixels:
    """A tile of which some crust is broken: two tiles in one, so that a step of the wheels costs little.

    Args:
        whole: the tile with all its crust, (side, side, 3).
        broken: the tile without.
        gone: share of crust that is broken, (side, side), smoothed.
        towards: horizontal direction of the sun, east and north, of length 1.
    """
    torn, picture = _torn(gone), whole.copy()
    rows, columns = (np.flatnonzero(torn.max(axis=axis)) for axis in (1, 0))
    if len(rows) < 2 or len(columns) < 2:
        return picture
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    share: Floats = torn[box]
    below: Floats = whole[box].astype(np.float32)
    # The crust around stands higher: its edge is in the light or in the shade.
    down, right = np.gradient(share)  # over rows, over columns
    light = 1 + np.clip(RIM * (towards[0] * right - towards[1] * down), -STEEPEST, STEEPEST)
    below += share[:, :, None] * (broken[box] - below)
    picture[box] = np.clip(below * np.expand_dims(light, 2), 0, 255)
    return picture


def _torn(share: Floats) -> Floats:
    """Churned soil, (side, side), 0 to 1, where that share of crust is broken."""
    ragged = RAGGED * crust_textures(len(share)).plate
    result: Floats = (np.clip(4 * (share + ragged - REACH) + 0.5, 0, 1) * (share > LEAST)).astype(np.float32)
    return result
