import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rover_cl.statistics import bootstrap, holm, interquartile_mean, paired_differences, sign_flip_test


def test_interquartile_mean_of_known_values() -> None:
    assert interquartile_mean(np.array([0.0, 1, 2, 3, 4, 5, 6, 100])) == pytest.approx(3.5)
    assert interquartile_mean(np.array([1.0, 2.0])) == 1.5
    assert interquartile_mean(np.array([[0.0, 1, 1, 9], [2, 2, 2, 2]])) == pytest.approx([1, 2])


def test_one_seed_has_no_interval_and_says_so() -> None:
    estimate = bootstrap([0.5])
    assert not estimate.has_interval
    assert str(estimate) == "0.50 (n=1)"


def test_interval_is_repeatable_and_holds_the_value() -> None:
    values = np.random.default_rng(1).random(9)
    estimate = bootstrap(values)
    assert estimate == bootstrap(values)
    assert values.min() <= estimate.low < estimate.value < estimate.high <= values.max()
    assert str(estimate).endswith("]")


def test_interval_covers_the_true_mean_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        estimate = bootstrap(generator.normal(0.3, 0.1, size=20), resamples=400)
        covered += estimate.low <= 0.3 <= estimate.high
    assert 0.85 <= covered / 200 <= 0.99


@pytest.mark.parametrize("values", [[], [0.1, float("nan")], [[0.1, 0.2]]])
def test_values_that_are_no_finite_vector_are_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="finite"):
        bootstrap(values)


def test_sign_flip_test_by_hand() -> None:
    # Of the eight sign patterns of 1, 2, 3 only +++ and --- reach |mean| 2.
    assert sign_flip_test([1, 2, 3]) == pytest.approx(2 / 8)
    assert sign_flip_test([1, -1]) == 1
    assert np.isnan(sign_flip_test([1]))
    assert sign_flip_test([1, 2, 3, 4, 5]) == pytest.approx(2 / 32)


def test_sign_flip_test_with_many_seeds() -> None:
    generator = np.random.default_rng(3)
    assert sign_flip_test(generator.normal(1, 0.5, size=30)) < 0.001
    assert sign_flip_test(generator.normal(0, 1, size=30)) > 0.01


def test_holm_by_hand() -> None:
    # Sorted 0.01 0.03 0.04: x3, x2, x1, never falling.
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.9, 0.8]) == pytest.approx([1.0, 1.0])
    assert np.isnan(holm([float("nan"), 0.02])[0])
    assert holm([float("nan"), 0.02])[1] == pytest.approx(0.02)


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_never_lowers_a_p_value_or_changes_the_order(p_values: list[float]) -> None:
    corrected = holm(p_values)
    assert all(p <= q <= 1 for p, q in zip(p_values, corrected, strict=True))
    ranked = sorted(zip(p_values, corrected, strict=True))
    assert [q for _, q in ranked] == sorted(q for _, q in ranked)


def test_paired_difference_is_seed_by_seed() -> None:
    values = {"finetune": [0.1, 0.5, 0.9], "replay": [0.3, 0.7, 1.1]}
    difference = paired_differences(values, "finetune")["replay"]
    assert difference.estimate.value == pytest.approx(0.2)
    assert difference.estimate.low == pytest.approx(0.2)  # the seeds differ, their differences do not
    assert difference.p_holm == difference.p == pytest.approx(0.25)


def test_only_the_family_is_corrected() -> None:
    values = {"finetune": [0.1, 0.5], "replay": [0.3, 0.7], "ewc": [0.2, 0.6], "joint": [0.8, 0.9]}
    found = paired_differences(values, "finetune", family={"replay", "ewc"})
    assert {name: d.p_holm / d.p for name, d in found.items()} == {"replay": 2, "ewc": 2, "joint": 1}


def test_paired_difference_needs_the_same_seeds() -> None:
    with pytest.raises(ValueError, match="same seeds"):
        paired_differences({"finetune": [0.1], "replay": [0.1, 0.2]}, "finetune")
    with pytest.raises(ValueError, match="baseline 'finetune'"):
        paired_differences({"replay": [0.1]}, "finetune")
