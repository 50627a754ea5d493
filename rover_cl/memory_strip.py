"""What an agent still remembers: the segments of its stream, and a bar for its success on every task."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rover_cl_envs import palette
from rover_cl_envs.drawing import pygame
from rover_cl_envs.lettering import Lettering
from rover_cl_envs.palette import Colour

HEIGHT = 104
"""[px]"""
COLOURS: tuple[Colour, ...] = (
    (118, 190, 240),
    (246, 170, 90),
    (150, 214, 130),
    (226, 130, 170),
    (190, 160, 240),
    (236, 220, 120),
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Memory:
    """How an agent fares on every task, in the course of its stream."""

    tasks: tuple[str, ...]
    """names, T"""
    order: tuple[int, ...]
    """task of each segment, S"""
    steps: tuple[int, ...]
    """environment steps of each segment, S"""
    success: NDArray[np.float64]
    """(s, T) success on each task after each of the s segments that are finished"""
    segment: int
    """after which the agent is shown"""


def draw_memory(surface: pygame.Surface, memory: Memory, letters: Lettering, place: pygame.Rect) -> None:
    """Draw the strip of segments and the bars.

    Args:
        surface: where to.
        memory: what.
        letters: for the names.
        place: of `HEIGHT`.
    """
    surface.fill(palette.PANEL, place)
    left, width = place.left + 10, place.width - 20
    _draw_segments(surface, memory, letters, pygame.Rect(left, place.top + 8, width, 18))
    _draw_bars(surface, memory, letters, pygame.Rect(left, place.top + 34, width, HEIGHT - 40))


def _draw_segments(surface: pygame.Surface, memory: Memory, letters: Lettering, place: pygame.Rect) -> None:
    """The stream from left to right; what the agent hasn't met yet is dark."""
    ends = np.cumsum((0, *memory.steps)) * place.width / sum(memory.steps)
    for k, task in enumerate(memory.order):
        colour = COLOURS[task % len(COLOURS)]
        met = k <= memory.segment
        box = pygame.Rect(
            place.left + round(ends[k]), place.top, round(ends[k + 1] - ends[k]) - 2, place.height
        )
        pygame.draw.rect(surface, colour if met else palette.blend(palette.PANEL, colour, 0.3), box)
        if k == memory.segment:
            pygame.draw.rect(surface, palette.INK, box.inflate(4, 4), 2)
        name = memory.tasks[task]
        if letters.width(name, 16) < box.width - 6:
            ink = palette.SHADE if met else palette.FAINT
            letters.write(surface, name, (box.centerx, box.top + 3), size=16, colour=ink, align=0.5)


def _draw_bars(surface: pygame.Surface, memory: Memory, letters: Lettering, place: pygame.Rect) -> None:
    """A bar for each task: success now, and a mark where it was best before."""
    wide = place.width // len(memory.tasks)
    room = place.height - 16
    for task, name in enumerate(memory.tasks):
        left = place.left + task * wide
        colour = COLOURS[task % len(COLOURS)]
        groove = pygame.Rect(left, place.top, wide - 6, room)
        pygame.draw.rect(surface, palette.GROOVE, groove)
        if memory.segment < len(memory.success):
            now = float(memory.success[memory.segment, task])
            best = float(memory.success[: memory.segment + 1, task].max())
            bar = round(now * room)
            pygame.draw.rect(surface, colour, (left, groove.bottom - bar, groove.width, bar))
            mark = groove.bottom - round(best * room)
            pygame.draw.line(surface, palette.INK, (left, mark), (groove.right - 1, mark), 2)
            text = f"{100 * now:.0f} %"
            top = groove.top + (3 if bar < room - 18 else room - 16)
            ink = palette.SHADE if bar > room - 18 else palette.INK
            letters.write(surface, text, (groove.centerx, top), size=18, colour=ink, align=0.5)
        while letters.width(name, 15) > wide - 6:
            name = name[:-1]
        letters.write(surface, name, (left, groove.bottom + 3), size=15, colour=palette.FAINT)
