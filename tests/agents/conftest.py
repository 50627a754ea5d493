from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray

torch.set_num_threads(1)

Array = NDArray[Any]


class Bandit(VectorEnv[Any, Any, Any]):
    """One-step episodes: the right action is a linear map of the observation, another one for each task."""

    def __init__(self, task: int, num_envs: int = 32, *, discrete: bool = False) -> None:
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}
        self.num_envs, self.task, self.discrete = num_envs, task, discrete
        self.single_observation_space = spaces.Box(-5, 5, (4,))
        self.single_action_space = spaces.Discrete(3) if discrete else spaces.Box(-1, 1, (2,))
        self.mean = np.array([1.5, 0, 0, 0] if task == 0 else [-1.5, 0, 0, 0], dtype=np.float32)
        self.target = np.array([[0.5, 0, 0.6, 0], [0, 0.5, 0, 0.6]], dtype=np.float32) * (1 - 2 * task)
        self.generator = np.random.default_rng(task)

    def draw(self, n: int) -> Array:
        return self.mean + 0.5 * self.generator.standard_normal((n, 4), dtype=np.float32)

    def reward(self, observations: Array, actions: Array) -> Array:
        right = np.clip(observations @ self.target.T, -1, 1)
        if self.discrete:
            return np.asarray(actions == (right[:, 1] > 0) + (right[:, 1] > 0.4), dtype=np.float32)
        return np.asarray(-np.square(actions - right).sum(axis=1))

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[Array, dict[str, Any]]:
        if seed is not None:
            self.generator = np.random.default_rng(seed)
        self.observations = self.draw(self.num_envs)
        return self.observations, {}

    def step(self, actions: Array) -> tuple[Array, Array, Array, Array, dict[str, Any]]:
        rewards, final = self.reward(self.observations, actions), self.observations
        self.observations = self.draw(self.num_envs)
        over = np.ones(self.num_envs, dtype=np.bool_)
        return self.observations, rewards, over, ~over, {"final_obs": final, "_final_obs": over}

    def score(self, predict: Callable[[Array], Array]) -> float:
        """Mean reward of a policy on fresh observations."""
        observations = self.mean + 0.5 * np.random.default_rng(99).standard_normal((500, 4), dtype=np.float32)
        return float(self.reward(observations, predict(observations)).mean())


class Countdown(gymnasium.Env[Any, Any]):
    """Observation: steps taken. Ends after `length` steps, or is cut after `limit`. Reward 1 a step."""

    def __init__(self, length: int, limit: int = 1000) -> None:
        self.observation_space = spaces.Box(0, 1000, (1,))
        self.action_space = spaces.Discrete(2)
        self.length, self.limit, self.count = length, limit, 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Array, dict[str, Any]]:
        super().reset(seed=seed)
        self.count = 0
        return np.zeros(1, dtype=np.float32), {"success": False}

    def step(self, action: Any) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        self.count += 1
        ended = self.count >= self.length
        observation = np.full(1, self.count, dtype=np.float32)
        return observation, 1.0, ended, self.count >= self.limit, {"success": ended}


class Cue(VectorEnv[Any, Any, Any]):
    """Episodes of four steps: the first observation says which of two actions is right from then on."""

    def __init__(self, num_envs: int = 32) -> None:
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}
        self.num_envs = num_envs
        self.single_observation_space = spaces.Box(-1, 1, (2,))
        self.single_action_space = spaces.Discrete(2)
        self.generator = np.random.default_rng(0)

    def look(self) -> Array:
        cue = 2 * self.right - 1 if self.time == 0 else np.zeros(self.num_envs)
        return np.stack([cue, np.full(self.num_envs, self.time / 4)], axis=1).astype(np.float32)

    def begin(self) -> Array:
        self.right, self.time = self.generator.integers(2, size=self.num_envs), 0
        return self.look()

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[Array, dict[str, Any]]:
        if seed is not None:
            self.generator = np.random.default_rng(seed)
        return self.begin(), {}

    def step(self, actions: Array) -> tuple[Array, Array, Array, Array, dict[str, Any]]:
        rewards = np.asarray((actions == self.right) & (self.time > 0), dtype=np.float32)
        self.time += 1
        over = np.full(self.num_envs, self.time == 4)
        observations = final = self.look()
        if over.all():
            observations = self.begin()
        return observations, rewards, over, np.zeros_like(over), {"final_obs": final, "_final_obs": over}

    def score(self, act: Callable[[Array, Array], Array], episodes: int = 4) -> float:
        """Share of right actions after the first step; one half is chance."""
        observations, _ = self.reset(seed=99)
        starts, right = np.ones(self.num_envs, dtype=np.bool_), 0.0
        for _ in range(4 * episodes):
            observations, rewards, starts, _, _ = self.step(act(observations, starts))
            right += float(rewards.sum())
        return right / (3 * episodes * self.num_envs)


@pytest.fixture
def bandits() -> tuple[Bandit, Bandit]:
    return Bandit(0), Bandit(1)


@pytest.fixture
def bandit() -> type[Bandit]:
    return Bandit


@pytest.fixture
def cue() -> type[Cue]:
    return Cue


@pytest.fixture
def countdown() -> type[Countdown]:
    return Countdown
