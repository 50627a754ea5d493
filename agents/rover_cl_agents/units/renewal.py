"""What the methods that renew hidden units share: a watch on the units, a plan for each optimiser's step."""

from __future__ import annotations

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from torch import Tensor

from rover_cl_agents.method import Method
from rover_cl_agents.outputs import actor_role
from rover_cl_agents.step_hooks import optimizers
from rover_cl_agents.units.hidden_layers import HiddenLayer, UnitWatch
from rover_cl_agents.units.initial_weights import all_learned_weights, sizes
from rover_cl_agents.units.reset import Edits, layer_sizes, replaceable_layers


class UnitRenewal(Method):
    """A method that gives hidden units of all networks a fresh start, as part of an optimiser's step.

    A subclass says when (`due`) and which units (`choose`). Weights are drawn as large as they were before
    the first task.
    """

    def bind(self, algorithm: BaseAlgorithm, seed: int) -> None:
        """Take the algorithm and a seed.

        Raises:
            ValueError: if no network has a hidden layer.
        """
        super().bind(algorithm, seed)
        if not any(replaceable_layers(algorithm).values()):
            raise ValueError(
                f"{type(algorithm.policy).__name__} has no hidden layer that is trained; "
                "expected at least one."
            )
        self._generator = torch.Generator().manual_seed(seed)
        self._sizes: dict[str, float] = {}
        self._layers: dict[str, list[HiddenLayer]] = {}
        self._watches: dict[str, UnitWatch] = {}
        self._edits: dict[str, Edits] = {}

    @property
    def enabled(self) -> bool:
        """Whether the settings let any unit be renewed."""
        raise NotImplementedError

    def due(self, role: str) -> bool:
        """Say whether this step of an optimiser may renew units; asked once at each of its steps."""
        return True

    def choose(self, layer: HiddenLayer, hidden: Tensor) -> Tensor:
        """Choose the units of a layer to renew now.

        Args:
            layer: The layer.
            hidden: What its units did in this step's training, shape (n, units).

        Returns:
            Their numbers, int64, shape (k,), k >= 0.
        """
        raise NotImplementedError

    def on_task_start(self, task: int) -> None:
        """Begin to watch the units; note the size of the weights before the first task."""
        if not self.enabled:
            return
        self._sizes = self._sizes or sizes(all_learned_weights(self.algorithm))
        self._layers = replaceable_layers(self.algorithm)
        for role, layers in self._layers.items():
            self._watches.setdefault(role, UnitWatch()).attach(layers)

    def auxiliary_gradient(self, role: str) -> None:
        """Plan what this step renews, from the weights before it; adds no gradient."""
        if role not in self._watches:
            return
        seen = self._watches[role].take()
        if not self.due(role):
            return
        edits = Edits(optimizers(self.algorithm)[role])
        for layer, hidden in zip(self._layers[role], seen, strict=True):
            if hidden is None or not edits.hold(layer):
                continue
            units = self.choose(layer, hidden)
            if len(units):
                size = layer_sizes(layer, self._sizes)
                edits.renew(layer, units, hidden.mean(dim=0), size, self._generator)
        if edits:
            self._edits[role] = edits

    def adjust_update(self, role: str, delta: Tensor) -> Tensor:
        """Make what was planned part of the step, shape (n,)."""
        if role == actor_role(self.algorithm.policy):
            # The last of the algorithm's steps on a batch. What an actor's step showed the critics' watches,
            # or another method asked since, was not trained on by a step to come.
            self._discard()
        edits = self._edits.pop(role, None)
        if edits is None:
            return delta
        edits.forget()
        return edits.apply(delta)

    def on_rollout_end(self) -> None:
        """Forget what the networks were given outside of a step."""
        self._discard()

    def _discard(self) -> None:
        for watch in self._watches.values():
            watch.take()

    def on_task_end(self) -> None:
        """Watch no more until the next task."""
        for watch in self._watches.values():
            watch.detach()
