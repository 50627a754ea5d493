from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from rover_cl_envs.randomness import COUNTER, KEY, branch_key, normal_at, seeded, uniform


def draws(seed: int, count: int) -> NDArray[np.float64]:
    row = seeded(seed, 1)[0]
    return np.array([uniform(row) for _ in range(count)])


@pytest.mark.parametrize("seed", [0, 1, 2**31, 2**64 - 1])
def test_draws_are_uniform(seed: int) -> None:
    sample = draws(seed, 4000)
    assert sample.min() >= 0 and sample.max() < 1
    assert stats.kstest(sample, "uniform").pvalue > 1e-3
    # Neither do successive draws depend on one another.
    assert abs(np.corrcoef(sample[:-1], sample[1:])[0, 1]) < 0.06


def test_first_draws_of_neighbouring_seeds_are_uniform_and_unrelated() -> None:
    rows = seeded(0, 4000)
    first, second = (np.array([uniform(row) for row in rows]) for _ in range(2))
    for sample in (first, second):
        assert stats.kstest(sample, "uniform").pvalue > 1e-3
        assert abs(np.corrcoef(sample[:-1], sample[1:])[0, 1]) < 0.06
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.06


def test_streams_of_neighbours_are_unrelated() -> None:
    table = np.stack([draws(seed, 500) for seed in range(12)])
    related = np.corrcoef(table) - np.eye(12)
    assert np.abs(related).max() < 0.2
    assert len(np.unique(table)) == table.size  # no stream is another one shifted


def test_keys_differ() -> None:
    assert len(np.unique(seeded(0, 100_000)[:, KEY])) == 100_000


@given(seed=st.integers(-(2**70), 2**70), i=st.integers(0, 40))
@settings(deadline=None)
def test_rover_i_has_the_generator_of_seed_plus_i(seed: int, i: int) -> None:
    np.testing.assert_array_equal(seeded(seed, i + 1)[i], seeded(seed + i, 1)[0])


def test_a_draw_is_a_function_of_key_and_counter() -> None:
    row = seeded(7, 1)[0]
    first = [uniform(row) for _ in range(5)]
    assert row[COUNTER] == 5
    row[COUNTER] = 2
    assert uniform(row) == first[2]
    assert list(draws(7, 5)) == first


def test_a_branch_shifts_nobody_and_is_another_one_after_each_draw() -> None:
    rows, keys = seeded(0, 40), []
    for _ in range(5):
        before = rows.copy()
        keys += [np.uint64(branch_key(row)) for row in rows]  # the kernel answers a plain int
        np.testing.assert_array_equal(rows, before)
        for row in rows:
            uniform(row)
    numbers = np.array([[normal_at(key, np.uint64(k + 1)) for k in range(400)] for key in keys])
    assert len(set(keys)) == 200
    assert abs(numbers.mean()) < 0.02 and numbers.std() == pytest.approx(1, abs=0.02)
    related = np.corrcoef(numbers) - np.eye(200)
    assert np.abs(related).max() < 0.3
