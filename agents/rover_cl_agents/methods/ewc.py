"""EWC: hold the weights that old tasks' answers depend on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from torch import Tensor

from rover_cl_agents.experience import RecentStates
from rover_cl_agents.fisher import fisher, normalised
from rover_cl_agents.methods.method import Cost, Method, State
from rover_cl_agents.outputs import actor_role, to_tensor


@dataclass(frozen=True, kw_only=True)
class EWCConfig:
    """Settings of `EWC`."""

    weight: float = 1.0
    """Of the penalty, beside the algorithm's own loss, >= 0; 0 switches the method off."""
    samples: int = 2048
    """Latest states of a task that its Fisher information is the mean over, >= 1."""
    cap_quantile: float = 0.999
    """Fisher values above this quantile are lowered to it, in (0, 1]."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.weight < float("inf"):
            raise ValueError(f"weight is {self.weight}; expected a finite number >= 0.")
        if self.samples < 1:
            raise ValueError(f"samples is {self.samples}; expected at least 1.")
        if not 0.0 < self.cap_quantile <= 1.0:
            raise ValueError(f"cap_quantile is {self.cap_quantile}; expected a number in (0, 1].")


class EWC(Method):
    """Elastic weight consolidation: penalty (weight / 2) Σ_tasks Σ_i F_i (θ_i − θ*_i)² on the acting network.

    F is the exact diagonal Fisher information over the task's last states, divided by its mean and capped,
    so that `weight` has the same meaning for every network and task; θ* are the weights at the task's end.
    Each task has its own F and θ*; one that is visited again replaces them. Value networks and the
    exploration spread are free.

    The penalty's gradient has a closed form, (Σ F) θ − Σ F θ*, whose cost doesn't grow with the number of
    tasks.

    Args:
        config: The settings; or give them by name: `EWC(weight=3.0)`.

    Source: Kirkpatrick et al. 2017, "Overcoming catastrophic forgetting in neural networks", equation 3.
    """

    name: ClassVar[str] = "ewc"

    def __init__(self, config: EWCConfig | None = None, **settings: Any) -> None:
        if config is not None and settings:
            raise ValueError(f"give a config or settings by name, not both: {sorted(settings)}.")
        self.config = EWCConfig(**settings) if config is None else config

    def bind(self, algorithm: BaseAlgorithm, seed: int) -> None:
        """Take the algorithm; nothing is anchored yet."""
        super().bind(algorithm, seed)
        self._recent = RecentStates(algorithm, self.config.samples)
        self._role = actor_role(algorithm.policy)
        self._task = 0
        self._fishers: dict[int, dict[str, Tensor]] = {}
        self._anchors: dict[int, dict[str, Tensor]] = {}
        self._parameters: list[torch.nn.Parameter] = []
        self._values: list[Tensor] = []  # the parameters' own memory, without a graph
        self._stiffness: list[Tensor] = []
        self._pull: list[Tensor] = []

    def on_task_start(self, task: int) -> None:
        """Begin to watch a task."""
        self._task = task
        self._recent.clear()
        self._gather()  # the policy's parameters may be other objects than before

    def on_rollout_end(self) -> None:
        """Watch the states that the policy meets."""
        if self.config.weight:
            self._recent.note_rollout()

    def on_task_end(self) -> None:
        """Measure the task's Fisher information and anchor the weights."""
        observations = self._recent.observations()[-self.config.samples :]
        if not self.config.weight or not len(observations):
            return
        self._recent.clear()
        policy = self.algorithm.policy
        policy.set_training_mode(False)
        information = fisher(policy, to_tensor(policy, observations))
        self.anchor(self._task, normalised(information, cap_quantile=self.config.cap_quantile))

    def anchor(self, task: int, information: dict[str, Tensor]) -> None:
        """Hold the present weights for `task`, each by its entry of `information` (by parameter name, >=
        0).
        """
        now = dict(self.algorithm.policy.named_parameters())
        self._fishers[task] = information
        self._anchors[task] = {name: now[name].detach().clone() for name in information}
        self._gather()

    def _gather(self) -> None:
        """Add up the tasks' quadratics: a sum of quadratics is one."""
        now = dict(self.algorithm.policy.named_parameters())
        names = sorted({name for information in self._fishers.values() for name in information})
        self._parameters = [now[name] for name in names]
        self._values = [parameter.detach() for parameter in self._parameters]
        self._stiffness = [torch.zeros_like(now[name]) for name in names]
        self._pull = [torch.zeros_like(now[name]) for name in names]
        for task, information in self._fishers.items():
            for index, name in enumerate(names):
                self._stiffness[index] += self.config.weight * information[name]
                self._pull[index] += self.config.weight * information[name] * self._anchors[task][name]

    def penalty(self) -> Tensor:
        """Give the penalty at the present weights, a scalar with its graph."""
        now = dict(self.algorithm.policy.named_parameters())
        terms = [
            (value * (now[name] - self._anchors[task][name]).square()).sum()
            for task, information in self._fishers.items()
            for name, value in information.items()
        ]
        return 0.5 * self.config.weight * torch.stack(terms).sum() if terms else torch.zeros(())

    @torch.no_grad()
    def auxiliary_gradient(self, role: str) -> Mapping[torch.nn.Parameter, Tensor] | None:
        """Give the penalty's gradient for the acting network; None before the second task."""
        if role != self._role or not self._parameters or not self.config.weight:
            return None
        gradients = torch._foreach_mul(self._stiffness, self._values)
        torch._foreach_sub_(gradients, self._pull)
        return dict(zip(self._parameters, gradients, strict=True))

    def describe(self) -> dict[str, int | float | str | bool]:
        """Give the settings."""
        return asdict(self.config)

    def state_dict(self) -> State:
        """Give each task's Fisher information and anchor."""
        state: State = {}
        for kind, tasks in (("fisher", self._fishers), ("anchor", self._anchors)):
            for task, tensors in tasks.items():
                state.update({f"{kind}.{task}.{name}": tensor for name, tensor in tensors.items()})
        return state

    def load_state_dict(self, state: State) -> None:
        """Take back what `state_dict` gave."""
        now = dict(self.algorithm.policy.named_parameters())
        tasks: dict[str, dict[int, dict[str, Tensor]]] = {"fisher": {}, "anchor": {}}
        for key, tensor in state.items():
            kind, _, rest = key.partition(".")
            task, _, name = rest.partition(".")
            if kind not in tasks or not isinstance(tensor, Tensor) or not task.isdecimal() or name not in now:
                raise ValueError(f"the state of EWC has no entry {key!r} for this policy.")
            if tensor.shape != now[name].shape:
                raise ValueError(
                    f"{key!r} has shape {tuple(tensor.shape)}; expected {tuple(now[name].shape)}."
                )
            tasks[kind].setdefault(int(task), {})[name] = tensor
        if _names(tasks["fisher"]) != _names(tasks["anchor"]):
            raise ValueError("each Fisher tensor of EWC needs its anchor.")
        self._fishers, self._anchors = tasks["fisher"], tasks["anchor"]
        self._gather()

    def cost(self) -> Cost:
        """Give the bytes of the tasks' tensors and of their sums."""
        kept = [*self._fishers.values(), *self._anchors.values()]
        held = [tensor for tensors in kept for tensor in tensors.values()] + self._stiffness + self._pull
        return Cost(bytes=sum(tensor.numel() * tensor.element_size() for tensor in held))


def _names(tasks: dict[int, dict[str, Tensor]]) -> set[tuple[int, str]]:
    return {(task, name) for task, tensors in tasks.items() for name in tensors}
