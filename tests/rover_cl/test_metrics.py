"""Every measure on a matrix that was worked out by hand, and identities that hold for any scores."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rover_cl import metrics
from rover_cl.metrics import Scores


def scores_of(rows: Any, order: list[int], segment: list[int] | None = None) -> Scores:
    """Scores with one episode; by default one evaluation before training and one after each segment."""
    success = np.asarray(rows, dtype=float)[:, :, None]
    segments = np.arange(len(success)) - 1 if segment is None else np.array(segment)
    return Scores(
        steps=100 * np.arange(len(success)),
        segment=segments,
        success=success,
        returns=10 * success,
        task_of_segment=np.array(order),
    )


# Tasks A B C in that order; the rows: untrained, after A, after B, after C.
THREE = scores_of([[0.0, 0.1, 0.2], [0.8, 0.2, 0.3], [0.5, 0.9, 0.1], [0.4, 0.6, 0.7]], [0, 1, 2])
# A, B, then A again, two evaluations in each segment.
REVISIT = scores_of(
    [[0.0, 0.0], [0.2, 0.0], [0.6, 0.1], [0.4, 0.5], [0.2, 0.9], [0.6, 0.8], [0.8, 0.5]],
    [0, 1, 0],
    [-1, 0, 0, 1, 1, 2, 2],
)


def test_average_performance_is_the_mean_of_the_last_row() -> None:
    assert metrics.average_performance(THREE) == pytest.approx((0.4 + 0.6 + 0.7) / 3)


def test_forgetting_leaves_the_last_task_out() -> None:
    assert metrics.forgetting_by_task(THREE) == pytest.approx({0: 0.8 - 0.4, 1: 0.9 - 0.6})
    assert metrics.forgetting(THREE) == pytest.approx(0.35)


def test_backward_transfer_is_forgetting_with_the_other_sign_without_revisits() -> None:
    assert metrics.backward_transfer(THREE) == pytest.approx(-0.35)


def test_forgetting_of_a_revisited_task_counts_from_its_last_segment() -> None:
    # A ends the stream, so only B can be forgotten: 0.9 -> 0.5.
    assert metrics.forgetting_by_task(REVISIT) == pytest.approx({1: 0.4})


def test_backward_transfer_of_a_revisited_task_counts_from_its_first_segment() -> None:
    assert metrics.backward_transfer(REVISIT) == pytest.approx(((0.8 - 0.6) + (0.5 - 0.9)) / 2)


def test_zero_shot_is_the_success_just_before_the_first_segment() -> None:
    assert metrics.zero_shot(THREE) == pytest.approx((0.2 + 0.1) / 2)
    assert metrics.zero_shot_transfer(THREE) == pytest.approx(((0.2 - 0.1) + (0.1 - 0.2)) / 2)


def test_segment_auc_is_the_mean_within_the_segment() -> None:
    assert metrics.segment_auc(REVISIT) == pytest.approx([0.4, 0.7, 0.7])


def test_plasticity_is_the_auc_of_the_repeat_over_the_first_visit() -> None:
    assert metrics.plasticity(REVISIT) == pytest.approx(0.7 / 0.4)
    assert metrics.plasticity(THREE) is None


def test_forward_transfer_against_scratch_by_hand() -> None:
    scratch = scores_of([[0, 0, 0], [0.8, 0, 0], [0, 0.5, 0], [0, 0, 0.95]], [0, 1, 2])
    # Gains 0, 0.4, -0.25; headrooms 0.2, 0.5 and 0.05, which is clipped to 0.1.
    assert metrics.auc_gain(THREE, scratch) == pytest.approx((0 + 0.4 - 0.25) / 3)
    assert metrics.forward_transfer(THREE, scratch) == pytest.approx((0 + 0.4 / 0.5 - 0.25 / 0.1) / 3)


def test_forward_transfer_needs_the_same_stream() -> None:
    with pytest.raises(ValueError, match="same stream"):
        metrics.forward_transfer(THREE, REVISIT)


def test_one_task_has_nothing_to_forget() -> None:
    single = scores_of([[0.0], [0.9]], [0])
    assert metrics.forgetting(single) is None
    assert metrics.backward_transfer(single) is None
    assert metrics.zero_shot(single) is None


def test_a_missing_value_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"misses a value at .* \(1, 0, 0\)"):
        scores_of([[0.0, 0.0], [np.nan, 0.0]], [0])


def test_an_unfinished_run_is_an_error() -> None:
    with pytest.raises(ValueError, match="segment 2 of 3 has no evaluation"):
        metrics.average_performance(scores_of([[0.0, 0.0], [0.5, 0.0], [0.5, 0.5]], [0, 1, 0]))


@pytest.mark.parametrize(
    ("rows", "order", "segment", "message"),
    [
        ([[1.5]], [0], [0], r"\[0, 1\]"),
        ([[0.5]], [3], [0], "must name tasks"),
        ([[0.5], [0.5]], [0], [0, -1], "not decrease"),
        ([[0.5]], [0], [0, 0], "one value for each"),
    ],
)
def test_scores_that_do_not_fit_are_refused(
    rows: Any, order: list[int], segment: list[int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        scores_of(rows, order, segment)


ORDERS = st.lists(st.integers(0, 2), min_size=2, max_size=6).filter(lambda order: len(set(order)) > 1)


@given(value=st.floats(0, 1), order=ORDERS)
def test_constant_scores_forget_and_transfer_nothing(value: float, order: list[int]) -> None:
    scores = scores_of(np.full((len(order) + 1, 3), value), order)
    assert metrics.average_performance(scores) == pytest.approx(value)
    assert metrics.zero_shot_transfer(scores) == pytest.approx(0)
    assert metrics.backward_transfer(scores) == pytest.approx(0)
    assert all(loss == 0 for loss in metrics.forgetting_by_task(scores).values())
    assert metrics.forward_transfer(scores, scores) == 0


@given(order=ORDERS, seed=st.integers(0, 1000))
def test_measures_do_not_depend_on_the_order_of_the_tasks_names(order: list[int], seed: int) -> None:
    rows = np.random.default_rng(seed).random((len(order) + 1, 3))
    swap = [2, 0, 1]  # column c of the renamed scores is task swap[c] of the first ones
    renamed = scores_of(rows[:, swap], [swap.index(task) for task in order])
    scores = scores_of(rows, order)
    assert metrics.forgetting(scores) == pytest.approx(metrics.forgetting(renamed))
    assert metrics.backward_transfer(scores) == pytest.approx(metrics.backward_transfer(renamed))
    assert -1 <= (metrics.forgetting(scores) or 0) <= 1
