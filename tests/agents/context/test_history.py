"""Windows of the last observations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from stable_baselines3.common.vec_env import DummyVecEnv, VecFrameStack

from rover_cl_agents import VecHistory
from rover_cl_agents.context.history import History
from rover_cl_agents.vec_env import as_vec_env, holds

BOX = spaces.Box(np.array([1.0, -2.0], dtype=np.float32), np.array([3.0, -1.0], dtype=np.float32))


def test_a_window_holds_the_last_observations_of_its_episode() -> None:
    history = History(2, BOX, 3)
    first = np.array([[1, -1], [2, -2]], dtype=np.float32)
    both, one = np.array([True, True]), np.array([False, True])
    assert history.push(first, both).tolist() == [[0, 0, 0, 0, 1, -1], [0, 0, 0, 0, 2, -2]]
    assert history.push(first + 0.5, ~both).tolist() == [[0, 0, 1, -1, 1.5, -0.5], [0, 0, 2, -2, 2.5, -1.5]]
    assert history.ending(0, first[0]).tolist() == [1, -1, 1.5, -0.5, 1, -1]
    assert history.push(first, one).tolist() == [[1, -1, 1.5, -0.5, 1, -1], [0, 0, 0, 0, 2, -2]]


def test_the_mask_tells_zeros_from_what_was_seen() -> None:
    history = History(1, BOX, 2, mask=True)
    nothing = np.zeros((1, 2), dtype=np.float32)
    assert history.push(nothing, np.array([True])).tolist() == [[0, 0, 0, 0, 0, 1]]
    assert history.push(nothing, np.array([False])).tolist() == [[0, 0, 1, 0, 0, 1]]


def test_the_space_holds_the_zeros_of_a_window_that_is_not_full() -> None:
    space = History(1, BOX, 2, mask=True).space
    assert space.low.tolist() == [0, -2, 0] * 2 and space.high.tolist() == [3, 0, 1] * 2
    assert History(1, BOX, 1).space == BOX


def test_without_a_mask_it_is_the_frame_stack_of_stable_baselines3(countdown: Any) -> None:
    ours = VecHistory(DummyVecEnv([lambda: countdown(3), lambda: countdown(9, 4)]), 3)
    theirs = VecFrameStack(DummyVecEnv([lambda: countdown(3), lambda: countdown(9, 4)]), 3)
    np.testing.assert_array_equal(ours.reset(), theirs.reset())
    assert ours.observation_space == theirs.observation_space
    ended = 0
    for _ in range(12):
        one, two = (env.step(np.zeros(2, dtype=np.int64)) for env in (ours, theirs))
        for mine, other in zip(one[:3], two[:3], strict=True):
            np.testing.assert_array_equal(mine, other)
        for mine, other in zip(one[3], two[3], strict=True):
            assert ("terminal_observation" in mine) == ("terminal_observation" in other)
            if "terminal_observation" in mine:
                ended += 1
                np.testing.assert_array_equal(mine["terminal_observation"], other["terminal_observation"])
    assert ended == 7


def test_an_observation_given_stays_what_it_was(bandit: Any) -> None:
    env = VecHistory(bandit(0, 2), 2)
    given = env.reset()
    copy = np.array(given)
    env.step(np.zeros((2, 2), dtype=np.float32))
    np.testing.assert_array_equal(given, copy)


def test_a_learner_knows_the_environment_inside(bandit: Any) -> None:
    inner = bandit(0, 2)
    assert holds(VecHistory(inner, 2), inner)
    assert not holds(VecHistory(inner, 2), bandit(0, 2))


def test_what_has_no_window_is_refused(bandit: Any) -> None:
    with pytest.raises(ValueError, match="steps is 0; expected at least 1"):
        VecHistory(bandit(0, 2), 0)
    with pytest.raises(ValueError, match="count is 0"):
        History(0, BOX, 1)
    with pytest.raises(ValueError, match=r"expected a Box of one axis.*VecFrameStack"):
        History(1, spaces.Box(0, 255, (4, 4)), 2)
    with pytest.raises(ValueError, match="FlattenObservation"):
        History(1, spaces.Discrete(3), 2)
    assert as_vec_env(VecHistory(bandit(0, 2), 2)).num_envs == 2
