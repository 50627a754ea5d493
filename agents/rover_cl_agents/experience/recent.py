"""The observations that an algorithm has met lately, on-policy and off-policy alike."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.buffers import DictReplayBuffer, DictRolloutBuffer, ReplayBuffer
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.preprocessing import get_obs_shape

from rover_cl_agents.experience.marks import Marks, episode_marks, temporal_differences
from rover_cl_agents.outputs import read, to_tensor
from rover_cl_agents.recurrent import acting_lstm
from rover_cl_agents.state import State


@dataclass(frozen=True)
class _Rollout:
    """What marks are made of, each of shape (steps, envs)."""

    rewards: NDArray[Any]
    starts: NDArray[Any]
    surprises: NDArray[Any]


class RecentStates:
    """The latest observations of the task at hand: at least `capacity` of them, once that many were seen.

    On-policy algorithms throw their rollouts away, so the last few are copied; off-policy ones keep them in
    the replay buffer, which is read when asked.

    Args:
        algorithm: One of Stable-Baselines3.
        capacity: >= 1.
        marked: Copy what `marks` needs as well.
        acted: Copy the actions as well; on-policy only.

    Raises:
        ValueError: if the algorithm's states can't be stored, or actions are wanted of an off-policy one.
    """

    def __init__(
        self, algorithm: BaseAlgorithm, capacity: int, *, marked: bool = False, acted: bool = False
    ) -> None:
        refuse_unstorable(algorithm)
        if acted and not isinstance(algorithm, OnPolicyAlgorithm):
            raise ValueError(
                f"algorithm is {type(algorithm).__name__}; expected PPO or A2C, which store actions as their "
                "policy drew them."
            )
        self._algorithm = algorithm
        self._capacity = capacity
        self._marked = marked
        self._acted = acted
        self._actions: deque[NDArray[Any]] = deque()  # one for each rollout, if acted
        self._rollouts: deque[NDArray[Any]] = deque()
        self._kept: deque[_Rollout] = deque()  # one for each rollout, if marked

    def clear(self) -> None:
        """Forget everything: a task begins."""
        self._rollouts.clear()
        self._kept.clear()
        self._actions.clear()

    @property
    def bytes(self) -> int:
        """Exactly what is held [bytes]; off-policy that is nothing, as the replay buffer has it."""
        marks = [values for rollout in self._kept for values in vars(rollout).values()]
        return sum(values.nbytes for values in [*self._rollouts, *self._actions, *marks])

    def note_rollout(self) -> None:
        """Keep the rollout that has just ended (on-policy only)."""
        if not isinstance(self._algorithm, OnPolicyAlgorithm):
            return
        buffer = self._algorithm.rollout_buffer
        observations = buffer.observations  # (steps, envs, *observation)
        self._rollouts.append(observations.reshape(-1, *observations.shape[2:]).copy())
        if self._marked:
            surprises = np.abs(buffer.advantages)
            self._kept.append(_Rollout(buffer.rewards.copy(), buffer.episode_starts.copy(), surprises))
        if self._acted:
            self._actions.append(buffer.actions.reshape(-1, *buffer.actions.shape[2:]).copy())
        held = sum(len(rollout) for rollout in self._rollouts)
        while held - len(self._rollouts[0]) >= self._capacity:
            held -= len(self._rollouts.popleft())
            if self._marked:
                self._kept.popleft()
            if self._acted:
                self._actions.popleft()

    def observations(self) -> NDArray[Any]:
        """Give them as the policy is fed, oldest rollout first, shape (n, *observation); n is 0 before any
        step.
        """
        if isinstance(self._algorithm, OffPolicyAlgorithm):
            return latest_observations(self._algorithm, self._capacity)
        if not self._rollouts:
            shape = self._algorithm.observation_space.shape or ()
            return np.zeros((0, *shape), dtype=np.float32)
        return np.concatenate(list(self._rollouts))

    def actions(self) -> NDArray[Any]:
        """Give the actions of `observations()`, in their order, as the policy drew them, shape (n, *action).

        Raises:
            ValueError: if this wasn't built with `acted`, or nothing was seen yet.
        """
        if not self._actions:
            raise ValueError("no rollout was kept with its actions; expected acted=True and a rollout.")
        return np.concatenate(list(self._actions))

    def marks(self) -> Marks:
        """Give the marks of `observations()`, in their order.

        Raises:
            ValueError: if this wasn't built with `marked`, or nothing was seen yet.
        """
        if isinstance(self._algorithm, OffPolicyAlgorithm):
            return _buffer_marks(self._algorithm, self._capacity)
        if not self._kept or not isinstance(self._algorithm, OnPolicyAlgorithm):
            raise ValueError("no rollout was kept with its marks; expected marked=True and a rollout.")
        starts = np.concatenate([rollout.starts for rollout in self._kept])
        following = np.asarray(self._algorithm._last_episode_starts)  # of the step that comes next
        ends = np.concatenate([starts[1:], following[None]])
        rewards = np.concatenate([rollout.rewards for rollout in self._kept])
        episodes, returns = episode_marks(rewards, ends, starts[0])
        surprises = np.concatenate([rollout.surprises for rollout in self._kept])
        return Marks(
            episodes=episodes.ravel(),
            returns=returns.ravel(),
            surprises=surprises.ravel().astype(np.float64),
        )

    def state_dict(self) -> State:
        """Give what is kept, without copying it; off-policy that is nothing, as the replay buffer has it."""
        state: State = {f"rollout.{i}": torch.from_numpy(kept) for i, kept in enumerate(self._rollouts)}
        for i, rollout in enumerate(self._kept):
            state |= {f"{name}.{i}": torch.from_numpy(values) for name, values in vars(rollout).items()}
        return state | {f"actions.{i}": torch.from_numpy(kept) for i, kept in enumerate(self._actions)}

    def load_state_dict(self, state: State) -> None:
        """Take back what `state_dict` gave.

        Raises:
            ValueError: if an entry isn't a tensor.
        """
        self.clear()
        arrays = {name: value.numpy() for name, value in state.items() if isinstance(value, torch.Tensor)}
        if len(arrays) < len(state):
            raise ValueError("the latest states must be tensors.")
        for i in range(sum(name.startswith("rollout.") for name in arrays)):
            self._rollouts.append(arrays[f"rollout.{i}"])
            if self._acted:
                self._actions.append(arrays[f"actions.{i}"])
            if self._marked:
                self._kept.append(
                    _Rollout(arrays[f"rewards.{i}"], arrays[f"starts.{i}"], arrays[f"surprises.{i}"])
                )


def refuse_unstorable(algorithm: BaseAlgorithm) -> None:
    """Refuse an algorithm whose states can't be kept as rows of one array, to be answered again later.

    Raises:
        ValueError: saying what to wrap the environment in, or, of a recurrent policy, what to use instead.
    """
    if acting_lstm(algorithm.policy) is not None:
        raise ValueError(
            f"{type(algorithm).__name__} acts by what its LSTM remembers, which stored observations don't "
            "hold: its answers to them, asked again, would be other answers. Use PPO with windows of "
            "observations (ContextConfig), which are stored whole."
        )
    refuse_dicts(algorithm)


def refuse_unanswered(algorithm: BaseAlgorithm) -> None:
    """Refuse an algorithm whose states can't be kept, or whose policy's answers to them can't be read: before
    it learns, not when the first task is over.

    Raises:
        ValueError: saying what was expected.
    """
    refuse_unstorable(algorithm)
    policy, space = algorithm.policy, algorithm.observation_space
    zeros = np.zeros((1, *get_obs_shape(space)), dtype=space.dtype)
    training = policy.training
    policy.set_training_mode(False)  # a look mustn't move a layer's running statistics, nor draw its dropout
    try:
        with torch.no_grad():
            read(policy, to_tensor(policy, zeros))
    finally:
        policy.set_training_mode(training)


def refuse_dicts(algorithm: BaseAlgorithm) -> None:
    """Refuse an algorithm whose observations aren't one array.

    Raises:
        ValueError: saying what to wrap the environment in.
    """
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


def latest_observations(algorithm: OffPolicyAlgorithm, count: int) -> NDArray[Any]:
    """Read the latest `count` observations of this task from the replay buffer, normalised if the policy's
    are; shape (n, *observation), whole steps of all environments.
    """
    buffer, index, _ = _latest_rows(algorithm, count)
    return _normalised(algorithm, buffer.observations[index].reshape(-1, *buffer.obs_shape))


def latest_rewards(algorithm: OffPolicyAlgorithm, count: int) -> NDArray[Any]:
    """Read the rewards of `latest_observations(algorithm, count)` as they were given, shape (steps, envs)."""
    buffer, index, _ = _latest_rows(algorithm, count)
    rewards: NDArray[Any] = buffer.rewards[index]
    return rewards


def _latest_rows(algorithm: OffPolicyAlgorithm, count: int) -> tuple[ReplayBuffer, NDArray[np.int64], bool]:
    """Find the buffer's rows of the latest `count` states, and whether they go back to the task's start."""
    buffer = algorithm.replay_buffer
    assert buffer is not None
    rows_of_task = -(-algorithm.num_timesteps // algorithm.n_envs)
    rows = min(buffer.buffer_size if buffer.full else buffer.pos, rows_of_task, -(-count // algorithm.n_envs))
    index = np.arange(buffer.pos - rows, buffer.pos) % buffer.buffer_size
    return buffer, index, rows == rows_of_task


def _normalised(algorithm: OffPolicyAlgorithm, observations: NDArray[Any]) -> NDArray[Any]:
    normaliser = algorithm.get_vec_normalize_env()
    if normaliser is None:
        return observations
    normal: NDArray[Any] = np.asarray(normaliser.normalize_obs(observations))
    return normal


def _buffer_marks(algorithm: OffPolicyAlgorithm, count: int) -> Marks:
    """Mark the latest `count` states of the replay buffer."""
    buffer, index, from_start = _latest_rows(algorithm, count)
    begins = np.full(buffer.n_envs, from_start)
    episodes, returns = episode_marks(buffer.rewards[index], buffer.dones[index], begins)
    following = (
        buffer.observations[(index + 1) % buffer.buffer_size]
        if buffer.optimize_memory_usage
        else buffer.next_observations[index]
    )
    normaliser = algorithm.get_vec_normalize_env()
    rewards = buffer.rewards[index]
    if normaliser is not None:
        rewards = normaliser.normalize_reward(rewards)
    terminal = buffer.dones[index] * (1 - buffer.timeouts[index])
    device = algorithm.policy.device

    def tensor(values: NDArray[Any], shape: tuple[int, ...]) -> torch.Tensor:
        return torch.as_tensor(values.reshape(-1, *shape), device=device)

    surprises = temporal_differences(
        algorithm,
        torch.as_tensor(
            _normalised(algorithm, buffer.observations[index].reshape(-1, *buffer.obs_shape)), device=device
        ),
        tensor(buffer.actions[index], buffer.actions.shape[2:]),
        tensor(rewards.astype(np.float32), ()),
        tensor(terminal.astype(np.float32), ()),
        torch.as_tensor(_normalised(algorithm, following.reshape(-1, *buffer.obs_shape)), device=device),
    )
    return Marks(
        episodes=episodes.ravel(),
        returns=returns.ravel(),
        surprises=surprises.cpu().numpy().astype(np.float64),
    )
