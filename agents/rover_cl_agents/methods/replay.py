"""Replay: answer the states of old tasks as before."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm
from torch import Tensor

from rover_cl_agents.experience.bounds import fed_bounds
from rover_cl_agents.experience.recent import RecentStates, refuse_unanswered
from rover_cl_agents.importance.holder import blank
from rover_cl_agents.memory import diversity, eviction, insertion
from rover_cl_agents.memory.echoes import Echoes
from rover_cl_agents.memory.task_memory import Memory, check_precision
from rover_cl_agents.method import Cost, Method
from rover_cl_agents.outputs import actor_role, distance, linear_layers, read, to_tensor
from rover_cl_agents.policies.parted import each_by_its_task
from rover_cl_agents.settings import chosen
from rover_cl_agents.state import State

POOL = 4
"""A task's states are drawn from the latest POOL × capacity observations, unless `pool` says otherwise."""

CANDIDATES = 2048
"""Insertion by diversity looks at a uniform sample of this many states: it compares all pairs."""


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
    total: int = 0
    """States kept over all tasks, >= 0; 0: no limit beside `capacity`."""
    insertion: str = "reservoir"
    """Which of a task's latest states are kept: all (the very latest), reservoir, return-gated, difficulty,
    episodes or diversity; `memory.insertion.INSERTIONS` says what they mean."""
    eviction: str = "uniform"
    """Who leaves when there are more than `total`: uniform, fifo, balanced or loss-aware;
    `memory.eviction.EVICTIONS` says what they mean."""
    pool: int = 0
    """Latest states to choose from, >= 0; 0: four times `capacity`."""
    gate: float = 0.5
    """Share of the states that `return-gated` lets in, those of the best episodes, in (0, 1]."""
    kernel: str = "gradients"
    """What makes two states alike to `diversity`: gradients (the weights they depend on) or observations."""
    precision: str = "float32"
    """Of the stored observations and of the answers at made-up states: float32 or float16."""
    echoes: int = 0
    """Answers kept of each task at made-up states between and around the stored ones, >= 0, in whole blocks
    of 256; they count half of the loss."""
    noise: float = 0.3
    """Of the made-up states, in standard deviations of the stored ones, >= 0."""

    def __post_init__(self) -> None:
        for field in ("capacity", "batch_size"):
            if getattr(self, field) < 1:
                raise ValueError(f"{field} is {getattr(self, field)}; expected at least 1.")
        for field in ("total", "pool", "echoes"):
            if getattr(self, field) < 0:
                raise ValueError(f"{field} is {getattr(self, field)}; expected at least 0.")
        for field in ("weight", "noise"):
            if not 0.0 <= getattr(self, field) < float("inf"):
                raise ValueError(f"{field} is {getattr(self, field)}; expected a finite number >= 0.")
        if not 0.0 < self.gate <= 1.0:
            raise ValueError(f"gate is {self.gate}; expected a number in (0, 1].")
        if self.kernel not in ("gradients", "observations"):
            raise ValueError(f"kernel is {self.kernel!r}; expected gradients or observations.")
        insertion.check(self.insertion)
        eviction.check(self.eviction)
        check_precision(self.precision)
        if self.eviction != "uniform" and not self.total:
            raise ValueError(
                f"eviction is {self.eviction!r} with total 0, where nobody ever leaves; expected total > 0, "
                "the states kept over all tasks."
            )
        if self.echoes and self.total:
            raise ValueError(
                f"total is {self.total} with echoes; expected 0: echoes stand on states that stay. "
                "Bound the memory by capacity."
            )


