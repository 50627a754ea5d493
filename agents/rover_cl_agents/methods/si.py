"""SI: hold the weights whose movement lowered the loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from torch import Tensor
from torch.nn import Parameter

from rover_cl_agents.importance.fisher import normalised
from rover_cl_agents.importance.holder import HolderConfig, WeightHolder, acting_parameters, check_cap
from rover_cl_agents.importance.quadratic import Tensors
from rover_cl_agents.method import Cost
from rover_cl_agents.settings import chosen
from rover_cl_agents.state import State


@dataclass(frozen=True, kw_only=True)
class SIConfig(HolderConfig):
    """Settings of `SI`."""

    weight: float = 0.1
    """Of the penalty, beside the algorithm's own loss, >= 0; 0 switches the method off. Lower than for EWC,
    as path integrals spread more evenly over the weights than squared gradients."""
    damping: float = 1e-3
    """ξ: added to a weight's squared movement over the task before its path integral is divided by it, > 0;
    bounds the importance of weights that hardly moved."""
    cap_quantile: float = 0.999
    """Importances above this quantile are lowered to it, in (0, 1]."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 < self.damping < float("inf"):
            raise ValueError(f"damping is {self.damping}; expected a finite number > 0.")
        check_cap(self.cap_quantile)


HELD = ("start", "last", "gradients", "omega")
"""What a path keeps of each parameter."""


class Path:
    """The path integral ω = −Σ_steps g · Δθ of a loss's gradient along the way that training takes.

    Args:
        parameters: By name.
    """

    def __init__(self, parameters: Mapping[str, Parameter]) -> None:
        self._names = list(parameters)
        self._parameters = list(parameters.values())
        self._start = [p.detach().clone() for p in self._parameters]
        self._last = [value.clone() for value in self._start]
        self._gradients = [torch.zeros_like(value) for value in self._start]
        self._omega = [torch.zeros_like(value) for value in self._start]

    @torch.no_grad()
    def advance(self) -> None:
        """Account for the movement since the last call, along the gradient noted then; note today's.

        Call it before each step, when `.grad` is the loss's own.
        """
        values = [p.detach() for p in self._parameters]
        moves = torch._foreach_sub(values, self._last)
        torch._foreach_addcmul_(self._omega, moves, self._gradients, value=-1.0)
        torch._foreach_copy_(self._last, values)
        for gradient, parameter in zip(self._gradients, self._parameters, strict=True):
            if parameter.grad is None:
                gradient.zero_()
            else:
                gradient.copy_(parameter.grad)

    @property
    def omega(self) -> Tensors:
        """The loss that each weight's movement has saved up to the last `advance`, to first order."""
        return dict(zip(self._names, self._omega, strict=True))

    def importance(self, damping: float) -> Tensors:
        """Give max(ω, 0) / (Δ² + damping), Δ the way from the start to the last `advance`."""
        shifts = torch._foreach_sub(self._last, self._start)
        return {
            name: omega.clamp_min(0.0) / (shift.square() + damping)
            for (name, omega), shift in zip(self.omega.items(), shifts, strict=True)
        }

    def state_dict(self) -> State:
        """Give copies of all that is held."""
        held = {name: getattr(self, f"_{name}") for name in HELD}
        return {
            f"{kind}.{name}": tensor.clone()
            for kind, tensors in held.items()
            for name, tensor in zip(self._names, tensors, strict=True)
        }

    def load_state_dict(self, state: State) -> None:
        """Take back what `state_dict` gave.

        Raises:
            ValueError: if a tensor is missing.
        """
        for kind in HELD:
            for name, tensor in zip(self._names, getattr(self, f"_{kind}"), strict=True):
                value = state.get(f"{kind}.{name}")
                if not isinstance(value, Tensor):
                    raise ValueError(f"the path of SI lacks {kind}.{name}.")
                tensor.copy_(value)

    @property
    def bytes(self) -> int:
        """What is held beside the parameters [bytes]."""
        held = [*self._start, *self._last, *self._gradients, *self._omega]
        return sum(tensor.numel() * tensor.element_size() for tensor in held)


class SI(WeightHolder):
    """Synaptic intelligence: penalty (weight / 2) Σ_i Ω_i (θ_i − θ*_i)² on the acting network.

    While a task is learned, ω_i = −Σ_steps g_i Δθ_i is collected; its end gives Ω_i = max(ω_i, 0) /
    (Δ_i² + ξ), with Δ the movement over the whole task, divided by its mean, capped, and added to that of the
    tasks before. θ* are the weights at the latest task's end.

    g is the gradient of the algorithm's own loss alone: it is read before the step, when no method's penalty
    has been added to `.grad` yet (all doors before a step are asked first, then their gradients are added).
    PPO and A2C have clipped it by then. Δθ is what the weights have really moved until the next step, with
    every penalty and every method's editing of the step, whatever the methods' order; a method that changes
    weights between two steps is taken for a part of the step before.

    A warning: minibatch gradients are noisy, and a step goes against its own noise, so ω grows by about
    lr × the gradient's variance even where nothing is learned. In reinforcement learning that part is large;
    Ω then tells the gradient's spread more than the path's worth.

    Args:
        config: The settings; or give them by name: `SI(weight=0.3)`.

    Source: Zenke et al. 2017, "Continual learning through synaptic intelligence", equations 4 and 5; the
    division by the mean and the cap are ours. On the noise: Benzing 2022, "Unifying importance based
    regularisation methods for continual learning".
    """

    name: ClassVar[str] = "si"
    config: SIConfig

    def __init__(self, config: SIConfig | None = None, **settings: Any) -> None:
        self.config = chosen(SIConfig, config, settings)

    def bind(self, algorithm: BaseAlgorithm, seed: int) -> None:
        """Take the algorithm; no path is followed yet."""
        super().bind(algorithm, seed)
        self.path: Path | None = None

    def on_task_start(self, task: int) -> None:
        """Begin a new path; it starts at the first step, where all methods have put their layers in place."""
        super().on_task_start(task)
        self.path = None

    def pause(self) -> State:
        """Give the path so far."""
        return {} if self.path is None else self.path.state_dict()

    def resume(self, task: int, state: State) -> None:
        """Take the path up where it was."""
        super().resume(task, state)
        self.path = Path(acting_parameters(self.algorithm.policy)) if state else None
        if self.path is not None:
            self.path.load_state_dict(state)

    def auxiliary_gradient(self, role: str) -> Mapping[Parameter, Tensor] | None:
        """Follow the path, and give the penalty's gradient for the acting network."""
        if role != self._role or not self.config.weight:
            return None
        if self.path is None:
            self.path = Path(acting_parameters(self.algorithm.policy))
        self.path.advance()
        return super().auxiliary_gradient(role)

    def on_task_end(self) -> None:
        """Turn the path into importance, and move the anchor here."""
        if self.path is None:
            return
        self.path.advance()  # the last step
        found = self.path.importance(self.config.damping)
        self.path = None
        self.quadratics.accumulate(normalised(found, cap_quantile=self.config.cap_quantile), decay=1.0)

    def cost(self) -> Cost:
        """Give the bytes of what holds the weights, and of the path while it is followed."""
        return super().cost() + Cost(bytes=0 if self.path is None else self.path.bytes)
