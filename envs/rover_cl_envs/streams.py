"""Named streams: which tasks come, in which order, for how long, and which of them conflict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from rover_cl_envs.air import CLEAR, GLOBAL
from rover_cl_envs.conditions import Conditions
from rover_cl_envs.drift import Drift
from rover_cl_envs.errors import unknown_name
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
        if self.steps < 1:
            raise ValueError(f"Segment.steps is {self.steps}, expected an integer >= 1.")


@dataclass(frozen=True, kw_only=True)
class Stream:
    """A nonstationary task stream.

    Raises:
        ValueError: no segment, a segment of a task that isn't there, two tasks of one name, or a mission that
            the world can't have.
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
        strangers = [pair for pair in self.conflicts if not all(0 <= t < len(self.tasks) for t in pair)]
        if strangers:
            raise ValueError(
                f"Stream.conflicts holds {strangers[0]}, "
                f"expected pairs of indices from 0 to {len(self.tasks) - 1}."
            )
        if len({t.name for t in self.tasks}) < len(self.tasks):
            raise ValueError(f"two tasks of stream {self.name!r} have the same name.")
        drifts = [point for s in self.segments for point in (s.drift.start, s.drift.end)]
        for conditions in [*(t.conditions for t in self.tasks), *drifts]:
            if conditions.mission is not None:
                self.world.check_mission(conditions.mission)

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
    )


NOMINAL = Task(name="nominal", conditions=Conditions())
STEER_BIAS = Task(name="steer-bias", conditions=Conditions(steering_bias=0.6))
TARGET_B = Task(name="target-b", conditions=Conditions(target_b=1.0))


def dark_trap(cover: float) -> Task:
    """The dark ground traps, the bright one carries; `cover` is the trap's share of the ground."""
    return Task(name="dark-trap", conditions=Conditions(patch_cover=cover, albedo_contrast=-1.0))


def worn(side: str, front: float, rear: float) -> Task:
    """The "left" or "right" side's front and rear wheels have only that health.

    With a weak rear wheel there is no free way round: driving backward, too, has to be steered against the
    pull.
    """
    ill, well = (front, 1.0, rear), (1.0, 1.0, 1.0)
    health = ill + well if side == "left" else well + ill
    return Task(name=f"{side}-side-worn", conditions=Conditions(wheel_health=health))


def lookalike() -> Stream:
    """Purgatory: the ground that was safe to the eye is now the trap; more of it than elsewhere, so that
    nobody gets through by luck.
    """
    bright = Task(name="bright-trap", conditions=Conditions(patch_cover=0.4))
    return abrupt(
        "lookalike",
        "bright ground traps, then dark ground, then bright again (Purgatory)",
        (bright, dark_trap(0.4)),
        (0, 1, 0),
        conflicts=((0, 1), (1, 0)),
    )


def wheel_fault() -> Stream:
    """Spirit: the right front wheel is dead and the rear one failing; then the left ones instead."""
    return abrupt(
        "wheel-fault",
        "healthy, right front wheel dead and rear one weak, then the left ones, healthy (Spirit)",
        (NOMINAL, worn("right", 0.0, 0.6), worn("left", 0.0, 0.6)),
        (0, 1, 2, 0),
        conflicts=((0, 1), (0, 2), (1, 2), (2, 1)),
        steps=3 * LONG // 2,
    )


def target_swap() -> Stream:
    """The order changes: drive to B, not to A; segments are long, as unlearning a target takes a while."""
    return abrupt(
        "target-swap",
        "drive to A, then to B, then to A again",
        (NOMINAL, TARGET_B),
        (0, 1, 0),
        conflicts=((0, 1), (1, 0)),
        steps=LONG,
    )


def gravity() -> Stream:
    """The control: hardly any forgetting is expected."""
    worlds = (("mars", 3.72), ("moon", 1.62), ("earth", 9.81))
    tasks = tuple(Task(name=name, conditions=Conditions(gravity=g)) for name, g in worlds)
    return abrupt(
        "gravity", "Mars, Moon, Earth: the control, hardly any forgetting expected", tasks, (0, 1, 2)
    )


def rover_swap() -> Stream:
    """MER's habits in Curiosity's body, and Curiosity's in MER's.

    Curiosity climbs the rocks that end MER's drive, up to 0.5 m where MER climbs 0.2 m, and gets through
    drift on the level, where MER embeds: it learns to go straight, which MER can't. The other way round a
    detour costs time and nothing else, so the conflict is declared one way only.
    """
    ground = Conditions(rock_abundance=0.07, patch_cover=0.3)
    tasks = [Task(name=rover, conditions=replace(ground, rover=rover)) for rover in ("mer", "msl")]
    return abrupt(
        "rover-swap",
        "MER, then Curiosity, which climbs the rocks and the drift that stop MER, then MER again",
        tasks,
        (0, 1, 0),
        conflicts=((1, 0),),
        steps=LONG,
    )


