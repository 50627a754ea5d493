"""L2-init: pull the weights back to where they began."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from torch import Tensor
from torch.nn import Parameter

from rover_cl_agents.method import Cost, Method
from rover_cl_agents.settings import chosen
from rover_cl_agents.state import State
from rover_cl_agents.units.initial_weights import all_learned_weights, learned_weights


@dataclass(frozen=True, kw_only=True)
class L2InitConfig:
    """Settings of `L2Init`."""

    weight: float = 1e-3
    """Of the penalty, beside the algorithm's own loss, >= 0; 0 switches the method off."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.weight < float("inf"):
            raise ValueError(f"weight is {self.weight}; expected a finite number >= 0.")


class L2Init(Method):
    """Penalty weight · Σ_i (θ_i − θ⁰_i)² on all weights, with θ⁰ those before the first task.

    Weights that the task at hand doesn't need drift back to where they could learn anything. It acts on all
    networks, forgets what isn't used, and leaves the exploration spread alone.

    Args:
        config: The settings; or give them by name: `L2Init(weight=1e-3)`.

    Source: Kumar et al. 2023, "Maintaining plasticity in continual learning via regenerative
    regularization", equation 1.
    """

    name: ClassVar[str] = "l2-init"

    def __init__(self, config: L2InitConfig | None = None, **settings: Any) -> None:
        self.config = chosen(L2InitConfig, config, settings)

    def bind(self, algorithm: BaseAlgorithm, seed: int) -> None:
        """Take the algorithm; its weights are noted when its first task starts."""
        super().bind(algorithm, seed)
        self._start: dict[str, Tensor] = {}
        self._weights: dict[str, list[Parameter]] = {}
        self._values: dict[str, list[Tensor]] = {}  # the weights' own memory, without a graph
        self._starts: dict[str, list[Tensor]] = {}

    def on_task_start(self, task: int) -> None:
        """Note the weights, before the first task."""
        if not self.config.weight:
            return
        if not self._start:
            weights = all_learned_weights(self.algorithm)
            self._start = {name: p.detach().clone() for name, p in weights.items()}
        self._weights = {}

    def _find(self) -> None:
        """Find the weights that were noted and learn now.

        Not before the first step of a task: at its start other methods may freeze or add layers.
        """
        for role, weights in learned_weights(self.algorithm).items():
            held = {name: p for name, p in weights.items() if name in self._start}
            self._weights[role] = list(held.values())
            self._values[role] = [p.detach() for p in held.values()]
            self._starts[role] = [self._start[name] for name in held]

    def penalty(self) -> Tensor:
        """Give the penalty at the present weights, a scalar with its graph."""
        weights = all_learned_weights(self.algorithm)
        held = {
            name: start for name, start in self._start.items() if name in weights
        }  # the others are frozen
        terms = [(weights[name] - start).square().sum() for name, start in held.items()]
        return self.config.weight * torch.stack(terms).sum() if terms else torch.zeros(())

    @torch.no_grad()
    def auxiliary_gradient(self, role: str) -> Mapping[Parameter, Tensor] | None:
        """Give the penalty's gradient for the weights of optimiser `role`."""
        if self._start and not self._weights:
            self._find()
        if not self._weights.get(role):
            return None
        gradients = torch._foreach_sub(self._values[role], self._starts[role])
        torch._foreach_mul_(gradients, 2.0 * self.config.weight)
        return dict(zip(self._weights[role], gradients, strict=True))

    def describe(self) -> dict[str, int | float | str | bool]:
        """Give the settings."""
        return asdict(self.config)

    def state_dict(self) -> State:
        """Give the weights before the first task."""
        return dict(self._start)

    def load_state_dict(self, state: State) -> None:
        """Take back what `state_dict` gave."""
        weights = dict(self.algorithm.policy.named_parameters())  # those that are frozen by now, too
        start: dict[str, Tensor] = {}
        for name, tensor in state.items():
            if name not in weights or not isinstance(tensor, Tensor):
                raise ValueError(f"the state of L2Init has no entry {name!r} for this policy.")
            if tensor.shape != weights[name].shape:
                shape = tuple(weights[name].shape)
                raise ValueError(f"{name!r} has shape {tuple(tensor.shape)}; expected {shape}.")
            start[name] = tensor.to(weights[name].device)
        self._start, self._weights = start, {}

    def cost(self) -> Cost:
        """Give the bytes of the weights that were noted."""
        return Cost(bytes=sum(t.numel() * t.element_size() for t in self._start.values()))
