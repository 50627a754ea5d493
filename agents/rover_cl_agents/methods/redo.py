"""ReDo: renew the units that have gone to sleep."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from torch import Tensor

from rover_cl_agents.probes.plasticity import dormancy_scores
from rover_cl_agents.settings import chosen
from rover_cl_agents.state import State
from rover_cl_agents.step_hooks import optimizers
from rover_cl_agents.units.hidden_layers import HiddenLayer
from rover_cl_agents.units.renewal import UnitRenewal


@dataclass(frozen=True, kw_only=True)
class ReDoConfig:
    """Settings of `ReDo`."""

    period: int = 300
    """Optimiser steps between two looks, >= 0; 0 switches the method off."""
    threshold: float = 0.025
    """Units whose activity is at most this share of their layer's mean are renewed, >= 0."""

    def __post_init__(self) -> None:
        if self.period < 0:
            raise ValueError(f"period is {self.period}; expected at least 0.")
        if not 0.0 <= self.threshold < float("inf"):
            raise ValueError(f"threshold is {self.threshold}; expected a finite number >= 0.")


class ReDo(UnitRenewal):
    """Every `period` steps, give dormant units of all networks fresh incoming and zero outgoing weights.

    A ReLU unit's activity is its mean size; any other unit's is its spread over states, so that a tanh unit
    stuck at ±1 counts as dormant. Its mean goes into the readers' biases: the answers stay. The optimiser's
    moments of the weights that were touched start again. Activity is taken from what the network was
    trained on at that step, a replay's states included.

    Args:
        config: The settings; or give them by name: `ReDo(threshold=0.1)`.

    Source: Sokar et al. 2023, "The dormant neuron phenomenon in deep reinforcement learning", algorithm 1.
    """

    name: ClassVar[str] = "redo"

    def __init__(self, config: ReDoConfig | None = None, **settings: Any) -> None:
        self.config = chosen(ReDoConfig, config, settings)

    def bind(self, algorithm: BaseAlgorithm, seed: int) -> None:
        """Take the algorithm and a seed.

        Raises:
            ValueError: if no network has a hidden layer.
        """
        super().bind(algorithm, seed)
        self.renewed = 0
        """Units renewed so far."""
        self._steps = dict.fromkeys(optimizers(algorithm), 0)

    @property
    def enabled(self) -> bool:
        """Whether the units are ever looked at."""
        return self.config.period > 0

    def due(self, role: str) -> bool:
        """Count the step; every `period` of them the units are looked at."""
        self._steps[role] += 1
        return self._steps[role] % self.config.period == 0

    def choose(self, layer: HiddenLayer, hidden: Tensor) -> Tensor:
        """Choose a layer's dormant units; `hidden` is what they did, shape (n, units)."""
        scores = dormancy_scores(hidden, "magnitude" if layer.rectified else "spread")
        dormant = torch.nonzero(scores <= self.config.threshold).squeeze(1)
        self.renewed += len(dormant)
        return dormant

    def describe(self) -> dict[str, int | float | str | bool]:
        """Give the settings."""
        return asdict(self.config)

    def state_dict(self) -> State:
        """Give the counts, the sizes of the weights before the first task, and the generator's state."""
        return {
            "generator": self._generator.get_state(),
            "renewed": self.renewed,
            **{f"steps.{role}": count for role, count in self._steps.items()},
            **{f"size.{name}": size for name, size in self._sizes.items()},
        }

    def load_state_dict(self, state: State) -> None:
        """Take back what `state_dict` gave."""
        rest = dict(state)
        generator, renewed = rest.pop("generator", None), rest.pop("renewed", None)
        if not isinstance(generator, Tensor) or not isinstance(renewed, int):
            raise ValueError("the state of ReDo needs 'renewed' and a 'generator' tensor.")
        for key, value in rest.items():
            kind, _, name = key.partition(".")
            if kind == "steps" and name in self._steps and isinstance(value, int):
                self._steps[name] = value
            elif kind == "size" and isinstance(value, float):
                self._sizes[name] = value
            else:
                raise ValueError(f"the state of ReDo has no entry {key!r} for this policy.")
        self._generator.set_state(generator)
        self.renewed = renewed
