"""PackNet: each task owns a share of the weights."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from torch import Tensor, nn

from rover_cl_agents.experience.recent import RecentStates
from rover_cl_agents.method import Cost
from rover_cl_agents.outputs import Outputs, distance, read, to_tensor
from rover_cl_agents.policies.heads import TaskHeads
from rover_cl_agents.policies.isolation import SAMPLES, Isolation
from rover_cl_agents.policies.packed import FREE, PackedLinear
from rover_cl_agents.policies.parted import PartedLinear
from rover_cl_agents.policies.slots import Slot
from rover_cl_agents.settings import chosen


@dataclass(frozen=True, kw_only=True)
class PackNetConfig:
    """Settings of `PackNet`."""

    tasks: int = 8
    """How many different tasks will come, in [1, 126]; each gets an equal share of every layer."""
    samples: int = 8192
    """Latest states of a task on which the pruned policy is retrained, >= 1."""
    retrain_steps: int = 1000
    """Optimiser steps of the retraining, >= 0."""
    batch_size: int = 256
    """States in each of them, >= 1."""
    learning_rate: float = 1e-3
    """Of the retraining's Adam, > 0; it falls to zero in a straight line."""
    infer: bool = False
    """Without a task number, guess the share from each observation; False: the latest one answers."""

    def __post_init__(self) -> None:
        if not 1 <= self.tasks < FREE:
            raise ValueError(f"tasks is {self.tasks}; expected a number in [1, {FREE - 1}].")
        for field in ("samples", "batch_size"):
            if getattr(self, field) < 1:
                raise ValueError(f"{field} is {getattr(self, field)}; expected at least 1.")
        if self.retrain_steps < 0:
            raise ValueError(f"retrain_steps is {self.retrain_steps}; expected at least 0.")
        if not 0.0 < self.learning_rate < float("inf"):
            raise ValueError(f"learning_rate is {self.learning_rate}; expected a finite number > 0.")


class PackNet(Isolation):
    """Share the hidden weights out among the tasks: prune at a task's end, freeze what is left, go on.

    A task learns in all weights that nobody owns and reads those of the tasks before it. At its end each
    layer keeps 1 / `tasks` of its weights for it, the largest ones (the last task keeps all that are left);
    the others become zero and free. The pruned policy is then retrained to give its own answers from before
    the pruning, on the task's latest states: no further environment steps, and the algorithm's training
    needs no second entrance. Hidden biases belong to the first task, and each task has a head of its own,
    a fresh one. When an old task comes back only its head learns on.

    Args:
        config: The settings; or give them by name: `PackNet(tasks=4)`.

    Source: Mallya & Lazebnik 2018, "PackNet: adding multiple tasks to a single network by iterative
    pruning"; equal shares and heads as in Wolczyk et al. 2021, "Continual World"; retraining by
    distillation is this package's.
    """

    name: ClassVar[str] = "packnet"

    def __init__(self, config: PackNetConfig | None = None, **settings: Any) -> None:
        self.config = chosen(PackNetConfig, config, settings)
        self.infers = self.config.infer

    def bind(self, algorithm: BaseAlgorithm, seed: int) -> None:
        """Take the algorithm: all weights are the first task's."""
        super().bind(algorithm, seed)
        self._recent = RecentStates(algorithm, max(self.config.samples, SAMPLES))

    def wrap(self, slot: Slot, layer: nn.Linear) -> PartedLinear:
        """Share out the hidden layers; give each task a head."""
        if slot.head:
            return TaskHeads(layer, self.selection, gain=slot.gain)
        return PackedLinear(layer, self.selection, first=slot.first)

    @property
    def packed(self) -> list[PackedLinear]:
        """The hidden layers."""
        return [layer for layer in self.layers if isinstance(layer, PackedLinear)]

    def on_task_start(self, task: int) -> None:
        """Give the task the free weights.

        Raises:
            ValueError: if there are more tasks than `tasks`.
        """
        if task not in self.tasks and len(self.tasks) == self.config.tasks:
            raise ValueError(
                f"task {task} is one more than tasks={self.config.tasks}, among which the weights were "
                "shared out; expect more tasks from the start."
            )
        super().on_task_start(task)

    def on_rollout_end(self) -> None:
        """Watch the states that the policy meets."""
        self._recent.note_rollout()

    def on_task_end(self) -> None:
        """Prune the task's weights to its share and retrain them."""
        observations = self._recent.observations()[-self.config.samples :]
        super().on_task_end()
        if self.packed[0].learning != self.latest:
            return
        policy = self.algorithm.policy
        policy.set_training_mode(False)
        states = to_tensor(policy, observations)
        with torch.no_grad():
            answers = read(policy, states) if len(states) else None
        if self._prune() and answers is not None:
            self._retrain(states, answers)
        for layer in self.packed:
            layer.keep(self.latest)
        self.follow()

    def _prune(self) -> bool:
        """Free what is more than the task's share; say whether there was anything."""
        if self.latest == self.config.tasks - 1:
            return False
        before = sum(int((layer.owner == FREE).sum()) for layer in self.packed)
        for layer in self.packed:
            layer.prune(self.latest, layer.owner.numel() // self.config.tasks)
        return sum(int((layer.owner == FREE).sum()) for layer in self.packed) > before

    def _retrain(self, states: Tensor, answers: Outputs) -> None:
        """Bring the pruned policy back to its answers."""
        parameters = [p for layer in self.layers for p in layer.parameters() if p.requires_grad]
        steps, rate = self.config.retrain_steps, self.config.learning_rate
        optimizer = torch.optim.Adam(parameters, lr=rate)
        for step in range(steps):
            index = torch.randint(len(states), (self.config.batch_size,), generator=self._generator)
            optimizer.param_groups[0]["lr"] = rate * (1 - step / steps)
            loss = distance(read(self.algorithm.policy, states[index]), answers[index])
            gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = gradient
            optimizer.step()
        optimizer.zero_grad()

    def cost(self) -> Cost:
        """Give the bytes of masks, kept weights and heads.

        The optimiser holds whole layers, of which it changes the latest task's weights alone: the others
        are taken off the parameters.
        """
        held = [layer for layer in self.packed if layer.weight.requires_grad]
        fixed = sum(int((layer.owner != layer.learning).sum()) for layer in held)
        return super().cost() + Cost(parameters=-fixed)

    def describe(self) -> dict[str, int | float | str | bool]:
        """Give the settings."""
        return asdict(self.config)
