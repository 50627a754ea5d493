from __future__ import annotations

import numpy as np
import pytest

from rover_cl_agents.experience.marks import Marks
from rover_cl_agents.memory import insertion


def marks(episodes: list[int], returns: list[float], surprises: list[float] | None = None) -> Marks:
    return Marks(
        episodes=np.array(episodes),
        returns=np.array(returns),
        surprises=np.ones(len(episodes)) if surprises is None else np.array(surprises),
    )


def test_the_gate_opens_for_the_best_episodes() -> None:
    given = marks([0, 0, 1, 1, 2, 2, 3, 3], [1, 1, 5, 5, -3, -3, np.nan, np.nan])
    assert insertion.best_episodes(given, 1, 0.25).tolist() == [2, 3]
    assert insertion.best_episodes(given, 3, 0.25).tolist() == [0, 1, 2, 3]
    assert insertion.best_episodes(given, 1, 0.75).tolist() == [0, 1, 2, 3, 4, 5]
    assert insertion.best_episodes(given, 100, 0.25).tolist() == list(range(8))


def test_without_a_whole_episode_the_gate_is_open() -> None:
    assert len(insertion.best_episodes(marks([0, 1], [np.nan, np.nan]), 1, 0.5)) == 2


def test_difficulty_draws_in_proportion_to_surprise() -> None:
    given, generator = marks([0] * 4, [0] * 4, [1, 3, 0, 4]), np.random.default_rng(0)
    first = [int(insertion.difficult(given, 1, generator)[0]) for _ in range(4000)]
    shares = np.bincount(first, minlength=4) / 4000
    np.testing.assert_allclose(shares, [1 / 8, 3 / 8, 0, 4 / 8], atol=0.03)
    assert sorted(insertion.difficult(given, 4, generator)) == [0, 1, 2, 3]


def test_episodes_take_turns() -> None:
    given, generator = marks([7] * 90 + [2] * 5 + [4] * 5, [0] * 100), np.random.default_rng(1)
    for count, expected in ((3, [1, 1, 1]), (9, [3, 3, 3]), (20, [5, 5, 10])):
        chosen = insertion.over_episodes(given, count, generator)
        assert len(set(chosen.tolist())) == count
        assert sorted(np.unique(given.episodes[chosen], return_counts=True)[1].tolist()) == expected
    starts = [insertion.over_episodes(given, 3, generator) for _ in range(300)]
    within = np.concatenate([chosen[chosen < 90] for chosen in starts])
    assert 35 < within.mean() < 54


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match="insertion is 'best'; expected one of all, reservoir"):
        insertion.check("best")
