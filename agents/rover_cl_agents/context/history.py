"""The last observations of each environment, in training and in acting alike."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvStepReturn

from rover_cl_agents.vec_env import Env, as_vec_env


class History:
    """Windows of the last K observations, one for each of n rows; zeros stand before an episode's start.

    Args:
        count: n, rows, >= 1.
        space: Of one observation: a Box of one axis, shape (d,).
        steps: K, >= 1.
        mask: Put a 1 behind each observation, so that what was seen can be told from the zeros.

    Raises:
        ValueError: if an argument is out of its range, or the space isn't such a Box.
    """

    def __init__(self, count: int, space: spaces.Space[Any], steps: int, *, mask: bool = False) -> None:
        if count < 1:
            raise ValueError(f"count is {count}; expected at least 1.")
        if steps < 1:
            raise ValueError(f"steps is {steps}; expected at least 1.")
        if not isinstance(space, spaces.Box) or len(space.shape) != 1:
            raise ValueError(
                f"observation_space is {space}; expected a Box of one axis, whose observations can be put "
                "one behind the other. For images use stable_baselines3's VecFrameStack, for other spaces "
                "gymnasium.wrappers.FlattenObservation."
            )
        self.steps = steps
        self.mask = mask
        self.inner_space = space
        """Of one observation."""
        self._windows = np.zeros((count, steps * (space.shape[0] + mask)), dtype=space.dtype)

    @property
    def space(self) -> spaces.Box:
        """The space of a window, shape (K · d,), or (K · (d + 1),) with the mask."""
        low, high = self.inner_space.low, self.inner_space.high
        if self.steps > 1:  # the zeros that fill a window are part of the space
            low, high = np.minimum(low, 0), np.maximum(high, 0)
        if self.mask:
            low, high = np.append(low, 0), np.append(high, 1)
        dtype: Any = self.inner_space.dtype
        return spaces.Box(
            np.tile(low, self.steps).astype(dtype), np.tile(high, self.steps).astype(dtype), dtype=dtype
        )

    def push(self, observations: NDArray[Any], starts: NDArray[np.bool_]) -> NDArray[Any]:
        """Take each row's next observation.

        Args:
            observations: Shape (n, d).
            starts: Shape (n,): whether it is an episode's first, so that nothing is remembered before it.

        Returns:
            The windows, oldest observation first, in an array of their own.
        """
        size = self._windows.shape[1] // self.steps
        # Always a new array: an algorithm keeps the last one over the next step.
        windows = np.empty_like(self._windows)
        windows[:, :-size] = self._windows[:, size:]
        windows[np.asarray(starts, dtype=bool), :-size] = 0
        windows[:, -size:] = self._marked(observations)
        self._windows = windows
        return windows

    def ending(self, row: int, observation: NDArray[Any]) -> NDArray[Any]:
        """Give the window that a last observation, shape (d,), would make in a row; nothing is taken."""
        marked = self._marked(observation[None])[0]
        return np.concatenate([self._windows[row, len(marked) :], marked])

    def _marked(self, observations: NDArray[Any]) -> NDArray[Any]:
        if not self.mask:
            return observations
        return np.concatenate(
            [observations, np.ones_like(observations, shape=(len(observations), 1))], axis=1
        )


class VecHistory(VecEnvWrapper):
    """An environment whose observations are windows of the last K; see `History`.

    As stable_baselines3's `VecFrameStack`, for Box observations of one axis; in addition with the mask that
    `AttentionWindow` needs, and with a space that holds the zeros.

    Args:
        env: A gymnasium.Env, gymnasium.vector.VectorEnv or SB3 VecEnv.
        steps: K, >= 1.
        mask: Put a 1 behind each observation.

    Raises:
        ValueError: if `steps` is below 1, or the observations can't be put in a row.
    """

    def __init__(self, env: Env, steps: int, *, mask: bool = False) -> None:
        venv = as_vec_env(env)
        self.history = History(venv.num_envs, venv.observation_space, steps, mask=mask)
        super().__init__(venv, observation_space=self.history.space)

    def reset(self) -> NDArray[Any]:
        """Begin an episode in each environment."""
        observations = np.asarray(self.venv.reset())
        return self.history.push(observations, np.ones(self.num_envs, dtype=np.bool_))

    def step_wait(self) -> VecEnvStepReturn:
        """Step all environments; where an episode has ended, its last window is `terminal_observation`."""
        observations, rewards, dones, infos = self.venv.step_wait()
        for row in np.flatnonzero(dones).tolist():
            final = infos[row].get("terminal_observation")
            if final is not None:
                infos[row]["terminal_observation"] = self.history.ending(row, np.asarray(final))
        return self.history.push(np.asarray(observations), dones), rewards, dones, infos
