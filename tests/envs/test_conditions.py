from __future__ import annotations

import math
from dataclasses import FrozenInstanceError, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rover_cl_envs import dynamics
from rover_cl_envs.conditions import RANGES, WHEELS, Conditions
from rover_cl_envs.mission import Mission


@st.composite
def worlds(draw: st.DrawFn) -> Conditions:
    """Any valid conditions."""
    scalars: dict[str, Any] = {name: draw(st.floats(*bounds)) for name, bounds in RANGES.items()}
    health = draw(st.tuples(*[st.floats(0, 1)] * len(WHEELS)))
    return Conditions(wheel_health=health, **scalars)


def changed(name: str, value: float) -> Conditions:
    only: dict[str, Any] = {name: value}
    return Conditions(**only)


@pytest.mark.parametrize("name", RANGES)
def test_ends_of_a_range_are_valid_and_what_lies_beyond_is_named(name: str) -> None:
    low, high = RANGES[name]
    for value in (low, high):
        assert getattr(changed(name, value), name) == value
    beyond = (math.nextafter(low, -math.inf), math.nextafter(high, math.inf), math.nan, math.inf)
    for value in (*beyond, True):  # a truth value is no number
        with pytest.raises(ValueError) as refused:
            changed(name, value)
        for part in (f"Conditions.{name}", str(value), str(low), str(high)):
            assert part in str(refused.value)


@pytest.mark.parametrize(
    "health",
    [(1.0,) * 5, (1.0,) * 7, (1, 1, 1, 1, 1, 1.1), (1, 1, -0.1, 1, 1, 1), (math.nan,) * 6, 1.0, (True,) * 6],
)
def test_wrong_wheel_health_is_named(health: Any) -> None:
    with pytest.raises(ValueError, match=r"Conditions.wheel_health is .*6 numbers from 0 to 1 .*right front"):
        Conditions(wheel_health=health)


def test_frozen_and_equal_by_value() -> None:
    assert Conditions() == Conditions() and hash(Conditions()) == hash(Conditions())
    with pytest.raises(FrozenInstanceError):
        Conditions().gravity = 1.0  # type: ignore[misc]


def test_array_is_laid_out_as_the_kernel_reads_it() -> None:
    for column, name in enumerate(RANGES):
        value = RANGES[name][0] if getattr(Conditions(), name) != RANGES[name][0] else RANGES[name][1]
        moved = np.flatnonzero(changed(name, value).to_array() != Conditions().to_array())
        assert list(moved) == [column]
    assert list(RANGES)[dynamics.GRAVITY] == "gravity"
    assert list(RANGES)[dynamics.BIAS] == "steering_bias"
    assert list(RANGES)[dynamics.TARGET_B] == "target_b"
    assert len(RANGES) == dynamics.HEALTH
    array = Conditions(wheel_health=(0.0, 0.2, 0.4, 0.6, 0.8, 1.0)).to_array()
    np.testing.assert_allclose(array[dynamics.HEALTH :], [0, 0.2, 0.4, 0.6, 0.8, 1])
    assert array.dtype == np.float32


@given(one=worlds(), other=worlds(), weight=st.floats(0, 1))
def test_mixing_stays_in_range_and_between(one: Conditions, other: Conditions, weight: float) -> None:
    mixed = one.mixed_with(other, weight)  # would raise out of range
    for name in (*RANGES, "wheel_health"):
        if name == "season" and other.season < one.season:
            assert mixed.season >= one.season - 1e-9 or mixed.season <= other.season + 1e-9
            continue
        for a, b, m in zip(
            np.atleast_1d(getattr(one, name)),
            np.atleast_1d(getattr(other, name)),
            np.atleast_1d(getattr(mixed, name)),
            strict=True,
        ):
            assert min(a, b) - 1e-9 <= m <= max(a, b) + 1e-9


@given(one=worlds(), other=worlds())
def test_mixing_begins_at_one_end_and_ends_at_the_other(one: Conditions, other: Conditions) -> None:
    assert one.mixed_with(other, 0) is one
    assert one.mixed_with(other, 1) is other


def test_mixing_moves_in_proportion() -> None:
    far = replace(Conditions(), gravity=9.72, wheel_health=(0, 1, 1, 1, 1, 1))
    mixed = replace(Conditions(), gravity=3.72).mixed_with(far, 0.25)
    assert mixed.gravity == pytest.approx(5.22)
    assert mixed.wheel_health == pytest.approx((0.75, 1, 1, 1, 1, 1))


def test_a_season_runs_forward_through_the_end_of_the_year() -> None:
    late, early = Conditions(season=340.0), Conditions(season=20.0)
    weights = (0, 0.25, 0.5, 0.75, 1)
    assert [late.mixed_with(early, w).season for w in weights] == pytest.approx([340, 350, 0, 10, 20])
    assert [early.mixed_with(late, w).season for w in weights] == [20, 100, 180, 260, 340]
    assert Conditions(season=360.0).mixed_with(Conditions(season=0.0), 0.5).season == 0
    winter = Conditions(season=90.0)  # the long way, as there is no way back in time
    assert Conditions(season=100.0).mixed_with(winter, 0.5).season == pytest.approx(275)


def test_half_way_there_the_rover_is_swapped() -> None:
    near, far = Conditions(rover="msl"), Conditions(gravity=1.62)
    rovers = [near.mixed_with(far, weight).rover for weight in (0, 0.49, 0.5, 1)]
    assert rovers == ["msl", "msl", None, None]


def test_unknown_rover_is_named() -> None:
    with pytest.raises(ValueError, match=r"unknown rover 'mls'.*Did you mean 'msl'"):
        Conditions(rover="mls")


def test_what_is_no_mission_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Conditions.mission is 'image', expected a Mission"):
        Conditions(mission="image")  # type: ignore[arg-type]


def test_a_mission_changes_half_way() -> None:
    far = Conditions(mission=Mission(kind="image"))
    assert [Conditions().mixed_with(far, w).mission for w in (0.49, 0.5)] == [None, far.mission]


@pytest.mark.parametrize("weight", [-0.1, 1.1, math.nan])
def test_wrong_weight_is_named(weight: float) -> None:
    with pytest.raises(ValueError, match=r"weight is .* from 0 to 1"):
        Conditions().mixed_with(Conditions(), weight)
