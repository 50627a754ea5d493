from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rover_cl_envs.batch import Batch
from rover_cl_envs.conditions import Conditions
from rover_cl_envs.randomness import COUNTER
from rover_cl_envs.ring import LIMIT, RING, RING_POINTS
from rover_cl_envs.sensors import SIZE
from rover_cl_envs.world import World

COUNT = 64
HEIGHTS = range(RING, SIZE, 2)


def looks(steps: int = 6, **changes: Any) -> tuple[NDArray[np.float32], NDArray[np.uint64]]:
    """Observations (64, 80) of rovers that have driven a little, and how many numbers each drew."""
    batch = Batch(COUNT, World(num_maps=2), threads=1)
    batch.set_conditions(Conditions(**changes))
    batch.seed(0)
    batch.start(np.ones(COUNT, dtype=np.bool_))
    for _ in range(steps):
        batch.step(np.tile(np.array([0.8, 0.2], dtype=np.float32), (COUNT, 1)))
    return batch.observations, batch.generators[:, COUNTER]


TRUE, DRAWN = looks()


def test_true_instruments_draw_nothing() -> None:
    biased: dict[str, Any] = {
        "height_bias": 0.05,
        "bearing_bias": 0.1,
        "odometry_gain": 0.9,
        "dark_bearings": 2,
    }
    np.testing.assert_array_equal(looks(**biased)[1], DRAWN)
    np.testing.assert_array_equal(looks(0)[1], DRAWN)


@pytest.mark.parametrize(("noise", "numbers"), [("bearing_noise", 2), ("height_noise", RING_POINTS)])
def test_noise_is_drawn_at_every_look(noise: str, numbers: int) -> None:
    np.testing.assert_array_equal(looks(4, **{noise: 0.01})[1], DRAWN + np.uint64(5 * numbers))


def test_who_errs_changes_nobody_beside() -> None:
    batch = Batch(COUNT, World(num_maps=2), threads=1)
    erring = Conditions(height_noise=0.05, bearing_noise=0.1, bearing_bias=0.2)
    batch.set_conditions([erring if i == 7 else Conditions() for i in range(COUNT)])
    batch.seed(0)
    batch.start(np.ones(COUNT, dtype=np.bool_))
    for _ in range(6):
        batch.step(np.tile(np.array([0.8, 0.2], dtype=np.float32), (COUNT, 1)))
    others = np.arange(COUNT) != 7
    np.testing.assert_array_equal(batch.observations[others], TRUE[others])
    np.testing.assert_array_equal(batch.generators[others, COUNTER], DRAWN[others])
    assert batch.generators[7, COUNTER] == DRAWN[7] + np.uint64(7 * (2 + RING_POINTS))
    assert (batch.observations[7, [1, 2, 5, 6]] != TRUE[7, [1, 2, 5, 6]]).all()


def test_a_bias_of_the_bearing_turns_both_targets() -> None:
    told = looks(bearing_bias=0.3)[0]
    for at in (1, 5):
        turned = np.arctan2(told[:, at + 1], told[:, at]) - np.arctan2(TRUE[:, at + 1], TRUE[:, at])
        np.testing.assert_allclose(np.cos(turned), np.cos(0.3), atol=1e-5)
        np.testing.assert_allclose(np.sin(turned), np.sin(0.3), atol=1e-5)
    others = [k for k in range(SIZE) if k not in (1, 2, 5, 6)]
    np.testing.assert_array_equal(told[:, others], TRUE[:, others])


def test_a_bias_of_the_heights_lifts_the_ring() -> None:
    told = looks(height_bias=-0.1)[0]
    np.testing.assert_allclose(told[:, HEIGHTS], np.clip(TRUE[:, HEIGHTS] - 0.2, -LIMIT, LIMIT), atol=1e-5)
    others = [k for k in range(SIZE) if k not in HEIGHTS]
    np.testing.assert_array_equal(told[:, others], TRUE[:, others])


def test_odometry_errs_in_ground_covered_and_slip() -> None:
    told = looks(odometry_gain=0.8)[0]
    np.testing.assert_allclose(told[:, 14], 0.8 * TRUE[:, 14], rtol=1e-5)
    np.testing.assert_allclose(1 - told[:, 8:10], 0.8 * (1 - TRUE[:, 8:10]), rtol=1e-5)
    others = [k for k in range(SIZE) if k not in (8, 9, 14)]
    np.testing.assert_array_equal(told[:, others], TRUE[:, others])
    assert not looks(0, odometry_gain=0.8)[0][:, 8:10].any(), "a wheel at rest does not slip"


@pytest.mark.parametrize(
    ("number", "bearings"), [(0.9, []), (1.0, [0]), (3.5, [0, 1, 7]), (8.0, [0, 1, 2, 3, 4, 5, 6, 7])]
)
def test_blind_bearings_begin_ahead(number: float, bearings: list[int]) -> None:
    told = looks(dark_bearings=number)[0][:, RING:].reshape(COUNT, 8, 6)
    true = TRUE[:, RING:].reshape(COUNT, 8, 6).copy()
    true[:, bearings] = 0
    np.testing.assert_array_equal(told, true)


def test_noise_has_its_deviation() -> None:
    told = looks(height_noise=0.05, bearing_noise=0.2)[0]
    plain = looks(0)[0]
    first = looks(0, height_noise=0.05, bearing_noise=0.2)[0]
    assert (first - plain)[:, HEIGHTS].std() == pytest.approx(2 * 0.05, rel=0.1)
    assert abs((first - plain)[:, HEIGHTS].mean()) < 0.01
    turned = np.concatenate(
        [np.arctan2(first[:, k + 1], first[:, k]) - np.arctan2(plain[:, k + 1], plain[:, k]) for k in (1, 5)]
    )
    turned = (turned + np.pi) % (2 * np.pi) - np.pi
    assert turned.std() == pytest.approx(0.2, rel=0.2)
    assert np.abs(np.corrcoef(turned[:COUNT], turned[COUNT:])[0, 1]) < 0.35
    # Noise is in the reading, not in the world.
    np.testing.assert_array_equal(told[:, 14], TRUE[:, 14])
