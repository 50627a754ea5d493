"""A stream of tasks: what is trained, in which order, for how long, and which tasks conflict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from rover_cl_envs.conditions import Conditions
from rover_cl_envs.drift import Drift
from rover_cl_envs.errors import is_integer
from rover_cl_envs.world import World

ROLLOUT = 256 * 64
"""Steps of a rollout of the default training: 256 rovers x 64 steps."""
SHORT, LONG = 20 * ROLLOUT, 32 * ROLLOUT
"""Steps of a segment: enough for most tasks, and for those that take longer."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """Something to be good at: a name and the conditions that it is tested under."""

    name: str
    """short, unique in its stream"""
    conditions: Conditions
    """of the evaluation, and of training unless a segment drifts"""


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A stretch of the stream in which one task is trained."""

    task: int
    """index into the stream's tasks"""
    drift: Drift
    """how the conditions move, counted from the segment's first step"""
    steps: int = SHORT
    """environment steps"""

    def __post_init__(self) -> None:
        if not is_integer(self.steps, 1):
            raise ValueError(f"Segment.steps is {self.steps!r}, expected an integer >= 1.")


@dataclass(frozen=True, kw_only=True)
class Stream:
    """A nonstationary task stream.

    Raises:
        ValueError: no segment, a segment of a task that isn't there, two tasks of one name, or a mission or
            bodies that the world can't have.
    """

    name: str
    """what `--stream` takes"""
    description: str
    """one line"""
    tasks: tuple[Task, ...]
    """the distinct tasks, all of which are evaluated"""
    segments: tuple[Segment, ...]
    """in the order of training"""
    conflicts: tuple[tuple[int, int], ...] = ()
    """(a, b): an expert on task a is expected to fail on task b; the gate holds the stream to it"""
    world: World = field(default_factory=World)
    """what stays throughout; whoever runs the stream chooses the maps"""

    def __post_init__(self) -> None:
        if not self.segments:
            raise ValueError(f"stream {self.name!r} has no segment, expected at least one.")
        wrong = [s.task for s in self.segments if not 0 <= s.task < len(self.tasks)]
        if wrong:
            raise ValueError(
                f"Segment.task is {wrong[0]}, expected an index from 0 to {len(self.tasks) - 1}."
            )
        strangers = [(a, b) for a, b in self.conflicts if a == b or not {a, b} <= set(range(len(self.tasks)))]
        if strangers:
            raise ValueError(
                f"Stream.conflicts holds {strangers[0]}, "
                f"expected pairs of two different indices from 0 to {len(self.tasks) - 1}."
            )
        if len({t.name for t in self.tasks}) < len(self.tasks):
            raise ValueError(f"two tasks of stream {self.name!r} have the same name.")
        places = [(f"task {t.name!r}", t.conditions) for t in self.tasks]
        for k, s in enumerate(self.segments):
            ends = [point for part in s.drift.parts for point in (part.start, part.end)]
            places += [(f"segment {k + 1}", point) for point in ends]
        for place, conditions in places:
            # Otherwise a stream of nothing but surprises would be a stream of nothing, and nobody told.
            crossing = [name for name in ("devil_rate", "martian") if getattr(conditions, name) > 0]
            if crossing and "bodies" not in self.world.systems:
                value = getattr(conditions, crossing[0])
                raise ValueError(
                    f"{place}: Conditions.{crossing[0]} is {value}, which needs the system 'bodies': add it "
                    "to World.systems."
                )
            if conditions.mission is not None:
                try:
                    self.world.check_mission(conditions.mission)
                except ValueError as error:
                    raise ValueError(f"{place}: {error}") from error

    @property
    def total_steps(self) -> int:
        """Environment steps from the first segment to the last."""
        return sum(s.steps for s in self.segments)

    def with_steps(self, steps: int) -> Stream:
        """The same stream with that many steps in every segment; drifts keep their shape."""

        def scaled(segment: Segment) -> Segment:
            return replace(segment, steps=steps, drift=segment.drift.stretched(steps / segment.steps))

        return replace(self, segments=tuple(scaled(s) for s in self.segments))

    def first(self, count: int) -> Stream:
        """The first `count` segments and the tasks that they train."""
        if not 1 <= count <= len(self.segments):
            raise ValueError(f"count is {count}, expected an integer from 1 to {len(self.segments)}.")
        kept = self.segments[:count]
        used = sorted({s.task for s in kept})
        new = {old: i for i, old in enumerate(used)}
        return replace(
            self,
            tasks=tuple(self.tasks[t] for t in used),
            segments=tuple(replace(s, task=new[s.task]) for s in kept),
            conflicts=tuple((new[a], new[b]) for a, b in self.conflicts if a in new and b in new),
        )

    def shuffled(self, seed: int) -> Stream:
        """The same segments in an order drawn from the seed."""
        order = np.random.default_rng(seed).permutation(len(self.segments))
        return replace(self, segments=tuple(self.segments[i] for i in order))

    def locate(self, step: int) -> tuple[int, int]:
        """Segment of a step of the stream, and steps since it began; the last segment never ends."""
        if step < 0:
            raise ValueError(f"step is {step}, expected an integer >= 0.")
        for index, segment in enumerate(self.segments):
            if step < segment.steps or index == len(self.segments) - 1:
                return index, step
            step -= segment.steps
        raise AssertionError("unreachable: the last segment takes every step")

    def at(self, step: int) -> Conditions:
        """The conditions after that many steps of the stream."""
        index, since = self.locate(step)
        return self.segments[index].drift.at(since)


def abrupt(
    name: str,
    description: str,
    tasks: Sequence[Task],
    order: Sequence[int],
    conflicts: Sequence[tuple[int, int]] = (),
    steps: int | Sequence[int] = SHORT,
    world: World | None = None,
) -> Stream:
    """A stream whose conditions hold within a segment and jump at its end; `steps` of all, or of each."""
    lengths = [steps] * len(order) if isinstance(steps, int) else steps
    segments = tuple(
        Segment(task=t, drift=Drift.none(tasks[t].conditions), steps=n)
        for t, n in zip(order, lengths, strict=True)
    )
    return Stream(
        name=name,
        description=description,
        tasks=tuple(tasks),
        segments=segments,
        conflicts=tuple(conflicts),
        world=world or World(),
    )
