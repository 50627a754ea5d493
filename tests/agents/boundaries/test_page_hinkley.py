from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rover_cl_agents.boundaries.page_hinkley import PageHinkley


def first_alarm(test: PageHinkley, values: Any) -> int | None:
    """Index of the value at which the test fires."""
    return next((i for i, value in enumerate(values) if test.update(float(value))), None)


def test_the_statistic_is_that_of_the_papers() -> None:
    test = PageHinkley(delta=0.5, threshold=2.0, side="rise")
    # means 0, 0, 1, 1.5; steps x - mean - 0.5: -0.5, -0.5, 1.5, 1; sums -0.5, -1, 0.5, 1.5; minimum -1
    found = []
    for value in (0.0, 0.0, 3.0, 3.0):
        alarm = test.update(value)
        found.append((alarm, test.excursion, test.mean))
    assert found == [(False, 0.0, 0.0), (False, 0.0, 0.0), (False, 1.5, 1.0), (True, 2.5, 1.5)]
    assert test.change == 2


def test_each_side_sees_its_own_change() -> None:
    for side, up, down in (("rise", 12, None), ("fall", None, 12), ("both", 12, 12)):
        for sign, expected in ((1.0, up), (-1.0, down)):
            test = PageHinkley(delta=0.5, threshold=4.0, side=side)  # type: ignore[arg-type]
            # after the step at 10: 3 - 3/11 - 0.5 = 2.23, + 3 - 6/12 - 0.5 = 4.23, at index 11
            assert first_alarm(test, [0.0] * 10 + [sign * 3.0] * 10) == (
                None if expected is None else expected - 1
            )
            assert expected is None or test.change == 10


def test_a_step_after_a_hundred_zeros_is_found_in_time_and_noise_is_not() -> None:
    step = [0.0] * 100 + [1.0] * 100
    for threshold, index in ((5.0, 105), (20.0, 122)):
        test = PageHinkley(delta=0.005, threshold=threshold, side="rise")
        assert first_alarm(test, step) == index
        assert test.change == 100
    noise = np.random.default_rng(0).standard_normal(5000)
    assert first_alarm(PageHinkley(delta=0.05, threshold=50.0, side="rise"), noise) is None
    noise[1000:] += 1.0
    alarm = first_alarm(PageHinkley(delta=0.05, threshold=50.0, side="rise"), noise)
    assert alarm is not None and 1000 < alarm < 1100


def test_there_is_no_alarm_before_the_minimum() -> None:
    values = [0.0, 9.0, 9.0, 9.0]
    assert first_alarm(PageHinkley(delta=0.0, threshold=1.0), values) == 1
    assert first_alarm(PageHinkley(delta=0.0, threshold=1.0, minimum=4), values) == 3


def test_white_noise_seldom_alarms_and_a_step_soon_does() -> None:
    noise = np.random.default_rng(0).standard_normal((400, 100))
    tests = [PageHinkley(delta=0.5, threshold=8.0, side="rise") for _ in noise]
    alarms = [first_alarm(test, row) for test, row in zip(tests, noise, strict=True)]
    # The excursion's chance to pass h is about exp(-2 delta h) = 3e-4 at each renewal, some 100 of them.
    assert sum(alarm is not None for alarm in alarms) / 400 < 0.05
    stepped = noise + 3.0 * (np.arange(100) >= 50)
    tests = [PageHinkley(delta=0.5, threshold=8.0, side="rise") for _ in noise]
    delays, dates = [], []
    for test, row in zip(tests, stepped, strict=True):
        alarm = first_alarm(test, row)
        assert alarm is not None
        if alarm >= 50:
            delays.append(alarm - 50)
            dates.append(test.change - 50)
    assert np.mean(delays) == pytest.approx(8.0 / 2.5 - 0.5, abs=0.8)  # the drift is 3 - delta
    assert abs(np.median(dates)) <= 1


def test_a_restored_test_goes_on() -> None:
    values = np.random.default_rng(1).standard_normal(40)
    ours, theirs = (PageHinkley(delta=0.1, threshold=3.0) for _ in range(2))
    first_alarm(ours, values[:20])
    theirs.load_state_dict(ours.state_dict())
    for value in values[20:]:
        assert ours.update(value) == theirs.update(value)
    assert (ours.excursion, ours.change, ours.mean) == (theirs.excursion, theirs.change, theirs.mean)


def test_errors_say_what_was_expected() -> None:
    for wrong, match in (
        ({"delta": -1.0}, "delta is -1.0"),
        ({"threshold": 0.0}, "threshold is 0.0"),
        ({"minimum": 0}, "minimum is 0"),
        ({"side": "up"}, "side is 'up'; expected one of rise"),
    ):
        settings: dict[str, Any] = {"delta": 0.1, "threshold": 1.0, **wrong}
        with pytest.raises(ValueError, match=match):
            PageHinkley(**settings)
