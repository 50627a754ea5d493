"""Node sharpening: few hidden units for each state, so that tasks share fewer of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from rover_cl_agents.method import Method
from rover_cl_agents.networks import acting_stack, rebuild_optimizers
from rover_cl_agents.outputs import actor_role
from rover_cl_agents.settings import chosen
from rover_cl_agents.units.activations import FuzzyTiling, KWinners, SoftmaxSharpening, french_target
from rover_cl_agents.units.hidden_layers import HiddenLayer, Recorder, acting_layers
from rover_cl_agents.units.initial_weights import draw

VARIANTS = ("french", "softmax", "kwta", "fta")
"""French's activation sharpening, softmax sharpening, k winners take all, fuzzy tiling activations."""


@dataclass(frozen=True, kw_only=True)
class SharpenConfig:
    """Settings of `Sharpen`."""

    variant: str = "french"
    """`french`, `softmax`, `kwta` or `fta`."""
    weight: float = 0.03
    """Of the sharpening loss (french, softmax), beside the algorithm's own, >= 0; 0 switches the method off,
    whatever the variant."""
    layers: str = "last"
    """The acting network's hidden layers that are sharpened: `last` or `all`; `fta` can do the last alone."""
    share: float = 0.15
    """Share of a layer's units that win (french, kwta), in (0, 1]; at least one does."""
    alpha: float = 0.2
    """How far French's target is from the activation, in (0, 1]."""
    sharpness: float = 5.0
    """Inverse temperature of the softmax, > 0."""
    tiles: int = 8
    """Tiles that `fta` makes of each unit, >= 2."""

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise ValueError(f"variant is {self.variant!r}; expected one of {', '.join(VARIANTS)}.")
        if not 0.0 <= self.weight < float("inf"):
            raise ValueError(f"weight is {self.weight}; expected a finite number >= 0.")
        if self.layers not in ("last", "all") or (self.layers == "all" and self.variant == "fta"):
            raise ValueError(
                f"layers is {self.layers!r}; expected 'last', or 'all' where variant isn't 'fta'."
            )
        for field in ("share", "alpha"):
            if not 0.0 < getattr(self, field) <= 1.0:
                raise ValueError(f"{field} is {getattr(self, field)}; expected a number in (0, 1].")
        if not 0.0 < self.sharpness < float("inf"):
            raise ValueError(f"sharpness is {self.sharpness}; expected a finite number > 0.")
        if self.tiles < 2:
            raise ValueError(f"tiles is {self.tiles}; expected at least 2.")


