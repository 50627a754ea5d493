"""What is in the air and moves on the ground: haze, dust devils, and what nobody expected."""

from __future__ import annotations

import math
from collections import OrderedDict

import numpy as np

from rover_cl_envs import palette
from rover_cl_envs.drawing import pygame
from rover_cl_envs.scene import BODIES, Scene
from rover_cl_envs.sunlight import DAY, Light
from rover_cl_envs.view import View

CLEAR = 0.18  # share of the picture's width around the rover that haze leaves clear
THICKEST = 0.93  # opacity of haze 1 at the edge
PHASES = 12  # pictures of a whirl's turn
KEPT = 4 * PHASES
OVERSAMPLING = 2
ARMS = 3


class Air:
    """Draws haze and bodies, from pictures that are made once."""

    def __init__(self) -> None:
        self._veil: pygame.Surface | None = None
        self._light = DAY
        self._bodies: OrderedDict[tuple[int, int, int], pygame.Surface] = OrderedDict()

    def draw_haze(self, surface: pygame.Surface, scene: Scene, view: View, light: Light = DAY) -> None:
        """A veil over the distance, thicker towards the edges, clear around the rover."""
        if scene.haze <= 0:
            return
        if self._veil is None or self._light != light:
            self._veil, self._light = _veil(view.width, view.height, light), light
        # Twice as large as the picture, so that it may be laid around a rover anywhere in it.
        x, y = view.pixels(view.offset(np.array([scene.pose[:2]])))[0].tolist()
        self._veil.set_alpha(round(255 * THICKEST * min(scene.haze, 1.0)))
        surface.blit(self._veil, (round(x) - view.width, round(y) - view.height))

    def draw_bodies(self, surface: pygame.Surface, scene: Scene, view: View) -> None:
        """A whirl where a dust devil is, a small visitor where something is that nobody was told of."""
        if not len(scene.bodies):
            return
        places = view.pixels(view.offset(scene.bodies[:, :2].astype(np.float64)))
        for (x, y), (radius, kind) in zip(places.tolist(), scene.bodies[:, 2:].tolist(), strict=True):
            wide = max(6, round(radius * view.scale))
            if -wide < x < view.width + wide and -wide < y < view.height + wide:
                picture = self._body(round(kind), wide, scene.step % PHASES)
                surface.blit(picture, picture.get_rect(center=(round(x), round(y))))

    def _body(self, kind: int, radius: int, phase: int) -> pygame.Surface:
        whirls = BODIES[kind] == "dust devil"
        key = (kind, radius, phase if whirls else 0)
        if key not in self._bodies:
            large = _whirl(radius * OVERSAMPLING, phase) if whirls else _visitor(radius * OVERSAMPLING)
            side = large.get_width() // OVERSAMPLING
            self._bodies[key] = pygame.transform.smoothscale(large, (side, side))
            if len(self._bodies) > KEPT:
                self._bodies.popitem(last=False)
        self._bodies.move_to_end(key)
        return self._bodies[key]


def _veil(width: int, height: int, light: Light) -> pygame.Surface:
    """Haze of all but full strength, twice as wide and high as the picture."""
    veil = pygame.Surface((2 * width, 2 * height), pygame.SRCALPHA, 32)
    veil.fill([round(a * b) for a, b in zip(palette.HAZE, light, strict=True)])
    x, y = np.arange(2 * width) + 0.5 - width, np.arange(2 * height) + 0.5 - height
    away = np.hypot(x[:, None], y[None, :]) / width
    thick = 1 - np.exp(-6 * np.clip(away - CLEAR, 0, None))
    alpha = pygame.surfarray.pixels_alpha(veil)
    alpha[:] = np.round(255 * thick).astype(np.uint8)
    del alpha  # which locks the surface
    return veil


def _whirl(radius: int, phase: int) -> pygame.Surface:
    """A dust devil from above: arms that wind into a bright eye, in a cloud."""
    surface = pygame.Surface((2 * radius + 4, 2 * radius + 4), pygame.SRCALPHA)
    middle = radius + 2
    for share in (1.0, 0.85, 0.7, 0.55, 0.4):
        pygame.draw.circle(
            surface, (*palette.DUST, round(70 + 90 * (1 - share))), (middle, middle), share * radius
        )
    turn = -2 * math.pi * phase / (PHASES * ARMS)
    for arm in range(ARMS):
        for k in range(40):
            share = k / 39
            angle = turn + 2 * math.pi * arm / ARMS + 3.6 * share
            reach = radius * (0.12 + 0.82 * share)
            place = (middle + reach * math.cos(angle), middle - reach * math.sin(angle))
            size = max(2.0, radius * (0.09 - 0.05 * share))
            pygame.draw.circle(surface, (*palette.DUST_BRIGHT, round(235 - 150 * share)), place, size)
    pygame.draw.circle(surface, (*palette.DUST_DARK, 255), (middle, middle), 0.10 * radius)
    pygame.draw.circle(surface, (*palette.DUST_DARK, 150), (middle, middle), radius, max(2, radius // 24))
    return surface


def _visitor(radius: int) -> pygame.Surface:
    """A green head with two eyes and feelers, within the ring that must be kept clear."""
    surface = pygame.Surface((2 * radius + 4, 2 * radius + 4), pygame.SRCALPHA)
    middle = radius + 2
    pygame.draw.circle(surface, (*palette.MARTIAN, 60), (middle, middle), radius)
    pygame.draw.circle(surface, (*palette.FAILED, 255), (middle, middle), radius, max(3, radius // 14))
    size = 0.62 * radius
    line = max(3, round(0.10 * size))
    for side in (-1, 1):
        tip = (middle + side * 0.62 * size, middle - 1.05 * size)
        pygame.draw.line(
            surface, palette.SHADE, (middle + side * 0.25 * size, middle - 0.4 * size), tip, line + 2
        )
        pygame.draw.line(
            surface, palette.MARTIAN, (middle + side * 0.25 * size, middle - 0.4 * size), tip, line
        )
        pygame.draw.circle(surface, palette.MARTIAN, tip, 0.16 * size)
    head = pygame.Rect(0, 0, 1.5 * size, 1.36 * size)
    head.center = (middle, round(middle + 0.08 * size))
    pygame.draw.ellipse(surface, palette.SHADE, head.inflate(4, 4))
    pygame.draw.ellipse(surface, palette.MARTIAN, head)
    for side in (-1, 1):
        eye = pygame.Rect(0, 0, 0.40 * size, 0.56 * size)
        eye.center = (round(middle + side * 0.33 * size), round(middle + 0.02 * size))
        pygame.draw.ellipse(surface, palette.SHADE, eye)
        pygame.draw.circle(
            surface, palette.INK, (eye.centerx + 0.06 * size, eye.centery - 0.1 * size), 0.07 * size
        )
    pygame.draw.line(
        surface,
        palette.SHADE,
        (middle - 0.18 * size, middle + 0.5 * size),
        (middle + 0.18 * size, middle + 0.5 * size),
        3,
    )
    return surface
