"""EWC: hold the weights that old tasks' answers depend on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self, cast

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from torch import Tensor

from rover_cl_agents.importance.fisher import fisher
from rover_cl_agents.importance.holder import MeasuredConfig, MeasuredHolder
from rover_cl_agents.importance.quadratic import Tensors
from rover_cl_agents.settings import chosen
from rover_cl_agents.state import State

FISHERS = ("exact", "sampled", "empirical")


@dataclass(frozen=True, kw_only=True)
class EWCConfig(MeasuredConfig):
    """Settings of `EWC`."""

    weight: float = 0.3
    """Of the penalty, beside the algorithm's own loss, >= 0; 0 switches the method off."""
    fisher: Literal["exact", "sampled", "empirical"] = "exact"
    """`exact`: the expectation over actions in closed form. `sampled`: squared gradients of the
    log-probability of one action for each state, drawn from the policy at the task's end by a generator of
    the method's own: an unbiased but noisy estimate of the exact one. `empirical`: the same with the actions
    taken in training, which older policies took, so that it is biased; PPO and A2C only."""
    proximal: bool = False
    """Apply the penalty as a proximal step after the optimiser's own, instead of a gradient before it:
    decoupled from Adam's scaling and from gradient clipping, and stable for any weight. Adam's steps are of
    the learning rate's size however small the gradient, so the same hold needs a weight some hundreds of
    times as great."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.fisher not in FISHERS:
            raise ValueError(f"fisher is {self.fisher!r}; expected one of {', '.join(FISHERS)}.")


class EWC(MeasuredHolder):
    """Elastic weight consolidation: penalty (weight / 2) Σ_tasks Σ_i F_i (θ_i − θ*_i)² on the acting network.

    F is the diagonal Fisher information over the task's last states, divided by its mean and capped, so that
    `weight` has the same meaning for every network and task; θ* are the weights at the task's end. Each task
    has its own F and θ*; one that is visited again replaces them. Value networks and the exploration spread
    are free.

    The penalty's gradient has a closed form, (Σ F) θ − Σ F θ*, whose cost doesn't grow with the number of
    tasks; so has its proximal step.

    Args:
        config: The settings; or give them by name: `EWC(weight=3.0)`.

    Source: Kirkpatrick et al. 2017, "Overcoming catastrophic forgetting in neural networks", equation 3.
    """

    name: ClassVar[str] = "ewc"
    config: EWCConfig

    def __new__(cls, config: EWCConfig | None = None, **settings: Any) -> Self:
        """Give the class that opens the door its form of the penalty needs: an open one costs time."""
        proximal = settings.get("proximal", isinstance(config, EWCConfig) and config.proximal)
        return super().__new__(cast(type[Self], _ProximalEWC) if cls is EWC and proximal else cls)

    def __init__(self, config: EWCConfig | None = None, **settings: Any) -> None:
        self.config = chosen(EWCConfig, config, settings)

    @property
    def by_actions(self) -> bool:
        """Whether the Fisher information is that of the actions taken."""
        return self.config.fisher == "empirical" and self.config.weight > 0

    def bind(self, algorithm: BaseAlgorithm, seed: int) -> None:
        """Take the algorithm and a seed for the sampled actions; nothing is anchored yet."""
        super().bind(algorithm, seed)
        sampled = self.config.fisher == "sampled"
        self._generator = torch.Generator().manual_seed(seed) if sampled else None

    def measure(self, observations: Tensor, actions: Tensor | None = None) -> Tensors:
        """Give the Fisher information, mean over `observations`."""
        return fisher(self.algorithm.policy, observations, generator=self._generator, actions=actions)

    def hold(self, importance: Tensors) -> None:
        """Hold the present weights for the task at hand."""
        self.anchor(self._task, importance)

    def anchor(self, task: int, information: Tensors) -> None:
        """Hold the present weights for `task`, each by its entry of `information` (by parameter name, >=
        0).
        """
        self.quadratics.anchor(task, information)

    def state_dict(self) -> State:
        """Give each task's Fisher information and anchor, and the generator's state if there is one."""
        own: State = {} if self._generator is None else {"generator": self._generator.get_state()}
        return {**super().state_dict(), **own}

    def load_state_dict(self, state: State) -> None:
        """Take back what `state_dict` gave."""
        rest = dict(state)
        if self._generator is not None:
            own = rest.pop("generator", None)
            if not isinstance(own, Tensor):
                raise ValueError("the state of EWC with fisher='sampled' needs a 'generator' tensor.")
            self._generator.set_state(own)
        super().load_state_dict(rest)


class _ProximalEWC(EWC):
    """EWC whose penalty follows the optimiser's step."""

    def auxiliary_gradient(self, role: str) -> Mapping[torch.nn.Parameter, Tensor] | None:
        """Note where the step begins; add no gradient."""
        if role == self._role:
            self.quadratics.remember()
        return None

    def adjust_update(self, role: str, delta: Tensor) -> Tensor:
        """Follow the step by the penalty's proximal step."""
        return self.quadratics.proximal(delta) if role == self._role else delta
