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


def dust(**changes: Any) -> Drift:
    there = Conditions(optical_depth=4.0)
    return Drift(**{"kind": "linear", "start": Conditions(), "end": there, "period": 100, **changes})


def swing(**changes: Any) -> Drift:
    ends = {"start": Conditions(steering_bias=-0.3), "end": Conditions(steering_bias=0.3)}
    return Drift(**{"kind": "sinusoidal", **ends, "period": 40, **changes})


@given(
    kinds=st.tuples(*[st.sampled_from(KINDS)] * 2),
    periods=st.tuples(*[st.integers(64, 10**4)] * 2),
    seeds=st.tuples(*[st.integers(0, 5)] * 2),
    step=st.integers(0, 30_000),
)
def test_numbers_beside_one_another_move_as_they_would_alone(
    kinds: tuple[Kind, Kind], periods: tuple[int, int], seeds: tuple[int, int], step: int
) -> None:
    other = swing(kind=kinds[1], period=periods[1], seed=seeds[1])
    alone = dust(kind=kinds[0], period=periods[0], seed=seeds[0])
    here = replace(alone, beside=(other,)).at(step)
    assert here == replace(alone.at(step), steering_bias=other.at(step).steering_bias)


def test_two_walks_beside_one_another_are_independent() -> None:
    walks = dust(kind="random-walk", period=64, beside=(swing(kind="random-walk", period=64, seed=1),))
    path = [walks.at(step) for step in range(6400)]
    moved = np.array([(c.optical_depth, c.steering_bias) for c in path])
    assert np.ptp(moved[:, 0]) > 2 and np.ptp(moved[:, 1]) > 0.4
    assert abs(np.corrcoef(moved.T)[0, 1]) < 0.3
    same = replace(walks, beside=(swing(kind="random-walk", period=64),)).at(1000)
    assert (same.optical_depth - 0.5) / 3.5 == pytest.approx((same.steering_bias + 0.3) / 0.6)


def test_vehicle_and_wheels_can_move_beside_the_ground() -> None:
    worn = (1.0, 1.0, 1.0, 0.0, 1.0, 1.0)
    swap = Drift(kind="abrupt", start=HERE, end=replace(HERE, rover="msl", wheel_health=worn), period=30)
    path = drift("linear", beside=(swap,))
    assert [path.at(step).rover for step in (0, 29, 30, 200)] == [None, None, "msl", "msl"]
    assert path.at(50) == replace(HERE.mixed_with(THERE, 0.5), rover="msl", wheel_health=worn)
    assert path.far_end == path.at(10**6) == replace(THERE, rover="msl", wheel_health=worn)


def test_what_goes_beside_is_stretched_too_and_moves_what_is_still() -> None:
    path = dust(beside=(swing(),))
    assert path.stretched(3).at(150) == path.at(50)
    assert not path.is_still and path.parts == (path, swing())
    assert not Drift(kind="abrupt", start=Conditions(), end=Conditions(), beside=(swing(),)).is_still
    still = dust(amplitude=0.0, beside=(swing(amplitude=0.0),))
    assert still.is_still and still.at(77) == still.at(0) == Conditions(steering_bias=-0.3)


@pytest.mark.parametrize(
    ("beside", "named"),
    [
        ((dust(kind="abrupt"),), "Drift.beside: optical_depth is moved by 2 drifts, expected one at most"),
        ((swing(), swing()), "Drift.beside: steering_bias is moved by 2 drifts"),
        (
            (drift("linear", start=Conditions(gravity=2.0), end=Conditions(gravity=2.0, relief=0.1)),),
            "Drift.beside holds gravity at 2.0, expected 3.72 as in the drift that it goes beside",
        ),
        ((Drift.none(Conditions(rover="msl")),), "Drift.beside holds rover at 'msl', expected None"),
        ((dust(end=Conditions(relief=0.1), beside=(swing(),)),), "expected all in one tuple"),
        (swing(), "Drift.beside is a Drift, expected a tuple"),
        ((Conditions(),), "Drift.beside is a tuple of Conditions, expected a tuple of Drift"),
    ],
)
def test_what_cannot_go_beside_is_refused(beside: Any, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        dust(beside=beside)


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


@pytest.mark.parametrize("kind", KINDS)
@given(
    start=st.tuples(*[st.floats(0, 1)] * 6),
    end=st.tuples(*[st.floats(0, 1)] * 6),
    amplitude=st.floats(0, 1),
    step=st.integers(0, 1000),
)
def test_every_wheel_moves_by_every_schedule(
    kind: Kind, start: tuple[float, ...], end: tuple[float, ...], amplitude: float, step: int
) -> None:
    """Each wheel covers the schedule's share of its own way, in range, and nothing else moves."""
    here, there = Conditions(wheel_health=start), Conditions(wheel_health=end)
    path = Drift(kind=kind, start=here, end=there, period=128, amplitude=amplitude, seed=3)
    now, share = path.at(step), path.share(step)
    assert replace(now, wheel_health=start) == here
    expected = [a + share * (b - a) for a, b in zip(start, end, strict=True)]
    assert now.wheel_health == pytest.approx(expected, abs=1e-12)
