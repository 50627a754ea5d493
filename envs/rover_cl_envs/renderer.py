"""A top-down picture of one scene for a person: north up, the rover in the middle, sun in the north-west.

It draws what is true, not what the rover senses: the ground's tint is the albedo that the camera sees,
the ripple marks are where the drift soil really lies. Nothing here opens a window or knows an environment.
"""

from __future__ import annotations

import io
import math
from contextlib import redirect_stdout

import numpy as np
from numpy.typing import NDArray

from rover_cl_envs.landscape import Points, View, landscape
from rover_cl_envs.scene import Scene

with redirect_stdout(io.StringIO()):  # pygame greets on standard output, which belongs to the program
    import pygame

Colour = tuple[int, int, int]

RUT: Colour = (84, 48, 34)
DEAD: Colour = (235, 30, 30)
HEALTHY: Colour = (34, 34, 38)
REWARDED: Colour = (90, 240, 150)
OTHER: Colour = (205, 205, 215)
INK: Colour = (246, 238, 228)
PANEL = (26, 16, 12, 190)
OUTCOMES: dict[str, Colour] = {"running": INK, "success": REWARDED}
FAILED: Colour = (255, 128, 104)

SMALLEST_ROVER = 42.0  # length below which the drawn rover is enlarged [px]
SPRITE_SCALE = 4  # drawn larger, then reduced: smooth edges


def draw(scene: Scene, *, size: tuple[int, int] = (480, 480), metres: float = 24.0) -> NDArray[np.uint8]:
    """The picture of a scene.

    Args:
        scene: what to draw.
        size: width and height [px], each at least 32.
        metres: width of the ground shown [m], above 0.

    Returns:
        RGB, shape (height, width, 3).

    Raises:
        ValueError: a size or a width of ground out of range.
    """
    if min(size) < 32:
        raise ValueError(f"size is {size}, expected (width, height) of at least 32 pixels each.")
    if not metres > 0:
        raise ValueError(f"metres is {metres}, expected a width of ground above 0.")
    rows, columns = scene.heights.shape
    view = View(
        width=size[0],
        height=size[1],
        scale=size[0] / metres,
        centre=(scene.pose[0], scene.pose[1]),
        period=(columns * scene.cell, rows * scene.cell),
    )
    surface = pygame.image.frombytes(landscape(scene, view).tobytes(), size, "RGB")
    pygame.font.init()
    _draw_track(surface, scene, view)
    _draw_targets(surface, scene, view)
    _draw_rover(surface, scene, view)
    _draw_texts(surface, scene, view)
    pixels = np.frombuffer(pygame.image.tobytes(surface, "RGB"), dtype=np.uint8)
    return pixels.reshape(view.height, view.width, 3).copy()


def _draw_track(surface: pygame.Surface, scene: Scene, view: View) -> None:
    """The ruts of the left and right wheels along the way driven."""
    way = view.offset(np.asarray(scene.track, dtype=np.float64).reshape(-1, 2))
    if len(way) < 2:
        return
    step = np.gradient(way, axis=0)
    ahead = step / np.maximum(np.hypot(step[:, 0], step[:, 1]), 1e-9)[:, None]
    aside = np.stack([-ahead[:, 1], ahead[:, 0]], axis=1) * np.abs(scene.wheels[:, 1]).max()
    # Where the way leaves the map on one side and enters on the other, no line crosses the picture.
    jump = (np.abs(np.diff(way, axis=0)) > np.asarray(view.period) / 2).any(axis=1)
    for piece in np.split(np.arange(len(way)), np.flatnonzero(jump) + 1):
        for rut in (way[piece] + aside[piece], way[piece] - aside[piece]):
            if len(rut) > 1:
                pygame.draw.lines(surface, RUT, False, view.pixels(rut).tolist(), 2)


def _draw_targets(surface: pygame.Surface, scene: Scene, view: View) -> None:
    """A flag on each target in view; an arrow at the edge, with the distance, to one outside."""
    offsets = view.offset(np.asarray(scene.targets, dtype=np.float64))
    font = pygame.font.Font(None, 22)
    for k, (offset, letter) in enumerate(zip(offsets, "AB", strict=True)):
        colour = REWARDED if k == scene.rewarded else OTHER
        x, y = view.pixels(offset[None])[0]
        margin = 30
        if margin <= x <= view.width - margin and margin <= y <= view.height - margin:
            ring = max(8, round(view.scale))
            pygame.draw.circle(surface, (20, 14, 12), (x + 1, y + 1), ring, 2)
            pygame.draw.circle(surface, colour, (x, y), ring, 3 if k == scene.rewarded else 2)
            _flag(surface, font, (x, y), letter, colour)
        else:
            _pointer(surface, font, view, offset, letter, colour)


def _flag(
    surface: pygame.Surface, font: pygame.font.Font, foot: tuple[float, float], letter: str, colour: Colour
) -> None:
    """A pole at its foot with a lettered cloth to the east."""
    x, y = foot
    pygame.draw.line(surface, (20, 14, 12), (x, y), (x, y - 30), 2)
    cloth = pygame.Rect(x + 1, y - 31, 17, 16)
    pygame.draw.rect(surface, colour, cloth)
    pygame.draw.rect(surface, (20, 14, 12), cloth, 1)
    text = font.render(letter, True, (20, 14, 12))
    surface.blit(text, text.get_rect(center=cloth.center))


