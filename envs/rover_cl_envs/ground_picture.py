"""The ground of a picture, painted tile by tile where it is looked at, and kept."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from rover_cl_envs.drawing import pygame
from rover_cl_envs.ground_tile import crack_tile, has_crust, light_of, paint_tile
from rover_cl_envs.scene import Ground
from rover_cl_envs.sunlight import MAP_SUN, Sun
from rover_cl_envs.view import View

TILES = 8
"""Tiles along each side of a map."""
NEAR = 3  # so many cells away a broken one is seen
WHOLE = np.zeros((0, 2), dtype=np.int64)


def snapped_scale(period: float, scale: float) -> float:
    """The nearest scale [px/m] at which a tile is a whole number of pixels wide."""
    tile = period / TILES
    return max(2, round(scale * tile)) / tile


class GroundPicture:
    """Tiles of the map seen last; another map takes over their surfaces.

    Args:
        scale: [px/m], from `snapped_scale`.
    """

    def __init__(self, scale: float) -> None:
        self._scale = scale
        self._ground: Ground | None = None
        self._sun: Sun = MAP_SUN
        self._broken: NDArray[np.int64] = WHOLE
        self._gone: NDArray[np.bool_] | None = None
        self._tiles: dict[tuple[int, int], pygame.Surface] = {}
        self._pairs: dict[tuple[int, int, int], tuple[NDArray[np.uint8], NDArray[np.uint8]]] = {}
        self._spare: list[pygame.Surface] = []

    @property
    def ground(self) -> Ground | None:
        """The map whose tiles are kept."""
        return self._ground

    def draw(
        self,
        surface: pygame.Surface,
        ground: Ground,
        view: View,
        sun: Sun = MAP_SUN,
        broken: NDArray[np.int64] = WHOLE,
    ) -> None:
        """Cover a surface with the ground in view; the crust of the cells `broken` (k, 2) is gone."""
        self._turn_to(ground, sun)
        self._crack(ground, broken)
        side = round(self._scale * ground.period / TILES)
        # Pixels east and south of the map's north-west corner, of the picture's north-west corner.
        left = round(view.centre[0] * self._scale - view.width / 2)
        top = round((ground.period - view.centre[1]) * self._scale - view.height / 2)
        for row in range(top // side, (top + view.height - 1) // side + 1):
            for column in range(left // side, (left + view.width - 1) // side + 1):
                tile = self._tile(ground, column % TILES, (TILES - 1 - row) % TILES, side)
                surface.blit(tile, (column * side - left, row * side - top))

    def interval(self, ground: Ground) -> float:
        """Height between two of its contour lines [m]."""
        if ground is not self._ground:
            self._turn_to(ground, self._sun)
        return self._light.interval

    def _turn_to(self, ground: Ground, sun: Sun) -> None:
        """Forget the tiles of another map, or of another sun."""
        if ground is not self._ground or sun != self._sun:
            self._ground, self._sun, self._light = ground, sun, light_of(ground, sun)
            self._spare += self._tiles.values()
            self._tiles.clear()
            self._pairs.clear()

    def _crack(self, ground: Ground, broken: NDArray[np.int64]) -> None:
        """Forget the tiles on which other cells are broken than were."""
        if broken is self._broken or not (len(broken) or len(self._broken)):
            return
        n, cells = ground.heights.shape[0], ground.heights.shape[0] // TILES
        changed = np.setxor1d(broken @ (n, 1), self._broken @ (n, 1))
        for i, j in itertools.product((-NEAR, NEAR), repeat=2):
            columns, rows = ((changed % n + i) % n) // cells, ((changed // n + j) % n) // cells
            for tile in set(zip(columns.tolist(), rows.tolist(), strict=True)) & self._tiles.keys():
                self._spare.append(self._tiles.pop(tile))
        self._broken, self._gone = broken, None
        if len(broken):
            self._gone = np.zeros((n, n), dtype=np.bool_)
            self._gone[broken[:, 0], broken[:, 1]] = True

    def _tile(self, ground: Ground, column: int, row: int, side: int) -> pygame.Surface:
        if (column, row) not in self._tiles:
            cells = ground.heights.shape[0] // TILES
            pixels = self._pixels(ground, (column, row, cells), side)
            tile = self._spare.pop() if self._spare else pygame.Surface((side, side), depth=32)
            pygame.surfarray.blit_array(tile, np.swapaxes(pixels, 0, 1))
            self._tiles[column, row] = tile
        return self._tiles[column, row]

    def _pixels(self, ground: Ground, place: tuple[int, int, int], side: int) -> NDArray[np.uint8]:
        """A tile at its column and row, so many cells wide; where crust broke, with and without are kept."""
        if self._gone is None or not has_crust(ground, *place):
            return paint_tile(ground, self._light, *place, side)
        if place not in self._pairs:
            whole, broken = (paint_tile(ground, self._light, *place, side, all_) for all_ in (False, True))
            self._pairs[place] = whole, broken
        return crack_tile(self._pairs[place], ground, self._light, *place, self._gone)
