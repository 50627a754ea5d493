"""The sliders of the conditions: a column of names, values and knobs, and which of them lies where."""

from __future__ import annotations

from dataclasses import dataclass

from rover_cl_envs import palette
from rover_cl_envs.drawing import pygame
from rover_cl_envs.lettering import Lettering

ROW = 22
"""Height of a slider with its name [px]."""
WORDS = 14  # of that, the line of text above the groove [px]
KNOB = 5  # radius [px]

Condition = tuple[str, float, float, bool]
"""Name, value, where that lies in its range, 0 to 1, and whether it is out of the ordinary."""


@dataclass(frozen=True, kw_only=True)
class Sliders:
    """Where a column of sliders is."""

    left: int
    """[px]"""
    top: int
    """[px]"""
    width: int
    """[px]"""
    rows: int
    """sliders that there is room for"""

    def at(self, conditions: tuple[Condition, ...], place: tuple[int, int]) -> str | None:
        """Which condition's slider lies at a point; None where there is none.

        Args:
            conditions: those that were drawn.
            place: x, y [px].
        """
        row = (place[1] - self.top) // ROW
        beside = not self.left - KNOB <= place[0] <= self.left + self.width + KNOB
        return None if beside or not 0 <= row < min(self.rows, len(conditions)) else conditions[row][0]

    def share(self, x: float) -> float:
        """Which share of a range, 0 to 1, lies at x [px]; beyond the ends it is that of the end."""
        return min(max((x - self.left) / self.width, 0.0), 1.0)

    def draw(self, surface: pygame.Surface, letters: Lettering, conditions: tuple[Condition, ...]) -> None:
        """Draw the first `rows` conditions from top to bottom."""
        for row, (name, value, share, unusual) in enumerate(conditions[: self.rows]):
            top = self.top + row * ROW
            colour = palette.UNUSUAL if unusual else palette.FAINT
            letters.write(surface, name.replace("_", " "), (self.left, top), size=17, colour=colour)
            shown = f"{value:.2f}".replace("-0.00", "0.00")
            letters.write(surface, shown, (self.left + self.width, top), size=17, colour=colour, align=1)
            groove = (self.left, top + WORDS, self.width, 3)
            pygame.draw.rect(surface, palette.GROOVE, groove, border_radius=1)
            reach = round(share * self.width)
            pygame.draw.rect(surface, colour, (self.left, top + WORDS, reach, 3), border_radius=1)
            disc = letters.disc(KNOB, colour)
            surface.blit(disc, (self.left + reach - KNOB, top + WORDS + 1 - KNOB))
