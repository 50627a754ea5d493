"""The strip below the picture: how the world drifts over a stream, and what is still remembered of it."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rover_cl_envs import palette
from rover_cl_envs.conditions import RANGES, Conditions
from rover_cl_envs.drawing import pygame
from rover_cl_envs.lettering import Lettering
from rover_cl_envs.palette import Colour
from rover_cl_envs.streams import Stream

COLOURS: tuple[Colour, ...] = (
    (118, 190, 240),
    (246, 170, 90),
    (150, 214, 130),
    (226, 130, 170),
    (190, 160, 240),
    (236, 220, 120),
)
SEGMENTS_HEIGHT, LANE_HEIGHT, BARS_HEIGHT = 32, 15, 70
"""Of the segments, of each condition that drifts, and of the bars [px]."""
LANES = 6
"""Drifting conditions that are shown at most: those that move over most of their range."""
NAMES, VALUES = 112, 34  # room for the names of conditions on the left and for values on the right [px]
SAMPLES = 400  # points of a path


@dataclass(frozen=True, kw_only=True, eq=False)
class Path:
    """How one condition moves over a stream."""

    name: str
    """of the condition"""
    values: NDArray[np.float64]
    """(SAMPLES,) at places that are evenly spaced from the stream's first step to its last"""


@dataclass(frozen=True, kw_only=True, eq=False)
class Memory:
    """Where in its stream an agent is, and how it fares on every task."""

    tasks: tuple[str, ...]
    """names, T"""
    order: tuple[int, ...]
    """task of each segment, S"""
    steps: tuple[int, ...]
    """environment steps of each segment, S"""
    place: int
    """steps of the stream that the agent has lived through"""
    paths: tuple[Path, ...] = ()
    """the conditions that drift, at most `LANES`"""
    now: NDArray[np.float64] | None = None
    """(T,) success on each task; None where the agent has not been examined"""
    best: NDArray[np.float64] | None = None
    """(T,) the best success on each task so far"""

    @property
    def segment(self) -> int:
        """The segment at `place`; its first step belongs to it, its end does not."""
        ends = np.cumsum(self.steps)
        return min(int(np.searchsorted(ends, self.place, side="right")), len(self.steps) - 1)

    @property
    def sample(self) -> int:
        """Number of the first sample of a path that isn't before `place`, so that it lies in its segment."""
        return min(math.ceil(self.place * (SAMPLES - 1) / max(sum(self.steps) - 1, 1)), SAMPLES - 1)

    @property
    def height(self) -> int:
        """Of the strip [px]."""
        return self.full_height - (BARS_HEIGHT if self.now is None else 0)

    @property
    def full_height(self) -> int:
        """Of the strip with its bars, which it gets with the first examination [px]."""
        return SEGMENTS_HEIGHT + LANE_HEIGHT * len(self.paths) + BARS_HEIGHT


def memory_of(
    stream: Stream,
    place: int,
    now: NDArray[np.float64] | None = None,
    best: NDArray[np.float64] | None = None,
) -> Memory:
    """Make the strip's contents.

    Args:
        stream: what the agent lives through.
        place: steps of it that have passed.
        now: (T,) its success on each task, if it has been examined.
        best: (T,) its best so far.
    """
    return Memory(
        tasks=tuple(task.name for task in stream.tasks),
        order=tuple(part.task for part in stream.segments),
        steps=tuple(part.steps for part in stream.segments),
        place=place,
        paths=drifting(stream),
        now=now,
        best=now if best is None else best,
    )


def drifting(stream: Stream) -> tuple[Path, ...]:
    """Find the conditions that change over a stream; of many, the `LANES` that move furthest in their range.

    Wheels are told by their side: the mean health of its three.
    """
    places = np.linspace(0, stream.total_steps - 1, SAMPLES).astype(int)
    rows = np.array([_numbers(stream.at(int(place))) for place in places])
    names = [*RANGES, "left wheels", "right wheels"]
    spans = np.array([high - low for low, high in RANGES.values()] + [1.0, 1.0])
    moved = np.ptp(rows, axis=0) / spans
    furthest = np.argsort(-moved, kind="stable")[:LANES]
    return tuple(
        Path(name=names[k].replace("_", " "), values=rows[:, k]) for k in sorted(furthest) if moved[k] > 1e-6
    )


def _numbers(conditions: Conditions) -> list[float]:
    health = conditions.wheel_health
    sides = [sum(health[:3]) / 3, sum(health[3:]) / 3]
    return [*(float(getattr(conditions, name)) for name in RANGES), *sides]


def draw_memory(surface: pygame.Surface, memory: Memory, letters: Lettering, place: pygame.Rect) -> None:
    """Draw the strip: segments, the conditions that drift, and the bars.

    Args:
        surface: where to.
        memory: what.
        letters: for the names.
        place: of the memory's `height`.
    """
    surface.fill(palette.PANEL, place)
    left, width = place.left + 10, place.width - 20
    names, values = (NAMES, VALUES) if memory.paths else (0, 0)
    axis = pygame.Rect(left + names, place.top + 8, width - names - values, 18)
    _draw_segments(surface, memory, letters, axis)
    top = place.top + SEGMENTS_HEIGHT
    for path in memory.paths:
        lane = pygame.Rect(axis.left, top, axis.width, LANE_HEIGHT)
        _draw_path(surface, path, memory, letters, lane)
        top += LANE_HEIGHT
    x = _x(memory, memory.place, axis)
    pygame.draw.line(surface, palette.INK, (x, axis.top - 4), (x, top - 2), 2)
    if memory.now is not None:
        _draw_bars(surface, memory, letters, pygame.Rect(left, top + 2, width, BARS_HEIGHT - 8))