class Sharpen(Method):
    """Make the acting network's hidden activity sparse, in one of four ways.

    `french`: the activity of a layer, in [0, 1], is pulled towards a copy in which the `share` most active
    units are nudged up by `alpha` and all others down; loss weight · mean_states Σ_units (h − target)².
    `softmax`: the next layer reads s = softmax(sharpness · h), and weight · mean_states Σ_units (h − s)² is
    added to the loss. `kwta`: only the `share` units with the largest |h| are read, the others give 0.
    `fta`: each unit, squashed by tanh, becomes `tiles` units of which only those near its value are active;
    the next layer is built anew for them.

    The losses are taken on the minibatch that the algorithm trains on, whatever other methods ask the network
    beside it. Critics stay as they are.

    Args:
        config: The settings; or give them by name: `Sharpen(variant="kwta", share=0.1)`.

    Source: French 1992, "Semi-distributed representations and catastrophic forgetting"; Ahmad and
    Scheinkman 2019, "How can we be so dense?"; Pan et al. 2021, "Fuzzy tiling activations".
    """

    name: ClassVar[str] = "sharpen"

    def __init__(self, config: SharpenConfig | None = None, **settings: Any) -> None:
        self.config = chosen(SharpenConfig, config, settings)

    def bind(self, algorithm: BaseAlgorithm, seed: int) -> None:
        """Put the sharpening activations into the acting network.

        Raises:
            ValueError: if it has no hidden layer, or one that French's sharpening doesn't know.
        """
        super().bind(algorithm, seed)
        self._role = actor_role(algorithm.policy)
        self._recorder = Recorder()
        self._handle: RemovableHandle | None = None
        self._places: list[int] = []  # of the sharpened activations in the stack
        layers = acting_layers(algorithm.policy)
        for layer in layers if self.config.layers == "all" else layers[-1:]:
            self._sharpen(layer, seed)

    def _sharpen(self, layer: HiddenLayer, seed: int) -> None:
        """Exchange a layer's activation, as the variant wants it."""
        if not self.config.weight:
            return
        place, variant = layer.parts[-1], self.config.variant
        self._places.append(place)
        if variant == "french":
            _levels(layer.stacks[0][place], torch.zeros(1, 1))
        elif variant == "softmax":
            layer.exchange(place, lambda old: nn.Sequential(old, SoftmaxSharpening(self.config.sharpness)))
        elif variant == "kwta":
            k = winning(self.config.share, layer.incoming.out_features)
            layer.exchange(place, lambda old: nn.Sequential(old, KWinners(k)))
        else:
            tiles, device = self.config.tiles, self.algorithm.device
            layer.exchange(
                place, lambda old: nn.Sequential(nn.Tanh(), FuzzyTiling(-1.0, 1.0, tiles)).to(device)
            )
            widen_readers(self.algorithm.policy, layer, tiles, torch.Generator().manual_seed(seed))
            rebuild_optimizers(self.algorithm)

    def on_task_start(self, task: int) -> None:
        """Begin to watch what the acting network is trained on."""
        if self._places and self.config.variant in ("french", "softmax"):
            stack = acting_stack(self.algorithm.policy)
            self._handle = stack.register_forward_pre_hook(self._recorder)

    def on_task_end(self) -> None:
        """Watch no more until the next task."""
        if self._handle is not None:
            self._handle.remove()

    def on_rollout_end(self) -> None:
        """Forget what the network was given outside of a step: what counts comes first from now on."""
        self._recorder.take()

    def auxiliary_loss(self, role: str) -> Tensor | None:
        """Give the sharpening loss on the minibatch of this step, for the acting network."""
        if role != self._role:
            return None
        batches = self._recorder.take()
        return self.loss(batches[0]) if batches else None

    def adjust_update(self, role: str, delta: Tensor) -> Tensor:
        """Forget what other methods asked the network in this step; the step stays as it is."""
        if role == self._role:
            self._recorder.take()
        return delta

    def loss(self, features: Tensor) -> Tensor:
        """Give the sharpening loss.

        Args:
            features: What the acting network's stack of layers is given, shape (n, features).

        Returns:
            A scalar >= 0 with its graph.
        """
        stack = acting_stack(self.algorithm.policy)
        value, total = features, features.new_zeros(())
        for place, part in enumerate(stack):
            if place > max(self._places, default=-1):
                break
            if place in self._places:
                hidden, value, wanted = self._step(part, value)
                total = total + (hidden - wanted).square().sum(dim=1).mean()
            else:
                value = part(value)
        return self.config.weight * total

    def _step(self, part: nn.Module, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Run a sharpened activation: give its activity, what the next layer reads, and what is wanted."""
        if self.config.variant == "softmax":
            assert isinstance(part, nn.Sequential), "as `_sharpen` has built it"
            hidden = part[0](value)
            sharp = part[1](hidden)
            return hidden, sharp, sharp
        hidden = part(value)
        level = _levels(part, hidden)
        k = winning(self.config.share, level.shape[1])
        return level, hidden, french_target(level, k, self.config.alpha).detach()

    def describe(self) -> dict[str, int | float | str | bool]:
        """Give the settings."""
        return asdict(self.config)


def winning(share: float, units: int) -> int:
    """Give the number of winners among `units`, in [1, units]."""
    return max(1, round(share * units))


def _levels(activation: nn.Module, hidden: Tensor) -> Tensor:
    """Bring activations, shape (n, units), into [0, 1]: ReLU's in units of the state's largest.

    Raises:
        ValueError: if the activation's range isn't known.
    """
    kinds = [type(module) for module in activation.modules()]
    if nn.Tanh in kinds:
        return (hidden + 1.0) / 2.0
    if nn.Sigmoid in kinds:
        return hidden
    if nn.ReLU in kinds:
        return hidden / hidden.detach().amax(dim=1, keepdim=True).clamp_min(1e-6)
    raise ValueError(
        f"activation_fn is {type(activation).__name__}; French's sharpening needs Tanh, ReLU or Sigmoid. "
        "Use variant='kwta' or 'fta'."
    )


@torch.no_grad()
def widen_readers(policy: nn.Module, layer: HiddenLayer, times: int, generator: torch.Generator) -> None:
    """Exchange the readers of a layer for ones with `times` as many inputs, in the target network too.

    Their weights are drawn anew, of the old ones' size; biases are kept.
    """
    twins = [layer.outgoing]
    if len(layer.stacks) > 1:  # then the readers that count are inside the stack, at the same place
        twins.append(tuple(_at(layer.stacks[1], layer.parts.stop) for _ in layer.outgoing))
    for readers in zip(*twins, strict=True):
        size = float(readers[0].weight.square().mean().sqrt())
        fresh = draw((readers[0].out_features, times * readers[0].in_features), size, generator)
        for reader in readers:
            # Built without memory at first: to fill it, torch would draw from the global generator.
            wide = nn.Linear(fresh.shape[1], fresh.shape[0], device="meta")
            wide.to_empty(device=reader.weight.device)
            wide.weight.copy_(fresh)
            wide.bias.copy_(reader.bias)
            _swap(policy, reader, wide)


def _at(stack: nn.Sequential, place: int) -> nn.Linear:
    found = stack[place]
    assert isinstance(found, nn.Linear), "a target network is built like its original"
    return found


def _swap(policy: nn.Module, old: nn.Module, new: nn.Module) -> None:
    """Put `new` in the place of `old`, wherever the policy holds it."""
    for parent in list(policy.modules()):
        for name, child in list(parent.named_children()):
            if child is old:
                setattr(parent, name, new)
