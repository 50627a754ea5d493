"""Giving hidden units a fresh start, as part of an optimiser's step."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.sb2_compat.rmsprop_tf_like import RMSpropTFLike
from torch import Tensor

from rover_cl_agents.step_hooks import optimizers, trained_parameters
from rover_cl_agents.units.hidden_layers import HiddenLayer, hidden_layers
from rover_cl_agents.units.initial_weights import draw


def replaceable_layers(algorithm: BaseAlgorithm) -> dict[str, list[HiddenLayer]]:
    """Give each optimiser's layers of hidden units, by role, from input to output.

    Left out are layers that are frozen in part, and those whose units aren't read one by one.
    """
    layers = hidden_layers(algorithm.policy)
    found: dict[str, list[HiddenLayer]] = {}
    for role, optimizer in optimizers(algorithm).items():
        trained = {id(p) for p in trained_parameters(optimizer)}
        found[role] = [
            layer
            for layer in layers
            if all(
                id(parameter) in trained
                for linear in (layer.incoming, *layer.outgoing)
                for parameter in linear.parameters()
            )
            and all(reader.in_features == layer.incoming.out_features for reader in layer.outgoing)
        ]
    return found


def layer_sizes(layer: HiddenLayer, sizes: Mapping[str, float]) -> tuple[float, float]:
    """Pick the sizes of a layer's incoming weights and of its biases, by the names of the weights."""
    return sizes.get(f"{layer.name}.weight", 0.0), sizes.get(f"{layer.name}.bias", 0.0)


class Edits:
    """Changes to single weights that take the place of an optimiser's step there.

    They are planned before the step, from the weights as they are then, and made with it.

    Args:
        optimizer: The optimiser.
    """

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self._optimizer = optimizer
        self._offsets: dict[Tensor, int] = {}
        place = 0
        for parameter in trained_parameters(optimizer):
            self._offsets[parameter] = place
            place += parameter.numel()
        self._shifts: list[tuple[Tensor, Tensor]] = []
        self._fresh: list[tuple[Tensor, Tensor]] = []
        self._zeros: list[tuple[Tensor, Tensor]] = []
        self._touched: list[tuple[Tensor, Tensor]] = []

    def __bool__(self) -> bool:
        return bool(self._touched)

    def hold(self, layer: HiddenLayer) -> bool:
        """Say whether the optimiser trains all of a layer: another method may have frozen some of it."""
        linears = (layer.incoming, *layer.outgoing)
        return all(p in self._offsets for linear in linears for p in linear.parameters())

    @torch.no_grad()
    def renew(
        self,
        layer: HiddenLayer,
        units: Tensor,
        mean: Tensor,
        size: tuple[float, float],
        generator: torch.Generator,
    ) -> None:
        """Plan a fresh start for some units: incoming weights drawn anew, outgoing weights zero.

        What a unit gave on average goes into its readers' biases, so that units which never change can be
        renewed without a change of the network's answers.

        Args:
            layer: Of this optimiser.
            units: Their numbers, int64, shape (k,).
            mean: Mean activation of all units, shape (units,).
            size: Root mean square of fresh incoming weights and of fresh biases.
            generator: Draws them.

        Source: Sokar et al. 2023, algorithm 1; the mean's move: Dohare et al. 2021, "Continual backprop".
        """
        fed = layer.incoming.in_features
        rows = (units[:, None] * fed + torch.arange(fed, device=units.device)).flatten()
        self._replace(layer.incoming.weight, rows, draw((len(rows),), size[0], generator))
        if layer.incoming.bias is not None:
            self._replace(layer.incoming.bias, units, draw((len(units),), size[1], generator))
        for reader in layer.outgoing:
            count, width = reader.weight.shape
            outputs = torch.arange(count, device=units.device)
            columns = (outputs[:, None] * width + units).flatten()
            self._zeros.append((self._offsets[reader.weight] + columns, -reader.weight.flatten()[columns]))
            self._touched.append((reader.weight, columns))
            if reader.bias is not None:
                moved = reader.weight[:, units] @ mean[units]
                self._shifts.append((self._offsets[reader.bias] + outputs, moved))

    def _replace(self, parameter: Tensor, index: Tensor, values: Tensor) -> None:
        change = values.to(parameter) - parameter.flatten()[index]
        self._fresh.append((self._offsets[parameter] + index, change))
        self._touched.append((parameter, index))

    def apply(self, delta: Tensor) -> Tensor:
        """Give the step `delta`, shape (n,), with the changes in it."""
        edited = delta.clone()
        for index, change in self._shifts:
            edited[index] += change
        # A weight between two renewed units is zero: a fresh unit gives nothing to anyone yet.
        for index, change in [*self._fresh, *self._zeros]:
            edited[index] = change
        return edited

    def forget(self) -> None:
        """Set the optimiser's moments of the renewed weights to what they are at the start of training."""
        for parameter, index in self._touched:
            for name, value in self._optimizer.state.get(parameter, {}).items():
                if isinstance(value, Tensor) and value.shape == parameter.shape:
                    # This optimiser alone starts its mean square at one.
                    one = isinstance(self._optimizer, RMSpropTFLike) and name == "square_avg"
                    value.view(-1)[index] = 1.0 if one else 0.0
