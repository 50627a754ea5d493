"""Acting with a memory: what a policy needs to know of the past, kept for each row of a batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper, VecFrameStack, VecNormalize

from rover_cl_agents.context.history import History, VecHistory
from rover_cl_agents.recurrent import acting_lstm


class Actor:
    """Acts in n environments at once, and remembers for each what its policy looks back on.

    The windows of `VecHistory` and `VecFrameStack`, where the algorithm's environment has one, and the
    LSTM's state of RecurrentPPO; of any other learner it is `predict`. Rows don't depend on one another.

    Args:
        algorithm: Whose policy acts, with its environment.
        predict: The learner's `predict`.
        count: n, >= 1.

    Raises:
        ValueError: if `count` is below 1, or the environment's windows can't be kept here.
    """

    def __init__(self, algorithm: BaseAlgorithm, predict: Callable[..., NDArray[Any]], count: int) -> None:
        if count < 1:
            raise ValueError(f"count is {count}; expected at least 1.")
        self._algorithm, self._predict, self._count = algorithm, predict, count
        self._history = _history_like(algorithm.env, count)
        self._state: tuple[NDArray[Any], ...] | None = None

    def act(
        self,
        observations: NDArray[Any],
        starts: NDArray[np.bool_],
        *,
        task: int | NDArray[np.int64] | None = None,
        deterministic: bool = True,
    ) -> NDArray[Any]:
        """Act on each row's next observation.

        Args:
            observations: Shape (n, *observation), one of each environment, without what came before it.
            starts: Shape (n,): whether it is the first of an episode, so that the row's memory is emptied.
            task: As for `ContinualLearner.predict`; a recurrent policy has no use for it.
            deterministic: Greedily, or as in training.

        Returns:
            Actions, shape (n, *action), inside the action space.

        Raises:
            ValueError: if there aren't n rows.
        """
        if len(observations) != self._count or len(starts) != self._count:
            raise ValueError(
                f"observations has {len(observations)} rows and starts {len(starts)}; "
                f"expected {self._count} each."
            )
        if self._history is not None:
            observations = self._history.push(observations, starts)
        if acting_lstm(self._algorithm.policy) is None:
            return self._predict(observations, deterministic, task)
        actions, self._state = self._algorithm.predict(
            observations, state=self._state, episode_start=starts, deterministic=deterministic
        )
        return actions


def _history_like(env: VecEnv | None, count: int) -> History | None:
    """Make windows as an environment gives them; None where it gives plain observations."""
    while isinstance(env, VecEnvWrapper):
        if isinstance(env, VecHistory):
            like = env.history
            return History(count, like.inner_space, like.steps, mask=like.mask)
        if isinstance(env, VecFrameStack):
            inner = env.venv.observation_space
            if len(inner.shape or ()) != 1:
                raise ValueError(
                    f"VecFrameStack stacks {inner}; expected a Box of one axis. Give predict stacks of your "
                    "own."
                )
            return History(count, inner, env.stacked_obs.n_stack)
        if isinstance(env, VecNormalize) and _history_like(env.venv, 1) is not None:
            raise ValueError(
                "VecNormalize is around the windows; expected it inside, "
                "as in VecHistory(VecNormalize(env), 4)."
            )
        env = env.venv
    return None
