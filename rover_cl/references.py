"""What drivers that learn nothing reach: the floor and the ceiling for those who do."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from rover_cl.drivers import go_to_goal, plan, wander
from rover_cl.evaluation import Examiner, Policy
from rover_cl_envs.errors import unknown_name
from rover_cl_envs.streams import Task, get_stream
from rover_cl_envs.vector_env import MarsRoverVectorEnv

DRIVERS: dict[str, Callable[[MarsRoverVectorEnv], Policy]] = {
    "random": lambda env: partial(wander, np.random.default_rng(0)),
    "autopilot": lambda env: go_to_goal,
    "planner": plan,
}
"""By name, what drives the rovers of an environment."""
TASKS = ("mars6:nominal", "lookalike", "mars6:steer-bias", "wheel-fault", "mars6:target-b")
"""Streams, or single tasks of streams, that are driven unless others are asked for."""


def find_tasks(names: Sequence[str]) -> list[Task]:
    """Find the tasks of streams, `lookalike`, and single ones, `mars6:target-b`, each once.

    Raises:
        ValueError: there is no such stream or task; the message names the nearest.
    """
    found: dict[Task, None] = {}
    for name in names:
        stream, colon, wanted = name.partition(":")
        tasks = {task.name: task for task in get_stream(stream).tasks}
        if colon and wanted not in tasks:
            raise unknown_name("task", wanted, tasks)
        found |= dict.fromkeys([tasks[wanted]] if colon else tasks.values())
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
        A row for each task: its name, and each driver's share of episodes that reached their target.
    """
    tasks = find_tasks(names)
    examiner = Examiner(tasks, episodes=episodes, seed=seed)
    reached = {
        name: examiner.examine(driver(examiner.env)).success.mean(axis=1) for name, driver in DRIVERS.items()
    }
    examiner.close()
    return [
        {"task": task.name, **{name: float(shares[k]) for name, shares in reached.items()}}
        for k, task in enumerate(tasks)
    ]
