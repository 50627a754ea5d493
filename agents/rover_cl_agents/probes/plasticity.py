"""Probes of a network's health: which units are idle, how rich its features are, how far it moves.

Pure functions, without randomness: take a fixed batch of at least 512 observations of each task.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from stable_baselines3.common.policies import BasePolicy
from torch import Tensor

from rover_cl_agents.outputs import Outputs, distance, read
from rover_cl_agents.units.hidden_layers import activations, hidden_layers

Activity = Literal["magnitude", "spread"]
"""What makes a unit active: its mean size, right for ReLU; or its spread over states, right for any unit."""


def unit_activity(hidden: Tensor, activity: Activity) -> Tensor:
    """Measure each unit: mean |h|, or the standard deviation of h over the batch.

    A tanh unit that is stuck at ±1 has the greatest size and no spread.

    Args:
        hidden: Shape (n, units).
        activity: Which of the two.

    Returns:
        Shape (units,), >= 0.
    """
    if activity == "magnitude":
        return hidden.abs().mean(dim=0)
    return hidden.std(dim=0, correction=0)


def dormancy_scores(hidden: Tensor, activity: Activity) -> Tensor:
    """Divide each unit's activity by its layer's mean, shape (units,); all zero where the layer is silent.

    Source: Sokar et al. 2023, "The dormant neuron phenomenon in deep RL", equation 1.
    """
    found = unit_activity(hidden, activity)
    return found / found.mean().clamp_min(torch.finfo(found.dtype).tiny)


def dormant_share(hidden: Tensor, *, threshold: float = 0.025, activity: Activity = "spread") -> float:
    """Give the share of units whose score is at most `threshold`, in [0, 1]."""
    return float((dormancy_scores(hidden, activity) <= threshold).double().mean())


def saturated_share(hidden: Tensor, *, bound: float = 0.99) -> float:
    """Give the share of activations beyond ±`bound`, in [0, 1]: for tanh units."""
    return float((hidden.abs() > bound).double().mean())


def effective_rank(features: Tensor) -> float:
    """Give exp(entropy of the singular values as shares of their sum), in [1, min(n, units)]; 0 for zeros.

    Source: Roy and Vetterli 2007, "The effective rank".
    """
    values = torch.linalg.svdvals(features.double())
    if not bool(values.sum() > 0):
        return 0.0
    return float(torch.special.entr(values / values.sum()).sum().exp())


def stable_rank(features: Tensor) -> float:
    """Give ‖features‖²_F / ‖features‖²_2, in [1, min(n, units)]; 0 for zeros."""
    squares = torch.linalg.svdvals(features.double()).square()
    return float(squares.sum() / squares[0]) if bool(squares[0] > 0) else 0.0


def threshold_rank(features: Tensor, *, share: float = 0.99) -> int:
    """Give the fewest singular values that make up `share` of their sum; 0 for zeros.

    Source: Kumar et al. 2021, "Implicit under-parameterization", srank.
    """
    values = torch.linalg.svdvals(features.double())
    if not bool(values.sum() > 0):
        return 0
    return int((values.cumsum(0) / values.sum() < share).sum()) + 1


def weight_norm(weights: Iterable[Tensor]) -> float:
    """Give the Euclidean norm of all weights together."""
    return float(torch.cat([w.detach().double().flatten() for w in weights]).norm())


def update_norm(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> float:
    """Give the Euclidean norm of the move between two sets of weights of the same names and shapes.

    Args:
        before: As of `learned_weights`.
        after: The same, later.

    Raises:
        ValueError: if the names differ.
    """
    if set(before) != set(after):
        raise ValueError(f"only one of the two has {sorted(set(before) ^ set(after))[:3]}.")
    return weight_norm(after[name].detach() - before[name].detach() for name in before)


def learned_weights(policy: BasePolicy) -> dict[str, Tensor]:
    """Copy the weights that `update_norm` compares, by name: each once, and no target network's.

    A policy's `state_dict` names features that actor and critic share once for each, and the target
    networks, which follow the others.
    """
    named = policy.named_parameters()  # each parameter under its first name alone
    return {name: p.detach().clone() for name, p in named if "_target." not in name}


def activation_overlap(first: Tensor, second: Tensor) -> float:
    """Give the mean cosine between two tasks' hidden activations, over all pairs of their states.

    Args:
        first: Shape (n, units).
        second: Shape (m, units).

    Returns:
        In [−1, 1]; 0 where the tasks use different units. A silent state counts as 0.
    """
    means = [torch.nn.functional.normalize(h.double(), dim=1).mean(dim=0) for h in (first, second)]
    return float(means[0] @ means[1])


def gradient_cosine(first: Tensor, second: Tensor, parameters: Sequence[Tensor]) -> float:
    """Give the cosine between two losses' gradients; below 0 the tasks are in conflict.

    Args:
        first: A scalar with its graph, which is used up.
        second: Another.
        parameters: The weights in question.

    Returns:
        In [−1, 1]; 0 if one of the gradients is zero.
    """
    flat = []
    for loss in (first, second):
        found = torch.autograd.grad(loss, parameters, retain_graph=loss is first, allow_unused=True)
        parts = [
            (torch.zeros_like(p) if g is None else g).flatten()
            for p, g in zip(parameters, found, strict=True)
        ]
        flat.append(torch.nn.functional.normalize(torch.cat(parts).double(), dim=0))
    return float(flat[0] @ flat[1])


def gradient_conflict(
    policy: BasePolicy, first: tuple[Tensor, Outputs], second: tuple[Tensor, Outputs]
) -> float:
    """Give the cosine between the pulls of two tasks on the acting network.

    A task's loss is the distance from the answers wanted of it (`outputs.distance`). Answers that the
    policy gives already pull nowhere: the cosine is 0 then. Layers may be of any kind; weights that are
    frozen aren't pulled at.

    Args:
        policy: The policy of a PPO, A2C, SAC, TD3 or DQN.
        first: Observations of a task, shape (n, *observation), and the answers wanted.
        second: Those of another task.

    Raises:
        ValueError: if every weight of the acting network is frozen.
    """
    parameters = [p for p in policy.parameters() if p.requires_grad]  # another network's have no gradient
    with torch.enable_grad():
        losses = [distance(read(policy, observations), wanted) for observations, wanted in (first, second)]
    if not losses[0].requires_grad:
        raise ValueError(
            f"every weight of the acting network of {type(policy).__name__} is frozen; expected one that is "
            "trained: take the gradients before freezing, or freeze fewer layers."
        )
    return gradient_cosine(losses[0], losses[1], parameters)


@dataclass(frozen=True, kw_only=True)
class LayerHealth:
    """What the probes say of one layer of hidden units."""

    dormant: float
    """Share of idle units, in [0, 1]: by size for ReLU, by spread for others."""
    saturated: float
    """Share of activations beyond ±0.99, in [0, 1]."""
    effective_rank: float
    """In [1, units]."""
    stable_rank: float
    """In [1, units]."""
    weight_norm: float
    """Of the linear layer that feeds the units."""


def layer_health(
    policy: BasePolicy, observations: Tensor, *, threshold: float = 0.025
) -> dict[str, LayerHealth]:
    """Probe every layer of hidden units, acting and valuing.

    Args:
        policy: The policy of a PPO, A2C, SAC, TD3 or DQN.
        observations: Shape (n, *observation).
        threshold: Of dormancy, >= 0.

    Returns:
        By the name of the layer's linear part among the policy's modules.
    """
    found = activations(policy, observations)
    return {
        layer.name: LayerHealth(
            dormant=dormant_share(
                found[layer.name],
                threshold=threshold,
                activity="magnitude" if layer.rectified else "spread",
            ),
            saturated=saturated_share(found[layer.name]),
            effective_rank=effective_rank(found[layer.name]),
            stable_rank=stable_rank(found[layer.name]),
            weight_norm=weight_norm(layer.incoming.parameters()),
        )
        for layer in hidden_layers(policy)
    }