class Replay(Method):
    """Keep a few of each task's states with the policy's answers, and hold the policy to them.

    At the end of a task, `capacity` of its latest observations are chosen, at random unless `insertion` says
    otherwise, and the policy's outputs on them are stored once. From then on `weight` × the mean distance
    (`outputs.distance`) on a batch drawn from all tasks is added to the acting network's loss. A task visited
    again replaces what was kept of it.

    A small memory keeps far more with `echoes`: see `memory.echoes.Echoes`.

    Args:
        config: The settings; or give them by name: `Replay(weight=0.1)`.

    Source: Wolczyk et al. 2022, "Disentangling transfer in continual reinforcement learning" (ClonEx);
    Rolnick et al. 2019, "Experience replay for continual learning" (CLEAR, its policy cloning).
    """

    name: ClassVar[str] = "replay"

    def __init__(self, config: ReplayConfig | None = None, **settings: Any) -> None:
        self.config = chosen(ReplayConfig, config, settings)

    def bind(self, algorithm: BaseAlgorithm, seed: int) -> None:
        """Take the algorithm and a seed; nothing is stored yet.

        Raises:
            ValueError: if the algorithm's states can't be stored or its answers read, or if states are to be
                chosen by gradients, and the acting network has a layer with parameters that isn't linear.
        """
        super().bind(algorithm, seed)
        config = self.config
        if config.weight:
            refuse_unanswered(algorithm)
        self.memory = Memory(
            seed,
            capacity=config.total,
            evicting=config.eviction,
            precision=config.precision,
            device=algorithm.device,
        )
        self.echoes = Echoes(
            self.memory,
            algorithm.observation_space,
            seed,
            count=config.echoes,
            noise=config.noise,
            precision=config.precision,
            bounds=lambda: fed_bounds(algorithm),
        )
        self._reservoir_generator = np.random.default_rng(seed)
        marked = config.insertion in insertion.MARKED
        self._recent = RecentStates(algorithm, config.pool or POOL * config.capacity, marked=marked)
        self._role = actor_role(algorithm.policy)
        self._task = 0
        if config.weight and config.insertion == "diversity" and config.kernel == "gradients":
            self._check_layers()

    def _check_layers(self) -> None:
        """Refuse a network whose gradients aren't known for each state."""
        policy = self.algorithm.policy
        try:
            linear_layers(policy, blank(policy))
        except ValueError as error:
            raise ValueError(
                f"kernel is 'gradients' with insertion 'diversity': {error} Set kernel='observations', or "
                "another insertion."
            ) from error

    def on_task_start(self, task: int) -> None:
        """Begin to watch a task."""
        self._task = task
        self._recent.clear()

    def pause(self) -> State:
        """Give the latest states."""
        return self._recent.state_dict()

    def resume(self, task: int, state: State) -> None:
        """Watch on."""
        self._task = task
        self._recent.load_state_dict(state)

    def on_rollout_end(self) -> None:
        """Watch the states that the policy meets."""
        if self.config.weight:
            self._recent.note_rollout()

    def on_task_end(self) -> None:
        """Store some of the task's states with the policy's answers."""
        observations = self._recent.observations()
        if not self.config.weight or not len(observations):
            return
        policy = self.algorithm.policy
        policy.set_training_mode(False)
        states = self.memory.rounded(to_tensor(policy, observations[self._choose(observations)]))
        self._recent.clear()
        with torch.no_grad():
            self.memory.store(self._task, states, read(policy, states))
        self.echoes.store(self._task, lambda made: read(policy, made))

    def _choose(self, observations: NDArray[Any]) -> NDArray[np.int64]:
        """Give the indices of the states to keep, shape (min(capacity, n),)."""
        config, generator, everything = self.config, self._reservoir_generator, np.arange(len(observations))
        if config.insertion == "all":
            return everything[-config.capacity :]
        if config.insertion == "return-gated":
            best = insertion.best_episodes(self._recent.marks(), config.capacity, config.gate)
            return insertion.sample(best, config.capacity, generator)
        if config.insertion == "difficulty":
            return insertion.difficult(self._recent.marks(), config.capacity, generator)
        if config.insertion == "episodes":
            return insertion.over_episodes(self._recent.marks(), config.capacity, generator)
        if config.insertion == "diversity":
            return self._diverse(observations, everything)
        return insertion.sample(everything, config.capacity, generator)

    def _diverse(self, observations: NDArray[Any], everything: NDArray[np.int64]) -> NDArray[np.int64]:
        """Choose the states that stand for the rest."""
        count = max(CANDIDATES, self.config.capacity)
        candidates = insertion.sample(everything, count, self._reservoir_generator)
        policy = self.algorithm.policy
        states = to_tensor(policy, observations[candidates])
        if self.config.kernel == "gradients":
            kernel = diversity.gradient_kernel(policy, states)
        else:
            kernel = diversity.observation_kernel(states)
        return candidates[diversity.select(kernel, self.config.capacity)]

    def auxiliary_loss(self, role: str) -> Tensor | None:
        """Give weight × the distance to the stored answers, for the acting network; None before the second
        task.
        """
        if role != self._role or not self.config.weight or not len(self.memory):
            return None
        index = self.memory.draw(self.config.batch_size)
        observations, cached = self.memory.at(index)
        policy = self.algorithm.policy
        with each_by_its_task(policy, self.memory.tasks[index]):
            current = read(policy, observations)
        self.memory.note(index, current, cached)
        loss = distance(current, cached)
        if len(self.echoes):
            states, answers, tasks = self.echoes.sample(self.config.batch_size // 2)
            with each_by_its_task(policy, tasks):
                loss = 0.5 * (loss + distance(read(policy, states), answers))
        return self.config.weight * loss

    def describe(self) -> dict[str, int | float | str | bool]:
        """Give the settings."""
        return asdict(self.config)

    def state_dict(self) -> State:
        """Give the memory, the echoes and the state of the generators."""
        found = self._reservoir_generator.bit_generator.state
        state = found["state"]
        return {
            **self.memory.state_dict(),
            **self.echoes.state_dict(),
            "reservoir_state": str(state["state"]),  # 128 bits: more than some JSON readers keep in a number
            "reservoir_increment": str(state["inc"]),
            "reservoir_has_half": int(found["has_uint32"]),  # half of a number that `permutation` leaves over
            "reservoir_half": int(found["uinteger"]),
        }

    def load_state_dict(self, state: State) -> None:
        """Take back what `state_dict` gave."""
        rest = dict(state)
        numbers = {"state": rest.pop("reservoir_state", ""), "inc": rest.pop("reservoir_increment", "")}
        # Checkpoints of before these two were kept lack them.
        halves = [int(cast(int, rest.pop(f"reservoir_{name}", 0))) for name in ("has_half", "half")]
        echoed = {name: rest.pop(name) for name in list(rest) if name.startswith("echo")}
        self.memory.load_state_dict(rest)
        self.echoes.load_state_dict(echoed)
        self._reservoir_generator.bit_generator.state = {
            "bit_generator": "PCG64",
            "state": {name: int(number) for name, number in numbers.items()},
            "has_uint32": halves[0],
            "uinteger": halves[1],
        }

    def cost(self) -> Cost:
        """Give the bytes of the memory and of the task's latest states."""
        return Cost(bytes=self.memory.bytes + self.echoes.bytes + self._recent.bytes)