def _x(memory: Memory, step: float, axis: pygame.Rect) -> int:
    return axis.left + min(round(step * axis.width / sum(memory.steps)), axis.width - 2)


def _draw_segments(surface: pygame.Surface, memory: Memory, letters: Lettering, place: pygame.Rect) -> None:
    """The stream from left to right; what the agent hasn't met yet is dark."""
    ends = np.cumsum((0, *memory.steps)) * place.width / sum(memory.steps)
    for k, task in enumerate(memory.order):
        colour = COLOURS[task % len(COLOURS)]
        met = k <= memory.segment
        left, right = place.left + round(ends[k]), place.left + round(ends[k + 1])
        gap = 2 if right - left > 5 else 0
        box = pygame.Rect(left, place.top, max(1, right - left - gap), place.height)
        pygame.draw.rect(surface, colour if met else palette.blend(palette.PANEL, colour, 0.3), box)
        if k == memory.segment:
            pygame.draw.rect(surface, palette.INK, box.inflate(4, 4), 2)
        name = letters.fitted(memory.tasks[task], 16, box.width - 6)
        ink = palette.SHADE if met else palette.FAINT
        letters.write(surface, name, (box.centerx, box.top + 3), size=16, colour=ink, align=0.5)


def _draw_path(
    surface: pygame.Surface, path: Path, memory: Memory, letters: Lettering, lane: pygame.Rect
) -> None:
    """One condition over the stream, its name on the left, its value at the agent's place on the right."""
    low, high = float(path.values.min()), float(path.values.max())
    shares = (path.values - low) / max(high - low, 1e-12)
    bottom = lane.bottom - 3
    x = lane.left + np.arange(SAMPLES) * (lane.width - 2) / (SAMPLES - 1)
    y = bottom - shares * (lane.height - 5)
    here = memory.sample
    points = np.stack([x, y], axis=1).tolist()
    pygame.draw.line(surface, palette.GROOVE, (lane.left, bottom + 1), (lane.right, bottom + 1))
    pygame.draw.lines(surface, palette.FAINT, False, points, 1)
    if here:
        pygame.draw.lines(surface, palette.UNUSUAL, False, points[: here + 1], 2)
    letters.write(surface, path.name, (lane.left - NAMES, lane.top), size=16, colour=palette.FAINT)
    text = f"{path.values[here]:.2f}".replace("-0.00", "0.00")
    letters.write(surface, text, (lane.right + VALUES, lane.top), size=16, colour=palette.UNUSUAL, align=1)


def _draw_bars(surface: pygame.Surface, memory: Memory, letters: Lettering, place: pygame.Rect) -> None:
    """A bar for each task: success now, and a mark where it was best so far."""
    assert memory.now is not None and memory.best is not None
    wide = place.width // len(memory.tasks)
    told = wide > letters.width("100 %", 18) + 10  # of a hundred tasks only the bars
    room = place.height - 16
    for task, name in enumerate(memory.tasks):
        now, best = float(memory.now[task]), float(memory.best[task])
        groove = pygame.Rect(place.left + task * wide, place.top, wide - (6 if told else 2), room)
        colour = COLOURS[task % len(COLOURS)]
        bar = round(now * room)
        pygame.draw.rect(surface, palette.GROOVE, groove)
        pygame.draw.rect(surface, colour, (groove.left, groove.bottom - bar, groove.width, bar))
        mark = groove.bottom - round(best * room)
        pygame.draw.line(surface, palette.INK, (groove.left, mark), (groove.right - 1, mark), 2)
        if told:
            _tell_bar(surface, letters, groove, bar, name, colour, (now, best))
    if not told:
        now, best = float(memory.now.mean()), float(memory.best.mean())
        text = f"success on {len(memory.tasks)} tasks: mean {100 * now:.0f} %, best {100 * best:.0f} %"
        letters.write(surface, text, (place.left, place.bottom - 13), size=16, colour=palette.INK)


def _tell_bar(
    surface: pygame.Surface,
    letters: Lettering,
    groove: pygame.Rect,
    bar: int,
    name: str,
    colour: Colour,
    success: tuple[float, float],
) -> None:
    """In a bar its success now; below it the task and, where there is room, the best so far."""
    now, best = (f"{100 * share:.0f} %" for share in success)
    covered = bar > groove.height - 18
    top = groove.bottom - (0 if covered else bar) - 16
    ink = palette.SHADE if covered else palette.INK
    letters.write(surface, now, (groove.centerx, top), size=18, colour=ink, align=0.5)
    foot, best = groove.bottom + 3, f"best {best}"
    if letters.width(name, 16) + letters.width(best, 16) + 8 <= groove.width:
        letters.write(surface, best, (groove.right, foot), size=16, colour=palette.INK, align=1)
    name = letters.fitted(name, 16, groove.width)
    letters.write(surface, name, (groove.left, foot), size=16, colour=colour)
