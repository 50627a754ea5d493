"""Freeze: early layers stay as the first task left them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import torch
from stable_baselines3.common.base_class import BaseAlgorithm

from rover_cl_agents.method import Method
from rover_cl_agents.networks import rebuild_optimizers
from rover_cl_agents.policies.slots import acting_layers
from rover_cl_agents.settings import chosen
from rover_cl_agents.state import State


@dataclass(frozen=True, kw_only=True)
class FreezeConfig:
    """Settings of `Freeze`."""

    layers: int = 1
    """Linear layers of the acting network that stay, from the observations on, >= 0 and fewer than there
    are; 0 switches the method off."""

    def __post_init__(self) -> None:
        if self.layers < 0:
            raise ValueError(f"layers is {self.layers}; expected at least 0.")


class Freeze(Method):
    """Let the first `layers` layers of the acting network learn on the first task alone.

    They get no gradient afterwards and leave the optimiser, so they stay as they are to the bit. Layers
    behind them, and the value networks, go on learning. With `HeadBank`, and all layers but the head
    frozen, a linear readout is learned for each task on the first task's features.

    Args:
        config: The settings; or give them by name: `Freeze(layers=2)`.

    Source: Yosinski et al. 2014, "How transferable are features in deep neural networks?", its frozen
    transfer.
    """

    name: ClassVar[str] = "freeze"

    def __init__(self, config: FreezeConfig | None = None, **settings: Any) -> None:
        self.config = chosen(FreezeConfig, config, settings)

    def bind(self, algorithm: BaseAlgorithm, seed: int) -> None:
        """Take the algorithm and find its layers."""
        super().bind(algorithm, seed)
        self.frozen: list[torch.nn.Linear] = []
        self._begun = False
        names = acting_layers(algorithm.policy)
        if self.config.layers >= len(names):
            raise ValueError(
                f"layers is {self.config.layers}; expected at most {len(names) - 1}, as the acting network "
                f"has {len(names)} layers and its head has to learn."
            )

    def on_task_start(self, task: int) -> None:
        """Freeze the layers, from the second task on."""
        if self._begun:
            self._freeze()
        self._begun = True

    def resume(self, task: int, state: State) -> None:
        """Freeze nothing: no task begins."""

    def _freeze(self) -> None:
        if self.frozen or not self.config.layers:
            return
        policy = self.algorithm.policy
        modules = dict(policy.named_modules())
        for name in acting_layers(policy)[: self.config.layers]:
            layer = modules[name]
            assert isinstance(layer, torch.nn.Linear)
            self.frozen.append(layer.requires_grad_(False))
        rebuild_optimizers(self.algorithm)

    def describe(self) -> dict[str, int | float | str | bool]:
        """Give the settings."""
        return asdict(self.config)

    def state_dict(self) -> State:
        """Give whether a task was begun, and whether the layers are frozen."""
        return {"begun": self._begun, "frozen": bool(self.frozen)}

    def reshape(self, state: State) -> None:
        """Freeze the layers if they were; their weights come with the policy's."""
        self._check(state)
        if state["frozen"]:
            self._freeze()
        elif self.frozen:
            for layer in self.frozen:
                layer.requires_grad_(True)
            self.frozen.clear()
            rebuild_optimizers(self.algorithm)

    def load_state_dict(self, state: State) -> None:
        """Take back what `state_dict` gave, after `reshape`."""
        self._check(state)
        self._begun = bool(state["begun"])

    @staticmethod
    def _check(state: State) -> None:
        if set(state) != {"begun", "frozen"}:
            raise ValueError(f"the state of freeze needs 'begun' and 'frozen', but has {sorted(state)}.")
