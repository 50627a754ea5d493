from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rover_cl_envs.elementary import LARGEST_EXPONENT, acos, exp, log, sin_cos


def ulps(value: float, exact: float) -> float:
    return abs(value - exact) / float(np.spacing(abs(exact)))


@given(st.floats(-LARGEST_EXPONENT, LARGEST_EXPONENT))
def test_exponential(x: float) -> None:
    assert ulps(exp(x), math.exp(x)) <= 2


@pytest.mark.parametrize("x", [-math.inf, -1e9, 1e9, math.inf])
def test_exponential_is_cut_off(x: float) -> None:
    assert ulps(exp(x), math.exp(math.copysign(LARGEST_EXPONENT, x))) <= 2


@given(st.floats(-600, 600))
def test_logarithm(power: float) -> None:
    x = math.exp(power)
    assert ulps(log(x), math.log(x)) <= 4 or abs(log(x) - math.log(x)) < 1e-16


@pytest.mark.parametrize(("function", "at", "value"), [(exp, 0.0, 1.0), (log, 1.0, 0.0), (acos, 1.0, 0.0)])
def test_exact_values(function: Callable[[float], float], at: float, value: float) -> None:
    assert function(at) == value


@given(st.floats(-1e5, 1e5))
def test_sine_and_cosine(x: float) -> None:
    sin, cos = sin_cos(x)
    assert abs(sin - math.sin(x)) < 2.3e-16 and abs(cos - math.cos(x)) < 2.3e-16


@given(st.floats(0, 1))
def test_arc_cosine(x: float) -> None:
    assert abs(acos(x) - math.acos(x)) < 2e-15


def _sine(x: float) -> float:
    return sin_cos(x)[0]


@pytest.mark.parametrize("function", [exp, log, acos, numba.njit(_sine)], ids=["exp", "log", "acos", "sin"])
def test_a_loop_gives_the_bits_that_one_call_gives(function: Any) -> None:
    """A loop becomes vector code: several numbers at a time, and what is left over one by one."""

    @numba.njit(error_model="numpy")
    def all_of(values: Any, out: Any) -> None:
        for i in range(len(values)):
            out[i] = function(values[i])

    values = np.random.default_rng(0).uniform(0.01, 1.0, 1003)
    out = np.empty_like(values)
    all_of(values, out)
    assert out.tolist() == [function(v) for v in values]
