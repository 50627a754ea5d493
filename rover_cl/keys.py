"""The keys that the viewer obeys, and the strip that shows them."""

from rover_cl_envs import palette
from rover_cl_envs.drawing import pygame
from rover_cl_envs.lettering import Lettering

KEYS = (
    ("arrows", "drive"),
    ("space", "pause"),
    (".", "step"),
    ("+", "faster"),
    ("-", "slower"),
    ("R", "again"),
    ("E", "next episode"),
    ("N", "next task"),
    ("1-6", "break or mend a wheel"),
    ("mouse", "move a slider"),
    ("tab", "other sliders"),
    ("0", "conditions as they were"),
    ("S", "sensors"),
    ("H", "hide the keys"),
    ("Q", "quit"),
)
"""Each with its meaning."""
HIDDEN = (("H", "keys"),)
ROW = 24  # height of a line of keys [px]
SIZE = 17  # of the letters [px]
PAD = 5  # between a key's letters and its rim [px]
SPACE = 12  # between two keys [px]
MARGIN = 10  # on the left and right [px]


class KeyStrip:
    """Keys in as many lines as a width needs.

    Args:
        width: that there is [px].
        letters: to write with.
    """

    def __init__(self, width: int, letters: Lettering) -> None:
        self._letters, self._width = letters, width
        self.height = ROW * len(self._lines(KEYS)) + 8
        """[px]"""

    def draw(self, surface: pygame.Surface, place: pygame.Rect, hidden: bool = False) -> None:
        """Draw all keys, or only the one that shows them."""
        surface.fill(palette.PANEL, place)
        for row, line in enumerate(self._lines(HIDDEN if hidden else KEYS)):
            x, y = place.left + MARGIN, place.top + 6 + row * ROW
            for key, meaning in line:
                cap = pygame.Rect(x, y, self._cap(key), ROW - 5)
                pygame.draw.rect(surface, palette.GROOVE, cap, border_radius=4)
                pygame.draw.rect(surface, palette.FAINT, cap, 1, border_radius=4)
                middle = (cap.centerx, y + 4)
                self._letters.write(surface, key, middle, size=SIZE, colour=palette.INK, align=0.5)
                where = (cap.right + PAD, y + 4)
                self._letters.write(surface, meaning, where, size=SIZE, colour=palette.FAINT)
                x += self._wide(key, meaning)

    def _cap(self, key: str) -> int:
        return round(max(self._letters.width(key, SIZE) + 2 * PAD, ROW - 5))

    def _wide(self, key: str, meaning: str) -> int:
        return self._cap(key) + PAD + round(self._letters.width(meaning, SIZE)) + SPACE

    def _lines(self, keys: tuple[tuple[str, str], ...]) -> list[list[tuple[str, str]]]:
        lines: list[list[tuple[str, str]]] = [[]]
        x = 2 * MARGIN
        for key, meaning in keys:
            wide = self._wide(key, meaning)
            if x + wide > self._width and lines[-1]:
                lines.append([])
                x = 2 * MARGIN
            lines[-1].append((key, meaning))
            x += wide
        return lines
