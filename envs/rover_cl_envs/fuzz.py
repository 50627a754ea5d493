"""Worlds and commands at random, to find where the simulator breaks its promises."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rover_cl_envs.conditions import RANGES, WHEELS, Conditions
from rover_cl_envs.dynamics import AHEAD, BATTERY_HEALTH, FULL
from rover_cl_envs.mission import MISSIONS, Mission
from rover_cl_envs.power import CHARGE
from rover_cl_envs.power_plant import CAPACITY
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


def random_conditions(rng: np.random.Generator, missions: Sequence[Mission] = ()) -> Conditions:
    """Any vehicle under any conditions of `RANGES`; each number stands at an end with a chance of 1 in 4.

    Few rovers get anywhere in such a world, so every other one is mild: a tenth of the way there.

    Args:
        rng: draws them.
        missions: one of these as well, where there are any.
    """

    def drawn(low: float, high: float) -> float:
        share = rng.choice([0.0, 1.0]) if rng.random() < 0.25 else rng.random()
        return float(low + share * (high - low))

    health = tuple(drawn(0.0, 1.0) for _ in WHEELS)
    values: dict[str, Any] = {name: drawn(*bounds) for name, bounds in RANGES.items()}
    if rng.random() < 0.5:
        usual = Conditions()
        values = {name: 0.9 * getattr(usual, name) + 0.1 * value for name, value in values.items()}
        health = tuple(0.9 + 0.1 * h for h in health)
    rover = str(rng.choice(list(ROVERS)))
    mission = missions[int(rng.integers(len(missions)))] if missions else None
    return Conditions(wheel_health=health, rover=rover, mission=mission, **values)


def missions_of(world: World) -> list[Mission]:
    """Missions of every kind that the world can have, short enough to end; none where it tells of none."""
    if "mission" not in world.systems:
        return []
    half = max(world.time_limit // 2, 1)
    changes: dict[str, dict[str, Any]] = {
        "survive": {"duration": half},
        "sample": {"wrong_ends": False},
        "traverse": {"step_budget": half, "energy_budget": 1e4},
    }
    powered = "power" in world.systems
    return [
        replace(mission, **changes.get(kind, {}))
        for kind, mission in MISSIONS.items()
        if powered or kind != "survive"
    ]


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
        mission.spent,
        mission.power,
        0.0,
    )
    costs = mission.time + mission.slip + mission.reverse
    kind = mission.kind
    held = mission.held if kind in ("image", "sample") else 0.0
    paid = held + (mission.waypoint if kind == "traverse" else 0.0)
    taken = held * mission.hold - (mission.wrong_target if kind == "sample" else 0.0)
    charge = mission.energy if kind == "survive" else 0.0  # a step gains or spends a full battery at most
    return -come + costs + min(ends) - taken - charge, come + max(ends) + paid + charge


def fuzz(
    steps: int, *, seed: int = 0, count: int = 256, world: World | None = None, threads: int | None = None
) -> Finding:
    """Drive rovers under random conditions, each its own, and count the broken promises.

    No number of the state or of a system's rows is NaN or infinite, every observation lies in its space, a
    reward is finite, the sum of its terms and within `reward_bounds`, nobody covers more ground than its
    wheels can, and no battery is fuller than full. Where the system "mission" is on, missions of every kind
    that the world can have are drawn as well.

    Args:
        steps: rover steps, summed over the rovers; rounded up to whole steps of the batch.
        seed: of everything random.
        count: rovers.
        world: what stays.
        threads: as of the environment; None: all.
    """
    rng = np.random.default_rng(seed)
    envs = MarsRoverVectorEnv(count, world=world, autoreset_mode="SameStep", threads=threads)
    envs.reset(seed=seed)
    finding = Finding()
    missions = missions_of(envs._batch.world)
    bounds = [reward_bounds(mission) for mission in (envs._batch.world.mission, *missions)]
    widest = min(low for low, _ in bounds), max(high for _, high in bounds)
    conditions: list[Conditions] = []
    while finding.steps < steps:
        if finding.steps % (SAME * count) == 0:
            conditions = [random_conditions(rng, missions) for _ in range(count)]
            envs.set_conditions(conditions)
        observations, rewards, *_ = envs.step(random_actions(rng, count))
        finding.steps += count
        finding.outcomes.update(envs._batch.outcomes.tolist())
        for name, broken in _broken(envs, observations, rewards, widest).items():
            if broken.any():
                finding.violations[name] += int(broken.sum())
                finding.examples.setdefault(name, conditions[int(broken.argmax())])
    return finding


def _broken(
    envs: MarsRoverVectorEnv,
    observations: NDArray[Any],
    rewards: NDArray[np.float64],
    widest: tuple[float, float],
) -> dict[str, NDArray[np.bool_]]:
    """Of each promise, which rovers (n,) broke it in the last step."""
    b, space = envs._batch, envs.single_observation_space
    low, high = widest
    flat = observations.reshape(len(observations), -1)
    bounds = space.low.ravel(), space.high.ravel()  # type: ignore[attr-defined]
    terms = b.reward_terms.sum(axis=1, dtype=np.float64)
    full = b.setting.rovers[b.counters[:, VEHICLE], FULL] + 1e-6
    rows = [b.state, b.rovers.progress, *(part for part in (b.power, b.bodies) if len(part))]
    finite = np.all([np.isfinite(part).all(axis=1) for part in rows], axis=0)
    return {
        "state is finite": ~finite,
        "observation is in its space": ~((flat >= bounds[0]) & (flat <= bounds[1])).all(axis=1),
        "reward is in its bounds": ~((rewards >= low) & (rewards <= high)),
        "reward is the sum of its terms": ~(np.abs(rewards - terms) < 1e-5),
        "ground is covered by wheels": ~(np.abs(b.state[:, AHEAD]) <= full * (1 - SKID_LIMIT)),
        "charge is between empty and full": _misread_charge(envs),
    }


def _misread_charge(envs: MarsRoverVectorEnv) -> NDArray[np.bool_]:
    """Which rovers' (n,) batteries hold less than nothing, or more than they can at their age."""
    b = envs._batch
    if not len(b.power):
        return np.zeros(len(b.state), dtype=np.bool_)
    charge = b.power[:, CHARGE]
    most = b.setting.plants[b.counters[:, VEHICLE], CAPACITY] * b.conditions[:, BATTERY_HEALTH]
    return ~((charge >= 0) & (charge <= most * (1 + 1e-5)))
