from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rover_cl_envs.sun import (
    ALBEDO,
    BEYOND,
    DEPTHS,
    NET_FLUX,
    SOL_HOURS,
    YEAR_SOLS,
    ZENITHS,
    daily_insolation,
    mean_top_flux,
    net_flux,
    season_after,
    sine_of_declination,
    sun_direction,
    sunlight,
    top_flux,
)

EQUINOX, SUMMER, AUTUMN, WINTER = 0.0, 90.0, 180.0, 270.0
PANEL = 1.33 * 0.16  # [m^2]
OPPORTUNITY = -1.95  # latitude [deg]


def season_of(sol: int) -> float:
    """Ls of a sol of Opportunity's, which landed at 339.1."""
    return season_after(339.1, sol - 1)


@pytest.mark.parametrize("season", [EQUINOX, AUTUMN])
def test_noon_of_an_equinox_stands_over_the_equator(season: float) -> None:
    np.testing.assert_allclose(sun_direction(season, 0.0, 0.5), (0, 0, 1), atol=1e-12)
    np.testing.assert_allclose(sun_direction(season, 0.0, 0.0), (0, 0, -1), atol=1e-12)
    np.testing.assert_allclose(sun_direction(season, 0.0, 0.25), (1, 0, 0), atol=1e-12)
    np.testing.assert_allclose(sun_direction(season, 30.0, 0.75), (-1, 0, 0), atol=1e-12)


def test_sun_stands_over_the_tropics_at_the_solstices() -> None:
    for season, latitude in ((SUMMER, 24.936), (WINTER, -24.936)):
        assert sun_direction(season, latitude, 0.5)[2] == pytest.approx(1.0, abs=1e-12)
    east, north, up = sun_direction(EQUINOX, 40.0, 0.5)
    assert (east, north, up) == pytest.approx((0, -math.sin(math.radians(40)), math.cos(math.radians(40))))


def test_night_of_the_poles() -> None:
    times = np.linspace(0, 1, 97)
    assert all(sun_direction(SUMMER, -80.0, t)[2] < 0 for t in times)
    assert all(sun_direction(SUMMER, 80.0, t)[2] > 0 for t in times)
    assert daily_insolation(SUMMER, 0.5, -80.0) == 0
    assert mean_top_flux(SUMMER, -80.0) == pytest.approx(0, abs=1e-9)
    assert mean_top_flux(SUMMER, 90.0) == pytest.approx(top_flux(SUMMER) * sine_of_declination(SUMMER))


def test_flux_above_the_air() -> None:
    fluxes = [top_flux(season) for season in range(360)]
    assert min(fluxes) == pytest.approx(493, abs=1) and max(fluxes) == pytest.approx(718, abs=1)
    assert int(np.argmax(fluxes)) == 248 and int(np.argmin(fluxes)) == 68


@given(season=st.floats(0, 360), latitude=st.floats(-90, 90), time=st.floats(0, 1))
def test_direction_is_a_unit_vector(season: float, latitude: float, time: float) -> None:
    assert math.hypot(*sun_direction(season, latitude, time)) == pytest.approx(1, abs=1e-9)


@given(season=st.floats(0, 360), latitude=st.floats(-90, 90))
def test_mean_above_the_air_is_that_of_the_sol(season: float, latitude: float) -> None:
    ups = [max(sun_direction(season, latitude, (k + 0.5) / 720)[2], 0.0) for k in range(720)]
    assert mean_top_flux(season, latitude) == pytest.approx(top_flux(season) * np.mean(ups), abs=0.3)


def test_table_is_read_at_its_nodes_and_linearly_between() -> None:
    for i, depth in enumerate(DEPTHS):
        for j, zenith in enumerate(ZENITHS):
            up = math.cos(math.radians(zenith))
            assert net_flux(up, depth, NET_FLUX) == pytest.approx(NET_FLUX[i, j], abs=1e-9)
    middle = net_flux(math.cos(math.radians(40)), 0.75, NET_FLUX)
    assert middle == pytest.approx(NET_FLUX[1:3, 1:3].mean())
    assert net_flux(0.01, 1.0, NET_FLUX) == pytest.approx(0.252)
    assert net_flux(1.0, 0.05, NET_FLUX) == pytest.approx(0.885)
    assert net_flux(1.0, 8.0, NET_FLUX) == pytest.approx(0.228 * math.exp(-2 * BEYOND))


