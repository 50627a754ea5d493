"""What lies on the ground of a picture: the trail coloured by slip, the targets, what the rover senses."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from rover_cl_envs import palette
from rover_cl_envs.drawing import pygame
from rover_cl_envs.lettering import Lettering
from rover_cl_envs.palette import Colour
from rover_cl_envs.scene import Scene
from rover_cl_envs.view import Points, View

WHEEL_WIDTH = 0.16  # of a rut [m]
LONGEST_STEP = 2.0  # a longer one is no drive: the way has left the map on one side [m]
MARGIN = 30  # a target nearer to the edge of the picture is pointed at [px]
TALL = 0.15  # [m] above the rover: drawn as in the way


def draw_trail(surface: pygame.Surface, scene: Scene, view: View) -> None:
    """The ruts of the left and right wheels, each in the colour of its slip."""
    if len(scene.trail) < 2:
        return
    way = view.offset(scene.trail[:, :2].astype(np.float64))
    yaw = scene.trail[:, 2]
    aside = np.stack([-np.sin(yaw), np.cos(yaw)], axis=1) * np.abs(scene.wheels[:, 1]).max()
    jump = (np.abs(np.diff(way, axis=0)) > LONGEST_STEP).any(axis=1)
    ruts = [view.pixels(way + aside), view.pixels(way - aside)]
    wide = max(2, round(WHEEL_WIDTH * view.scale))
    for rut in ruts:
        seen = ~jump & _in_view(rut, view)
        for k in np.flatnonzero(seen).tolist():
            pygame.draw.line(surface, palette.RUT, rut[k].tolist(), rut[k + 1].tolist(), wide)
    for side, rut in enumerate(ruts):
        seen = ~jump & _in_view(rut, view)
        for k in np.flatnonzero(seen).tolist():
            colour = palette.of_slip(float(scene.trail[k + 1, 3 + side]))
            pygame.draw.line(surface, colour, rut[k].tolist(), rut[k + 1].tolist(), max(1, wide // 2))


def _in_view(points: Points, view: View) -> NDArray[np.bool_]:
    """Whether each stretch from one point to the next begins in the picture, or just beside it."""
    edge = np.array([view.width, view.height])
    return np.asarray(((points[:-1] > -20) & (points[:-1] < edge + 20)).all(axis=1))


def draw_ring(surface: pygame.Surface, scene: Scene, view: View) -> None:
    """A dot wherever the rover senses the ground: as bright as what it sees, rimmed where it stands high."""
    if not len(scene.ring):
        return
    x, y, yaw = scene.pose
    cos, sin = math.cos(yaw), math.sin(yaw)
    turn = np.array([[cos, sin], [-sin, cos]])
    offsets = view.offset(np.array([[x, y]])) + scene.ring[:, :2] @ turn
    radius = max(2, round(0.09 * view.scale))
    for place, (height, albedo) in zip(
        view.pixels(offsets).tolist(), scene.ring[:, 2:].tolist(), strict=True
    ):
        rim = palette.HAZARD if height > TALL else palette.SHADE
        bright = round(255 * min(max(0.5 + 0.5 * albedo, 0.0), 1.0))
        pygame.draw.circle(surface, rim, place, radius + (2 if height > TALL else 1))
        pygame.draw.circle(surface, (bright, bright, bright), place, radius)


def draw_targets(surface: pygame.Surface, scene: Scene, view: View, letters: Lettering) -> None:
    """A flag and its reach on each target in view, an arrow with the distance to one outside."""
    offsets = view.offset(np.asarray(scene.targets, dtype=np.float64))
    # The goal comes last, on top.
    for k in (1 - scene.rewarded, scene.rewarded):
        colour = palette.REWARDED if k == scene.rewarded else palette.OTHER
        x, y = view.pixels(offsets[k][None])[0].tolist()
        if MARGIN <= x <= view.width - MARGIN and MARGIN <= y <= view.height - MARGIN:
            ring = max(6, round(scene.reach * view.scale))
            bold = 3 if k == scene.rewarded else 2
            pygame.draw.circle(surface, palette.SHADE, (x + 1, y + 1), ring, bold)
            pygame.draw.circle(surface, colour, (x, y), ring, bold)
            _flag(surface, letters, (x, y), "AB"[k], colour)
        else:
            _pointer(surface, letters, view, offsets[k], scene, "AB"[k], colour)


def _flag(
    surface: pygame.Surface, letters: Lettering, foot: tuple[float, float], letter: str, colour: Colour
) -> None:
    """A pole at its foot with a lettered cloth to the east."""
    x, y = foot
    pygame.draw.line(surface, palette.SHADE, (x, y), (x, y - 32), 2)
    cloth = pygame.Rect(x + 1, y - 33, 20, 18)
    pygame.draw.rect(surface, colour, cloth)
    pygame.draw.rect(surface, palette.SHADE, cloth, 1)
    letters.write(surface, letter, (cloth.centerx, cloth.top + 2), size=22, colour=palette.SHADE, align=0.5)


def _pointer(
    surface: pygame.Surface,
    letters: Lettering,
    view: View,
    offset: Points,
    scene: Scene,
    letter: str,
    colour: Colour,
) -> None:
    """An arrowhead near the edge, towards a target that lies outside the picture."""
    distance = float(np.hypot(*offset))
    ahead = np.array([offset[0], -offset[1]]) / max(distance, 1e-9)
    aside = np.array([-ahead[1], ahead[0]])
    middle = np.array([view.width, view.height]) / 2
    room = np.maximum(middle - (16, 34), 8)
    tip = middle + ahead * (room / np.maximum(np.abs(ahead), 1e-9)).min()
    corners = [tip, tip - 20 * ahead + 9 * aside, tip - 20 * ahead - 9 * aside]
    pygame.draw.polygon(surface, colour, [c.tolist() for c in corners])
    pygame.draw.polygon(surface, palette.SHADE, [c.tolist() for c in corners], 1)
    # Distance from the rover, which need not be in the middle.
    away = float(np.hypot(*(offset - view.offset(np.array([scene.pose[:2]]))[0])))
    text = f"{letter}  {away:.0f} m"
    x, y = (tip - (30 + abs(ahead[0]) * 14) * ahead).tolist()
    width = letters.width(text, 20)
    pygame.draw.rect(surface, palette.PANEL, (x - width / 2 - 4, y - 10, width + 8, 20), border_radius=4)
    letters.write(surface, text, (x, y - 7), size=20, colour=colour, align=0.5)


def draw_scale(surface: pygame.Surface, view: View, letters: Lettering, bottom: float) -> None:
    """A bar of two metres and where north is, in the lower right corner."""
    bar = 2.0 * view.scale
    x, y = view.width - 14, bottom
    for shift, colour in ((1, palette.SHADE), (0, palette.INK)):
        pygame.draw.line(surface, colour, (x - bar + shift, y + shift), (x + shift, y + shift), 3)
    letters.write(surface, "2 m", (x - bar / 2, y - 16), size=18, colour=palette.INK, align=0.5)
    north = [(x - 6, y - 26), (x, y - 44), (x + 6, y - 26), (x, y - 31)]
    pygame.draw.polygon(surface, palette.INK, north)
    pygame.draw.polygon(surface, palette.SHADE, north, 1)
    letters.write(surface, "N", (x, y - 58), size=18, colour=palette.INK, align=0.5)
