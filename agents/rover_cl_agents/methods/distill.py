"""Distillation from an older self: answer as the policy did before this task."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from torch import Tensor

from rover_cl_agents.experience.recent import RecentStates
from rover_cl_agents.experience.visited import VisitedStates
from rover_cl_agents.method import Cost, Method
from rover_cl_agents.outputs import actor_role, read, rows_at, to_tensor
from rover_cl_agents.policies.parted import each_by_its_task
from rover_cl_agents.settings import chosen
from rover_cl_agents.state import State
from rover_cl_agents.teachers.divergence import DIRECTIONS, Direction, divergence
from rover_cl_agents.teachers.teacher import Teacher, probe

POOL = 4
"""A task's states are drawn from the latest POOL × capacity observations."""


@dataclass(frozen=True, kw_only=True)
class DistillationConfig:
    """Settings of `Distillation`."""

    teacher: Literal["frozen", "ema"] = "frozen"
    """`frozen`: the policy at the last task's end. `ema`: from the first task's end on, a running average of
    the student's weights."""
    decay: float = 0.999
    """Share of its own weights that an `ema` teacher keeps at each optimiser step, in [0, 1]."""
    states: Literal["stored", "current"] = "stored"
    """Where the two are compared. `stored`: on states kept of old tasks. `current`: on those that the policy
    visits now; nothing is kept."""
    capacity: int = 5000
    """States kept of each task, >= 1, if they are `stored`."""
    batch_size: int = 1024
    """States asked at each optimiser step, >= 1."""
    temperature: float = 1.0
    """Of the softmax for Discrete actions, > 0; Box actions want 1."""
    direction: Direction = "forward"
    """`forward`: KL(teacher ‖ student); `reverse`: KL(student ‖ teacher)."""
    spread: bool = False
    """Hold a Gaussian policy's spread too, by the whole KL divergence; otherwise its means alone."""
    weight: float = 0.1
    """Of the divergence, beside the algorithm's own loss, >= 0; 0 switches the method off."""

    def __post_init__(self) -> None:
        for field, names in (
            ("teacher", ("frozen", "ema")),
            ("states", ("stored", "current")),
            ("direction", DIRECTIONS),
        ):
            if getattr(self, field) not in names:
                raise ValueError(f"{field} is {getattr(self, field)!r}; expected one of {', '.join(names)}.")
        for field in ("capacity", "batch_size"):
            if getattr(self, field) < 1:
                raise ValueError(f"{field} is {getattr(self, field)}; expected at least 1.")
        if not 0.0 <= self.decay <= 1.0:
            raise ValueError(f"decay is {self.decay}; expected a number in [0, 1].")
        if not 0.0 < self.temperature < float("inf"):
            raise ValueError(f"temperature is {self.temperature}; expected a finite number > 0.")
        if not 0.0 <= self.weight < float("inf"):
            raise ValueError(f"weight is {self.weight}; expected a finite number >= 0.")


