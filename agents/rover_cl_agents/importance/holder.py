"""What the methods that hold weights share: a sum of quadratics, and states to measure importance on."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import BasePolicy
from torch import Tensor

from rover_cl_agents.experience.recent import RecentStates
from rover_cl_agents.importance.fisher import normalised
from rover_cl_agents.importance.quadratic import Quadratics, Tensors
from rover_cl_agents.method import Cost, Method
from rover_cl_agents.outputs import actor_role, linear_layers, read, to_tensor
from rover_cl_agents.recurrent import acting_lstm
from rover_cl_agents.state import State


@dataclass(frozen=True, kw_only=True)
class HolderConfig:
    """Settings of every method that holds weights."""

    weight: float = 1.0
    """Of the penalty, beside the algorithm's own loss, >= 0; 0 switches the method off."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.weight < float("inf"):
            raise ValueError(f"weight is {self.weight}; expected a finite number >= 0.")


@dataclass(frozen=True, kw_only=True)
class MeasuredConfig(HolderConfig):
    """Settings of the methods that measure importance on states, at a task's end."""

    samples: int = 2048
    """Latest states of a task that the importance is the mean over, >= 1."""
    cap_quantile: float = 0.999
    """Importances above this quantile are lowered to it, in (0, 1]."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.samples < 1:
            raise ValueError(f"samples is {self.samples}; expected at least 1.")
        check_cap(self.cap_quantile)


def check_cap(quantile: float) -> None:
    """Refuse a `cap_quantile` outside (0, 1]."""
    if not 0.0 < quantile <= 1.0:
        raise ValueError(f"cap_quantile is {quantile}; expected a number in (0, 1].")


class WeightHolder(Method):
    """A method whose penalty is a sum of quadratics (`Quadratics`) on the acting network's weights.

    Value networks and the exploration spread are free.
    """

    config: HolderConfig
    quadratics: Quadratics

    def bind(self, algorithm: BaseAlgorithm, seed: int) -> None:
        """Take the algorithm, if its acting weights can be told; nothing is held yet.

        Raises:
            ValueError: if observations are a Dict, or the policy's outputs aren't of a known kind.
        """
        super().bind(algorithm, seed)
        if self.config.weight:
            acting_parameters(algorithm.policy)
        self.quadratics = Quadratics(algorithm, self.config.weight, type(self).__name__)
        self._role = actor_role(algorithm.policy)

    def on_task_start(self, task: int) -> None:
        """Look the network's parameters up anew."""
        self.quadratics.refresh()

    def resume(self, task: int, state: State) -> None:
        """Look the network's parameters up anew."""
        self.quadratics.refresh()

    def penalty(self) -> Tensor:
        """Give the penalty at the present weights, a scalar with its graph."""
        return self.quadratics.penalty()

    def auxiliary_gradient(self, role: str) -> Mapping[torch.nn.Parameter, Tensor] | None:
        """Give the penalty's gradient for the acting network; None before the second task."""
        return self.quadratics.gradient() if role == self._role else None

    def describe(self) -> dict[str, int | float | str | bool]:
        """Give the settings."""
        return asdict(self.config)

    def state_dict(self) -> State:
        """Give the importances and anchors."""
        return self.quadratics.state_dict()

    def load_state_dict(self, state: State) -> None:
        """Take back what `state_dict` gave."""
        self.quadratics.load_state_dict(state)

    def cost(self) -> Cost:
        """Give the bytes of the importances, the anchors and their sums."""
        return Cost(bytes=self.quadratics.bytes)


