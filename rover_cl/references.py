"""What drivers that learn nothing reach: the floor and the ceiling for those who do."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from rover_cl.catalogue import find_stream
from rover_cl.drivers import go_to_goal, plan, wander
from rover_cl.evaluation import Examiner, Policy
from rover_cl.stream_file import SUFFIX
from rover_cl_envs.campaigns import storm
from rover_cl_envs.conditions import Conditions
from rover_cl_envs.errors import unknown_name
from rover_cl_envs.mission import MISSIONS
from rover_cl_envs.sites import SITES
from rover_cl_envs.streams import STREAMS, Task
from rover_cl_envs.vector_env import MarsRoverVectorEnv
from rover_cl_envs.world import World

Case = tuple[Task, World]
"""A task, and the world that it is driven in."""
DRIVERS: dict[str, Callable[[MarsRoverVectorEnv], Policy]] = {
    "random": lambda env: partial(wander, np.random.default_rng(0)),
    "autopilot": go_to_goal,
    "planner": plan,
}
"""By name, what drives the rovers of an environment."""
TASKS = ("mars6:nominal", "lookalike", "mars6:steer-bias", "wheel-fault", "mars6:target-b")
"""Streams, or single tasks of streams, that are driven unless others are asked for."""


def mission_case(kind: str) -> Case:
    """The mission of `MISSIONS` of that kind on the default ground; "survive" is that of the storm.

    Under a clear sky and on a full battery everybody survives.
    """
    if kind == "survive":
        stream = storm()
        return replace(stream.tasks[1], name=kind), stream.world
    return Task(name=kind, conditions=Conditions()), World(mission=MISSIONS[kind])


def site_case(name: str) -> Case:
    """Driving to the target on the ground of the site of that name."""
    return Task(name=name, conditions=SITES[name].conditions), World()


def find_tasks(names: Sequence[str]) -> list[Case]:
    """Find tasks, each once: those of `lookalike`, one, `mars6:target-b`, a mission, `image`, a site, `gale`.

    A stream is whatever `find_stream` takes, a file or `module:attribute` as well.

    Raises:
        ValueError: there is no such stream or task; the message names the nearest.
    """
    found: dict[Case, None] = {}
    for name in names:
        if name in MISSIONS or name in SITES:
            found[mission_case(name) if name in MISSIONS else site_case(name)] = None
            continue
        if name.isidentifier() and name not in STREAMS:
            raise unknown_name("task", name, (*STREAMS, *MISSIONS, *SITES))
        head, colon, last = name.rpartition(":")
        single = bool(colon) and (":" in head or head.partition("@")[0] in STREAMS or head.endswith(SUFFIX))
        stream = find_stream(head if single else name)
        tasks = {task.name: task for task in stream.tasks}
        if single and last not in tasks:
            raise unknown_name("task", last, tasks)
        chosen = [tasks[last]] if single else tasks.values()
        found |= dict.fromkeys((task, stream.world) for task in chosen)
    return list(found)


def success(
    names: Sequence[str] = TASKS, *, episodes: int = 200, seed: int = 0
) -> list[dict[str, str | float]]:
    """Examine the drivers, each on the same episodes.

    Args:
        names: as for `find_tasks`.
        episodes: of each task.
        seed: of the maps, as that of a run.

    Returns:
        A row for each task: its name, and each driver's share of episodes that ended in success.
    """
    cases = find_tasks(names)
    rows: list[dict[str, str | float]] = [{"task": task.name} for task, _ in cases]
    for world in dict.fromkeys(world for _, world in cases):
        here = [k for k, case in enumerate(cases) if case[1] == world]
        examiner = Examiner([cases[k][0] for k in here], episodes=episodes, seed=seed, world=world)
        for name, driver in DRIVERS.items():
            shares = examiner.examine(driver(examiner.env)).success.mean(axis=1)
            for k, share in zip(here, shares, strict=True):
                rows[k][name] = float(share)
        examiner.close()
    return rows