def mars6() -> Stream:
    """The mixture of helpful tasks and conflicts, ending on one with all that came before.

    The last segment is the longest: the more an agent has trained on one target, the longer it takes to
    go to the other.
    """
    return abrupt(
        "mars6",
        "five tasks of driving to A that help or disturb one another, then the order to drive to B",
        (NOMINAL, STEER_BIAS, dark_trap(0.25), worn("right", 0.3, 0.9), worn("left", 0.3, 0.9), TARGET_B),
        (0, 1, 2, 3, 4, 5),
        conflicts=tuple(pair for t in range(5) for pair in ((5, t), (t, 5))),
        steps=(SHORT, SHORT, LONG, LONG, LONG, 3 * LONG),
    )


def mars3() -> Stream:
    """The shortest stream on which something is forgotten: for a first look, and for trying things out."""
    conditions = replace(TARGET_B.conditions, steering_bias=STEER_BIAS.conditions.steering_bias)
    return abrupt(
        "mars3",
        "drive to A, then to B, then to B with a bias in the steering; minutes",
        (NOMINAL, TARGET_B, Task(name="target-b-steer-bias", conditions=conditions)),
        (0, 1, 2),
        conflicts=((0, 1), (1, 0), (0, 2), (2, 0)),
        steps=(8 * ROLLOUT, 16 * ROLLOUT, 6 * ROLLOUT),
    )


def steer_bias(reach: float = 0.3, turns: int = 2) -> Stream:
    """The steering drifts smoothly from one side to the other and back, `turns` times in a segment.

    Args:
        reach: largest bias to either side, in units of full steer.
        turns: periods of the sinusoid in a segment, at least 1.
    """
    right, left = (
        Task(name=name, conditions=Conditions(steering_bias=bias))
        for name, bias in (("bias-right", -reach), ("bias-left", reach))
    )
    period = LONG // turns

    def swinging(task: int, start: Task, end: Task) -> Segment:
        drift = Drift(kind="sinusoidal", start=start.conditions, end=end.conditions, period=period)
        return Segment(task=task, drift=drift, steps=period * turns)

    return Stream(
        name="steer-bias",
        description="a steering bias that swings smoothly from right to left and back",
        tasks=(right, left),
        segments=(swinging(0, right, left), swinging(1, left, right)),
    )


def event(speed: float = 0.02, sight: float = 4.0) -> Stream:
    """Nobody told the agent: after training without it, a body that must be avoided stands in the way.

    The examinations of the first segment show what an agent does that has never met it.

    Args:
        speed: how fast it walks [m/s].
        sight: it pursues the rover within this distance [m].
    """
    martian = Conditions(martian=1.0, martian_speed=speed, martian_sight=sight)
    tasks = (NOMINAL, Task(name="martian", conditions=martian))
    stream = abrupt(
        "event", "alone on the map, then with a body in the way that must be avoided", tasks, (0, 1)
    )
    return replace(stream, world=World(systems=("bodies",)))


def storm(steps: int = LONG) -> Stream:
    """Opportunity's last weeks: dust rises within a quarter of a segment, stays, and clears as slowly.

    A step takes five minutes on the clock, so that an episode is most of a sol: under the clear sky the
    panels carry it, in the storm there is only what the battery holds. Not tuned, and shown to no gate: it
    is not among `STREAMS`, but `--stream rover_cl_envs.streams:storm` takes it.
    """
    base = Conditions(clock_rate=60.0, time_of_sol=0.35, initial_charge=0.4)
    clear, dark = CLEAR.over(base), GLOBAL.over(base)
    onset = max(steps // 4, 1)
    paths = (
        Drift.none(clear),
        Drift(kind="linear", start=clear, end=dark, period=onset),
        Drift(kind="linear", start=dark, end=clear, period=onset),
    )
    return Stream(
        name="storm",
        description="clear sky, a global dust storm, clear sky again: what to do with a battery",
        tasks=(Task(name="clear", conditions=clear), Task(name="storm", conditions=dark)),
        segments=tuple(Segment(task=k % 2, drift=p, steps=steps) for k, p in enumerate(paths)),
        world=World(systems=("power",)),
    )


STREAMS: dict[str, Callable[[], Stream]] = {
    "mars3": mars3,
    "lookalike": lookalike,
    "wheel-fault": wheel_fault,
    "target-swap": target_swap,
    "rover-swap": rover_swap,
    "mars6": mars6,
    "gravity": gravity,
}
"""The one table of shipped streams."""


def get_stream(name: str) -> Stream:
    """The stream of that name.

    Raises:
        ValueError: no stream has that name; the message names the nearest.
    """
    if name not in STREAMS:
        raise unknown_name("stream", name, STREAMS)
    return STREAMS[name]()
