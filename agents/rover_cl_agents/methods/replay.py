"""Replay: answer the states of old tasks as before."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from torch import Tensor

from rover_cl_agents.experience import RecentStates
from rover_cl_agents.memory import Memory, Reservoir
from rover_cl_agents.methods.method import Cost, Method, State
from rover_cl_agents.outputs import actor_role, distance, read, to_tensor

POOL = 4
"""A task's states are drawn from the latest POOL × capacity observations."""


@dataclass(frozen=True, kw_only=True)
class ReplayConfig:
    """Settings of `Replay`."""

    capacity: int = 5000
    """States kept of each task, >= 1."""
    batch_size: int = 1024
    """Stored states asked at each optimiser step, >= 1."""
    weight: float = 0.1
    """Of the distance to the stored answers, beside the algorithm's own loss, >= 0; 0 switches the method
    off."""

    def __post_init__(self) -> None:
        for field in ("capacity", "batch_size"):
            if getattr(self, field) < 1:
                raise ValueError(f"{field} is {getattr(self, field)}; expected at least 1.")
        if not 0.0 <= self.weight < float("inf"):
            raise ValueError(f"weight is {self.weight}; expected a finite number >= 0.")


class Replay(Method):
    """Keep a sample of each task's states with the policy's answers, and hold the policy to them.

    At the end of a task, `capacity` of its latest observations are drawn by reservoir sampling and the
    policy's outputs on them are stored once. From then on `weight` × the mean distance (`outputs.distance`)
    on a batch drawn from all tasks is added to the acting network's loss. A task visited again replaces
    what was kept of it.

    Args:
        config: The settings; or give them by name: `Replay(weight=0.1)`.

    Source: Wolczyk et al. 2022, "Disentangling transfer in continual reinforcement learning" (ClonEx);
    Rolnick et al. 2019, "Experience replay for continual learning" (CLEAR, its policy cloning).
    """

    name: ClassVar[str] = "replay"

    def __init__(self, config: ReplayConfig | None = None, **settings: Any) -> None:
        if config is not None and settings:
            raise ValueError(f"give a config or settings by name, not both: {sorted(settings)}.")
        self.config = ReplayConfig(**settings) if config is None else config

    def bind(self, algorithm: BaseAlgorithm, seed: int) -> None:
        """Take the algorithm and a seed; nothing is stored yet."""
        super().bind(algorithm, seed)
        self.memory = Memory(seed)
        self._reservoir_generator = np.random.default_rng(seed)
        self._recent = RecentStates(algorithm, POOL * self.config.capacity)
        self._role = actor_role(algorithm.policy)
        self._task = 0

    def on_task_start(self, task: int) -> None:
        """Begin to watch a task."""
        self._task = task
        self._recent.clear()

    def on_rollout_end(self) -> None:
        """Watch the states that the policy meets."""
        if self.config.weight:
            self._recent.note_rollout()

    def on_task_end(self) -> None:
        """Store a sample of the task's states with the policy's answers."""
        observations = self._recent.observations()
        if not self.config.weight or not len(observations):
            return
        reservoir = Reservoir(self.config.capacity, self._reservoir_generator)
        reservoir.add(observations)
        self._recent.clear()
        policy = self.algorithm.policy
        policy.set_training_mode(False)
        states = to_tensor(policy, reservoir.items)
        with torch.no_grad():
            self.memory.store(self._task, states, read(policy, states))

    def auxiliary_loss(self, role: str) -> Tensor | None:
        """Give weight × the distance to the stored answers, for the acting network; None before the second
        task.
        """
        if role != self._role or not self.config.weight or not len(self.memory):
            return None
        observations, cached = self.memory.sample(self.config.batch_size)
        return self.config.weight * distance(read(self.algorithm.policy, observations), cached)

    def describe(self) -> dict[str, int | float | str | bool]:
        """Give the settings."""
        return asdict(self.config)

    def state_dict(self) -> State:
        """Give the memory and the state of both generators."""
        state = self._reservoir_generator.bit_generator.state["state"]
        return {
            **self.memory.state_dict(),
            "reservoir_state": str(state["state"]),  # 128 bits: more than some JSON readers keep in a number
            "reservoir_increment": str(state["inc"]),
        }

    def load_state_dict(self, state: State) -> None:
        """Take back what `state_dict` gave."""
        rest = dict(state)
        numbers = {"state": rest.pop("reservoir_state", ""), "inc": rest.pop("reservoir_increment", "")}
        self.memory.load_state_dict(rest)
        self._reservoir_generator.bit_generator.state = {
            "bit_generator": "PCG64",
            "state": {name: int(number) for name, number in numbers.items()},
            "has_uint32": 0,
            "uinteger": 0,
        }

    def cost(self) -> Cost:
        """Give the memory's bytes."""
        return Cost(bytes=self.memory.bytes)