class MeasuredHolder(WeightHolder):
    """A weight holder that measures importance on a task's last states.

    A subclass says how to `measure` it and how to `hold` it.
    """

    config: MeasuredConfig

    @property
    def by_actions(self) -> bool:
        """Whether `measure` needs the actions that were taken."""
        return False

    def bind(self, algorithm: BaseAlgorithm, seed: int) -> None:
        """Take the algorithm, if its acting network is one that importance can be measured of.

        Raises:
            ValueError: if observations are a Dict, or the acting network has layers with parameters that
                aren't linear.
        """
        super().bind(algorithm, seed)
        self._recent = RecentStates(algorithm, self.config.samples, acted=self.by_actions)
        self._task = 0
        if self.config.weight:
            try:
                linear_layers(algorithm.policy, blank(algorithm.policy))
            except ValueError as error:
                raise ValueError(
                    f"{type(self).__name__} measures the importance of linear layers only: {error} "
                    "Use L2 or SI, which take any layer, or Replay."
                ) from error

    def on_task_start(self, task: int) -> None:
        """Begin to watch a task."""
        super().on_task_start(task)
        self._task = task
        self._recent.clear()

    def pause(self) -> State:
        """Give the latest states."""
        return self._recent.state_dict()

    def resume(self, task: int, state: State) -> None:
        """Watch on."""
        super().resume(task, state)
        self._task = task
        self._recent.load_state_dict(state)

    def on_rollout_end(self) -> None:
        """Watch the states that the policy meets."""
        if self.config.weight:
            self._recent.note_rollout()

    def on_task_end(self) -> None:
        """Measure what the task's answers depend on, and anchor the weights."""
        if not self.config.weight:
            return
        observations = self._recent.observations()[-self.config.samples :]
        if not len(observations):
            return
        actions = self._recent.actions()[-self.config.samples :] if self.by_actions else None
        self._recent.clear()
        policy = self.algorithm.policy
        policy.set_training_mode(False)
        taken = None if actions is None else torch.as_tensor(actions, device=policy.device)
        found = self.measure(to_tensor(policy, observations), taken)
        self.hold(normalised(found, cap_quantile=self.config.cap_quantile))

    def cost(self) -> Cost:
        """Give the bytes of what holds the weights and of the task's latest states."""
        return super().cost() + Cost(bytes=self._recent.bytes)

    def measure(self, observations: Tensor, actions: Tensor | None = None) -> Tensors:
        """Give the importance of the acting network's weights for its answers to `observations`, (n,
        *observation), where `actions` (n, *action) were taken; None unless `by_actions`.
        """
        raise NotImplementedError

    def hold(self, importance: Tensors) -> None:
        """Hold the present weights by the importance that the task has given them."""
        raise NotImplementedError


def blank(policy: BasePolicy) -> Tensor:
    """Give one observation of zeros, shape (1, *observation).

    Raises:
        ValueError: if observations are a Dict.
    """
    space = policy.observation_space
    if space.shape is None:
        raise ValueError(
            f"observation_space is a {type(space).__name__}; expected a Box or Discrete space. "
            "Wrap the environment in gymnasium.wrappers.FlattenObservation."
        )
    return to_tensor(policy, np.zeros((1, *space.shape), dtype=space.dtype))


def _plain_lstm(policy: BasePolicy) -> AbstractContextManager[object]:
    """Let a GPU run an LSTM by its plain kernels: the fast ones have no gradient outside of training."""
    if acting_lstm(policy) is None or policy.device.type != "cuda":
        return nullcontext()
    return torch.backends.cudnn.flags(enabled=False)


def acting_parameters(policy: BasePolicy) -> dict[str, torch.nn.Parameter]:
    """Find the parameters that the policy's answers depend on, by name; layers of any kind.

    Raises:
        ValueError: if the policy's outputs aren't of a known kind (`outputs.read`).
    """
    training = policy.training
    policy.set_training_mode(False)
    named = {name: p for name, p in policy.named_parameters() if p.requires_grad}
    with torch.enable_grad(), _plain_lstm(policy):
        answer = read(policy, blank(policy)).location.sum()
        gradients = torch.autograd.grad(answer, list(named.values()), allow_unused=True)
    policy.set_training_mode(training)
    return {name: p for (name, p), g in zip(named.items(), gradients, strict=True) if g is not None}
