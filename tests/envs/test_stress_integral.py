"""The integral of stresses under a wheel, and what is fitted to it."""

from __future__ import annotations

import math
from dataclasses import astuple

import numpy as np
import pytest

from rover_cl_envs.rovers import BEDROCK, M2020, MER, MSL, ROVERS, SOJOURNER, Rover
from rover_cl_envs.stress_integral import GRAVITY, STRENGTHS, Wheel, contact, fitted_soil, ground_pressure

MER_WHEEL = Wheel(radius=0.125, width=0.16, load=109.1)  # that MER's coefficients were fitted for
SLIPS = (0.02, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)


def wheel_of(rover: Rover) -> Wheel:
    return Wheel(radius=rover.wheel_radius, width=rover.wheel_width, load=rover.mass * GRAVITY / 6)


def integral(rover: Rover, soil: str, *slips: float) -> list[float]:
    """Slopes [deg] on which the integral is in equilibrium at those slips."""
    mu = contact(wheel_of(rover), STRENGTHS[soil], np.array(slips)).traction
    return [math.degrees(math.atan(m)) for m in mu]


def test_slopes_of_the_integral_are_those_known() -> None:
    """Worked out apart from this module, with other quadrature, to a tenth of a degree."""
    assert integral(MSL, "regolith", *SLIPS) == pytest.approx(
        [1.0, 9.7, 15.8, 18.8, 20.2, 18.2, 13.2], abs=0.11
    )
    assert integral(MSL, "sand", *SLIPS) == pytest.approx([-4.5, 0.3, 5.0, 8.4, 12.4, 14.2, 14.6], abs=0.11)
    assert integral(MSL, "drift", *SLIPS) == pytest.approx([-6.7, -3.0, 0.4, 2.8, 5.2, 5.8, 5.2], abs=0.11)


def test_sinkage_and_lift() -> None:
    sunk = contact(MER_WHEEL, STRENGTHS["regolith"], np.array([0.1, 0.5, 0.9])).sinkage * MER_WHEEL.radius
    assert 1000 * sunk == pytest.approx([14.5, 22.2, 43.9], abs=0.15)
    heavy = Wheel(radius=0.125, width=0.16, load=220.0)
    assert (contact(heavy, STRENGTHS["sand"], np.array([0.3])).sinkage > 0.16).all()


@pytest.mark.parametrize("place", (1, 2, 3), ids=list(STRENGTHS))
def test_fit_finds_the_coefficients_of_mer(place: int) -> None:
    soil, error = fitted_soil(MER_WHEEL, list(STRENGTHS.values())[place - 1])
    np.testing.assert_allclose(astuple(soil), astuple(MER.soils[place]), atol=0.0051)
    assert error < 0.0165


@pytest.mark.parametrize("rover", (SOJOURNER, MSL, M2020), ids=lambda rover: rover.name)
def test_soils_of_the_others_are_their_fit(rover: Rover) -> None:
    assert rover.soils[0] is BEDROCK
    for soil, strength in zip(rover.soils[1:], STRENGTHS.values(), strict=True):
        again, error = fitted_soil(wheel_of(rover), strength)
        np.testing.assert_allclose(astuple(soil), astuple(again), atol=0.0011)
        assert error < 0.022
        assert soil.d >= 0


def test_pressure_that_a_crust_must_bear() -> None:
    found = {name: ground_pressure(wheel_of(rover)) for name, rover in ROVERS.items()}
    assert found == pytest.approx({"sojourner": 3.4, "mer": 11.0, "msl": 13.0, "m2020": 16.7}, abs=0.1)
    for name, rover in ROVERS.items():
        assert rover.ground_pressure == pytest.approx(found[name], abs=0.1)


def test_a_rover_of_ones_own_gets_its_soils_from_its_wheels() -> None:
    twin = Rover.fitted(
        name="twin",
        mass=MSL.mass,
        wheel_radius=MSL.wheel_radius,
        wheel_width=MSL.wheel_width,
        wheelbase=MSL.wheelbase,
        track=MSL.track,
        top_speed=MSL.top_speed,
        obstacle=MSL.obstacle,
    )
    for mine, theirs in zip(twin.soils, MSL.soils, strict=True):
        np.testing.assert_allclose(astuple(mine), astuple(theirs), atol=0.0011)
    assert twin.ground_pressure == pytest.approx(13.0, abs=0.05)
    assert twin.stall_torque == pytest.approx(MSL.stall_torque, rel=0.02)
    with pytest.raises(ValueError, match=r"Rover\.wheel_width is 0"):
        Rover.fitted(
            name="none",
            mass=10,
            wheel_radius=0.1,
            wheel_width=0,
            wheelbase=1,
            track=1,
            top_speed=0.01,
            obstacle=0.1,
        )
