from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3 import DQN, PPO, SAC, TD3
from stable_baselines3.common.vec_env import DummyVecEnv

from rover_cl_agents.experience.marks import episode_marks, temporal_differences
from rover_cl_agents.experience.recent import RecentStates
from rover_cl_agents.vec_env import as_vec_env


def test_episodes_and_their_returns() -> None:
    rewards = np.array([[1, 10], [2, 20], [3, 30], [4, 40]])
    ends = np.array([[0, 1], [1, 0], [0, 0], [0, 1]])
    episodes, returns = episode_marks(rewards, ends, np.array([1, 0]))
    assert episodes.tolist() == [[0, 1], [0, 3], [2, 3], [2, 3]]
    np.testing.assert_array_equal(returns, [[3, np.nan], [3, 90], [np.nan, 90], [np.nan, 90]])


@pytest.mark.parametrize("off_policy", [False, True])
def test_marks_of_a_countdown(countdown: Any, off_policy: bool) -> None:
    env = DummyVecEnv([lambda: countdown(3), lambda: countdown(4)])
    if off_policy:
        model: Any = DQN("MlpPolicy", env, learning_starts=8, batch_size=4, buffer_size=100, device="cpu")
    else:
        model = PPO("MlpPolicy", env, n_steps=8, batch_size=8, device="cpu")
    recent = RecentStates(model, 40, marked=True)
    original = model.train

    def train(*args: Any, **settings: Any) -> None:
        recent.note_rollout()
        original(*args, **settings)

    model.train = train
    model.learn(40)  # PPO: three rollouts of eight steps of two; DQN: twenty steps of two
    marks, observations = recent.marks(), recent.observations().reshape(-1, 2)
    starts = observations == 0
    for env_index, length in ((0, 3), (1, 4)):
        episodes = marks.episodes.reshape(-1, 2)[:, env_index]
        assert (np.diff(episodes) != 0).tolist() == starts[1:, env_index].tolist()
        returns = marks.returns.reshape(-1, 2)[:, env_index]
        last = length * (len(returns) // length)
        assert (returns[:last] == length).all()
        assert np.isnan(returns[last:]).all()
    assert len(marks.surprises) == len(recent.observations())
    assert (marks.surprises >= 0).all()
    assert marks.surprises.max() > 0


def test_surprise_is_the_size_of_the_advantage(bandit: Any) -> None:
    model = PPO("MlpPolicy", as_vec_env(bandit(0, 4)), n_steps=8, batch_size=32, n_epochs=1, device="cpu")
    recent = RecentStates(model, 32, marked=True)
    found: list[np.ndarray[Any, Any]] = []
    original = model.train

    def train() -> None:
        recent.note_rollout()
        found.append(np.abs(model.rollout_buffer.rewards - model.rollout_buffer.values).ravel())
        original()

    model.train = train  # type: ignore[method-assign]
    model.learn(32)
    np.testing.assert_allclose(recent.marks().surprises, found[0], atol=1e-6)  # one-step episodes


def test_temporal_difference_of_known_values(bandit: Any) -> None:
    model = DQN("MlpPolicy", as_vec_env(bandit(0, 2, discrete=True)), gamma=0.5, device="cpu")
    policy: Any = model.policy
    with torch.no_grad():
        for network, values in ((policy.q_net, [1.0, 2.0, 3.0]), (policy.q_net_target, [4.0, 6.0, 5.0])):
            network.q_net[-1].weight.zero_()
            network.q_net[-1].bias.copy_(torch.tensor(values))
    found = temporal_differences(
        model,
        torch.zeros(2, 4),
        torch.tensor([[1], [2]]),
        torch.tensor([10.0, 1.0]),
        torch.tensor([0.0, 1.0]),
        torch.zeros(2, 4),
    )
    assert found.tolist() == [10 + 0.5 * 6 - 2, 2]


@pytest.mark.parametrize("algorithm", [SAC, TD3])
def test_critics_surprise_without_a_random_number(algorithm: Any, bandit: Any) -> None:
    model = algorithm(
        "MlpPolicy", as_vec_env(bandit(0, 2)), learning_starts=8, batch_size=4, buffer_size=90, device="cpu"
    )
    model.learn(20)
    before = torch.get_rng_state()
    marks = RecentStates(model, 20).marks()
    assert torch.equal(torch.get_rng_state(), before)
    assert marks.surprises.shape == (20,)
    # One-step episodes: the difference is that of the reward alone.
    buffer, critic = model.replay_buffer, model.policy.critic
    with torch.no_grad():
        values = torch.cat(
            critic(
                torch.as_tensor(buffer.observations[:10].reshape(-1, 4)),
                torch.as_tensor(buffer.actions[:10].reshape(-1, 2)),
            ),
            dim=1,
        ).min(dim=1)[0]
    expected = np.abs(buffer.rewards[:10].ravel() - values.numpy())
    np.testing.assert_allclose(marks.surprises, expected, rtol=1e-5, atol=1e-6)


def test_marks_must_be_asked_for(bandit: Any) -> None:
    with pytest.raises(ValueError, match="marked=True"):
        RecentStates(PPO("MlpPolicy", as_vec_env(bandit(0, 2)), device="cpu"), 5).marks()
