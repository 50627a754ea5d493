"""Long streams that mix everything: ten tasks, the same ten twice, and a hundred that are drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from rover_cl_envs.air import GLOBAL
from rover_cl_envs.conditions import Conditions
from rover_cl_envs.sites import get_site
from rover_cl_envs.stream import LONG, ROLLOUT, SHORT, Stream, Task, abrupt
from rover_cl_envs.world import World

Draw = Callable[[np.random.Generator], dict[str, Any]]
MIXED = 3  # changes that a drawn task mixes
SOLVED = 0.8
"""Share of a drawn task's episodes that the planner must solve."""


def _between(name: str, low: float, high: float) -> Draw:
    """A change that draws one number evenly."""
    return lambda rng: {name: float(np.round(rng.uniform(low, high), 3))}


def _worn(rng: np.random.Generator) -> dict[str, Any]:
    """One side's front and rear wheels have lost torque."""
    front, rear, side = rng.uniform(0.2, 0.8), rng.uniform(0.7, 1.0), int(rng.integers(2))
    ill, well = (round(float(front), 3), 1.0, round(float(rear), 3)), (1.0, 1.0, 1.0)
    return {"wheel_health": ill + well if side else well + ill}


CHANGES: dict[str, Draw] = {
    "gravity": _between("gravity", 1.6, 9.8),
    "patches": _between("patch_cover", 0.1, 0.35),
    "looks": lambda rng: {"albedo_contrast": -1.0, **_between("patch_cover", 0.2, 0.35)(rng)},
    "relief": _between("relief", 0.01, 0.06),
    "grade": lambda rng: _between("slope_east", -0.1, 0.1)(rng) | _between("slope_north", -0.1, 0.1)(rng),
    "rocks": _between("rock_abundance", 0.0, 0.05),
    "motors": _between("motor_gain", 0.6, 1.4),
    "steer": _between("steering_bias", -0.6, 0.6),
    "order": lambda _: {"target_b": 1.0},
    "wheels": _worn,
    "bearing": _between("bearing_bias", -0.3, 0.3),
    "odometry": _between("odometry_gain", 0.6, 1.4),
    "craters": _between("crater_freshness", 0.05, 0.3),
    "ripples": lambda rng: (
        _between("ripple_height", 0.05, 0.2)(rng) | _between("ripple_softness", 0.0, 0.5)(rng)
    ),
    "ridges": _between("tar_height", 0.3, 1.3),
    "rover": lambda rng: {"rover": str(rng.choice(["msl", "m2020"]))},
}
"""What a drawn task may change of the default conditions, by a word for its name; the bounds are chosen."""


def drawn_task(seed: int, number: int) -> Task:
    """Draw number `number` of a seed: three changes of the default conditions that do not overlap."""
    rng = np.random.default_rng([seed, number])
    words: list[str] = []
    changed: dict[str, Any] = {}
    for word in rng.permutation(list(CHANGES)):
        new = CHANGES[str(word)](rng)
        if new.keys() & changed.keys():
            continue
        changed |= new
        words.append(str(word))
        if len(words) == MIXED:
            break
    return Task(name="-".join([f"{number:03d}", *words]), conditions=Conditions(**changed))


def mars10() -> Stream:
    """Ten tasks: the ground, the rover, the body in the way and what it is asked take turns.

    As `mars6`, it ends on the order to drive to B, which all before it conflict with, and stays with it for
    longest: the more an agent has trained on one target, the longer it takes to go to the other. Two tasks
    want B, as joint training hardly learned it when one contradicted nine (docs/findings.md).
    """
    rocky = Conditions(rover="msl", rock_abundance=0.07, patch_cover=0.3)
    sand = Conditions(slope_north=0.15, ground_fluffiness=0.5, patch_cover=0.1)
    worn = Conditions(wheel_health=(1.0, 1.0, 1.0, 0.3, 1.0, 0.9))
    to_a = {
        "nominal": Conditions(),
        "steer-bias": Conditions(steering_bias=0.6),
        "dark-trap": Conditions(patch_cover=0.25, albedo_contrast=-1.0),
        "right-side-worn": worn,
        "curiosity": rocky,
        "sand-slope": sand,
        "meridiani": get_site("meridiani").conditions,
        "martian": Conditions(martian=1.0, martian_speed=0.01, martian_sight=3.0),
    }
    to_b = {
        "target-b": Conditions(target_b=1.0),
        "target-b-storm": GLOBAL.over(Conditions(dust_factor=0.5, target_b=1.0)),
    }
    tasks = [Task(name=name, conditions=c) for name, c in (to_a | to_b).items()]
    opposed = [(a, b) for a in range(len(to_a)) for b in range(len(to_a), len(tasks))]
    return abrupt(
        "mars10",
        "ten tasks: ground, rover, a fault, a body in the way; "
        "then the order to drive to B, at last in a storm",
        tasks,
        range(len(tasks)),
        conflicts=[(0, 7), *opposed, *((b, a) for a, b in opposed)],
        steps=[SHORT] * 7 + [2 * SHORT, 4 * LONG, SHORT],
        world=World(systems=("bodies", "power")),
    )


def mars20() -> Stream:
    """`mars10` twice: what was lost the first time, is it learned sooner the second time?"""
    once = mars10()
    return replace(once, name="mars20", description="mars10, and all of it again", segments=once.segments * 2)


def mars100(seed: int = 0) -> Stream:
    """A hundred drawn tasks, ten rollouts each: room to learn runs out before the tasks do.

    A hundred experts are no gate for anybody: that each task can be solved is shown by the planner instead,
    by `benchmarks/solvable.py`, for seed 0 with the result in results/streams. The planner knows the map and
    the rover: that the observation tells enough of them is not shown.

    Args:
        seed: of the draws; for another one than 0 the check is yours to run.
    """
    tasks = [drawn_task(seed, number) for number in range(100)]
    return abrupt(
        "mars100",
        "a hundred drawn tasks, each of which the planner solves",
        tasks,
        range(100),
        steps=10 * ROLLOUT,
    )