@given(up=st.floats(-1, 1), depth=st.floats(0.3, 11))
def test_beam_and_sky_make_the_global_flux(up: float, depth: float) -> None:
    beam, sky = sunlight(590.0, up, depth, NET_FLUX)
    assert beam >= 0 and sky >= 0
    if up <= 0:
        assert beam == sky == 0
        return
    assert beam == pytest.approx(590 * math.exp(-depth / up))
    level = 590 * up * net_flux(up, depth, NET_FLUX) / (1 - ALBEDO)
    assert beam * up + sky == pytest.approx(level) or beam * up > level
    assert beam * up + sky <= 590 * up * 1.0001


@pytest.mark.parametrize("season", [EQUINOX, 70.0, AUTUMN, 250.0])
def test_energy_falls_with_dust_as_on_opportunity(season: float) -> None:
    clear = daily_insolation(season, 0.1, OPPORTUNITY)
    expected = {0.5: 0.87, 1.0: 0.745, 2.0: 0.555, 3.0: 0.42, 4.0: 0.33, 5.0: 0.26, 6.0: 0.20}
    for depth, share in expected.items():
        assert daily_insolation(season, depth, OPPORTUNITY) / clear == pytest.approx(share, abs=0.02)


def test_one_season_follows_an_exponential() -> None:
    depths = np.linspace(0.1, 6, 30)
    ratio = np.array([daily_insolation(250.0, t, OPPORTUNITY) for t in depths]) / np.exp(-0.261 * depths)
    assert 2 * (ratio.max() - ratio.min()) / (ratio.max() + ratio.min()) < 2 * 0.07


@pytest.mark.parametrize("depth", [0.1, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
def test_insolation_is_that_of_the_fit_to_opportunitys_reports(depth: float) -> None:
    """The fit's cheap form for one season, 4973 Wh/m^2 exp(-.261 tau), keeps to the fit within 6.7 %."""
    assert daily_insolation(250.0, depth, OPPORTUNITY) == pytest.approx(
        4973 * math.exp(-0.261 * depth), rel=0.075
    )


@pytest.mark.parametrize(
    ("sol", "reported", "depth", "dust"),
    [
        (1939, 429, 0.438, 0.519),
        (2226, 245, 0.355, 0.470),
        (3662, 761, 0.621, 0.964),
        (4656, 458, 1.466, 0.841),
        (5066, 727, 0.569, 0.823),
    ],
)
def test_opportunity_reported_about_as_much(sol: int, reported: float, depth: float, dust: float) -> None:
    received = daily_insolation(season_of(sol), depth, OPPORTUNITY)
    assert 2680 <= received <= 4420  # [Wh/m^2], the range in the 408 reports of which this is one
    energy = PANEL * dust * received
    assert energy == pytest.approx(reported, rel=0.25)


def test_the_storm_of_2018_took_all_but_a_thirtieth() -> None:
    before = daily_insolation(season_of(5103), 0.61, OPPORTUNITY)
    after = daily_insolation(season_of(5111), 10.8, OPPORTUNITY)
    assert after / before == pytest.approx(22 / 652, rel=0.03)


def test_day_is_counted_in_hours_of_a_sol() -> None:
    assert abs(SOL_HOURS - (24 + 39.6 / 60)) < 0.001
    still = daily_insolation(EQUINOX, 0.3, 0.0, moments=960)
    assert daily_insolation(EQUINOX, 0.3, 0.0) == pytest.approx(still, rel=1e-3)


def test_seasons_pass_faster_near_the_sun() -> None:
    for season in (0.0, 100.0, 248.0, 340.0):
        assert season_after(season, 0) == pytest.approx(season)
        assert season_after(season, YEAR_SOLS) == pytest.approx(season)
        assert season_after(season_after(season, 100), -100) == pytest.approx(season)
    lengths = {start: (season_after(start, 1) - start) for start in (68.0, 248.0)}
    # Kepler's second law: the angle swept in a sol goes with the square of nearness.
    assert lengths[248.0] / lengths[68.0] == pytest.approx(top_flux(248.0) / top_flux(68.0), rel=0.01)
