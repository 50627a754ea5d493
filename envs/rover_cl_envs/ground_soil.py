"""How the soil of a tile looks: bedrock is paved and pale, regolith grainy, sand smooth and rippled.

Between two soils the look goes over smoothly. What conditions leave as it is costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rover_cl_envs import palette
from rover_cl_envs.ground_texture import Floats, drift_texture
from rover_cl_envs.palette import Colour
from rover_cl_envs.scene import Ground

REGOLITH = 1 / 3
STEEPEN = 0.7  # below 1, so that a little more sand than regolith shows at once
UNEVEN = 1.4  # how much regolith on bedrock varies, where half of it is bare: in shares
PALE = 0.45  # how far bare bedrock goes towards its own colour; the rest is albedo
SANDY = 0.30  # likewise drift between the patches
LOOSE = 0.55  # likewise the loose sand of crests


@dataclass(frozen=True, kw_only=True, eq=False)
class Surface:
    """Shares of what is seen in each pixel of a tile, (side, side) each, 0 to 1."""

    rippled: Floats
    """height of the wind ripples over that of drift"""
    paved: Floats
    """bedrock, outcrop or not"""
    pale: Floats | None
    """bedrock that is no outcrop; None: none"""
    sandy: Floats | None
    """drift that is no patch; None: none"""
    loose: Floats | None
    """sand of crests; None: none"""


def surface_of(
    ground: Ground, sand: Floats, outcrop: Floats, crests: Floats | None, covered: Floats | None
) -> Surface:
    """What is seen where no rock lies.

    Args:
        ground: whose soils.
        sand: share of the patch soil, (side, side) as all others.
        outcrop: share of bare rock.
        crests: how far crests go towards drift; None: nowhere.
        covered: crust, broken or not, which hides all of it; None: nowhere.
    """
    patch, paved = np.clip(sand * 1.6 - 0.25, 0, 1), np.clip(outcrop * 1.6 - 0.3, 0, 1)
    between = (1 - patch) * (1 - paved)
    rippled = patch * np.float32(ripples_on(ground.patch_soil))
    pale = sandy = loose = None
    if ground.soil > REGOLITH:
        sandy = between * np.float32(ripples_on(ground.soil))
        rippled = rippled + sandy
    if min(ground.soil, ground.patch_soil) < REGOLITH:
        pale = between * bared(ground.soil, len(sand)) + patch * bared(ground.patch_soil, len(sand))
    if crests is not None:
        loose = np.clip(crests, 0, 1) ** np.float32(STEEPEN)
        rippled = rippled + loose * (1 - rippled)
        pale, paved = _less(pale, loose), paved * (1 - loose)
    if pale is not None:
        paved = np.maximum(paved, pale)
    if covered is not None:
        rippled, paved = rippled * (1 - covered), paved * (1 - covered)
        pale, sandy, loose = (_less(share, covered) for share in (pale, sandy, loose))
    return Surface(rippled=rippled, paved=paved, pale=pale, sandy=sandy, loose=loose)


def tint_soil(picture: Floats, surface: Surface) -> None:
    """Give soils other than those of the default their colour, on a picture (side, side, 3) of the albedo."""
    for share, colour, most in (
        (surface.pale, palette.BEDROCK, PALE),
        (surface.sandy, palette.DRIFT, SANDY),
        (surface.loose, palette.LOOSE, LOOSE),
    ):
        if share is not None:
            stain(picture, share * np.float32(most), colour)


def stain(picture: Floats, share: Floats, colour: Colour) -> None:
    """Take each pixel of a picture (side, side, 3) a share (side, side) of the way to a colour."""
    picture += share[:, :, None] * (np.asarray(colour, dtype=np.float32) - picture)


def ripples_on(soil: float) -> float:
    """Height of the wind ripples on a soil over that on drift: 0 up to regolith, 1 on drift."""
    return float(max(3 * soil - 1, 0.0) / 2) ** STEEPEN


def bared(soil: float, side: int) -> Floats:
    """Where regolith leaves bedrock bare, (side, side), 0 to 1: here more than there."""
    share = bedrock_in(soil)
    uneven = np.float32(UNEVEN * share * (1 - share)) * drift_texture(side)
    result: Floats = np.clip(np.float32(share) + uneven, 0, 1)
    return result


def bedrock_in(soil: float) -> float:
    """Share of bedrock in a soil: 1 on bedrock, 0 from regolith on."""
    return max(1 - 3 * soil, 0.0)


def _less(share: Floats | None, hidden: Floats) -> Floats | None:
    return None if share is None else share * (1 - hidden)
