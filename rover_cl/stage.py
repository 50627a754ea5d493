"""The whole picture: a drive with its instruments, or two side by side, each over the strip of its memory."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rover_cl.drive import Drive
from rover_cl.memory_strip import Memory, draw_memory
from rover_cl_envs import palette
from rover_cl_envs.drawing import pygame
from rover_cl_envs.hud import PANEL_WIDTH, sliders_of, verdict
from rover_cl_envs.lettering import Lettering
from rover_cl_envs.renderer import LAYERS, SIZE, Renderer
from rover_cl_envs.scene import Scene
from rover_cl_envs.sliders import ROW, Sliders

GAP = 4
"""Between two pictures [px]."""
SIDE = 640
"""Width and height of each of two pictures, where there is room [px]."""
SMALLEST = (400, 320)
"""However small the screen is, one picture is that high, or each of two [px]."""
COLUMN = 212
"""Width of the sliders beside two pictures [px]."""
MARGIN = 14  # around the sliders [px]
HEADING = 34  # above them [px]
DIM = 205  # opacity of what is behind a verdict, of 255


class Stage:
    """One surface for one drive, or for two.

    Args:
        drives: one, or two; strips of their memories are below their pictures.
        size: of each picture [px]; None: with instruments for one, without for two.
        room: width and height that the whole may take [px]; None: as much as it likes.
        column: put the conditions' sliders beside two drives.
        footer: height to leave free at the bottom [px].
        bars: leave room for a bar for each task, though no drive has been examined yet.
    """

    def __init__(
        self,
        drives: Sequence[Drive],
        size: tuple[int, int] | None = None,
        *,
        room: tuple[int, int] | None = None,
        column: bool = False,
        footer: int = 0,
        bars: bool = False,
    ) -> None:
        count = len(drives)
        strip = max(drive.memory.full_height if bars else drive.memory.height for drive in drives)
        beside = COLUMN + GAP if column and count > 1 else 0
        self.one = size or _fitting(count, beside, strip + footer, room)
        self._step = self.one[0] + GAP
        wide = count * self._step - GAP + beside
        self.size = (wide, self.one[1] + strip + footer)
        """of the surface [px]"""
        self.surface = pygame.Surface(self.size, depth=32)
        self.surface.fill(palette.PANEL)
        self.foot = pygame.Rect(0, self.size[1] - footer, wide, footer)
        """what is left free at the bottom"""
        self.ring, self.verdicts = True, True
        self.centre: tuple[float, float] | None = None
        """the point in the middle [m]; None: the rover"""
        self.page = 0
        """which of the pages of sliders is shown"""
        self.letters = Lettering()
        self._beside = pygame.Rect(wide - COLUMN, 0, COLUMN if beside else 0, self.foot.top)
        self._renderers = [Renderer(self.one) for _ in range(count)]
        self._dimmers: dict[tuple[int, int], pygame.Surface] = {}
        for k, drive in enumerate(drives):
            self.remember(k, drive.memory)

    def remember(self, number: int, memory: Memory) -> None:
        """Draw the strip of one of the drives anew."""
        left, top = number * self._step, self.one[1]
        draw_memory(
            self.surface, memory, self.letters, pygame.Rect(left, top, self.one[0], self.foot.top - top)
        )

    def draw(self, drives: Sequence[Drive], share: float, notes: Sequence[str] = ()) -> pygame.Surface:
        """Draw every drive, a share of the way through its last step.

        Args:
            drives: as many as the stage was made for.
            share: 0 to 1.
            notes: for each drive, a line that stands under the verdict on it.
        """
        layers = [layer for layer in LAYERS if self.ring or layer != "ring"]
        for k, (renderer, drive) in enumerate(zip(self._renderers, drives, strict=True)):
            scene = drive.moment(share)
            shown = replace(scene, conditions=self._paged(scene))
            self.surface.blit(renderer.draw(shown, layers, self.centre), (k * self._step, 0))
            if drive.ended and self.verdicts:
                self._tell(k, scene, notes[k] if notes else f"score {drive.score:+.2f}")
        if self._beside.width:
            self._draw_beside(drives[0].moment(share))
        return self.surface

    def pixels(self) -> NDArray[np.uint8]:
        """What was drawn, (height, width, 3)."""
        data = np.frombuffer(pygame.image.tobytes(self.surface, "RGB"), dtype=np.uint8)
        return data.reshape(self.size[1], self.size[0], 3)

    def sliders(self, scene: Scene) -> Sliders:
        """Where the sliders are."""
        if self._beside.width:
            left, top = self._beside.left + MARGIN, HEADING
            rows = (self._beside.height - top - MARGIN) // ROW
            return Sliders(left=left, top=top, width=COLUMN - 2 * MARGIN, rows=rows)
        panel = self.one[0] - PANEL_WIDTH
        found = sliders_of(scene, panel, self.one[1])
        return found if self._renderers[0].has_panel else replace(found, rows=0)

    def slider_at(self, scene: Scene, place: tuple[int, int]) -> str | None:
        """Name of the condition whose slider lies at a point [px]; None where there is none."""
        return self.sliders(scene).at(self._paged(scene), place)

    def turn_page(self, scene: Scene, by: int = 1) -> None:
        """Show other sliders; after the last ones come the first."""
        self.page = (self.page + by) % self._pages(scene)

    def _pages(self, scene: Scene) -> int:
        return max(1, math.ceil(len(scene.conditions) / max(self.sliders(scene).rows, 1)))

    def _paged(self, scene: Scene) -> tuple[tuple[str, float, float, bool], ...]:
        rows = self.sliders(scene).rows
        return scene.conditions[self.page * rows : (self.page + 1) * rows]

    def _draw_beside(self, scene: Scene) -> None:
        """The column of sliders, which hold for both drives."""
        place = self._beside
        self.surface.fill(palette.PANEL, place)
        heading = (place.left + MARGIN, 10)
        self.letters.write(self.surface, "conditions of both", heading, size=18, colour=palette.INK)
        if (pages := self._pages(scene)) > 1:
            text, end = f"{self.page + 1}/{pages}", (place.right - MARGIN, 10)
            self.letters.write(self.surface, text, end, size=18, colour=palette.FAINT, align=1)
        self.sliders(scene).draw(self.surface, self.letters, self._paged(scene))

    def _tell(self, number: int, scene: Scene, note: str) -> None:
        """How a drive ended, in large letters that can be read from the last row."""
        text, colour = verdict(scene)
        ground = self.one[0] - (PANEL_WIDTH if self._renderers[0].has_panel else 0)
        large, small = (48, 24) if ground >= 480 else (30, 18)
        wide = round(max(self.letters.width(text, large), self.letters.width(note, small))) + 48
        high = round(1.15 * (large + small))
        place = pygame.Rect(0, 0, min(wide, ground), high)
        place.center = (number * self._step + ground // 2, round(0.22 * self.one[1]))
        self.surface.blit(self._dimmer(place.size), place)
        x, top = place.centerx, place.top + round(0.18 * large)
        self.letters.write(self.surface, text, (x, top), size=large, colour=colour, align=0.5)
        below = (x, top + round(0.80 * large))
        self.letters.write(self.surface, note, below, size=small, colour=palette.INK, align=0.5)

    def _dimmer(self, size: tuple[int, int]) -> pygame.Surface:
        """A dark sheet through which the ground shimmers."""
        if size not in self._dimmers:
            sheet = pygame.Surface(size, pygame.SRCALPHA)
            pygame.draw.rect(sheet, (*palette.PANEL, DIM), sheet.get_rect(), border_radius=10)
            self._dimmers[size] = sheet
        return self._dimmers[size]


def _fitting(count: int, beside: int, below: int, room: tuple[int, int] | None) -> tuple[int, int]:
    """Width and height of each picture [px], less than wished where the room is small."""
    width, height = SIZE if count == 1 else (SIDE, SIDE)
    if room is None:
        return width, height
    across = (room[0] - beside - (count - 1) * GAP) // count
    smallest = SMALLEST[count - 1]
    less = max(width - across if count > 1 else 0, height - (room[1] - below), 0)
    less = min(less, height - smallest)
    return width - less, height - less
