"""Text from a cache of glyphs, so that numbers which change all the time allocate nothing; and round dots."""

from __future__ import annotations

from rover_cl_envs.drawing import pygame
from rover_cl_envs.palette import Colour


class Lettering:
    """Writes on surfaces; every glyph of a size and colour is drawn once."""

    def __init__(self) -> None:
        pygame.font.init()
        self._fonts: dict[int, pygame.font.Font] = {}
        self._glyphs: dict[tuple[str, int, Colour], pygame.Surface] = {}
        self._discs: dict[tuple[int, Colour, int, Colour], pygame.Surface] = {}

    def write(
        self,
        surface: pygame.Surface,
        text: str,
        place: tuple[float, float],
        *,
        size: int = 18,
        colour: Colour,
        align: float = 0.0,
    ) -> float:
        """Write one line.

        Args:
            surface: where to.
            text: what.
            place: left end of the line, or with `align` another point of it, and its top [px].
            size: of the font [px].
            colour: of the letters.
            align: 0: `place` is the left end, 0.5: the middle, 1: the right end.

        Returns:
            Width of the line [px].
        """
        width = self.width(text, size) if align else 0.0
        x = start = round(place[0] - align * width)
        for letter in text:
            glyph = self._glyph(letter, size, colour)
            surface.blit(glyph, (x, place[1]))
            x += glyph.get_width()
        return x - start

    def width(self, text: str, size: int) -> float:
        """Width of a line [px]."""
        return sum(self._glyph(letter, size, (255, 255, 255)).get_width() for letter in text)

    def fitted(self, text: str, size: int, width: float) -> str:
        """A line, cut short to a width [px]; nothing where less than three letters would be left."""
        if self.width(text, size) <= width:
            return text
        while text and self.width(text + "..", size) > width:
            text = text[:-1]
        return text.rstrip("- ") + ".." if len(text) > 2 else ""

    def disc(
        self, radius: int, colour: Colour, rim: int = 0, rim_colour: Colour = (0, 0, 0)
    ) -> pygame.Surface:
        """A round dot with smooth edges, 2 * radius pixels wide and high, its rim inside."""
        key = (radius, colour, rim, rim_colour)
        if key not in self._discs:
            large = pygame.Surface((8 * radius, 8 * radius), pygame.SRCALPHA)
            middle = (4 * radius, 4 * radius)
            large.fill((*(rim_colour if rim else colour), 0))  # what smoothing mixes in at the edge
            pygame.draw.circle(large, rim_colour if rim else colour, middle, 4 * radius)
            pygame.draw.circle(large, colour, middle, 4 * (radius - rim))
            self._discs[key] = pygame.transform.smoothscale(large, (2 * radius, 2 * radius))
        return self._discs[key]

    def circle(self, radius: int, width: int, colour: Colour) -> pygame.Surface:
        """A ring with smooth edges, 2 * radius pixels wide and high, on nothing."""
        key = (radius, colour, -width, colour)
        if key not in self._discs:
            large = pygame.Surface((8 * radius, 8 * radius), pygame.SRCALPHA)
            large.fill((*colour, 0))
            pygame.draw.circle(large, colour, (4 * radius, 4 * radius), 4 * radius, 4 * width)
            self._discs[key] = pygame.transform.smoothscale(large, (2 * radius, 2 * radius))
        return self._discs[key]

    def _glyph(self, letter: str, size: int, colour: Colour) -> pygame.Surface:
        key = (letter, size, colour)
        if key not in self._glyphs:
            if size not in self._fonts:
                self._fonts[size] = pygame.font.Font(None, size)
            self._glyphs[key] = self._fonts[size].render(letter, True, colour)
        return self._glyphs[key]
