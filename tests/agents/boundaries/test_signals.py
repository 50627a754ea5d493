from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from stable_baselines3 import PPO, SAC

from rover_cl_agents.boundaries.signals import FadingMoments, Glimpse, Standardised, glimpse, pack, unpack
from rover_cl_agents.vec_env import as_vec_env


def a_glimpse(reward: float, error: float, mean: Any, steps: int = 100) -> Glimpse:
    """A rollout whose observations have the spread 1 around `mean`."""
    center = np.asarray(mean, dtype=np.float64)
    return Glimpse(steps, steps * reward, steps * error, steps * center, steps * (center**2 + 1))


def test_fading_moments_are_plain_ones_at_first_and_then_forget() -> None:
    moments = FadingMoments(0.25)
    for value in (1.0, 3.0, 5.0):
        moments.update(np.array([value]))
    assert moments.mean[0] == pytest.approx(3.0)
    assert moments.variance[0] == pytest.approx(8 / 3)
    assert moments.standardised(3.0 + 2 * (8 / 3) ** 0.5, 0.1) == pytest.approx(2.0)
    assert moments.standardised(1e9, 0.1) == 10.0
    for _ in range(40):
        moments.update(np.array([7.0]))
    assert moments.mean[0] == pytest.approx(7.0, abs=1e-3)
    assert moments.standardised(7.2, 0.1) == pytest.approx(2.0, abs=0.1)


def test_each_signal_answers_to_its_own_change() -> None:
    generator = np.random.default_rng(0)
    for changed, name in (
        (a_glimpse(0.5, 1.0, [0.0, 0.0]), "reward"),
        (a_glimpse(1.0, 3.0, [0.0, 0.0]), "error"),
        (a_glimpse(1.0, 1.0, [0.0, 4.0]), "novelty"),
    ):
        signals = Standardised(0.2, independent=1)
        for _ in range(12):
            quiet = 0.1 * generator.standard_normal(2)
            signals.update(a_glimpse(1.0 + 0.02 * generator.standard_normal(), 1.0, quiet))
        found = signals.update(changed)
        assert abs(found[name]) > 5
        assert all(abs(value) < 3 for other, value in found.items() if other != name)


def test_a_cue_that_was_constant_is_news_at_once() -> None:
    signals = Standardised(0.2)
    features = np.zeros(40)
    for _ in range(6):
        signals.update(Glimpse(100, 100.0, 100.0, 100 * features, 100 * features))
    features[7] = 1.0
    assert signals.update(Glimpse(100, 100.0, 100.0, 100 * features, 100 * features))["novelty"] == 10.0


@pytest.mark.parametrize("algorithm", ["on-policy", "off-policy"])
def test_a_glimpse_is_of_the_rollout(algorithm: str, bandit: Any) -> None:
    env = as_vec_env(bandit(0, 4))
    model: Any
    if algorithm == "on-policy":
        model = PPO("MlpPolicy", env, n_steps=8, batch_size=32, device="cpu", seed=0).learn(32)
        buffer = model.rollout_buffer
        rewards, errors = buffer.rewards, buffer.advantages
        observations = buffer.observations.reshape(-1, 4)
    else:
        model = SAC("MlpPolicy", env, buffer_size=400, learning_starts=100, device="cpu", seed=0).learn(48)
        buffer = model.replay_buffer
        rewards, observations = buffer.rewards[4:12], buffer.observations[4:12].reshape(-1, 4)
        errors = None
    seen = glimpse(model, 32)
    assert seen.steps == 32
    assert seen.reward == pytest.approx(float(rewards.sum()), rel=1e-5)
    np.testing.assert_allclose(seen.observations, observations.sum(axis=0), rtol=1e-4)
    np.testing.assert_allclose(seen.squares, (observations**2).sum(axis=0), rtol=1e-4)
    if errors is not None:
        assert seen.error == pytest.approx(float(abs(errors).sum()), rel=1e-5)
    both = unpack(pack(seen)) + seen
    assert (both.steps, both.reward, both.error) == (64, 2 * seen.reward, 2 * seen.error)
