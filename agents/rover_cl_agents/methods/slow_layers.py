"""Slow layers: let the first layers or the whole acting network change little once it has learned."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from torch import Tensor, nn

from rover_cl_agents.importance.holder import acting_parameters
from rover_cl_agents.method import Method
from rover_cl_agents.networks import acting_stack
from rover_cl_agents.outputs import actor_role
from rover_cl_agents.settings import chosen
from rover_cl_agents.state import State
from rover_cl_agents.step_hooks import optimizers, trained_parameters


@dataclass(frozen=True, kw_only=True)
class SlowLayersConfig:
    """Settings of `SlowLayers`."""

    layers: int = 1
    """How many linear layers are slow, from the input on, >= 0; 0: the whole acting network, which is a low
    learning rate after the first task."""
    factor: float = 0.1
    """Of their learning rate, in [0, 1]; 1 switches the method off, 0 freezes them."""
    after: int = 1
    """Tasks that are learned at full speed first, >= 0."""

    def __post_init__(self) -> None:
        if self.layers < 0:
            raise ValueError(f"layers is {self.layers}; expected at least 0.")
        if not 0.0 <= self.factor <= 1.0:
            raise ValueError(f"factor is {self.factor}; expected a number in [0, 1].")
        if self.after < 0:
            raise ValueError(f"after is {self.after}; expected at least 0.")


class SlowLayers(Method):
    """Scale the steps of the acting network's first layers by `factor`, from the second task on.

    The steps, not the learning rate: Stable-Baselines3 writes one rate into all groups of an optimiser. A
    feature extractor before the layers is slow as well, even where critics share it; so is an LSTM. Value
    networks and the exploration spread go on at full speed.

    Args:
        config: The settings; or give them by name: `SlowLayers(factor=0.1)`.

    Source: Howard and Ruder 2018, "Universal language model fine-tuning", discriminative learning rates.
    """

    name: ClassVar[str] = "slow-layers"

    def __init__(self, config: SlowLayersConfig | None = None, **settings: Any) -> None:
        self.config = chosen(SlowLayersConfig, config, settings)

    def bind(self, algorithm: BaseAlgorithm, seed: int) -> None:
        """Take the algorithm.

        Raises:
            ValueError: if its acting network has fewer layers than are to be slow.
        """
        super().bind(algorithm, seed)
        self._role = actor_role(algorithm.policy)
        self._learned = 0
        self._slowing = False
        self._scale: Tensor | None = None  # shape (n,), of the acting network's optimiser
        self._slow()

    def _slow(self) -> set[int]:
        """Give the ids of the slow weights."""
        if not self.config.layers:
            return {id(p) for p in acting_parameters(self.algorithm.policy).values()}
        stack = acting_stack(self.algorithm.policy)
        linear = [part for part in stack if isinstance(part, nn.Linear)]
        if len(linear) < self.config.layers:
            raise ValueError(
                f"layers is {self.config.layers}; expected at most {len(linear)}, as the acting network has."
            )
        extractors = [
            module
            for name, module in self.algorithm.policy.named_modules()
            if name.rpartition(".")[2] in ("features_extractor", "pi_features_extractor", "lstm_actor")
        ]
        return {id(p) for module in (*extractors, *linear[: self.config.layers]) for p in module.parameters()}

    def on_task_start(self, task: int) -> None:
        """Slow the layers, if enough tasks were learned."""
        self._scale = None
        self._slowing = self.config.factor < 1.0 and self._learned >= self.config.after

    def _scales(self) -> Tensor:
        """Give the factor of each entry of the step, shape (n,).

        Not before the first step of a task: at its start other methods may exchange or freeze layers.
        """
        if self._scale is None:
            slow = self._slow()
            parameters = trained_parameters(optimizers(self.algorithm)[self._role])
            factors = [self.config.factor if id(p) in slow else 1.0 for p in parameters]
            self._scale = torch.cat(
                [torch.full_like(p.detach().flatten(), f) for p, f in zip(parameters, factors, strict=True)]
            )
        return self._scale

    def adjust_update(self, role: str, delta: Tensor) -> Tensor:
        """Shorten the slow layers' part of the step, shape (n,)."""
        return delta * self._scales() if self._slowing and role == self._role else delta

    def on_task_end(self) -> None:
        """Count the task."""
        self._learned += 1

    def describe(self) -> dict[str, int | float | str | bool]:
        """Give the settings."""
        return asdict(self.config)

    def state_dict(self) -> State:
        """Give the number of tasks learned."""
        return {"learned": self._learned}

    def load_state_dict(self, state: State) -> None:
        """Take back what `state_dict` gave."""
        learned = state.get("learned")
        if not isinstance(learned, int) or len(state) != 1:
            raise ValueError(f"the state of SlowLayers is 'learned' alone, but was given {sorted(state)}.")
        self._learned = learned
