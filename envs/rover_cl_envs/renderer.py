"""A top-down picture of one scene for a person: north up, sun in the north-west.

It draws what is true, not what the rover senses: the ground's tint is the albedo that the camera sees,
soils look as soft as they really are, and crust is seen whatever it looks like to the camera. What the rover
senses is the layer "ring".
Nothing here opens a window or knows an environment.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rover_cl_envs import palette
from rover_cl_envs.air_picture import Air
from rover_cl_envs.drawing import pygame
from rover_cl_envs.errors import unknown_name
from rover_cl_envs.ground_picture import GroundPicture, snapped_scale
from rover_cl_envs.hud import LINE, PANEL_WIDTH, draw_lines, draw_panel
from rover_cl_envs.lettering import Lettering
from rover_cl_envs.marks import draw_legend, draw_ring, draw_scale, draw_targets, draw_trail
from rover_cl_envs.rover_picture import RoverPicture
from rover_cl_envs.scene import Ground, Scene
from rover_cl_envs.sunlight import daylight, stepped
from rover_cl_envs.view import View

SIZE = (960, 720)
"""Width and height of a picture where nobody asks for another [px]: 720 x 720 of ground, and the panel."""
METRES = 20.0
"""Width of the ground shown where nobody asks for another [m]."""
LAYERS = ("ground", "trail", "rover", "bodies", "haze", "targets", "ring", "hud")
"""From the lowest to the uppermost."""
KEPT_GROUNDS = 3
"""Maps whose painted tiles are kept."""
SMALLEST_LETTERED = 200  # a narrower picture has no texts [px]
SMALLEST_EXPLAINED = 480  # a narrower one doesn't say what its colours and lines mean [px]


class Renderer:
    """Draws scenes on one surface, again and again, without allocating another.

    Args:
        size: width and height [px], each at least 32. From 640 x 400 on, and where it is at least 220 px
            wider than high, a panel of instruments takes 240 px on the right.
        metres: width of the ground shown [m], above 0; rounded so that its tiles are whole pixels.

    Raises:
        ValueError: a size or a width of ground out of range.
    """

    def __init__(self, size: tuple[int, int] = SIZE, *, metres: float = METRES) -> None:
        if min(size) < 32:
            raise ValueError(f"size is {size}, expected (width, height) of at least 32 pixels each.")
        if not metres > 0:
            raise ValueError(f"metres is {metres}, expected a width of ground above 0.")
        self.size = size
        self.has_panel = size[0] >= 640 and size[1] >= 400 and size[0] - size[1] >= 220
        """whether there is a panel of instruments"""
        self._lettered = size[0] >= SMALLEST_LETTERED
        self._surface = pygame.Surface(size, depth=32)
        wide = size[0] - PANEL_WIDTH if self.has_panel else size[0]
        self._stage = self._surface.subsurface((0, 0, wide, size[1]))
        self._scale = wide / metres
        self._grounds: list[GroundPicture] = []
        self._letters = Lettering()
        self._rover = RoverPicture()
        self._air = Air()

    def draw(
        self, scene: Scene, layers: Collection[str] = LAYERS, centre: tuple[float, float] | None = None
    ) -> pygame.Surface:
        """Draw a scene.

        Args:
            scene: what to draw.
            layers: some of `LAYERS`.
            centre: the point in the middle [m]; None: the rover.

        Returns:
            The renderer's own surface, which the next call draws over.

        Raises:
            ValueError: an unknown layer.
        """
        for layer in layers:
            if layer not in LAYERS:
                raise unknown_name("layer", layer, LAYERS)
        stage, view, sun = self._stage, self._view(scene, centre), stepped(scene.sun)
        if "ground" in layers:
            self._ground(scene.ground, view.scale).draw(stage, scene.ground, view, sun, scene.broken)
        else:
            stage.fill(palette.SHADE)
        if "trail" in layers:
            draw_trail(stage, scene, view)
        if "rover" in layers:
            place = view.pixels(view.offset(np.array([scene.pose[:2]])))[0].tolist()
            middle, health = (place[0], place[1]), scene.wheel_health
            self._rover.draw(stage, middle, scene.pose[2], scene.wheels, health, view.scale, sun)
        if "bodies" in layers:
            self._air.draw_bodies(stage, scene, view)
        if "haze" in layers:
            self._air.draw_haze(stage, scene, view, daylight(sun[1]))
        if "targets" in layers:
            draw_targets(stage, scene, view, self._letters)
        if "ring" in layers:
            draw_ring(stage, scene, view, self._letters)
        if "hud" in layers:
            self._draw_hud(scene, view)
        elif self.has_panel:
            self._surface.fill(palette.PANEL, (stage.get_width(), 0, PANEL_WIDTH, stage.get_height()))
        return self._surface

    def picture(
        self, scene: Scene, layers: Collection[str] = LAYERS, centre: tuple[float, float] | None = None
    ) -> NDArray[np.uint8]:
        """Draw a scene as an array: RGB, shape (height, width, 3), the caller's own."""
        pixels = bytearray(pygame.image.tobytes(self.draw(scene, layers, centre), "RGB"))
        return np.frombuffer(pixels, dtype=np.uint8).reshape(self.size[1], self.size[0], 3)

    def _ground(self, ground: Ground, scale: float) -> GroundPicture:
        """The picture of a map if it is kept, else the one that was longest out of use."""
        known = [kept for kept in self._grounds if kept.ground is ground]
        if known:
            chosen = known[0]
        elif len(self._grounds) < KEPT_GROUNDS:
            chosen = GroundPicture(scale)
        else:
            chosen = self._grounds[-1]
        self._grounds = [chosen, *(kept for kept in self._grounds if kept is not chosen)]
        return chosen

    def _view(self, scene: Scene, centre: tuple[float, float] | None) -> View:
        """The window around a point, or the rover."""
        period = scene.ground.period
        x, y = centre or scene.pose[:2]
        return View(
            width=self._stage.get_width(),
            height=self._stage.get_height(),
            scale=snapped_scale(period, self._scale),
            centre=(x % period, y % period),
            period=period,
        )

    def _draw_hud(self, scene: Scene, view: View) -> None:
        if not self._lettered:
            return
        bottom = view.height - (14 if self.has_panel else LINE + 10)
        draw_scale(self._stage, view, self._letters, bottom)
        if view.width >= SMALLEST_EXPLAINED:
            interval = self._ground(scene.ground, view.scale).interval(scene.ground)
            draw_legend(self._stage, view, self._letters, bottom, interval)
        if self.has_panel:
            draw_panel(self._surface, scene, self._letters, self._stage.get_width())
        else:
            draw_lines(self._surface, scene, self._letters)


@lru_cache(maxsize=4)
def _renderer(size: tuple[int, int], metres: float) -> Renderer:
    return Renderer(size, metres=metres)


def draw(
    scene: Scene,
    *,
    size: tuple[int, int] = SIZE,
    metres: float = METRES,
    layers: Collection[str] = LAYERS,
    centre: tuple[float, float] | None = None,
) -> NDArray[np.uint8]:
    """The picture of a scene, by a renderer that is kept for the next one of that size.

    Args:
        scene: what to draw.
        size: as for `Renderer`.
        metres: as for `Renderer`.
        layers: some of `LAYERS`.
        centre: the point in the middle [m]; None: the rover.

    Returns:
        RGB, shape (height, width, 3), the caller's own.

    Raises:
        ValueError: a size or a width of ground out of range, or an unknown layer.
    """
    return _renderer(size, metres).picture(scene, layers, centre)
