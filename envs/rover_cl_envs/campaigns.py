"""Streams of worlds in which more than driving is simulated: what comes across the map, and the sun."""

from __future__ import annotations

from dataclasses import replace

from rover_cl_envs.air import CLEAR, GLOBAL
from rover_cl_envs.conditions import Conditions
from rover_cl_envs.drift import Drift
from rover_cl_envs.mission import MISSIONS
from rover_cl_envs.stream import LONG, ROLLOUT, SHORT, Segment, Stream, Task, abrupt
from rover_cl_envs.world import World

NOMINAL = Task(name="nominal", conditions=Conditions())


def event(speed: float = 0.01, sight: float = 3.0) -> Stream:
    """Nobody told the agent: after training without it, a body that must be avoided walks across the way.

    The examinations of the first segment show what an agent does that has never met it.

    Args:
        speed: how fast it walks [m/s].
        sight: it pursues the rover within this distance [m]; at 0 it keeps to its walk.
    """
    martian = Conditions(martian=1.0, martian_speed=speed, martian_sight=sight)
    return abrupt(
        "event",
        "alone on the map, then with a body in the way that must be avoided",
        (NOMINAL, Task(name="martian", conditions=martian)),
        (0, 1),
        conflicts=((0, 1),),
        steps=(12 * ROLLOUT, LONG),
        world=World(systems=("bodies",)),
    )


def storm(steps: int = SHORT) -> Stream:
    """Opportunity's last weeks: dust rises within a quarter of `steps`, stays, and clears as slowly.

    Under the clear sky the order is to drive to A; from half the way into the storm on it is to live through
    it. The battery is old and nearly empty, and rovers think for 15 s after every 5 s of driving: who keeps
    driving in the dark spends it, as does who drives at random; who parks does not. The storm's segment is
    three times as long as the others: in as many steps, one seed of two had hardly begun to park.

    Args:
        steps: of the first and the last segment.
    """
    base = Conditions(clock_rate=4.0, time_of_sol=0.5, initial_charge=0.05, battery_health=0.5)
    clear = CLEAR.over(base)
    parked = replace(MISSIONS["survive"], energy=100.0)  # what driving costs must be felt before the end
    dark = GLOBAL.over(replace(base, mission=parked))
    onset = max(steps // 4, 1)
    paths = (
        Drift.none(clear),
        Drift(kind="linear", start=clear, end=dark, period=onset),
        Drift(kind="linear", start=dark, end=clear, period=onset),
    )
    return Stream(
        name="storm",
        description="drive under a clear sky, live through a global dust storm on an old battery, "
        "drive again",
        tasks=(Task(name="clear", conditions=clear), Task(name="storm", conditions=dark)),
        segments=tuple(
            Segment(task=task, drift=path, steps=length)
            for task, path, length in zip((0, 1, 0), paths, (steps, 3 * steps, steps), strict=True)
        ),
        conflicts=((0, 1), (1, 0)),
        world=World(systems=("power", "mission")),
    )


def mission(sols: int = 5 * SHORT) -> Stream:
    """Sol by sol: the season turns, dust falls, a storm comes, and the rover ages; nothing ever jumps.

    The four tasks are points on one way through a Martian year, and a segment leads from one to the next
    within three quarters of a segment's length. The last one is twice as long as the others: worn wheels take
    time to learn. No conflict is declared: what is learned early serves later, too.

    Args:
        sols: environment steps of the whole way; two fifths of them are the last segment's.
    """
    landing = Conditions(season=0.0, dust_factor=0.95, clock_rate=30.0, initial_charge=0.5)
    winter = replace(
        landing,
        season=90.0,
        cold=15.0,
        dust_factor=0.7,
        motor_gain=0.9,
        battery_health=0.9,
        steering_bias=0.1,
    )
    storm_time = replace(
        GLOBAL.over(winter), season=220.0, cold=0.0, dust_factor=0.6, motor_gain=0.8, battery_health=0.8
    )
    old = replace(
        CLEAR.over(storm_time),
        season=340.0,
        dust_factor=0.5,
        motor_gain=0.7,
        battery_health=0.7,
        steering_bias=0.3,
        wheel_health=(1.0, 1.0, 1.0, 0.3, 1.0, 0.9),
    )
    points = {"landing": landing, "winter": winter, "dust-storm": storm_time, "old-age": old}
    steps, path = sols // (len(points) + 1), list(points.values())
    ways = [
        Drift(kind="linear", start=a, end=b, period=max(3 * steps // 4, 1))
        for a, b in zip([landing, *path], path, strict=False)
    ]
    return Stream(
        name="mission",
        description="from landing through winter and a storm to old age, sol by sol",
        tasks=tuple(Task(name=name, conditions=c) for name, c in points.items()),
        segments=tuple(
            Segment(task=k, drift=way, steps=steps * (2 if k == len(ways) - 1 else 1))
            for k, way in enumerate(ways)
        ),
        world=World(systems=("power",)),
    )
