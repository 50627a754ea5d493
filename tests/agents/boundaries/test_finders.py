from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rover_cl_agents import Detected, DetectedConfig, Periodic, PeriodicConfig
from rover_cl_agents.boundaries.finders import BOUNDARIES
from rover_cl_agents.boundaries.signals import Glimpse


def rollouts(count: int, reward: float, center: float, generator: np.random.Generator) -> list[Glimpse]:
    found = []
    for _ in range(count):
        mean = center + 0.01 * generator.standard_normal(8)
        noise = 0.02 * generator.standard_normal()
        found.append(Glimpse(1000, 1000 * (reward + noise), 1000.0, 1000 * mean, 1000 * (mean**2 + 0.01)))
    return found


def test_a_period_ends_on_time() -> None:
    policy = Periodic(rollouts=3)
    assert [policy.note(None) for _ in range(3)] == [None, None, 3]
    policy.begin()
    assert [policy.note(None) for _ in range(3)] == [None, None, 3]


@pytest.mark.parametrize("signals", [{}, {"novelty": False}, {"reward": False}])
def test_a_change_is_found_soon_and_dated_and_nothing_before(signals: dict[str, Any]) -> None:
    delays, dated = [], []
    for seed in range(20):
        generator = np.random.default_rng(seed)
        policy = Detected(**signals)
        seen = [*rollouts(30, 1.0, 0.0, generator), *rollouts(5, 0.5, 0.3, generator)]
        dates = [policy.note(each) for each in seen]
        found = next(i for i, date in enumerate(dates) if date is not None)
        assert found >= 30
        date = dates[found]
        assert date is not None
        dated.append(date)
        delays.append(found - 30)
    assert max(delays) <= 1
    # Chance may have begun an excursion earlier; a late date would mix the tasks.
    assert np.median(dated) == 30 and min(dated) >= 24 and max(dated) == 30


def test_learning_is_no_change() -> None:
    generator = np.random.default_rng(0)
    policy = Detected()
    for step in range(60):
        (seen,) = rollouts(1, 1.0 - np.exp(-step / 15), 0.3 * (1 - np.exp(-step / 15)), generator)
        assert policy.note(seen) is None


def test_a_restored_policy_goes_on() -> None:
    generator = np.random.default_rng(3)
    seen = [*rollouts(12, 1.0, 0.0, generator), *rollouts(4, 0.9, 0.02, generator)]
    ours, theirs = Detected(), Detected()
    for each in seen[:9]:
        ours.note(each)
    theirs.load_state_dict(ours.state_dict())
    assert [ours.note(each) for each in seen[9:]] == [theirs.note(each) for each in seen[9:]]
    assert str(ours.state_dict()) == str(theirs.state_dict())


def test_settings_are_checked_and_described() -> None:
    for name, (config, policy) in BOUNDARIES.items():
        assert policy(config()).name == name
        assert policy(config(**policy(config()).describe())).describe() == policy(config()).describe()
    wrong: list[tuple[Any, dict[str, Any], str]] = [
        (PeriodicConfig, {"rollouts": 0}, "rollouts is 0; expected at least 1"),
        (PeriodicConfig, {"horizon": 0}, "horizon is 0; expected at least 1"),
        (PeriodicConfig, {"rollout_steps": 0}, "rollout_steps is 0"),
        (DetectedConfig, {"fading": 1.0}, r"fading is 1.0; expected a number in \(0, 1\)"),
        (DetectedConfig, {"ring": 0}, "ring is 0"),
        (DetectedConfig, {"threshold": 0.0}, "threshold is 0.0"),
        (DetectedConfig, {"reward": False, "error": False, "novelty": False}, "at least one signal"),
    ]
    for config, settings, match in wrong:
        with pytest.raises(ValueError, match=match):
            config(**settings)
