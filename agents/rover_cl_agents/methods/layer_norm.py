"""Layer normalisation: keep every unit where its activation is steep."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, ClassVar

from stable_baselines3.common.base_class import BaseAlgorithm
from torch import nn

from rover_cl_agents.method import Method
from rover_cl_agents.settings import chosen
from rover_cl_agents.units.hidden_layers import acting_layers, hidden_layers

LAYERS = ("all", "first", "last", "none")
"""Which hidden layers can be normalised."""


@dataclass(frozen=True, kw_only=True)
class LayerNormConfig:
    """Settings of `LayerNorm`."""

    layers: str = "all"
    """The hidden layers of each network to normalise: `all`, `first`, `last`, or `none`, which switches the
    method off."""

    def __post_init__(self) -> None:
        if self.layers not in LAYERS:
            raise ValueError(f"layers is {self.layers!r}; expected one of {', '.join(LAYERS)}.")


class LayerNorm(Method):
    """Normalise each state's hidden values to mean 0 and variance 1 before the activation, in all networks.

    The weights may then grow as they like without saturating a unit. The layers have no weights of their
    own, so that the optimisers, and methods that name weights, see no change. Target networks are
    normalised alike.

    Args:
        config: The settings; or give them by name: `LayerNorm(layers="last")`.

    Source: Ba et al. 2016, "Layer normalization"; Lyle et al. 2024, "Disentangling the causes of plasticity
    loss in neural networks", which finds it and weight decay the most robust remedy.
    """

    name: ClassVar[str] = "layernorm"

    def __init__(self, config: LayerNormConfig | None = None, **settings: Any) -> None:
        self.config = chosen(LayerNormConfig, config, settings)

    def bind(self, algorithm: BaseAlgorithm, seed: int) -> None:
        """Put the normalisation into the networks.

        Raises:
            ValueError: if the acting network has no hidden layer.
        """
        super().bind(algorithm, seed)
        acting_layers(algorithm.policy)
        layers = hidden_layers(algorithm.policy)
        for index, layer in enumerate(layers):
            stack = layer.stacks[0]
            first = index == 0 or layers[index - 1].stacks[0] is not stack
            last = index == len(layers) - 1 or layers[index + 1].stacks[0] is not stack
            if {"all": True, "first": first, "last": last, "none": False}[self.config.layers]:
                layer.exchange(layer.parts.start, partial(_normalised, layer.incoming.out_features))

    def describe(self) -> dict[str, int | float | str | bool]:
        """Give the settings."""
        return asdict(self.config)


def _normalised(units: int, activation: nn.Module) -> nn.Module:
    """Wrap an activation, so that the names of the stack's linear layers stay."""
    return nn.Sequential(nn.LayerNorm(units, elementwise_affine=False), activation)
