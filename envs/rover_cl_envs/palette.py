"""The colours of the picture, in one place, so that a layer's meaning is the same everywhere."""

from __future__ import annotations

from itertools import pairwise

Colour = tuple[int, int, int]

DARK_GROUND: Colour = (98, 56, 40)
MIDDLE_GROUND: Colour = (172, 106, 70)
BRIGHT_GROUND: Colour = (228, 178, 128)
BEDROCK: Colour = (206, 172, 146)
DRIFT: Colour = (206, 132, 78)
LOOSE: Colour = (238, 186, 112)
CRUST: Colour = (232, 204, 176)
CHURNED: Colour = (92, 48, 32)
ROCK: Colour = (104, 94, 92)
HAZARD: Colour = (255, 112, 48)

INK: Colour = (240, 234, 226)
FAINT: Colour = (150, 140, 134)
SHADE: Colour = (18, 14, 13)
PANEL: Colour = (27, 22, 21)
GROOVE: Colour = (52, 44, 42)

REWARDED: Colour = (90, 240, 150)
OTHER: Colour = (205, 205, 215)
FAILED: Colour = (255, 112, 92)
UNUSUAL: Colour = (255, 200, 90)
NEWS: Colour = (110, 190, 255)

DEAD: Colour = (235, 30, 30)
HEALTHY: Colour = (34, 34, 38)
DECK: Colour = (232, 226, 214)
SOLAR: Colour = (36, 50, 86)
GOLD: Colour = (214, 168, 64)

HAZE: Colour = (206, 160, 118)
DUST: Colour = (214, 170, 128)
DUST_BRIGHT: Colour = (250, 226, 190)
DUST_DARK: Colour = (92, 56, 36)
MARTIAN: Colour = (112, 214, 84)

RUT: Colour = (74, 42, 30)
_SLIP: tuple[tuple[float, Colour], ...] = (
    (0.0, (118, 190, 150)),
    (0.2, (226, 208, 110)),
    (0.4, (246, 150, 60)),
    (0.7, (232, 52, 40)),
    (1.0, (190, 20, 60)),
)


def blend(start: Colour, end: Colour, share: float) -> Colour:
    """The colour at a share, 0 to 1, of the way from start to end."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(start, end, strict=True))
    return red, green, blue


def of_slip(slip: float) -> Colour:
    """Green where the wheels grip, yellow to red the more they spin; its sign doesn't count."""
    value = min(abs(slip), 1.0)
    for (low, start), (high, end) in pairwise(_SLIP):
        if value <= high:
            return blend(start, end, (value - low) / (high - low))
    return _SLIP[-1][1]
