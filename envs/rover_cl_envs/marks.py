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

RUT_WIDTH = 0.19  # a little more than a wheel's, so that the colour of its slip tells from afar [m]
LONGEST_STEP = 2.0  # a longer one is no drive: the way has left the map on one side [m]
EDGE = 34  # between an arrowhead and the nearest edge of the picture [px]
MARGIN = 30  # a target nearer to the edge of the picture is pointed at [px]
SHADES = 15  # of grey between black and white
LEGEND, STRIPES = 100, 20  # width of the colours of slip [px], and how many are shown
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
    wide = max(3, round(RUT_WIDTH * view.scale))
    for rut in ruts:
        seen = ~jump & _in_view(rut, view)
        for k in np.flatnonzero(seen).tolist():
            pygame.draw.line(surface, palette.RUT, rut[k].tolist(), rut[k + 1].tolist(), wide)
    for side, rut in enumerate(ruts):
        seen = ~jump & _in_view(rut, view)
        for k in np.flatnonzero(seen).tolist():
            colour = palette.of_slip(float(scene.trail[k + 1, 3 + side]))
            pygame.draw.line(surface, colour, rut[k].tolist(), rut[k + 1].tolist(), max(1, wide - 2))


def _in_view(points: Points, view: View) -> NDArray[np.bool_]:
    """Whether each stretch from one point to the next begins in the picture, or just beside it."""
    edge = np.array([view.width, view.height])
    return np.asarray(((points[:-1] > -20) & (points[:-1] < edge + 20)).all(axis=1))


def draw_ring(surface: pygame.Surface, scene: Scene, view: View, letters: Lettering) -> None:
    """A dot wherever the rover senses the ground: as bright as what it sees, orange where it stands high."""
    if not len(scene.ring):
        return
    x, y, yaw = scene.pose
    cos, sin = math.cos(yaw), math.sin(yaw)
    turn = np.array([[cos, sin], [-sin, cos]])
    offsets = view.offset(np.array([[x, y]])) + scene.ring[:, :2] @ turn
    radius = max(3, round(0.14 * view.scale))
    for (i, j), (height, albedo) in zip(
        view.pixels(offsets).tolist(), scene.ring[:, 2:].tolist(), strict=True
    ):
        high = height > TALL
        grey = round(SHADES * min(max(0.5 + 0.5 * albedo, 0.0), 1.0)) * 255 // SHADES
        rim = palette.HAZARD if high else palette.NEWS
        dot = letters.disc(radius, (grey, grey, grey), 2 if high else 1, rim)
        surface.blit(dot, (round(i) - radius, round(j) - radius))


def draw_targets(surface: pygame.Surface, scene: Scene, view: View, letters: Lettering) -> None:
    """A flag and its reach on each target in view, an arrow with the distance to one outside."""
    offsets = view.offset(np.asarray(scene.targets, dtype=np.float64))
    # The goal comes last, on top.
    for k in (1 - scene.rewarded, scene.rewarded):
        colour = palette.REWARDED if k == scene.rewarded else palette.OTHER
        x, y = view.pixels(offsets[k][None])[0].tolist()
        if MARGIN <= x <= view.width - MARGIN and MARGIN <= y <= view.height - MARGIN:
            ring = max(6, round(scene.reach * view.scale))
            bold = 4 if k == scene.rewarded else 2
            for shift, ink in ((1, palette.SHADE), (0, colour)):
                corner = (round(x) - ring + shift, round(y) - ring + shift)
                surface.blit(letters.circle(ring, bold, ink), corner)
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
    """An arrowhead towards a target outside the picture, on an ellipse that leaves its corners to others."""
    distance = float(np.hypot(*offset))
    ahead = np.array([offset[0], -offset[1]]) / max(distance, 1e-9)
    aside = np.array([-ahead[1], ahead[0]])
    middle = np.array([view.width, view.height]) / 2
    tip = middle + ahead / np.hypot(*(ahead / np.maximum(middle - EDGE, 8)))
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
    _label(surface, letters, "2 m", x - bar / 2, y - 18)
    north = [(x - 6, y - 26), (x, y - 44), (x + 6, y - 26), (x, y - 31)]
    pygame.draw.polygon(surface, palette.INK, north)
    pygame.draw.polygon(surface, palette.SHADE, north, 1)
    _label(surface, letters, "N", x, y - 60)


def draw_legend(
    surface: pygame.Surface, view: View, letters: Lettering, bottom: float, interval: float
) -> None:
    """Left of the scale: the colours of slip, and the height between two contour lines [m]."""
    right = view.width - 14 - 2.0 * view.scale - 26
    left = right - LEGEND
    surface.fill(palette.SHADE, (left - 1, bottom - 2, LEGEND + 2, 7))
    for k in range(STRIPES):
        stripe = (left + k * LEGEND // STRIPES, bottom - 1, LEGEND // STRIPES, 5)
        surface.fill(palette.of_slip(k / (STRIPES - 1)), stripe)
    _label(surface, letters, "slip 0 to 100 %", left + LEGEND / 2, bottom - 18)
    pygame.draw.line(surface, palette.SHADE, (left - 116, bottom + 1), (left - 26, bottom + 1), 2)
    unit = f"{100 * interval:.0f} cm" if interval < 1 else f"{interval:.0f} m"
    _label(surface, letters, f"contours {unit}", left - 71, bottom - 18)


def _label(surface: pygame.Surface, letters: Lettering, text: str, x: float, y: float) -> None:
    """A line of text around x, with a shadow that lifts it from bright ground."""
    letters.write(surface, text, (x + 1, y + 1), size=18, colour=palette.SHADE, align=0.5)
    letters.write(surface, text, (x, y), size=18, colour=palette.INK, align=0.5)
