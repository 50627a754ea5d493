"""What each part of the simulator costs over plain driving, and how much memory a rover takes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode

from rover_cl_envs.batch import Batch
from rover_cl_envs.conditions import Conditions
from rover_cl_envs.grid import SIDE
from rover_cl_envs.landforms import landforms
from rover_cl_envs.mission import MISSIONS
from rover_cl_envs.rows import SAME_STEP
from rover_cl_envs.terrain import draw_map
from rover_cl_envs.vector_env import MarsRoverVectorEnv
from rover_cl_envs.world import World

FORMS: dict[str, Any] = {
    "crater_freshness": 0.5,
    "ripple_height": 0.1,
    "tar_height": 0.5,
    "ripple_softness": 0.3,
}
CRUST: dict[str, Any] = {"crust_cover": 0.3, "crust_contrast": 0.5}
BODIES: dict[str, Any] = {"devil_rate": 3.0, "martian": 1.0, "martian_sight": 5.0}
ERRORS: dict[str, Any] = {
    "height_noise": 0.03,
    "bearing_noise": 0.02,
    "height_bias": 0.01,
    "bearing_bias": 0.01,
    "odometry_gain": 1.1,
}
HAZE: dict[str, Any] = {"optical_depth": 3.0}
TRAVERSE: dict[str, Any] = {"mission": MISSIONS["traverse"]}
Feature = tuple[tuple[str, ...], dict[str, Any]]
"""Systems that are on, and fields of the conditions."""
FEATURES: dict[str, Feature] = {
    "power": (("power",), {}),
    "mission (traverse)": (("mission",), TRAVERSE),
    "bodies": (("bodies",), BODIES),
    "craters, ripples, TARs": ((), FORMS),
    "crust": ((), CRUST),
    "haze": ((), HAZE),
    "sensor errors": ((), ERRORS),
}
"""Parts of the simulator beyond plain driving: the systems and the conditions that they need."""
EVERYTHING: Feature = (
    ("power", "mission", "bodies"),
    {**TRAVERSE, **BODIES, **FORMS, **CRUST, **HAZE, **ERRORS},
)
"""All of them at once."""
RANK = 0.1  # of a stretch among its kind, shortest first: what others do on the machine only lengthens it


def rovers_with(
    systems: tuple[str, ...],
    numbers: dict[str, Any],
    count: int,
    threads: int,
    observation: str = "vector",
) -> MarsRoverVectorEnv:
    """A batch with those systems under those conditions."""
    return MarsRoverVectorEnv(
        count,
        threads=threads,
        autoreset_mode=AutoresetMode.SAME_STEP,
        systems=systems,
        observation=observation,
        conditions=replace(Conditions(), **numbers),
    )


def feature_ratios(seconds: float, count: int = 1024) -> dict[str, float]:
    """Time of a step with each feature, and with everything, over that of plain driving; one thread.

    All take turns, stretch by stretch, so that a machine that grows busy slows them alike. `seconds` is the
    time that each of them gets.
    """
    worlds: dict[str, Feature] = {"default": ((), {}), **FEATURES, "everything": EVERYTHING}
    with ExitStack() as stack:
        envs = {}
        for name, (systems, numbers) in worlds.items():
            envs[name] = stack.enter_context(closing(rovers_with(systems, numbers, count, 1)))
        times = _take_turns(envs, seconds)
    plain = times.pop("default")
    return {name: value / plain for name, value in times.items()}


def _take_turns(envs: dict[str, MarsRoverVectorEnv], seconds: float) -> dict[str, float]:
    """Seconds of a step of each, at rank `RANK` of all that were timed."""
    actions: dict[str, list[Any]] = {}
    times: dict[str, list[float]] = {name: [] for name in envs}
    for name, env in envs.items():
        env.action_space.seed(0)
        actions[name] = [env.action_space.sample() for _ in range(16)]
        env.reset(seed=0)
    began, turns = perf_counter(), 0
    while turns < 2 or perf_counter() - began < seconds * len(envs):
        for name, env in envs.items():
            for k, action in enumerate(actions[name]):
                start = perf_counter()
                env.step(action)
                if turns and k > 2:  # the first ones compile, and fetch their rovers from memory
                    times[name].append(perf_counter() - start)
        turns += 1
    return {name: float(np.quantile(values, RANK)) for name, values in times.items()}


def map_seconds() -> tuple[float, float]:
    """Seconds that a new map of 64 m takes, and its landforms: the median of nine."""
    ground = np.zeros((SIDE, SIDE, 4), dtype=np.int16)

    def draw(seed: int) -> None:
        ground[:] = 0
        draw_map(ground, np.random.default_rng(seed))

    return _median_of_nine(draw), _median_of_nine(lambda seed: landforms(seed, 1))


def _median_of_nine(make: Callable[[int], object]) -> float:
    make(0)  # compiles what is compiled on first use
    times = []
    for seed in range(1, 10):
        began = perf_counter()
        make(seed)
        times.append(perf_counter() - began)
    return float(np.median(times))


def bytes_per_rover() -> dict[str, float]:
    """Memory that a rover takes beside the maps, in the default world and with everything on.

    Its row of every array, and the results of a step, of which the caller holds the latest; last observations
    come on top for those few whose episode has just ended. The bits of broken crust are a map of their own,
    and counted apart.
    """
    sizes = {}
    for name, (systems, numbers) in {"default": ((), {}), "everything on": EVERYTHING}.items():
        batch = Batch(1024, World(systems=systems), mode=SAME_STEP)
        batch.set_conditions(replace(Conditions(), **numbers))
        count = len(batch.state)
        results = (batch.observations, batch.reward_terms, batch.rewards)
        rows = sum(row.nbytes for row in batch.rovers) - batch.rovers.broken.nbytes
        sizes[f"state, {name}"] = rows / count
        sizes[f"results, {name}"] = sum(array.nbytes for array in (*results, batch.outcomes)) / count
        sizes[f"broken crust, {name}"] = batch.rovers.broken.nbytes / count
    return sizes
