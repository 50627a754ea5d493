"""Worlds and commands at random, to find where the simulator breaks its promises."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rover_cl_envs.conditions import RANGES, WHEELS, Conditions
from rover_cl_envs.dynamics import AHEAD, FULL
from rover_cl_envs.mission import Mission
from rover_cl_envs.rovers import ROVERS
from rover_cl_envs.rows import VEHICLE
from rover_cl_envs.soil import SKID_LIMIT
from rover_cl_envs.vector_env import MarsRoverVectorEnv
from rover_cl_envs.world import World

SAME = 50  # steps between two draws of the conditions


@dataclass(kw_only=True)
class Finding:
    """What was tried, and what broke."""

    steps: int = 0
    """rover steps taken"""
    outcomes: Counter[int] = field(default_factory=Counter)
    """steps that left an episode standing so, by the code of `mission.OUTCOMES`"""
    violations: Counter[str] = field(default_factory=Counter)
    """steps that broke a promise, by its name"""
    examples: dict[str, Conditions] = field(default_factory=dict)
    """of each broken promise, the conditions of the first rover"""


def random_conditions(rng: np.random.Generator) -> Conditions:
    """Any vehicle under any conditions of `RANGES`; each number stands at an end with a chance of 1 in 4."""

    def drawn(low: float, high: float) -> float:
        share = rng.choice([0.0, 1.0]) if rng.random() < 0.25 else rng.random()
        return float(low + share * (high - low))

    health = tuple(drawn(0.0, 1.0) for _ in WHEELS)
    values: dict[str, Any] = {name: drawn(*bounds) for name, bounds in RANGES.items()}
    rover = str(rng.choice(list(ROVERS)))
    return Conditions(wheel_health=health, rover=rover, **values)


def random_actions(rng: np.random.Generator, count: int) -> NDArray[np.float32]:
    """Commands (n, 2): within the box, at its corners, at rest, and far beyond, up to infinity."""
    within = rng.uniform(-1, 1, (count, 2))
    corners = rng.choice([-1.0, 0.0, 1.0], (count, 2))
    beyond = rng.choice([-np.inf, -1e30, -2.0, 1e-30, 2.0, 1e30, np.inf], (count, 2))
    kind = rng.choice(3, (count, 1), p=[0.6, 0.3, 0.1])
    return np.choose(kind, [within, corners, beyond]).astype(np.float32)


def reward_bounds(mission: Mission) -> tuple[float, float]:
    """Least and largest reward of a step, whatever the world.

    A rim travels a step's length at most, a skidding wheel covers half as much again, and roll, below the
    tangent that the terrain can give to a rover that still drives, makes it slide less than that once more.
    """
    come = mission.progress * (1 - SKID_LIMIT) * 2
    ends = (
        mission.goal,
        mission.embedded,
        mission.tipped,
        mission.rock,
        mission.wrong_target,
        mission.struck,
        0.0,
    )
    costs = mission.time + mission.slip + mission.reverse
    return -come + costs + min(ends), come + max(ends)


def fuzz(steps: int, *, seed: int = 0, count: int = 256, world: World | None = None) -> Finding:
    """Drive rovers under random conditions, each its own, and count the broken promises.

    No number of the state is NaN or infinite, every observation lies in its space, a reward is finite, the
    sum of its terms and within `reward_bounds`, and nobody covers more ground than its wheels can.

    Args:
        steps: rover steps, summed over the rovers; rounded up to whole steps of the batch.
        seed: of everything random.
        count: rovers.
        world: what stays.
    """
    rng = np.random.default_rng(seed)
    envs = MarsRoverVectorEnv(count, world=world, autoreset_mode="SameStep")
    envs.reset(seed=seed)
    finding = Finding()
    conditions: list[Conditions] = []
    while finding.steps < steps:
        if finding.steps % (SAME * count) == 0:
            conditions = [random_conditions(rng) for _ in range(count)]
            envs.set_conditions(conditions)
        observations, rewards, *_ = envs.step(random_actions(rng, count))
        finding.steps += count
        finding.outcomes.update(envs._batch.outcomes.tolist())
        for name, broken in _broken(envs, observations, rewards).items():
            if broken.any():
                finding.violations[name] += int(broken.sum())
                finding.examples.setdefault(name, conditions[int(broken.argmax())])
    return finding


def _broken(
    envs: MarsRoverVectorEnv, observations: NDArray[Any], rewards: NDArray[np.float64]
) -> dict[str, NDArray[np.bool_]]:
    """Of each promise, which rovers (n,) broke it in the last step."""
    b, space = envs._batch, envs.single_observation_space
    low, high = reward_bounds(b.world.mission)
    flat = observations.reshape(len(observations), -1)
    bounds = space.low.ravel(), space.high.ravel()  # type: ignore[attr-defined]
    terms = b.reward_terms.sum(axis=1, dtype=np.float64)
    full = b.setting.rovers[b.counters[:, VEHICLE], FULL] + 1e-6
    return {
        "state is finite": ~np.isfinite(b.state).all(axis=1),
        "observation is in its space": ~((flat >= bounds[0]) & (flat <= bounds[1])).all(axis=1),
        "reward is in its bounds": ~((rewards >= low) & (rewards <= high)),
        "reward is the sum of its terms": ~(np.abs(rewards - terms) < 1e-5),
        "ground is covered by wheels": ~(np.abs(b.state[:, AHEAD]) <= full * (1 - SKID_LIMIT)),
    }
