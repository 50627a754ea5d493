"""A sum of quadratics that holds weights: its gradient in closed form, and its proximal step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from torch import Tensor
from torch.nn import Parameter

from rover_cl_agents.outputs import actor_role
from rover_cl_agents.state import State
from rover_cl_agents.step_hooks import optimizers

Tensors = dict[str, Tensor]
"""Tensors of the parameters' shapes, by parameter name."""


@dataclass(frozen=True, kw_only=True)
class _Whole:
    """The sum over all anchors, as lists that run in step: one entry for each parameter that is trained."""

    parameters: list[Parameter]
    stiffness: list[Tensor]  # weight × Σ Ω
    pull: list[Tensor]  # weight × Σ Ω θ*
    starts: list[int]  # where each begins in the optimiser's flat step
    groups: list[dict[str, Any]]  # of the optimiser, for the learning rate

    def values(self) -> list[Tensor]:
        """Give the parameters' own memory, without a graph; asked each time, as `.data` may be exchanged."""
        return [parameter.detach() for parameter in self.parameters]


class Quadratics:
    """The penalty (weight / 2) Σ_k Σ_i Ω_ki (θ_i − θ*_ki)² on weights of the acting network.

    Each k, a task or all the past, has importances Ω >= 0 and an anchor θ*. A sum of quadratics is one, so
    the gradient, (Σ Ω) θ − Σ Ω θ* times the weight, costs the same however many anchors there are.

    Args:
        algorithm: Whose acting network is held; its parameters are looked up by name.
        weight: Of the penalty, >= 0.
        owner: The method's name, for errors.
    """

    def __init__(self, algorithm: BaseAlgorithm, weight: float, owner: str) -> None:
        self._algorithm, self._weight, self._owner = algorithm, weight, owner
        self._role = actor_role(algorithm.policy)
        self._importances: dict[int, Tensors] = {}
        self._anchors: dict[int, Tensors] = {}
        self._whole: _Whole | None = None
        self._before: list[Tensor] = []

    def refresh(self) -> None:
        """Look the parameters up anew at the next step: layers or optimisers may have been exchanged."""
        self._whole = None
        self._before = []

    def anchor(self, key: int, importance: Tensors) -> None:
        """Hold the present weights under `key` (>= 0), each by its entry of `importance` (>= 0).

        What was held under this key is replaced.
        """
        now = self._named()
        self._importances[key] = importance
        self._anchors[key] = {name: now[name].detach().clone() for name in importance}
        self.refresh()

    def accumulate(self, importance: Tensors, decay: float) -> None:
        """Hold the present weights by `decay` × the importance so far + `importance`; one anchor for all.

        Args:
            importance: Of the latest task, >= 0.
            decay: In [0, 1]; 1 forgets no task, 0 knows the latest alone.
        """
        past = self._importances.get(0, {})
        self.anchor(
            0, {n: value + decay * past[n] if n in past else value for n, value in importance.items()}
        )

    def penalty(self) -> Tensor:
        """Give the penalty at the present weights, a scalar with its graph."""
        now = self._named()
        terms = [
            (value * (now[name] - self._anchors[key][name]).square()).sum()
            for key, importance in self._importances.items()
            for name, value in importance.items()
        ]
        return 0.5 * self._weight * torch.stack(terms).sum() if terms else torch.zeros(())

    @torch.no_grad()
    def gradient(self) -> dict[Parameter, Tensor] | None:
        """Give the penalty's gradient in fresh tensors; None if nothing is held."""
        if not self._importances or not self._weight:
            return None
        whole = self._gathered()
        if not whole.parameters:  # none of them is trained now
            return {}
        gradients = torch._foreach_mul(whole.stiffness, whole.values())
        torch._foreach_sub_(gradients, whole.pull)
        return dict(zip(whole.parameters, gradients, strict=True))

    @torch.no_grad()
    def remember(self) -> None:
        """Note the weights before an optimiser step, for `proximal`."""
        if self._importances and self._weight:
            self._before = [p.detach().clone() for p in self._gathered().parameters]

    @torch.no_grad()
    def proximal(self, delta: Tensor) -> Tensor:
        """Follow a step by the penalty's proximal step, θ ← (θ' + η Σ Ω θ*) / (1 + η Σ Ω).

        It is the minimum of ‖θ − θ'‖² / (2η) + penalty(θ), where η is the optimiser's learning rate at this
        moment: stable however large the weight.

        Args:
            delta: The step from the weights that `remember` noted, flat over all the optimiser's trained
                parameters, shape (n,).

        Returns:
            The step to make instead, shape (n,); entries that nothing holds are as they were.
        """
        if not self._before:
            return delta
        whole = self._gathered()
        edited = delta.clone()
        steps = [
            edited[start : start + value.numel()].view_as(value)
            for start, value in zip(whole.starts, self._before, strict=True)
        ]
        rates = [float(group["lr"]) for group in whole.groups]
        shift = torch._foreach_add(self._before, steps)
        torch._foreach_mul_(shift, whole.stiffness)
        torch._foreach_sub_(shift, whole.pull)
        torch._foreach_mul_(shift, rates)
        scale = torch._foreach_mul(whole.stiffness, rates)
        torch._foreach_add_(scale, 1.0)
        torch._foreach_div_(shift, scale)
        torch._foreach_sub_(steps, shift)
        return edited

    def _named(self) -> dict[str, Parameter]:
        return dict(self._algorithm.policy.named_parameters())

    def _gathered(self) -> _Whole:
        if self._whole is None:
            self._whole = self._gather()
        return self._whole

    @torch.no_grad()
    def _gather(self) -> _Whole:
        """Add the anchors' quadratics up. Parameters that aren't trained now need no holding."""
        now, places = self._named(), self._places()
        whole = _Whole(parameters=[], stiffness=[], pull=[], starts=[], groups=[])
        for name in sorted({name for importance in self._importances.values() for name in importance}):
            # In the keys' order, not in that of their arrival: a restored sum has to be the same to the bit.
            keys = [key for key in sorted(self._importances) if name in self._importances[key]]
            held = [(self._importances[key][name], self._anchors[key][name]) for key in keys]
            if name not in now or now[name].shape != held[0][0].shape:
                raise ValueError(
                    f"{self._owner} holds {name!r} of shape {tuple(held[0][0].shape)}, which the policy no "
                    "longer has; don't combine it with a method that exchanges layers of the acting network."
                )
            parameter = now[name]
            if parameter not in places:
                continue
            start, group = places[parameter]
            stiffness, pull = torch.zeros_like(parameter), torch.zeros_like(parameter)
            for importance, anchor in held:
                stiffness += self._weight * importance
                pull += self._weight * importance * anchor
            whole.parameters.append(parameter)
            whole.stiffness.append(stiffness)
            whole.pull.append(pull)
            whole.starts.append(start)
            whole.groups.append(group)
        return whole

    def _places(self) -> dict[Parameter, tuple[int, dict[str, Any]]]:
        """Give, for each trained parameter, its start in the flat step and its group."""
        places: dict[Parameter, tuple[int, dict[str, Any]]] = {}
        start = 0
        for group in optimizers(self._algorithm)[self._role].param_groups:
            for parameter in group["params"]:
                if parameter.requires_grad:
                    places[parameter] = (start, group)
                    start += parameter.numel()
        return places

    def state_dict(self) -> State:
        """Give each key's importances and anchor."""
        state: State = {}
        for kind, held in (("importance", self._importances), ("anchor", self._anchors)):
            for key, tensors in held.items():
                state.update({f"{kind}.{key}.{name}": tensor for name, tensor in tensors.items()})
        return state

    def load_state_dict(self, state: State) -> None:
        """Take back what `state_dict` gave.

        Raises:
            ValueError: if `state` doesn't fit the policy.
        """
        now = self._named()
        found: dict[str, dict[int, Tensors]] = {"importance": {}, "anchor": {}}
        for entry, tensor in state.items():
            kind, _, rest = entry.partition(".")
            key, _, name = rest.partition(".")
            known = kind in found and key.isdecimal() and name in now
            if not known or not isinstance(tensor, Tensor):
                raise ValueError(f"the state of {self._owner} has no entry {entry!r} for this policy.")
            if tensor.shape != now[name].shape:
                raise ValueError(
                    f"{entry!r} has shape {tuple(tensor.shape)}; expected {tuple(now[name].shape)}."
                )
            found[kind].setdefault(int(key), {})[name] = tensor.to(now[name].device)
        if _names(found["importance"]) != _names(found["anchor"]):
            raise ValueError(f"each importance tensor of {self._owner} needs its anchor.")
        self._importances, self._anchors = found["importance"], found["anchor"]
        self.refresh()

    @property
    def bytes(self) -> int:
        """The importances, the anchors and their sums [bytes]."""
        kept = [*self._importances.values(), *self._anchors.values()]
        held = [tensor for tensors in kept for tensor in tensors.values()]
        if held and self._weight:
            held += self._gathered().stiffness + self._gathered().pull
        return sum(tensor.numel() * tensor.element_size() for tensor in [*held, *self._before])


def _names(held: dict[int, Tensors]) -> set[tuple[int, str]]:
    return {(key, name) for key, tensors in held.items() for name in tensors}
