"""The optimiser doors: how methods enter the training of an unmodified Stable-Baselines3 algorithm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from torch import Tensor
from torch.nn import Parameter
from torch.utils.hooks import RemovableHandle

from rover_cl_agents.method import Method, labels, overrides


def optimizers(algorithm: BaseAlgorithm) -> dict[str, torch.optim.Optimizer]:
    """Give the optimisers that methods may enter, by role; the entropy coefficient's isn't among them."""
    policy: Any = algorithm.policy
    if hasattr(policy, "actor") and hasattr(policy, "critic"):
        return {"actor": policy.actor.optimizer, "critic": policy.critic.optimizer}
    return {"policy": policy.optimizer}


def trained_parameters(optimizer: torch.optim.Optimizer) -> list[Parameter]:
    """List the parameters that `optimizer` changes, in its order."""
    return [p for group in optimizer.param_groups for p in group["params"] if p.requires_grad]


class StepHooks:
    """Hooks before and after each step of the policy's optimisers.

    Before: the methods' gradients are added to the algorithm's own. Stable-Baselines3 has clipped its
    gradient by then, so theirs is clipped apart, to the same `max_grad_norm` where the algorithm has one.
    After: the step just made is handed to the methods to edit. Nothing is hooked that no method needs.

    Args:
        algorithm: The algorithm; hooks don't survive its `load` or a new optimiser, hence `attach`.
        methods: In the order of their composition.
    """

    def __init__(self, algorithm: BaseAlgorithm, methods: Sequence[Method]) -> None:
        self._algorithm = algorithm
        named = zip(labels(methods), methods, strict=True)
        self._losses = {name: m for name, m in named if overrides(m, "auxiliary_loss")}
        self._gradients = [m for m in methods if overrides(m, "auxiliary_gradient")]
        self._adjusters = [m for m in methods if overrides(m, "adjust_update")]
        self._handles: list[RemovableHandle] = []
        self.penalties: dict[str, Tensor] = {}
        """The losses that the methods last added, by their names in the log."""
        self._before: dict[str, Tensor] = {}
        limit = getattr(algorithm, "max_grad_norm", None)
        self._max_norm = None if limit is None else float(limit)

    @property
    def penalises(self) -> bool:
        """Whether a method adds a loss."""
        return bool(self._losses)

    def attach(self) -> None:
        """Hook the optimisers that the policy has now; the hooks of an earlier call are removed."""
        self.detach()
        for role, optimizer in optimizers(self._algorithm).items():
            if self._losses or self._gradients or self._adjusters:
                self._handles.append(optimizer.register_step_pre_hook(self._hook(self._enter, role)))
            if self._adjusters:
                self._handles.append(optimizer.register_step_post_hook(self._hook(self._leave, role)))

    @staticmethod
    def _hook(
        door: Callable[[str, torch.optim.Optimizer], None], role: str
    ) -> Callable[[torch.optim.Optimizer, tuple[Any, ...], dict[str, Any]], None]:
        """Make an optimiser hook of a door; it returns None, as torch demands of one that changes no
        argument.
        """
        return lambda optimizer, _args, _kwargs: door(role, optimizer)

    def detach(self) -> None:
        """Remove the hooks."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self._before.clear()
        self.penalties.clear()

    def _enter(self, role: str, optimizer: torch.optim.Optimizer) -> None:
        """Add the penalties' gradient; remember the weights if the step is to be edited."""
        parameters = trained_parameters(optimizer)
        penalty = self._penalty(role, parameters)
        if penalty:
            add_clipped(penalty, self._max_norm)
        if self._adjusters:
            self._before[role] = torch.cat([p.detach().flatten() for p in parameters])

    def _penalty(self, role: str, parameters: list[Parameter]) -> dict[Parameter, Tensor]:
        """Sum the methods' gradients over this optimiser's parameters alone.

        `autograd.grad`, not `backward`: in SAC another optimiser's gradients lie about in `.grad` at this
        moment.
        """
        total: dict[Parameter, Tensor] = {}
        losses = []
        for name, method in self._losses.items():
            loss = method.auxiliary_loss(role)
            if loss is not None and loss.requires_grad:
                self.penalties[name] = loss.detach()
                losses.append(loss)
        if losses:
            gradients = torch.autograd.grad(sum(losses[1:], losses[0]), parameters, allow_unused=True)
            total = {p: g for p, g in zip(parameters, gradients, strict=True) if g is not None}
        for method in self._gradients:
            for parameter, gradient in (method.auxiliary_gradient(role) or {}).items():
                total[parameter] = total[parameter] + gradient if parameter in total else gradient
        return total

    @torch.no_grad()
    def _leave(self, role: str, optimizer: torch.optim.Optimizer) -> None:
        """Let the methods edit the step that was made, and write the result."""
        parameters = trained_parameters(optimizer)
        before = self._before.pop(role)
        after = torch.cat([p.detach().flatten() for p in parameters])
        delta = after - before
        edited = delta
        for method in self._adjusters:
            edited = method.adjust_update(role, edited)
        # before + (after - before) need not be `after` in floating point: entries left alone stay as they
        # are.
        target = torch.where(edited == delta, after, before + edited)
        for parameter, values in zip(
            parameters, torch.split(target, [p.numel() for p in parameters]), strict=True
        ):
            parameter.copy_(values.view_as(parameter))


@torch.no_grad()
def add_clipped(gradients: dict[Parameter, Tensor], max_norm: float | None) -> None:
    """Add `gradients` to the parameters' `.grad`, scaled down to a joint norm of `max_norm` at most.

    Args:
        gradients: By parameter, of its shape.
        max_norm: > 0; None leaves them as they are.
    """
    values = list(gradients.values())
    if max_norm is not None:
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(values)))
        scale = torch.clamp(max_norm / (norm + 1e-6), max=1.0)
        values = list(torch._foreach_mul(values, scale))
    for parameter, value in zip(gradients, values, strict=True):
        if parameter.grad is None:
            parameter.grad = value.clone()
        else:
            parameter.grad.add_(value)
