"""Examinations: every task of a stream, many episodes each, all in one batch of rovers on unseen maps."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from rover_cl_envs.conditions import Conditions
from rover_cl_envs.streams import Task
from rover_cl_envs.vector_env import MarsRoverVectorEnv
from rover_cl_envs.world import World

Policy = Callable[[NDArray[np.float32], NDArray[np.bool_]], NDArray[Any]]
"""Maps observations (n, d), and whether each is the first of an episode (n,), to actions (n, ...)."""

MOST_ROVERS = 10_000_000
"""Rovers of an examination at most, so that runs of different seeds share no episode."""
EVALUATION_SEED = 1_000_000
"""Added to the run's seed: maps and episodes of an examination are never trained on."""
NUM_MAPS = 8
"""Maps of a bank, in training and in examinations alike."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Examination:
    """What a policy scored, once."""

    success: NDArray[np.float64]
    """(T, K) 1 where the episode reached its target, else 0"""
    returns: NDArray[np.float64]
    """(T, K) sum of rewards"""
    steps: int
    """environment steps it took"""


class Examiner:
    """Examines policies on the same episodes every time: T tasks x K episodes, one rover each.

    Args:
        tasks: the tasks.
        world: what they have in common.
        episodes: K, episodes of each task.
        seed: of the run; runs of equal seed are examined alike, whatever their method.
        action_type: "continuous" or "discrete".
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        *,
        episodes: int,
        seed: int,
        action_type: str = "continuous",
        world: World | None = None,
    ) -> None:
        self._shape = (len(tasks), episodes)
        self._seed = seed
        self.tasks = np.repeat(np.arange(len(tasks)), episodes)
        """the task of each rover, (T * K,)"""
        self.env = examination_env(
            [task.conditions for task in tasks for _ in range(episodes)],
            world=world,
            seed=seed,
            action_type=action_type,
        )

    def examine(self, policy: Policy) -> Examination:
        """Drive every rover's first episode with the policy."""
        observations, _ = self.env.reset(seed=rover_seed(self._seed, 0))
        size = self._shape[0] * self._shape[1]
        success, returns = np.zeros(size), np.zeros(size)
        running = np.ones(size, dtype=bool)
        starts = running.copy()
        steps = 0
        while running.any():
            observations, rewards, terminated, truncated, infos = self.env.step(policy(observations, starts))
            starts = terminated | truncated
            returns[running] += rewards[running]
            steps += int(running.sum())
            ended = running & starts
            success[ended] = infos["success"][ended]
            running &= ~ended
        return Examination(
            success=success.reshape(self._shape),
            # Rounded as they are stored, so that a resumed run holds the same numbers.
            returns=returns.astype(np.float32).astype(np.float64).reshape(self._shape),
            steps=steps,
        )

    def close(self) -> None:
        """Release the environment."""
        self.env.close()


def rover_seed(seed: int, rover: int) -> int:
    """Seed with which a lone rover drives the episode of that rover of a run's examination."""
    return (EVALUATION_SEED + seed) * MOST_ROVERS + rover


def examination_env(
    conditions: Sequence[Conditions],
    *,
    seed: int,
    action_type: str,
    world: World | None = None,
    autoreset_mode: AutoresetMode = AutoresetMode.SAME_STEP,
) -> MarsRoverVectorEnv:
    """Make rovers on the unseen maps of a run's examination, one for each entry of `conditions`."""
    return MarsRoverVectorEnv(
        len(conditions),
        conditions=conditions,
        world=world,
        action_type=action_type,
        map_seed=EVALUATION_SEED + seed,
        num_maps=NUM_MAPS,
        autoreset_mode=autoreset_mode,
        threads=1,
    )


def random_policy(env: MarsRoverVectorEnv, seed: int) -> Policy:
    """Uniform actions from a generator of their own."""
    space = env.action_space
    space.seed(seed)
    return lambda observations, starts: space.sample()
