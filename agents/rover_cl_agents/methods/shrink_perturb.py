"""Shrink and perturb: start each task from weights that are part old, part fresh."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from torch import Tensor

from rover_cl_agents.method import Cost, Method
from rover_cl_agents.settings import chosen
from rover_cl_agents.state import State
from rover_cl_agents.step_hooks import optimizers, trained_parameters
from rover_cl_agents.units.initial_weights import all_learned_weights, draw, sizes, target_weights

VARIANTS = ("switch", "soft")
"""At each task switch, or a little at every step."""


@dataclass(frozen=True, kw_only=True)
class ShrinkPerturbConfig:
    """Settings of `ShrinkPerturb`."""

    variant: str = "switch"
    """`switch`: at each task but the first, towards weights drawn anew. `soft`: at every step, towards the
    weights before the first task."""
    amount: float = 0.2
    """Share of the fresh weights in the mixture, in [0, 1]; 0 switches the method off. `soft` wants some
    1e-6 to 1e-4."""

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise ValueError(f"variant is {self.variant!r}; expected one of {', '.join(VARIANTS)}.")
        if not 0.0 <= self.amount <= 1.0:
            raise ValueError(f"amount is {self.amount}; expected a number in [0, 1].")


class ShrinkPerturb(Method):
    """Mix fresh weights into all networks: θ ← (1 − amount) θ + amount θ′.

    It gives back the ability to learn and costs memory of old tasks: pair it with a replay. Biases that
    began at zero only shrink. The exploration spread is left alone; target networks are mixed alike at a
    switch, and follow by themselves in the soft variant.

    Args:
        config: The settings; or give them by name: `ShrinkPerturb(amount=0.2)`.

    Source: Ash and Adams 2020, "On warm-starting neural network training", section 4; the soft variant:
    Juliani and Ash 2024, "A study of plasticity loss in on-policy deep RL".
    """

    name: ClassVar[str] = "shrink-perturb"

    def __init__(self, config: ShrinkPerturbConfig | None = None, **settings: Any) -> None:
        self.config = chosen(ShrinkPerturbConfig, config, settings)

    def bind(self, algorithm: BaseAlgorithm, seed: int) -> None:
        """Take the algorithm and a seed; its weights are noted when its first task starts."""
        super().bind(algorithm, seed)
        self._generator = torch.Generator().manual_seed(seed)
        self._sizes: dict[str, float] = {}
        self._start: dict[str, Tensor] = {}
        self._learned = 0

    def on_task_start(self, task: int) -> None:
        """Note the weights before the first task; mix fresh ones in before each of the others."""
        if not self.config.amount:
            return
        weights = all_learned_weights(self.algorithm)
        if self.config.variant == "soft":
            self._start = self._start or {name: p.detach().clone() for name, p in weights.items()}
        elif not self._sizes:
            self._sizes = sizes(weights)
        if self.config.variant == "switch" and self._learned:
            self._mix()

    def resume(self, task: int, state: State) -> None:
        """Mix nothing: no task begins."""

    @torch.no_grad()
    def _mix(self) -> None:
        """Mix fresh weights into the networks, and the same ones into their targets."""
        targets = target_weights(self.algorithm.policy)
        for name, weight in all_learned_weights(self.algorithm).items():
            fresh = draw(tuple(weight.shape), self._sizes.get(name, 0.0), self._generator).to(weight.device)
            for each in (weight, targets.get(weight)):
                if each is not None:
                    each.copy_(mixture(each, fresh, self.config.amount))

    def on_task_end(self) -> None:
        """Count the task."""
        self._learned += 1

    def adjust_update(self, role: str, delta: Tensor) -> Tensor:
        """Soft variant: after the step, go a share of the way to the weights before the first task."""
        if self.config.variant != "soft" or not self.config.amount:
            return delta
        names = {id(p): name for name, p in all_learned_weights(self.algorithm).items()}
        parameters = trained_parameters(optimizers(self.algorithm)[role])
        # What isn't ours stays where it is: its start is where it is.
        starts = [self._start.get(names.get(id(p), ""), p.detach()) for p in parameters]
        away = torch.cat([(s - p.detach()).flatten() for s, p in zip(starts, parameters, strict=True)])
        return delta + self.config.amount * away

    def describe(self) -> dict[str, int | float | str | bool]:
        """Give the settings."""
        return asdict(self.config)

    def state_dict(self) -> State:
        """Give what was noted before the first task, and the generator's state."""
        return {
            "learned": self._learned,
            "generator": self._generator.get_state(),
            **{f"size.{name}": size for name, size in self._sizes.items()},
            **{f"start.{name}": tensor for name, tensor in self._start.items()},
        }

    def load_state_dict(self, state: State) -> None:
        """Take back what `state_dict` gave."""
        rest = dict(state)
        learned, generator = rest.pop("learned", None), rest.pop("generator", None)
        if not isinstance(learned, int) or not isinstance(generator, Tensor):
            raise ValueError("the state of ShrinkPerturb needs 'learned' and a 'generator' tensor.")
        weights = dict(self.algorithm.policy.named_parameters())  # those that are frozen by now, too
        noted: dict[str, float] = {}
        start: dict[str, Tensor] = {}
        for key, value in rest.items():
            kind, _, name = key.partition(".")
            if kind == "size" and name in weights and isinstance(value, float):
                noted[name] = value
            elif kind == "start" and isinstance(value, Tensor) and _shape(weights.get(name)) == value.shape:
                start[name] = value.to(weights[name].device)
            else:
                raise ValueError(f"the state of ShrinkPerturb has no entry {key!r} for this policy.")
        self._learned, self._sizes, self._start = learned, noted, start
        self._generator.set_state(generator)

    def cost(self) -> Cost:
        """Give the bytes of the weights that were noted."""
        return Cost(bytes=sum(t.numel() * t.element_size() for t in self._start.values()))


def mixture(weights: Tensor, fresh: Tensor, amount: float) -> Tensor:
    """Give (1 − amount) · weights + amount · fresh, of their shape."""
    return (1.0 - amount) * weights + amount * fresh


def _shape(weight: Tensor | None) -> torch.Size | None:
    return None if weight is None else weight.shape
