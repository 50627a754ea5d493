"""GPM: change no layer's answer to the inputs that it had in old tasks."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from torch import Tensor, nn

from rover_cl_agents.experience.recent import RecentStates
from rover_cl_agents.importance.layer_trace import locate, probe, trace
from rover_cl_agents.importance.subspace import covering, without
from rover_cl_agents.method import Cost, Method
from rover_cl_agents.outputs import actor_role, to_tensor
from rover_cl_agents.settings import chosen
from rover_cl_agents.state import State
from rover_cl_agents.step_hooks import optimizers, trained_parameters

POOL = 4
"""A task's states are drawn from the latest POOL × samples observations."""


@dataclass(frozen=True, kw_only=True)
class GPMConfig:
    """Settings of `GPM`."""

    threshold: float = 0.99
    """Share of the energy of each layer's inputs that is protected, in [0, 1]; 0 switches the method off."""
    samples: int = 1000
    """States of a task that the inputs are taken from, >= 1."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.threshold <= 1.0:
            raise ValueError(f"threshold is {self.threshold}; expected a number in [0, 1].")
        if self.samples < 1:
            raise ValueError(f"samples is {self.samples}; expected at least 1.")


class GPM(Method):
    """Gradient projection memory: each layer of the acting network keeps its answer to the old inputs.

    At the end of a task the inputs of each layer are gathered, and the layer's basis is extended until it
    holds `threshold` of their energy. From then on the update of the layer's weights is freed of the span.
    The bias is the weight of one more input that is always 1, and is projected with the others: left alone
    it would shift every old answer. It is the update that is projected, after Adam.

    What is left in the span is rounding: weights are float32, and a step is kept to 6e-8 of each weight. The
    smaller the steps beside the weights, the larger that share of them: of a run's whole move some 1e-5 lies
    in the span at a learning rate of 1e-3, up to 5e-5 at 3e-4 and up to 4e-3 at 1e-5; of a single step, in
    the median, 1e-4, 3e-4 and 9e-3 (PPO on Pendulum-v1, 64 x 64 units, three seeds; the largest).

    The memory cannot outgrow the layers: (inputs + 1)² numbers each. A basis that is full stops its layer
    for good; `free` tells. Value networks and the exploration spread are free. A layer that another method
    freezes needs no protection, and one that it adds has its own basis.

    Args:
        config: The settings; or give them by name: `GPM(threshold=0.99)`.

    Source: Saha, Garg and Roy 2021, "Gradient projection memory for continual learning", section 4.
    """

    name: ClassVar[str] = "gpm"

    def __init__(self, config: GPMConfig | None = None, **settings: Any) -> None:
        self.config = chosen(GPMConfig, config, settings)

    def bind(self, algorithm: BaseAlgorithm, seed: int) -> None:
        """Take the algorithm and a seed; nothing is protected yet.

        Raises:
            ValueError: if the acting network has a layer with parameters that isn't linear.
        """
        super().bind(algorithm, seed)
        self._generator = torch.Generator().manual_seed(seed)
        self._recent = RecentStates(algorithm, POOL * self.config.samples)
        self._role = actor_role(algorithm.policy)
        self.bases: dict[str, Tensor] = {}
        self._places: dict[str, list[slice]] | None = None
        probe(algorithm)

    def _layer(self, name: str) -> nn.Linear | None:
        """Give the layer of this name, if the policy has it."""
        found = dict(self.algorithm.policy.named_modules()).get(name)
        return found if isinstance(found, nn.Linear) else None

    def _located(self) -> dict[str, list[slice]]:
        """Find where the protected layers' parameters lie in the flat update; those frozen now need nothing.

        Not before the first step of a task: at its start other methods may exchange or freeze layers.
        """
        if self._places is None:
            optimizer = optimizers(self.algorithm)[self._role]
            trained = {id(p) for p in trained_parameters(optimizer)}
            layers = {name: self._layer(name) for name in self.bases}
            self._places = {
                name: locate(optimizer, list(layer.parameters()))
                for name, layer in layers.items()
                if layer is not None and all(id(p) in trained for p in layer.parameters())
            }
        return self._places

    def on_task_start(self, task: int) -> None:
        """Begin to watch a task.

        Raises:
            ValueError: if the acting network has other layers than those the bases are for.
        """
        self._recent.clear()
        self._places = None
        self._check(self.bases)

    def _check(self, bases: dict[str, Tensor]) -> None:
        layers = {name: self._layer(name) for name in bases}
        widths = {name: _width(layer) for name, layer in layers.items() if layer is not None}
        found = {name: basis.shape[-1] for name, basis in bases.items()}
        if found != widths:
            raise ValueError(
                f"the bases of GPM are for layers of {found} inputs; expected {widths}: the acting network's "
                "layers must stay as they are."
            )

    def pause(self) -> State:
        """Give the latest states."""
        return self._recent.state_dict()

    def resume(self, task: int, state: State) -> None:
        """Watch on."""
        self._recent.load_state_dict(state)
        self._places = None

    def on_rollout_end(self) -> None:
        """Watch the states that the policy meets."""
        if self.config.threshold:
            self._recent.note_rollout()

    def on_task_end(self) -> None:
        """Extend each layer's basis by the inputs of the task."""
        observations = self._recent.observations()
        if not self.config.threshold or not len(observations):
            return
        self._recent.clear()
        policy = self.algorithm.policy
        policy.set_training_mode(False)
        order = torch.randperm(len(observations), generator=self._generator)
        found = trace(policy, to_tensor(policy, observations[order[: self.config.samples].numpy()]))
        for name, layer in found.layers.items():
            inputs = augmented(found.inputs[name], layer).double()
            old = self.bases.get(name, inputs.new_zeros(0, _width(layer))).double()
            self.bases[name] = covering(inputs, old, self.config.threshold).float().contiguous()
        self._places = None

    def adjust_update(self, role: str, delta: Tensor) -> Tensor:
        """Take each layer's span out of the step of its weights and its bias."""
        if role != self._role or not self.bases:
            return delta
        edited = delta.clone()
        for name, places in self._located().items():
            layer = self._layer(name)
            assert layer is not None, "it was located"
            columns = [delta[place].view(layer.out_features, -1) for place in places]
            free = without(torch.cat(columns, dim=1), self.bases[name])
            parts = torch.split(free, [c.shape[1] for c in columns], dim=1)
            for place, part in zip(places, parts, strict=True):
                edited[place] = part.flatten()
        return edited

    def free(self) -> dict[str, int]:
        """Count the input directions that each layer can still learn in, by the layer's name."""
        layers = probe(self.algorithm).layers
        return {name: _width(layer) - len(self.bases.get(name, ())) for name, layer in layers.items()}

    def describe(self) -> dict[str, int | float | str | bool]:
        """Give the settings."""
        return asdict(self.config)

    def state_dict(self) -> State:
        """Give the layers' bases and the generator's state."""
        return {
            "generator": self._generator.get_state(),
            **{f"basis.{name}": basis for name, basis in self.bases.items()},
        }

    def load_state_dict(self, state: State) -> None:
        """Take back what `state_dict` gave."""
        tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
        generator = tensors.pop("generator", None)
        wrong = sorted(name for name in tensors if not name.startswith("basis."))
        if generator is None or wrong:
            raise ValueError(f"the state of GPM needs 'generator' and 'basis.<layer>', not {wrong}.")
        device = self.algorithm.device
        bases = {name.removeprefix("basis."): tensor.to(device) for name, tensor in tensors.items()}
        self._check(bases)
        self._generator.set_state(generator)
        self.bases, self._places = bases, None

    def cost(self) -> Cost:
        """Give the bytes of the bases and of the task's latest states."""
        held = sum(basis.numel() * basis.element_size() for basis in self.bases.values())
        return Cost(bytes=held + self._recent.bytes)


def augmented(inputs: Tensor, layer: nn.Linear) -> Tensor:
    """Add the input of the bias, always 1, to `inputs` of shape (batch, in); shape (batch, in + 1)."""
    return inputs if layer.bias is None else torch.cat([inputs, torch.ones_like(inputs[:, :1])], dim=1)


def _width(layer: nn.Linear) -> int:
    return layer.in_features + (layer.bias is not None)
