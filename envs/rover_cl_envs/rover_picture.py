"""The rover from above, to scale: body, deck, mast, rocker arms and six wheels, the dead ones crossed out."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rover_cl_envs import palette
from rover_cl_envs.drawing import pygame
from rover_cl_envs.sunlight import LOWEST_SUN, MAP_SUN, Sun

SMALLEST = 34.0  # length below which the drawn rover is enlarged [px]
CROSS = 7.0  # half as wide at least is the cross on a dead wheel [px]
OVERSAMPLING = 4  # drawn larger, then reduced: smooth edges
HEADINGS = 144  # a picture for every 2.5 degrees
KEPT = 3 * HEADINGS
SHADOW = (20, 8, 4, 130)


class RoverPicture:
    """Pictures of a rover by its heading and the health of its wheels."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[object, ...], pygame.Surface] = OrderedDict()

    def draw(
        self,
        surface: pygame.Surface,
        place: tuple[float, float],
        yaw: float,
        wheels: NDArray[np.float32],
        health: Sequence[float],
        scale: float,
        sun: Sun = MAP_SUN,
    ) -> None:
        """Put the rover on a surface.

        Args:
            surface: where to.
            place: its middle [px].
            yaw: its heading [rad].
            wheels: (6, 2) positions in the body frame [m].
            health: of the wheels, 1 healthy, 0 dead.
            scale: [px/m].
            sun: where the shadow falls from.
        """
        heading = round(yaw / (2 * math.pi) * HEADINGS) % HEADINGS
        unit = max(scale, SMALLEST / float(np.ptp(wheels[:, 0])))
        key = (heading, unit, tuple(round(8 * h) for h in health), wheels.tobytes(), sun)
        if key not in self._kept:
            self._kept[key] = _sprite(2 * math.pi * heading / HEADINGS, wheels, health, unit, sun)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        sprite = self._kept[key]
        surface.blit(sprite, sprite.get_rect(center=(round(place[0]), round(place[1]))))


def _cross(sprite: pygame.Surface, place: tuple[float, float], reach: float) -> None:
    """Cross out what is at a place."""
    x, y = place
    for colour, wide in ((palette.INK, 0.75), (palette.DEAD, 0.42)):
        for side in (-1, 1):
            tips = (x - reach, y - side * reach), (x + reach, y + side * reach)
            pygame.draw.line(sprite, colour, *tips, max(2, round(wide * reach)))


def _sprite(
    yaw: float, wheels: NDArray[np.float32], health: Sequence[float], unit: float, sun: Sun
) -> pygame.Surface:
    length, width = float(np.ptp(wheels[:, 0])), float(np.ptp(wheels[:, 1]))
    unit *= OVERSAMPLING
    side = math.ceil(1.8 * math.hypot(length, width) * unit / OVERSAMPLING) * OVERSAMPLING
    sprite = pygame.Surface((side, side), pygame.SRCALPHA)
    cos, sin = math.cos(yaw), math.sin(yaw)
    middle = side / 2
    # As long as on a map in its sun; much longer ones would leave the sprite.
    longer = min(math.tan(MAP_SUN[1]) / math.tan(max(sun[1], LOWEST_SUN)), 2.5) * math.sqrt(2)
    shade_x, shade_y = -math.cos(sun[0]) * longer * unit, math.sin(sun[0]) * longer * unit
    shadow = (*SHADOW[:3], SHADOW[3] if sun[1] > 0 else 40)

    def at(x: float, y: float) -> tuple[float, float]:
        return middle + unit * (x * cos - y * sin), middle - unit * (x * sin + y * cos)

    def box(x: float, y: float, long: float, wide: float, colour: tuple[int, ...], fall: float = 0.0) -> None:
        a, b = long / 2, wide / 2
        corners = [at(x - a, y - b), at(x + a, y - b), at(x + a, y + b), at(x - a, y + b)]
        pygame.draw.polygon(sprite, colour, [(i + fall * shade_x, j + fall * shade_y) for i, j in corners])

    box(0.02 * length, 0.0, 0.66 * length, 0.50 * width, shadow, 0.13)
    for arm in (-1, 1):
        box(0.0, arm * 0.44 * width, 1.0 * length, 0.05 * width, shadow, 0.08)
    for x, y in wheels.tolist():
        box(x, y, 0.215 * length, 0.185 * width, shadow, 0.04)
    for arm in (-1, 1):
        box(0.0, arm * 0.44 * width, 1.0 * length, 0.05 * width, (92, 86, 84))
        box(0.08 * length, arm * 0.34 * width, 0.06 * length, 0.22 * width, (92, 86, 84))
    for (x, y), share in zip(wheels.tolist(), health, strict=True):
        tread = palette.blend(palette.DEAD, palette.HEALTHY, share)
        box(x, y, 0.215 * length, 0.185 * width, palette.INK if share < 1 else (86, 80, 78))
        box(x, y, 0.185 * length, 0.145 * width, tread)
        for k in (-1, 0, 1):
            groove = palette.blend(tread, palette.INK, 0.25)
            box(x + k * 0.055 * length, y, 0.012 * length, 0.145 * width, groove)
    box(0.02 * length, 0.0, 0.66 * length, 0.50 * width, palette.DECK)
    for panel in (-1, 1):
        box(-0.10 * length, panel * 0.135 * width, 0.40 * length, 0.20 * width, palette.SOLAR)
        for k in (-1, 0, 1):
            seam = palette.blend(palette.SOLAR, palette.DECK, 0.25)
            box((-0.10 + 0.10 * k) * length, panel * 0.135 * width, 0.008 * length, 0.20 * width, seam)
    box(-0.36 * length, 0.0, 0.12 * length, 0.16 * width, palette.GOLD)
    # Mast and arm are in front: they tell which way the rover looks.
    box(0.44 * length, -0.10 * width, 0.24 * length, 0.045 * width, palette.GOLD)
    nose = [at(0.66 * length, 0.0), at(0.50 * length, 0.13 * width), at(0.50 * length, -0.13 * width)]
    pygame.draw.polygon(sprite, (255, 208, 64), nose)
    pygame.draw.circle(sprite, palette.SHADE, at(0.23 * length, 0.0), 0.085 * length * unit)
    box(0.25 * length, 0.0, 0.055 * length, 0.26 * width, palette.INK)
    for (x, y), share in zip(wheels.tolist(), health, strict=True):
        if share == 0:
            _cross(sprite, at(x, y), max(CROSS * OVERSAMPLING, 0.13 * length * unit))
    return pygame.transform.smoothscale(sprite, (side // OVERSAMPLING, side // OVERSAMPLING))
