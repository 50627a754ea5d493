"""What a learner can see of a change by itself: rewards, the value function's errors, observations."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

from rover_cl_agents.experience.recent import RecentStates, latest_rewards
from rover_cl_agents.state import State

Array = NDArray[np.float64]

SETTLING = 3
"""Values before which a spread says nothing."""
FAR = 10.0
"""Spreads from its mean at which a value counts as no farther: one odd rollout isn't everything."""
FAR_FEATURE = 50.0
"""The same for one entry of the observation: a cue that never changed before is far away when it does."""
LEAST_SPREAD = 0.1
"""Of the two signals that are logarithms: a tenth up or down is no news."""


@dataclass(frozen=True)
class Glimpse:
    """What one rollout shows, as sums over its steps."""

    steps: int
    """Transitions, over all environments."""
    reward: float
    error: float
    """Of |advantage| (PPO, A2C) or |temporal difference| (others)."""
    observations: Array
    """Shape (d,), observations flattened."""
    squares: Array
    """Of the observations' squares, shape (d,)."""

    def __add__(self, other: Glimpse) -> Glimpse:
        return Glimpse(
            self.steps + other.steps,
            self.reward + other.reward,
            self.error + other.error,
            self.observations + other.observations,
            self.squares + other.squares,
        )


def glimpse(algorithm: BaseAlgorithm, steps: int) -> Glimpse:
    """Look at the rollout that has just ended (on-policy), or at the latest `steps` of the replay buffer."""
    if isinstance(algorithm, OnPolicyAlgorithm):
        buffer = algorithm.rollout_buffer
        rewards, errors, observations = buffer.rewards, np.abs(buffer.advantages), buffer.observations
        flat = observations.reshape(rewards.size, -1)
    else:
        recent = RecentStates(algorithm, steps, marked=True)
        rewards = latest_rewards(cast(OffPolicyAlgorithm, algorithm), steps)
        errors = recent.marks().surprises
        flat = recent.observations().reshape(rewards.size, -1)
    return Glimpse(
        rewards.size,
        float(rewards.sum(dtype=np.float64)),
        float(errors.sum(dtype=np.float64)),
        flat.sum(axis=0, dtype=np.float64),
        np.square(flat, dtype=np.float64).sum(axis=0),
    )


class FadingMoments:
    """Running mean and variance that forget: a slow change, as learning makes it, becomes the new normal.

    The mean moves by `rate` of each value's distance from it (by 1 / n while that is more).

    Args:
        rate: In (0, 1).
    """

    def __init__(self, rate: float) -> None:
        self.rate, self.count = rate, 0
        self.mean: Array = np.zeros(0)
        self.variance: Array = np.zeros(0)

    def update(self, value: Array) -> None:
        """Take a value, shape (d,), the same each time."""
        if not self.count:
            self.mean, self.variance = value.astype(np.float64), np.zeros(value.shape)
        self.count += 1
        gap, rate = value - self.mean, max(self.rate, 1 / self.count)
        self.mean = self.mean + rate * gap
        self.variance = (1 - rate) * (self.variance + rate * np.square(gap))

    def standardised(self, value: float, least: float) -> float:
        """Say how many spreads, of at least `least`, a single value is above the mean, in [−10, 10]; 0 while
        that can't be told.
        """
        if self.count < SETTLING:
            return 0.0
        spread = max(math.sqrt(self.variance[0]), least)
        return float(np.clip((value - self.mean[0]) / spread, -FAR, FAR))

    def state_dict(self, name: str) -> State:
        """Give the moments under `name`."""
        return {
            f"{name}.count": self.count,
            f"{name}.mean": torch.from_numpy(self.mean.copy()),
            f"{name}.variance": torch.from_numpy(self.variance.copy()),
        }

    def load_state_dict(self, name: str, state: State) -> None:
        """Take back what `state_dict` gave."""
        self.count = int(cast(int, state[f"{name}.count"]))
        mean, variance = (state[f"{name}.{part}"] for part in ("mean", "variance"))
        if not isinstance(mean, torch.Tensor) or not isinstance(variance, torch.Tensor):
            raise ValueError(f"the moments of {name!r} must be tensors.")
        self.mean, self.variance = mean.numpy().copy(), variance.numpy().copy()


class Standardised:
    """Three signals of each rollout, in spreads from what was usual lately.

    * the mean reward of a step;
    * the logarithm of the value function's mean error;
    * the logarithm of 1 + novelty, where novelty is the root mean square, over the entries of the
      observation, of the distance from the entry's running mean, in standard errors: the larger of how much
      rollouts have differed lately and of what so many independent steps would differ by chance.

    All means and spreads fade, so that the slow changes that learning brings about don't count.

    Args:
        rate: Of the fading, in (0, 1).
        independent: Steps that count as one independent draw, >= 1.
    """

    NAMES = ("reward", "error", "novelty")

    def __init__(self, rate: float, independent: int = 64) -> None:
        self._independent = independent
        self._moments = {name: FadingMoments(rate) for name in (*self.NAMES, "observation")}

    def update(self, seen: Glimpse) -> dict[str, float]:
        """Take a rollout; give the signals by name."""
        values = {
            "reward": seen.reward / seen.steps,
            "error": math.log(seen.error / seen.steps + 1e-8),
            "novelty": math.log1p(self._novelty(seen)),
        }
        found = {}
        for name, value in values.items():
            moments = self._moments[name]
            least = 0.01 * abs(moments.mean[0]) + 1e-8 if name == "reward" and moments.count else LEAST_SPREAD
            found[name] = moments.standardised(value, least)
            moments.update(np.array([value]))
        return found

    def _novelty(self, seen: Glimpse) -> float:
        moments, mean = self._moments["observation"], seen.observations / seen.steps
        novelty = 0.0
        if moments.count:
            within = np.maximum(seen.squares / seen.steps - np.square(mean), 0.0)
            chance = within * self._independent / seen.steps
            error = np.sqrt(np.maximum(moments.variance, chance) + 1e-6)
            distance = np.clip((mean - moments.mean) / error, -FAR_FEATURE, FAR_FEATURE)
            novelty = float(np.sqrt(np.mean(np.square(distance))))
        moments.update(mean)
        return novelty

    def state_dict(self) -> State:
        """Give all moments."""
        state: State = {}
        for name, moments in self._moments.items():
            state |= moments.state_dict(name)
        return state

    def load_state_dict(self, state: State) -> None:
        """Take back what `state_dict` gave."""
        for name, moments in self._moments.items():
            moments.load_state_dict(name, state)


def pack(seen: Glimpse) -> dict[str, Any]:
    """Give a glimpse as tensors and numbers."""
    return {
        "steps": seen.steps,
        "reward": seen.reward,
        "error": seen.error,
        "observations": torch.from_numpy(seen.observations.copy()),
        "squares": torch.from_numpy(seen.squares.copy()),
    }


def unpack(state: dict[str, Any]) -> Glimpse:
    """Take back what `pack` gave."""
    values = {name: state[name] for name in ("steps", "reward", "error")}
    sums = {name: state[name].numpy().copy() for name in ("observations", "squares")}
    return Glimpse(**values, **sums)
