"""Streams of worlds in which more than driving is simulated: what comes across the map, and the sun."""

from __future__ import annotations

from dataclasses import replace

from rover_cl_envs.air import CLEAR, GLOBAL
from rover_cl_envs.conditions import Conditions
from rover_cl_envs.drift import Drift
from rover_cl_envs.stream import LONG, Segment, Stream, Task, abrupt
from rover_cl_envs.world import World

NOMINAL = Task(name="nominal", conditions=Conditions())


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
