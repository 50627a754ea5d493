"""What a batch of observations does in the acting network's linear layers, and each sample's gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.preprocessing import get_obs_shape
from torch import Tensor, nn
from torch.nn import Parameter

from rover_cl_agents.outputs import Outputs, linear_layers, read, to_tensor
from rover_cl_agents.step_hooks import trained_parameters


@dataclass(frozen=True, kw_only=True)
class LayerTrace:
    """One forward pass through the layers that the policy's `location` depends on and that can learn.

    SAC's layer of the spread isn't among them, nor is a layer that was frozen.
    """

    outputs: Outputs
    """With their graph."""
    layers: dict[str, nn.Linear]
    """By the names of the policy's modules, first to last."""
    inputs: dict[str, Tensor]  # (batch, in)
    """Of each layer, without a graph."""
    results: dict[str, Tensor]  # (batch, out)
    """Of each layer, with their graph."""

    @property
    def parameters(self) -> list[Parameter]:
        """The layers' parameters: each layer's weight, then its bias if it has one."""
        return list(self.named_parameters.values())

    @property
    def named_parameters(self) -> dict[str, Parameter]:
        """The same by their names in the policy."""
        return {
            f"{name}.{own}": p for name, layer in self.layers.items() for own, p in layer.named_parameters()
        }

    def gradients(self, directions: Tensor) -> Tensor:
        """Differentiate direction · location, each sample's for itself, by all parameters.

        One backward pass for the batch: the gradient of one sample's weight is the outer product of δ, the
        gradient at the layer's result, and the layer's input; that of its bias is δ.

        Args:
            directions: In output space, shape (batch, d).

        Returns:
            Shape (batch, n), the entries in the order of `parameters`.
        """
        deltas = torch.autograd.grad(
            self.outputs.location, list(self.results.values()), directions, retain_graph=True
        )
        parts: list[Tensor] = []
        for (name, layer), delta in zip(self.layers.items(), deltas, strict=True):
            parts.append((delta[:, :, None] * self.inputs[name][:, None, :]).flatten(1))
            if layer.bias is not None:
                parts.append(delta)
        return torch.cat(parts, dim=1)


def trace(policy: BasePolicy, observations: Tensor) -> LayerTrace:
    """Run `observations`, shape (batch, *observation), through the acting network, and watch its layers.

    Raises:
        ValueError: if the acting network has a layer with parameters that isn't linear.
    """
    layers = linear_layers(policy, observations)
    inputs: dict[str, Tensor] = {}
    results: dict[str, Tensor] = {}

    def note(name: str, layer_inputs: tuple[Tensor, ...], result: Tensor) -> None:
        inputs[name], results[name] = layer_inputs[0].detach(), result

    handles = [
        layer.register_forward_hook(lambda _m, i, o, name=name: note(name, i, o))
        for name, layer in layers.items()
    ]
    try:
        with torch.enable_grad():
            outputs = read(policy, observations)
            learning = [name for name in results if layers[name].weight.requires_grad]
            found = torch.autograd.grad(
                outputs.location.sum(),
                [results[name] for name in learning],
                retain_graph=True,
                allow_unused=True,
            )
    finally:
        for handle in handles:
            handle.remove()
    acting = [name for name, gradient in zip(learning, found, strict=True) if gradient is not None]
    return LayerTrace(
        outputs=outputs,
        layers={name: layers[name] for name in acting},
        inputs={name: inputs[name] for name in acting},
        results={name: results[name] for name in acting},
    )


def probe(algorithm: BaseAlgorithm) -> LayerTrace:
    """Trace one observation of zeros, to learn which layers the acting network has.

    Raises:
        ValueError: if it has a layer with parameters that isn't linear; with what to use instead.
    """
    space = algorithm.observation_space
    try:
        zeros = np.zeros((1, *get_obs_shape(space)), dtype=space.dtype)
        return trace(algorithm.policy, to_tensor(algorithm.policy, zeros))
    except ValueError as error:
        raise ValueError(f"{error} Use replay or agem, which look at no single layer.") from error


def locate(optimizer: torch.optim.Optimizer, parameters: Sequence[Parameter]) -> list[slice]:
    """Find where `parameters` lie in the flat update of `optimizer`.

    Raises:
        ValueError: if the optimiser doesn't train one of them.
    """
    places: dict[int, slice] = {}
    start = 0
    for parameter in trained_parameters(optimizer):
        places[id(parameter)] = slice(start, start + parameter.numel())
        start += parameter.numel()
    missing = [tuple(parameter.shape) for parameter in parameters if id(parameter) not in places]
    if missing:
        raise ValueError(
            f"the optimiser doesn't train parameters of shapes {missing}; expected all of the acting network."
        )
    return [places[id(parameter)] for parameter in parameters]
