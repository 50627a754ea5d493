"""Continual backpropagation: at every step, replace a few of the least useful units."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from torch import Tensor, nn

from rover_cl_agents.method import Cost
from rover_cl_agents.probes.plasticity import unit_activity
from rover_cl_agents.settings import chosen
from rover_cl_agents.state import State
from rover_cl_agents.units.hidden_layers import HiddenLayer, hidden_layers
from rover_cl_agents.units.renewal import UnitRenewal


@dataclass(frozen=True, kw_only=True)
class CBPConfig:
    """Settings of `CBP`."""

    replacement_rate: float = 1e-4
    """Share of the mature units replaced at each optimiser step, in [0, 1]; 0 switches the method off."""
    maturity: int = 1000
    """Steps that a unit is safe for after its birth, >= 0."""
    decay: float = 0.99
    """Of the running mean of utility, per step, in [0, 1)."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.replacement_rate <= 1.0:
            raise ValueError(f"replacement_rate is {self.replacement_rate}; expected a number in [0, 1].")
        if self.maturity < 0:
            raise ValueError(f"maturity is {self.maturity}; expected at least 0.")
        if not 0.0 <= self.decay < 1.0:
            raise ValueError(f"decay is {self.decay}; expected a number in [0, 1).")


@dataclass
class Record:
    """What is known of the units of one layer."""

    utility: Tensor
    """Running mean, biased towards 0 in a young unit, shape (units,)."""
    age: Tensor
    """Optimiser steps since birth, int64, shape (units,)."""
    due: float = 0.0
    """Units to be replaced, in parts of one, >= 0."""

    def note(self, utility: Tensor, decay: float) -> None:
        """Let a step pass, in which the units were as useful as `utility` says, shape (units,)."""
        self.utility = decay * self.utility + (1.0 - decay) * utility
        self.age = self.age + 1

    def pick(self, rate: float, maturity: int, decay: float) -> Tensor:
        """Choose the units to replace now and count them as newborn.

        Returns:
            Their numbers, int64, shape (k,); k is 0 at most steps.
        """
        mature = torch.nonzero(self.age > maturity).squeeze(1)
        self.due += rate * len(mature)
        count = int(self.due)
        if not count:
            return mature[:0]
        self.due -= count
        age = self.age[mature].to(self.utility.dtype)
        chosen = mature[(self.utility[mature] / (1.0 - decay**age)).topk(count, largest=False).indices]
        self.utility[chosen], self.age[chosen] = 0.0, 0
        return chosen


class CBP(UnitRenewal):
    """Generate and test: of each hidden layer's mature units, replace the least useful at a steady rate.

    A unit's utility is the running mean of its activity × the mean size of its outgoing weights; activity
    is the mean size of a ReLU unit, the spread over states of any other. A new unit has fresh incoming and
    zero outgoing weights, the optimiser's moments of both start again, and the old one's mean goes into the
    readers' biases. All networks are treated so. A loss of old tasks is part of it: pair it with a replay.

    Args:
        config: The settings; or give them by name: `CBP(replacement_rate=1e-4)`.

    Source: Dohare et al. 2024, "Loss of plasticity in deep continual learning", algorithm 1; without the
    mean's own decay.
    """

    name: ClassVar[str] = "cbp"

    def __init__(self, config: CBPConfig | None = None, **settings: Any) -> None:
        self.config = chosen(CBPConfig, config, settings)

    def bind(self, algorithm: BaseAlgorithm, seed: int) -> None:
        """Take the algorithm and a seed.

        Raises:
            ValueError: if no network has a hidden layer.
        """
        super().bind(algorithm, seed)
        self.replaced = 0
        """Units replaced so far."""
        self._records: dict[str, Record] = {}

    @property
    def enabled(self) -> bool:
        """Whether any unit is ever replaced."""
        return self.config.replacement_rate > 0.0

    def on_task_start(self, task: int) -> None:
        """Begin to watch the units; those that weren't known yet are newborn."""
        super().on_task_start(task)
        for layer in (each for layers in self._layers.values() for each in layers):
            if layer.name not in self._records:
                zeros = layer.incoming.weight.new_zeros(layer.incoming.out_features)
                self._records[layer.name] = Record(zeros, zeros.long())

    @torch.no_grad()
    def choose(self, layer: HiddenLayer, hidden: Tensor) -> Tensor:
        """Test a layer's units by what they did, shape (n, units), and choose the worst."""
        record, settings = self._records[layer.name], self.config
        reach = torch.cat([reader.weight for reader in layer.outgoing]).abs().mean(dim=0)
        activity = unit_activity(hidden, "magnitude" if layer.rectified else "spread")
        record.note(activity * reach, settings.decay)
        chosen = record.pick(settings.replacement_rate, settings.maturity, settings.decay)
        self.replaced += len(chosen)
        return chosen

    def describe(self) -> dict[str, int | float | str | bool]:
        """Give the settings."""
        return asdict(self.config)

    def state_dict(self) -> State:
        """Give what is known of the units, the sizes of the first weights, and the generator's state."""
        state: State = {"generator": self._generator.get_state(), "replaced": self.replaced}
        state.update({f"size.{name}": size for name, size in self._sizes.items()})
        for name, record in self._records.items():
            state |= {f"utility.{name}": record.utility, f"age.{name}": record.age, f"due.{name}": record.due}
        return state

    def load_state_dict(self, state: State) -> None:
        """Take back what `state_dict` gave."""
        generator, replaced = state.get("generator"), state.get("replaced")
        if not isinstance(generator, Tensor) or not isinstance(replaced, int):
            raise ValueError("the state of CBP needs 'replaced' and a 'generator' tensor.")
        layers = {each.name: each for each in hidden_layers(self.algorithm.policy)}  # frozen ones, too
        for key in state:
            kind, _, name = key.partition(".")
            known = (
                name in layers
                if kind in ("utility", "age", "due")
                else kind in ("size", "generator", "replaced")
            )
            if not known:
                raise ValueError(f"the state of CBP has no entry {key!r} for this policy.")
        records = {
            name: _record(state, name, layer.incoming)
            for name, layer in layers.items()
            if f"utility.{name}" in state
        }
        self._sizes = {k[5:]: float(v) for k, v in state.items() if k.startswith("size.")}
        self._records, self.replaced = records, replaced
        self._generator.set_state(generator)

    def cost(self) -> Cost:
        """Give the bytes of what is known of the units."""
        held = [tensor for record in self._records.values() for tensor in (record.utility, record.age)]
        return Cost(bytes=sum(tensor.numel() * tensor.element_size() for tensor in held))


def _record(state: State, name: str, layer: nn.Linear) -> Record:
    """Read one layer's record."""
    units, device = layer.out_features, layer.weight.device
    utility, age, due = (state.get(f"{kind}.{name}") for kind in ("utility", "age", "due"))
    if not (isinstance(utility, Tensor) and isinstance(age, Tensor) and isinstance(due, float)):
        raise ValueError(f"the state of CBP lacks the utility, age or due count of {name!r}.")
    if utility.shape != (units,) or age.shape != (units,):
        raise ValueError(f"the utility of {name!r} has shape {tuple(utility.shape)}; expected ({units},).")
    return Record(utility.to(device), age.to(device), due)
