"""What is known of states beside the observations: their episode, its return, how much they surprised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.dqn.policies import DQNPolicy
from stable_baselines3.td3.policies import TD3Policy
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Marks:
    """Of n states in the order of their observations; every array has the shape (n,)."""

    episodes: NDArray[np.int64]
    """Number of the episode that the state belongs to, >= 0."""
    returns: NDArray[np.float64]
    """Sum of that episode's rewards, as the algorithm is fed them; NaN if it wasn't seen from end to end."""
    surprises: NDArray[np.float64]
    """How far the value function was off, >= 0: |advantage| (PPO, A2C) or |temporal difference| (others)."""


def episode_marks(
    rewards: NDArray[Any], ends: NDArray[Any], begins: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Number the episodes of some environments run side by side, and sum their rewards.

    Args:
        rewards: Shape (steps, envs).
        ends: True where a step was the last of its episode, shape (steps, envs).
        begins: True where the first row is the first step of an episode, shape (envs,).

    Returns:
        The number of each step's episode, and that episode's sum of rewards, NaN if its first or last step
        is missing; both of shape (steps, envs).
    """
    steps, envs = rewards.shape
    ends = ends.astype(np.bool_)
    ordinal = np.zeros((steps, envs), dtype=np.int64)  # of the episode within its environment
    ordinal[1:] = np.cumsum(ends[:-1], axis=0)
    episodes = ordinal * envs + np.arange(envs)
    sums = np.bincount(episodes.ravel(), weights=np.asarray(rewards, dtype=np.float64).ravel())
    whole = np.bincount(episodes.ravel(), weights=ends.ravel()) > 0
    whole[:envs] &= begins.astype(np.bool_)
    return episodes, np.where(whole, sums, np.nan)[episodes]


@torch.no_grad()
def temporal_differences(
    algorithm: OffPolicyAlgorithm,
    observations: Tensor,
    actions: Tensor,
    rewards: Tensor,
    terminal: Tensor,
    next_observations: Tensor,
) -> Tensor:
    """Give |r + γ (1 − terminal) V'(s') − Q(s, a)| of n transitions, shape (n,).

    V' is the target network's value of its best action (DQN) or of the actor's greedy one (SAC without its
    entropy, TD3 without its noise: no random number is drawn); of several critics the least counts.

    Args:
        algorithm: SAC, TD3 or DQN.
        observations: As the policy is fed, shape (n, *observation).
        actions: As the buffer stores them, shape (n, *action).
        rewards: Shape (n,).
        terminal: 1 where the episode ended, a time limit not counted, else 0; shape (n,).
        next_observations: Shape (n, *observation).

    Source: Schaul et al. 2016, "Prioritized experience replay", section 3.2.
    """
    policy: Any = algorithm.policy
    if isinstance(policy, DQNPolicy):
        now = policy.q_net(observations).gather(1, actions.long().reshape(-1, 1)).squeeze(1)
        later = policy.q_net_target(next_observations).max(dim=1).values
    else:
        chosen = (
            policy.actor_target(next_observations)
            if isinstance(policy, TD3Policy)
            else policy.actor(next_observations, deterministic=True)
        )
        now = torch.cat(policy.critic(observations, actions), dim=1).min(dim=1).values
        later = torch.cat(policy.critic_target(next_observations, chosen), dim=1).min(dim=1).values
    difference: Tensor = rewards + algorithm.gamma * (1 - terminal) * later - now
    return difference.abs()
