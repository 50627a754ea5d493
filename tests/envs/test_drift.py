from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rover_cl_envs.conditions import RANGES, Conditions
from rover_cl_envs.drift import Drift, Kind

KINDS: tuple[Kind, ...] = get_args(Kind)
HERE, THERE = Conditions(gravity=2.0), Conditions(gravity=10.0, relief=0.2)


def drift(kind: Kind, **changes: Any) -> Drift:
    return Drift(**{"kind": kind, "start": HERE, "end": THERE, "period": 100, **changes})


def shares(of: Drift, steps: range) -> list[float]:
    return [of.share(step) for step in steps]


@pytest.mark.parametrize("kind", KINDS)
def test_begins_at_the_start(kind: Kind) -> None:
    assert drift(kind).at(0) == HERE


@pytest.mark.parametrize("amplitude", [1.0, 0.4])
def test_each_kind_has_its_shape(amplitude: float) -> None:
    steps = range(0, 400)
    abrupt = shares(drift("abrupt", amplitude=amplitude), steps)
    assert set(abrupt[:100]) == {0} and set(abrupt[100:]) == {amplitude}
    linear = shares(drift("linear", amplitude=amplitude), steps)
    assert linear[25] == pytest.approx(amplitude / 4) and set(linear[100:]) == {amplitude}
    wave = shares(drift("sinusoidal", amplitude=amplitude), steps)
    assert wave[50] == pytest.approx(amplitude) and wave[100] == pytest.approx(0)
    assert wave[25] == pytest.approx(amplitude / 2) and wave[:100] == pytest.approx(wave[100:200])
    recurring = shares(drift("recurring", amplitude=amplitude), steps)
    assert set(recurring[:50]) == {0} and set(recurring[50:100]) == {amplitude}
    assert recurring[:100] == recurring[100:200]


def test_random_walk_wanders_by_its_amplitude_in_a_period() -> None:
    ends = [drift("random-walk", seed=s).share(100) for s in range(400)]
    # A walk of unit deviation reflected at 0 and 1 is nearly uniform after one period.
    assert np.mean(ends) == pytest.approx(0.5, abs=0.06)
    assert np.std(ends) == pytest.approx(0.289, abs=0.05)
    early = [drift("random-walk", seed=s).share(2) for s in range(400)]
    assert np.mean(early) < 0.2


def test_random_walk_has_no_jumps_and_goes_on_over_periods() -> None:
    path = shares(drift("random-walk", period=6400), range(0, 30_000, 100))
    assert np.abs(np.diff(path)).max() < 6 / 8
    assert np.std(path[150:]) > 0.05
    other = shares(drift("random-walk", period=6400, seed=1), range(0, 30_000, 100))
    assert path != other


@given(
    kind=st.sampled_from(KINDS),
    period=st.integers(64, 10**6),
    amplitude=st.floats(0, 1),
    phase=st.floats(0, 5),
    seed=st.integers(0, 5),
)
def test_share_stays_within_the_amplitude_and_is_a_function_of_the_step(
    kind: Kind, period: int, amplitude: float, phase: float, seed: int
) -> None:
    step = int(phase * period)
    one, two = (drift(kind, period=period, amplitude=amplitude, seed=seed) for _ in range(2))
    two.share(10 * period)  # a look ahead changes nothing
    assert 0 <= one.share(step) <= amplitude
    assert one.share(step) == two.share(step)
    assert one.at(step) == two.at(step)


def test_stretching_keeps_the_shape_and_the_least_period() -> None:
    assert drift("linear").stretched(0.5).share(25) == drift("linear").share(50)
    assert drift("linear").stretched(0.0).period == 1
    assert drift("random-walk").stretched(0.0).period == 64


def test_conditions_are_the_mixture_at_that_share() -> None:
    half = drift("linear").at(50)
    assert half.gravity == pytest.approx(6.0)
    assert half == HERE.mixed_with(THERE, 0.5)
    assert drift("linear").at(10**9) == THERE


def test_what_does_not_move_is_still() -> None:
    assert Drift.none(HERE).is_still and Drift.none(HERE).at(10**9) is HERE
    assert drift("linear", amplitude=0.0).is_still
    assert drift("linear", end=HERE).is_still
    assert not drift("linear").is_still


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"kind": "lineer"}, "Did you mean 'linear'"),
        ({"period": 0}, "Drift.period is 0, expected an integer >= 1"),
        ({"kind": "random-walk", "period": 63}, "Drift.period is 63, expected an integer >= 64"),
        ({"period": 2.5}, "Drift.period is 2.5, expected an integer >= 1"),
        ({"seed": -1}, "Drift.seed is -1, expected an integer >= 0"),
        ({"end": "there"}, "conditions is 'there', expected a Conditions"),
        ({"amplitude": 1.5}, "Drift.amplitude is 1.5, expected a number from 0 to 1"),
        ({"amplitude": float("nan")}, "Drift.amplitude is nan"),
    ],
    ids=str,
)
def test_wrong_values_are_named(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        drift(**{"kind": "linear", **changes})


def test_steps_before_the_beginning_are_refused() -> None:
    with pytest.raises(ValueError, match="step is -1"):
        drift("linear").share(-1)


@pytest.mark.parametrize("name", RANGES)
def test_every_number_moves_alone_by_every_schedule(name: str) -> None:
    start = Conditions()
    low, high = RANGES[name]
    far = high if getattr(start, name) < high else low
    changes: dict[str, Any] = {name: far}
    end = replace(start, **changes)
    for kind in KINDS:
        path = Drift(kind=kind, start=start, end=end, period=128, amplitude=0.5)
        values = np.array([path.at(step).to_array() for step in range(0, 300, 4)])
        moved = np.ptp(values, axis=0) > 0
        assert moved.sum() == 1 and moved[list(RANGES).index(name)]
        way = (values[:, moved] - getattr(start, name)) / (far - getattr(start, name))
        assert way.min() >= -1e-6 and 0.2 < way.max() <= 0.5 + 1e-6