def _pointer(
    surface: pygame.Surface, font: pygame.font.Font, view: View, offset: Points, letter: str, colour: Colour
) -> None:
    """An arrowhead near the edge, towards a target that lies outside the picture."""
    distance = float(np.hypot(*offset))
    ahead = np.array([offset[0], -offset[1]]) / max(distance, 1e-9)
    aside = np.array([-ahead[1], ahead[0]])
    room = np.array([view.width / 2 - 14, view.height / 2 - 40])
    tip = np.array([view.width, view.height]) / 2 + ahead * (room / np.maximum(np.abs(ahead), 1e-9)).min()
    corners = [tip, tip - 18 * ahead + 7 * aside, tip - 18 * ahead - 7 * aside]
    pygame.draw.polygon(surface, colour, [c.tolist() for c in corners])
    pygame.draw.polygon(surface, (20, 14, 12), [c.tolist() for c in corners], 1)
    text = font.render(f"{letter} {distance:.0f} m", True, colour)
    back = text.get_rect(center=(tip - (28 + abs(ahead[0]) * 14) * ahead).tolist()).inflate(6, 2)
    _panel(surface, back)
    surface.blit(text, back.move(3, 1))


def _draw_rover(surface: pygame.Surface, scene: Scene, view: View) -> None:
    """Body, deck, mast and six wheels, turned to the rover's yaw, in the middle of the picture."""
    wheels = np.asarray(scene.wheels, dtype=np.float64)
    length, width = np.ptp(wheels[:, 0]), np.ptp(wheels[:, 1])
    unit = SPRITE_SCALE * max(view.scale, SMALLEST_ROVER / length)
    side = int(2.2 * math.hypot(length, width) * unit) // SPRITE_SCALE * SPRITE_SCALE
    sprite = pygame.Surface((side, side), pygame.SRCALPHA)
    sprite.fill((60, 40, 30, 0))
    cos, sin = math.cos(scene.pose[2]), math.sin(scene.pose[2])

    def shape(corners: list[tuple[float, float]], colour: Colour) -> None:
        turned = [
            (side / 2 + unit * (x * cos - y * sin), side / 2 - unit * (x * sin + y * cos)) for x, y in corners
        ]
        pygame.draw.polygon(sprite, colour, turned)

    shape(_box(0.0, 0.0, 0.60 * length, 0.42 * width), (24, 18, 16))
    for arm in (-1, 1):
        shape(_box(0.0, arm * 0.40 * width, 0.98 * length, 0.07 * width), (96, 90, 88))
    for (x, y), health in zip(wheels, scene.wheel_health, strict=True):
        shape(_box(x, y, 0.21 * length, 0.17 * width), INK)
        shape(_box(x, y, 0.17 * length, 0.12 * width), _between(DEAD, HEALTHY, health))
    shape(_box(-0.04 * length, 0.0, 0.66 * length, 0.56 * width), (232, 226, 214))
    shape(_box(-0.10 * length, 0.0, 0.46 * length, 0.46 * width), (38, 52, 84))
    nose = 0.62 * length
    shape([(nose, 0.0), (0.36 * length, 0.20 * width), (0.36 * length, -0.20 * width)], (255, 205, 60))
    small = pygame.transform.smoothscale(sprite, (side // SPRITE_SCALE, side // SPRITE_SCALE))
    surface.blit(small, small.get_rect(center=(view.width // 2, view.height // 2)))


def _between(start: Colour, end: Colour, share: float) -> Colour:
    """The colour at a share, 0 to 1, of the way from start to end."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(start, end, strict=True))
    return red, green, blue


def _box(x: float, y: float, length: float, width: float) -> list[tuple[float, float]]:
    """Corners of a rectangle around (x, y)."""
    a, b = length / 2, width / 2
    return [(x - a, y - b), (x + a, y - b), (x + a, y + b), (x - a, y + b)]


def _draw_texts(surface: pygame.Surface, scene: Scene, view: View) -> None:
    """The title above, the rover's state below, and a scale bar."""
    font = pygame.font.Font(None, 19)
    outcome = OUTCOMES.get(scene.outcome, FAILED)
    state = (
        f"step {scene.step:3d}    slip {scene.slip[0]:.2f} | {scene.slip[1]:.2f}    "
        f"sinkage {100 * scene.sinkage[0]:.1f} | {100 * scene.sinkage[1]:.1f} cm    "
        f"pitch {round(math.degrees(scene.pitch)):+d}°  roll {round(math.degrees(scene.roll)):+d}°"
    )
    _panel(surface, pygame.Rect(0, 0, view.width, 22))
    _panel(surface, pygame.Rect(0, view.height - 22, view.width, 22))
    surface.blit(font.render(scene.title, True, INK), (8, 5))
    verdict = font.render(scene.outcome.replace("_", " "), True, outcome)
    surface.blit(verdict, verdict.get_rect(topright=(view.width - 8, 5)))
    surface.blit(font.render(state, True, INK), (8, view.height - 17))
    bar = 2.0 * view.scale
    end = (view.width - 10, view.height - 32)
    pygame.draw.line(surface, INK, (end[0] - bar, end[1]), end, 3)
    surface.blit(font.render("2 m", True, INK), (end[0] - bar, end[1] - 15))


def _panel(surface: pygame.Surface, place: pygame.Rect) -> None:
    """A dark translucent ground for text."""
    veil = pygame.Surface(place.size, pygame.SRCALPHA)
    veil.fill(PANEL)
    surface.blit(veil, place)
