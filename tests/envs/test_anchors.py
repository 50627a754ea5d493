"""What rovers did on Mars, as far as the simulator is held to it (docs/simulator.md has the whole list)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from rover_cl_envs import dynamics as d
from rover_cl_envs.batch import Batch
from rover_cl_envs.conditions import Conditions
from rover_cl_envs.mission import Mission
from rover_cl_envs.rovers import ROVERS
from rover_cl_envs.soil import EMBEDDED_SLIP
from rover_cl_envs.world import World

BEDROCK, REGOLITH, SAND, DRIFT = 0.0, 1 / 3, 2 / 3, 1.0
BARE: dict[str, Any] = {"relief": 0.0, "patch_cover": 0.0, "outcrop_cover": 0.0, "rock_abundance": 0.0}
NOWHERE = Mission(near=900.0, far=900.0, apart=2.0)  # targets out of reach


def slips(rover: str, soil: float, degrees: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Slip of rovers that drive straight up slopes [deg] of one soil."""
    batch = Batch(len(degrees), World(rover=rover, mission=NOWHERE, num_maps=1), threads=1)
    slopes = np.tan(np.radians(degrees))
    batch.set_conditions([Conditions(**BARE, ground_fluffiness=soil, slope_east=s) for s in slopes])
    batch.start(np.ones(len(degrees), dtype=np.bool_))
    batch.state[:, d.YAW] = 0.0
    for ahead in (0.0, 1.0):  # a step at rest settles the rovers under their new heading
        batch.step(np.tile(np.array([ahead, 0.0], dtype=np.float32), (len(degrees), 1)))
    found: np.ndarray[Any, Any] = batch.state[:, d.SLIP_L]
    return found


def climb(rover: str, soil: float) -> float:
    """Steepest slope [deg] that the soil carries."""
    degrees = np.arange(-10.0, 40.0, 0.05)
    return float(degrees[slips(rover, soil, degrees) < EMBEDDED_SLIP - 1e-3].max())


def test_curiosity_climbs_fifteen_degrees_of_sand() -> None:
    assert 14 <= climb("msl", SAND) <= 15


def test_mer_climbs_fourteen_degrees_of_regolith() -> None:
    assert climb("mer", REGOLITH) == pytest.approx(14.3, abs=0.5)


def test_curiosity_climbs_more_than_mer() -> None:
    for soil in (REGOLITH, SAND, DRIFT):
        assert climb("msl", soil) > climb("mer", soil) + 3
    assert climb("msl", REGOLITH) == pytest.approx(20.5, abs=0.5)  # 21 degrees of mixed ground in 2015


def test_level_drift_traps_mer_and_sojourner_alone() -> None:
    slip = {rover: float(slips(rover, DRIFT, np.zeros(1))[0]) for rover in ROVERS}
    assert slip["sojourner"] == slip["mer"] == pytest.approx(EMBEDDED_SLIP)
    assert slip["msl"] == pytest.approx(0.2, abs=0.03) and slip["m2020"] == pytest.approx(0.2, abs=0.04)


def test_hardly_any_slip_on_plains() -> None:
    """Opportunity had 2.5 % at most on sol 601; the integral gives 6.5 % for MER, 1.5 % for MSL."""
    assert slips("mer", BEDROCK, np.zeros(1))[0] < 0.025
    assert slips("mer", REGOLITH, np.zeros(1))[0] < 0.065
    assert slips("msl", REGOLITH, np.zeros(1))[0] < 0.025


def test_five_metres_of_wheel_travel_in_a_trap() -> None:
    """The second trap let Opportunity 0.09 m on, of 5 m."""
    batch = Batch(1, World(mission=NOWHERE, num_maps=1), threads=1)
    batch.set_conditions(Conditions(**BARE, ground_fluffiness=DRIFT))
    batch.start(np.ones(1, dtype=np.bool_))
    turned = way = 0.0
    while turned < 5:
        batch.step(np.array([[1.0, 0.0]], dtype=np.float32))
        moved = float(batch.state[0, d.AHEAD])
        turned, way = turned + moved / (1 - float(batch.state[0, d.SLIP_L])), way + moved
    assert way == pytest.approx(0.09, abs=0.025)


def test_curiosity_sinks_deeper_where_it_slips_more() -> None:
    """Megaripples let it sink 0.15 m at 77 % slip; the closed form admits a half of that, in drift."""
    sand, drift = ROVERS["msl"].soils[2:]
    depths = [ROVERS["msl"].wheel_radius * math.exp(s.alpha + 0.77 * s.beta) for s in (sand, drift)]
    assert depths == pytest.approx([0.041, 0.075], abs=0.002)
