"""The bounds of what a policy is fed, and what is made up inside them where observations are normalised."""

from __future__ import annotations

from typing import Any

import gymnasium
import pytest
import torch
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from rover_cl_agents import ContinualLearner, Generative, Replay
from rover_cl_agents.experience.bounds import fed_bounds


def normalised(**settings: Any) -> VecNormalize:
    """Raw states in [−1.2, 0.6] × [−0.07, 0.07]; normalised ones are some 1 in size."""
    return VecNormalize(DummyVecEnv([lambda: gymnasium.make("MountainCarContinuous-v0")]), **settings)


def test_bounds_are_the_spaces_unless_observations_are_normalised() -> None:
    for env in (normalised(norm_obs=False), normalised().venv):
        low, high = fed_bounds(PPO("MlpPolicy", env, device="cpu"))
        torch.testing.assert_close(low, torch.tensor([-1.2, -0.07]))
        torch.testing.assert_close(high, torch.tensor([0.6, 0.07]))
    low, high = fed_bounds(PPO("MlpPolicy", normalised(clip_obs=4.0), device="cpu"))
    assert (low.tolist(), high.tolist()) == ([-4.0, -4.0], [4.0, 4.0])
    with pytest.raises(ValueError, match=r"observation_space is Discrete.*expected a Box"):
        fed_bounds(PPO("MlpPolicy", gymnasium.make("FrozenLake-v1"), device="cpu"))


@pytest.mark.parametrize("algorithm", [PPO, SAC])
def test_made_up_states_are_as_wide_as_normalised_ones(algorithm: Any) -> None:
    env = normalised()
    own: dict[str, Any] = {"n_steps": 256} if algorithm is PPO else {"learning_starts": 1000}
    model = algorithm("MlpPolicy", env, seed=0, device="cpu", **own)
    replay, generative = Replay(capacity=200, echoes=2048, noise=0.0), Generative(components=4)
    ContinualLearner(model, [replay, generative]).learn_task(env, total_timesteps=512)
    stored = replay.memory.at(torch.arange(200))[0].std(dim=0)
    assert stored.min() > 0.5
    # Mixtures u s + (1 − u) s' of independent states have 2/3 of their variance.
    torch.testing.assert_close(
        replay.echoes.sample(2048)[0].std(dim=0), (2 / 3) ** 0.5 * stored, rtol=0.15, atol=0
    )
    assert generative._mixture is not None
    drawn = generative._draw(generative._mixture, 2048).std(dim=0)
    torch.testing.assert_close(drawn, stored, rtol=0.25, atol=0)
