"""MAS: hold the weights that the size of the answers is sensitive to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from stable_baselines3.common.policies import BasePolicy
from torch import Tensor

from rover_cl_agents.importance.fisher import gradient_sizes
from rover_cl_agents.importance.holder import MeasuredConfig, MeasuredHolder
from rover_cl_agents.importance.quadratic import Tensors
from rover_cl_agents.outputs import Outputs
from rover_cl_agents.settings import chosen


@dataclass(frozen=True, kw_only=True)
class MASConfig(MeasuredConfig):
    """Settings of `MAS`."""

    weight: float = 0.1
    """Of the penalty, beside the algorithm's own loss, >= 0; 0 switches the method off. Lower than for EWC:
    absolute gradients spread more evenly over the weights than squared ones, so that few are left free."""


class MAS(MeasuredHolder):
    """Memory aware synapses: penalty (weight / 2) Σ_i Ω_i (θ_i − θ*_i)² on the acting network.

    A task's Ω is the mean over its last states of |∂‖f(s)‖² / ∂θ_i|, with f the mean action (PPO, A2C, SAC),
    the action (TD3), the logits or the action values less their mean over actions (`Discrete` PPO and A2C;
    DQN). It is divided by its mean and capped, and added to that of the tasks before; θ* are the weights at
    the latest task's end. No reward, no label and no probability enters: unlike the Fisher information it
    knows nothing of the spread, and it is blind to a weight where the answer is zero.

    Args:
        config: The settings; or give them by name: `MAS(weight=0.3)`.

    Source: Aljundi et al. 2018, "Memory aware synapses: learning what (not) to forget", with the squared
    norm of the outputs; the division by the mean and the cap are ours.
    """

    name: ClassVar[str] = "mas"
    config: MASConfig

    def __init__(self, config: MASConfig | None = None, **settings: Any) -> None:
        self.config = chosen(MASConfig, config, settings)

    def measure(self, observations: Tensor, actions: Tensor | None = None) -> Tensors:
        """Give the sensitivity, mean over `observations`."""
        return sensitivity(self.algorithm.policy, observations)

    def hold(self, importance: Tensors) -> None:
        """Add the task's importance to that of the past, and move the anchor here."""
        self.quadratics.accumulate(importance, decay=1.0)


def sensitivity(policy: BasePolicy, observations: Tensor) -> Tensors:
    """Compute the mean over `observations` of |∂‖f(s)‖² / ∂θ|, each sample by itself.

    Args:
        policy: The policy of a PPO, A2C, SAC, TD3 or DQN, its acting network built of linear layers.
        observations: Shape (n, *observation).

    Returns:
        By parameter name, tensors of the parameters' shapes, >= 0.

    Raises:
        ValueError: if the acting network has a layer with parameters that isn't linear.
    """
    return gradient_sizes(policy, observations, _twice_the_answer, torch.abs)


def _twice_the_answer(outputs: Outputs) -> list[Tensor]:
    """Give ∂‖f‖² / ∂f = 2 f, for f without a free level."""
    answer = outputs.location.detach()
    if outputs.kind == "categorical":  # log-probabilities less their mean are logits less theirs
        answer = answer - answer.mean(dim=1, keepdim=True)
    return [2.0 * answer]