class Distillation(Method):
    """Hold the policy to what an older copy of it, the teacher, answers.

    The first task is learned as if there were no method. From then on `weight` × the divergence from the
    teacher (`teachers.divergence`), mean over a batch of states, is added to the acting network's loss.

    With `stored` states this is `Replay` with one teacher for all old tasks in place of answers stored when
    each task ended: it takes less memory, but what the policy has lost of a task by the next boundary is
    lost to the teacher too. With `current` states it is learning without forgetting on one head: a trust
    region just where the new task wants other answers, so it keeps the old task only by blocking the new.

    An `ema` teacher needs no boundary once it has begun, but it forgets with the student, some
    1 / (1 − decay) steps later.

    Args:
        config: The settings; or give them by name: `Distillation(weight=0.1)`.

    Source: Hinton et al. 2015, "Distilling the knowledge in a neural network"; Li and Hoiem 2016, "Learning
    without forgetting" (`current`); Tarvainen and Valpola 2017, "Mean teachers are better role models"
    (`ema`).
    """

    name: ClassVar[str] = "distill"

    def __init__(self, config: DistillationConfig | None = None, **settings: Any) -> None:
        self.config = chosen(DistillationConfig, config, settings)

    def bind(self, algorithm: BaseAlgorithm, seed: int) -> None:
        """Take the algorithm and a seed; there is no teacher yet."""
        super().bind(algorithm, seed)
        policy = algorithm.policy
        self._generator = torch.Generator().manual_seed(seed)
        self._recent = RecentStates(algorithm, POOL * self.config.capacity)
        self._visited = VisitedStates(algorithm, self.config.batch_size, self._generator)
        self._role = actor_role(policy)
        with torch.no_grad():
            kind = read(policy, probe(policy)).kind
        if self.config.temperature != 1.0 and kind in ("gaussian", "deterministic"):
            raise ValueError(
                f"temperature is {self.config.temperature}; expected 1 for Box actions, which have "
                "no softmax; set weight instead."
            )
        self.teacher = Teacher(policy)
        self._task = 0
        self._states = probe(policy)[:0]  # of all old tasks, shape (n, *observation)
        self._tasks = torch.zeros(0, dtype=torch.int64)  # the task of each

    def on_task_start(self, task: int) -> None:
        """Begin to watch a task."""
        self._task = task
        self._recent.clear()
        self._visited.clear()

    def pause(self) -> State:
        """Give the latest states, of the kind that the method looks at."""
        return (self._recent if self.config.states == "stored" else self._visited).state_dict()

    def resume(self, task: int, state: State) -> None:
        """Watch on."""
        self._task = task
        (self._recent if self.config.states == "stored" else self._visited).load_state_dict(state)

    def on_rollout_end(self) -> None:
        """Watch the states that the policy meets."""
        if not self.config.weight:
            return
        if self.config.states == "stored":
            self._recent.note_rollout()
        elif self.teacher.ready:
            self._visited.note_rollout()

    def on_task_end(self) -> None:
        """Make the policy the teacher, and keep a sample of the task's states."""
        if not self.config.weight:
            return
        if self.config.teacher == "frozen" or not self.teacher.ready:
            self.teacher.copy()
        if self.config.states == "stored":
            self._store()
        self._recent.clear()
        self._visited.clear()

    def _store(self) -> None:
        """Keep `capacity` of the task's states, in place of what was kept of it."""
        observations = self._recent.observations()
        if not len(observations):
            return
        chosen = torch.randperm(len(observations), generator=self._generator)[: self.config.capacity]
        found = to_tensor(self.algorithm.policy, observations[chosen.numpy()])
        others = torch.nonzero(self._tasks != self._task).squeeze(1)
        kept = rows_at(self._states, others).to(found.dtype)
        self._states = torch.cat([kept, found])
        self._tasks = torch.cat([self._tasks[others], torch.full_like(chosen, self._task)])

    def _draw(self) -> tuple[Tensor, Tensor] | None:
        """Draw the states to ask about, and the task of each; None if there are none."""
        if self.config.states == "current":
            states = self._visited.draw()
            return None if states is None else (states, torch.full((len(states),), self._task))
        if not len(self._tasks):
            return None
        index = torch.randint(len(self._tasks), (self.config.batch_size,), generator=self._generator)
        return rows_at(self._states, index), self._tasks[index]

    def auxiliary_loss(self, role: str) -> Tensor | None:
        """Give weight × the divergence from the teacher, for the acting network; None before the second
        task. An `ema` teacher takes its step here.
        """
        config = self.config
        if role != self._role or not config.weight or not self.teacher.ready:
            return None
        if config.teacher == "ema":
            self.teacher.follow(config.decay)
        drawn = self._draw()
        if drawn is None:
            return None
        states, tasks = drawn
        with each_by_its_task(self.algorithm.policy, tasks):
            return config.weight * divergence(
                self.teacher.answer(states),
                read(self.algorithm.policy, states),
                temperature=config.temperature,
                direction=config.direction,
                spread=config.spread,
            )

    def describe(self) -> dict[str, int | float | str | bool]:
        """Give the settings."""
        return asdict(self.config)

    def state_dict(self) -> State:
        """Give the teacher, the stored states and the generator's state."""
        return {
            **self.teacher.state_dict(),
            "states": self._states,
            "tasks": self._tasks,
            "generator": self._generator.get_state(),
        }

    def load_state_dict(self, state: State) -> None:
        """Take back what `state_dict` gave."""
        tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
        for name in ("states", "tasks", "generator"):
            if name not in tensors:
                raise ValueError(f"the state of distillation needs a tensor {name!r}.")
        states, tasks, generator = (tensors.pop(name) for name in ("states", "tasks", "generator"))
        if len(states) != len(tasks) or states.shape[1:] != self._states.shape[1:]:
            raise ValueError(
                f"'states' has shape {tuple(states.shape)}; "
                f"expected ({len(tasks)}, *{tuple(self._states.shape[1:])})."
            )
        self.teacher.load_state_dict(tensors)
        self._generator.set_state(generator)
        self._states, self._tasks = states.to(self._states.device), tasks

    def cost(self) -> Cost:
        """Give the bytes of the teacher, of the stored states and of the task's latest."""
        kept = sum(tensor.numel() * tensor.element_size() for tensor in (self._states, self._tasks))
        return Cost(bytes=self.teacher.bytes + kept + self._recent.bytes + self._visited.bytes)
