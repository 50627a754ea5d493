"""What is put back when a task begins: exploration, optimisers, the off-policy buffer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from rover_cl_agents.step_hooks import optimizers


@dataclass(frozen=True, kw_only=True)
class Switch:
    """What is put back when a task begins."""

    reset_exploration: bool = True
    """Let the algorithm explore as at its start."""
    reset_optimizer: bool = True
    """Clear the optimisers' moments."""
    reset_buffer: bool = True
    """Empty the off-policy buffer."""

    def put_back(self, algorithm: BaseAlgorithm) -> None:
        """Put back what the last task left behind."""
        if self.reset_exploration:
            reset_exploration(algorithm)
        if self.reset_optimizer:
            reset_optimizers(algorithm)
        if self.reset_buffer:
            reset_buffer(algorithm)


def all_optimizers(algorithm: BaseAlgorithm) -> dict[str, torch.optim.Optimizer]:
    """Give every optimiser by role, SAC's for the entropy coefficient as `"entropy"`."""
    entropy = getattr(algorithm, "ent_coef_optimizer", None)
    return optimizers(algorithm) | ({} if entropy is None else {"entropy": entropy})


def count_trained(algorithm: BaseAlgorithm) -> int:
    """Count the numbers that the optimisers change, each once."""
    trained = {
        id(parameter): parameter.numel()
        for optimizer in all_optimizers(algorithm).values()
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    return sum(trained.values())


def reset_exploration(algorithm: BaseAlgorithm) -> None:
    """Let the algorithm explore as at the start of its first task.

    PPO and A2C: the state-independent `log_std`. SAC: the entropy coefficient. DQN: ε, which its schedule
    starts again with every task. TD3's noise doesn't change.
    """
    policy: Any = algorithm.policy
    with torch.no_grad():
        log_std = getattr(policy, "log_std", None)
        if isinstance(log_std, torch.nn.Parameter):
            log_std.fill_(policy.log_std_init)
        log_ent_coef = getattr(algorithm, "log_ent_coef", None)
        if isinstance(log_ent_coef, torch.Tensor):
            _, _, start = str(getattr(algorithm, "ent_coef", "auto")).partition("_")
            log_ent_coef.fill_(math.log(float(start or 1.0)))
    if hasattr(algorithm, "exploration_schedule"):
        algorithm.exploration_rate = algorithm.exploration_schedule(1.0)  # type: ignore[attr-defined]


def reset_optimizers(algorithm: BaseAlgorithm) -> None:
    """Clear the optimisers' moments: those of the last task would steer the first steps of this one.

    Source: Asadi et al. 2023, "Resetting the optimizer in deep RL".
    """
    for optimizer in all_optimizers(algorithm).values():
        optimizer.state.clear()


def reset_buffer(algorithm: BaseAlgorithm) -> None:
    """Empty the replay buffer: its transitions tell of another task.

    Source: Wolczyk et al. 2021, "Continual World", where every method but perfect memory does.
    """
    if isinstance(algorithm, OffPolicyAlgorithm) and algorithm.replay_buffer is not None:
        algorithm.replay_buffer.reset()
