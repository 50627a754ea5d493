"""The weights that training changes, and what they were like before it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from torch import Tensor
from torch.nn import Parameter

from rover_cl_agents.step_hooks import optimizers, trained_parameters


def learned_weights(algorithm: BaseAlgorithm) -> dict[str, dict[str, Parameter]]:
    """Give what each optimiser changes, by role and by name in the policy, in the optimiser's order.

    The exploration spread `log_std` of PPO and A2C isn't among them: it is set back at each task.
    """
    names = {id(parameter): name for name, parameter in algorithm.policy.named_parameters()}
    return {
        role: {
            names[id(parameter)]: parameter
            for parameter in trained_parameters(optimizer)
            if names[id(parameter)] != "log_std"
        }
        for role, optimizer in optimizers(algorithm).items()
    }


def all_learned_weights(algorithm: BaseAlgorithm) -> dict[str, Parameter]:
    """Give what the optimisers change, by name in the policy, without `log_std`."""
    return {name: p for weights in learned_weights(algorithm).values() for name, p in weights.items()}


def sizes(weights: Mapping[str, Parameter]) -> dict[str, float]:
    """Give the root mean square of each tensor of weights, >= 0."""
    return {name: float(p.detach().double().square().mean().sqrt()) for name, p in weights.items()}


def draw(shape: tuple[int, ...], size: float, generator: torch.Generator) -> Tensor:
    """Draw fresh weights: uniform, with a root mean square of `size`; a size of 0 gives zeros.

    The size stands for the scheme that first drew the weights, whichever that was.
    """
    return (2.0 * torch.rand(shape, generator=generator) - 1.0) * (math.sqrt(3.0) * size)


def target_weights(policy: Any) -> dict[Parameter, Parameter]:
    """Pair each weight of an off-policy network with that of its target network; empty for PPO and A2C."""
    pairs: dict[Parameter, Parameter] = {}
    for name in ("actor", "critic", "q_net"):
        online, target = getattr(policy, name, None), getattr(policy, f"{name}_target", None)
        if online is not None and target is not None:
            pairs.update(zip(online.parameters(), target.parameters(), strict=True))
    return pairs
