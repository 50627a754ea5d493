from __future__ import annotations

import math
from dataclasses import astuple, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rover_cl_envs.rovers import MER, ROVERS
from rover_cl_envs.soil import (
    EMBEDDED_SLIP,
    NO_WEIGHTS,
    SKID_LIMIT,
    Soil,
    blend,
    equilibrium_slip,
    soil_table,
    weigh,
)

BEDROCK, REGOLITH, SAND, DRIFT = MER.soils
SOILS = [soil for rover in ROVERS.values() for soil in rover.soils]
TOLERANCE = 5e-3  # of the traction coefficient, as equilibrium_slip says

# Angles [deg] of the slopes on which a wheel of MER's load finds its equilibrium at that slip, from the
# Wong-Reece integral itself; 0.015 in mu, the error of the closed form, is 0.85 degrees.
INTEGRAL = {
    "regolith": (REGOLITH, {0.02: -3.0, 0.1: 2.9, 0.2: 8.1, 0.3: 11.4, 0.5: 14.2, 0.7: 13.4, 0.9: 8.8}),
    "sand": (SAND, {0.02: -7.3, 0.1: -4.4, 0.2: -1.2, 0.3: 1.5, 0.5: 5.4, 0.7: 7.9, 0.9: 9.2}),
    "drift": (DRIFT, {0.02: -10.5, 0.1: -8.3, 0.2: -6.0, 0.3: -4.1, 0.5: -1.6, 0.7: -0.5, 0.9: -0.3}),
}
SINKAGE = {"regolith": (14.5, 22.2, 43.9), "sand": (17.6, 22.5, 28.0), "drift": (31.0, 40.0, 50.0)}


def slip_on(soil: Soil, degrees: float) -> float:
    return equilibrium_slip(math.tan(math.radians(degrees)), np.array(astuple(soil)))


@pytest.mark.parametrize("name", INTEGRAL)
def test_closed_form_keeps_to_the_integral(name: str) -> None:
    soil, anchors = INTEGRAL[name]
    for slip, degrees in anchors.items():
        assert math.degrees(math.atan(soil.net_traction(slip))) == pytest.approx(degrees, abs=0.9)


@pytest.mark.parametrize("name", SINKAGE)
def test_sinkage_keeps_to_the_integral(name: str) -> None:
    soil = INTEGRAL[name][0]
    for slip, millimetres in zip((0.1, 0.5, 0.9), SINKAGE[name], strict=True):
        sunk = 1000 * MER.wheel_radius * math.exp(soil.alpha + soil.beta * slip)
        assert sunk == pytest.approx(millimetres, rel=0.12)


def test_slip_on_the_level() -> None:
    assert slip_on(REGOLITH, 0) == pytest.approx(0.065, abs=0.015)
    assert slip_on(SAND, 0) == pytest.approx(0.25, abs=0.03)
    assert slip_on(DRIFT, 0) == EMBEDDED_SLIP
    assert abs(slip_on(BEDROCK, 0)) < 0.01


def test_steepest_climbs() -> None:
    assert math.degrees(REGOLITH.steepest_climb) == pytest.approx(14.3, abs=0.5)
    assert math.degrees(SAND.steepest_climb) == pytest.approx(9.5, abs=0.3)
    assert DRIFT.steepest_climb < 0
    assert math.degrees(BEDROCK.steepest_climb) > 30


def test_regolith_gives_way_past_half_slip() -> None:
    slips = np.linspace(0, 1, 101)
    peak = slips[np.argmax([REGOLITH.net_traction(s) for s in slips])]
    assert peak == pytest.approx(0.54, abs=0.06)
    assert REGOLITH.net_traction(0.95) < 0.7 * REGOLITH.net_traction(peak)


@given(
    soil=st.sampled_from([soil for soil in SOILS if soil.steepest_climb > 0]),
    share=st.floats(0, 0.97),
)
@settings(deadline=None)
def test_equilibrium_slip_solves_equation_1_below_the_peak(soil: Soil, share: float) -> None:
    demand = share * max(soil.net_traction(s) for s in np.linspace(0, 0.97, 98))  # short of embedding
    slip = equilibrium_slip(demand, np.array(astuple(soil)))
    assert 0 <= slip < EMBEDDED_SLIP
    assert soil.net_traction(slip) == pytest.approx(demand, abs=TOLERANCE)


@given(soil=st.sampled_from(SOILS), excess=st.floats(2 * TOLERANCE, 5))
@settings(deadline=None)
def test_no_equilibrium_above_the_peak(soil: Soil, excess: float) -> None:
    demand = math.tan(soil.steepest_climb) + excess
    assert equilibrium_slip(demand, np.array(astuple(soil))) == EMBEDDED_SLIP


@given(soil=st.sampled_from(SOILS), demand=st.floats(-50, 50))
@settings(deadline=None)
def test_slip_stays_in_its_range(soil: Soil, demand: float) -> None:
    assert SKID_LIMIT <= equilibrium_slip(demand, np.array(astuple(soil))) <= EMBEDDED_SLIP


@pytest.mark.parametrize("soil", [BEDROCK, REGOLITH, SAND], ids=["bedrock", "regolith", "sand"])
def test_slip_grows_with_the_slope_and_skids_downhill(soil: Soil) -> None:
    degrees = np.linspace(-15, math.degrees(soil.steepest_climb) * 0.95, 60)
    slips = np.array([slip_on(soil, a) for a in degrees])
    assert (np.diff(slips) > -TOLERANCE).all()
    assert slips[0] < 0 < slips[-1]


@given(fluffiness=st.lists(st.floats(0, 1), min_size=1, max_size=6))
@settings(deadline=None)
def test_blend_is_the_mean_of_what_was_weighed(fluffiness: list[float]) -> None:
    table, weights, out = soil_table(MER.soils), NO_WEIGHTS, np.empty(9)
    for value in fluffiness:
        weights = weigh(value, 1 / len(fluffiness), weights)
    blend(table, weights, out)
    assert sum(weights) == pytest.approx(1)
    at = 3 * np.array(fluffiness)
    expected = [np.interp(at, range(4), table[:, k]).mean() for k in range(9)]
    np.testing.assert_allclose(out, expected, atol=1e-9)


def test_anchors_lie_at_thirds() -> None:
    table = soil_table(MER.soils)
    assert table.shape == (4, 9)
    for anchor in range(4):
        out = np.empty(9)
        blend(table, weigh(anchor / 3, 1.0, NO_WEIGHTS), out)
        np.testing.assert_allclose(out, table[anchor], atol=1e-12)


@pytest.mark.parametrize(
    ("name", "value"), [("a", 0.0), ("b", -1.0), ("d", -0.1), ("p2", 0.0), ("c", math.nan)]
)
def test_a_soil_that_cannot_be_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"Soil\.{name} is {value}"):
        replace(SAND, **{name: value})
