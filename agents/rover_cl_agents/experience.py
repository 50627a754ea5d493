"""The observations that an algorithm has met lately, on-policy and off-policy alike."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.buffers import DictReplayBuffer, DictRolloutBuffer
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm


class RecentStates:
    """The latest observations of the task at hand: at least `capacity` of them, once that many were seen.

    On-policy algorithms throw their rollouts away, so the last few are copied; off-policy ones keep them in
    the replay buffer, which is read when asked.
    """

    def __init__(self, algorithm: BaseAlgorithm, capacity: int) -> None:
        if isinstance(algorithm, OnPolicyAlgorithm):
            refused = isinstance(algorithm.rollout_buffer, DictRolloutBuffer)
        elif isinstance(algorithm, OffPolicyAlgorithm):
            refused = isinstance(algorithm.replay_buffer, DictReplayBuffer)
        else:
            raise ValueError(f"algorithm is {type(algorithm).__name__}; expected one of Stable-Baselines3.")
        if refused:
            raise ValueError(
                "observation_space is a Dict; expected a Box or Discrete space. "
                "Wrap the environment in gymnasium.wrappers.FlattenObservation."
            )
        self._algorithm = algorithm
        self._capacity = capacity
        self._rollouts: deque[NDArray[Any]] = deque()

    def clear(self) -> None:
        """Forget everything: a task begins."""
        self._rollouts.clear()

    def note_rollout(self) -> None:
        """Keep the rollout that has just ended (on-policy only)."""
        if not isinstance(self._algorithm, OnPolicyAlgorithm):
            return
        observations = self._algorithm.rollout_buffer.observations  # (steps, envs, *observation)
        self._rollouts.append(observations.reshape(-1, *observations.shape[2:]).copy())
        held = sum(len(rollout) for rollout in self._rollouts)
        while held - len(self._rollouts[0]) >= self._capacity:
            held -= len(self._rollouts.popleft())

    def observations(self) -> NDArray[Any]:
        """Give them as the policy is fed, oldest rollout first, shape (n, *observation); n is 0 before any
        step.
        """
        if isinstance(self._algorithm, OffPolicyAlgorithm):
            return _from_replay_buffer(self._algorithm, self._capacity)
        if not self._rollouts:
            shape = self._algorithm.observation_space.shape or ()
            return np.zeros((0, *shape), dtype=np.float32)
        return np.concatenate(list(self._rollouts))


def _from_replay_buffer(algorithm: OffPolicyAlgorithm, count: int) -> NDArray[Any]:
    """Read the latest `count` observations of this task from the replay buffer, normalised if the policy's
    are.
    """
    buffer = algorithm.replay_buffer
    assert buffer is not None
    rows_of_task = -(-algorithm.num_timesteps // algorithm.n_envs)
    rows = min(buffer.buffer_size if buffer.full else buffer.pos, rows_of_task, -(-count // algorithm.n_envs))
    index = np.arange(buffer.pos - rows, buffer.pos) % buffer.buffer_size
    found: NDArray[Any] = buffer.observations[index].reshape(-1, *buffer.obs_shape)
    normaliser = algorithm.get_vec_normalize_env()
    if normaliser is None:
        return found
    normal: NDArray[Any] = np.asarray(normaliser.normalize_obs(found))
    return normal
