from __future__ import annotations

from typing import Any

import pytest
from stable_baselines3 import DQN, PPO, SAC

from rover_cl_agents import DQNConfig, PPOConfig, SACConfig


@pytest.mark.parametrize(("envs", "size"), [(256, 2048), (48, 1536), (8, 512), (64, 2048), (1, 64)])
def test_minibatches_of_one_size_make_up_the_rollout(envs: int, size: int) -> None:
    assert PPOConfig().minibatch(envs) == size


def test_configs_build_their_algorithms(bandit: Any) -> None:
    ppo = PPOConfig().build(bandit(0, 4), 3)
    assert isinstance(ppo, PPO)
    assert ppo.seed == 3
    assert [m.out_features for m in ppo.policy.mlp_extractor.policy_net if hasattr(m, "out_features")] == [
        128,
        128,
    ]
    assert ppo.policy.log_std.tolist() == pytest.approx([PPOConfig().log_std_init] * 2)
    assert isinstance(SACConfig().build(bandit(0, 4), 3), SAC)
    assert isinstance(DQNConfig().build(bandit(0, 4, discrete=True), 3), DQN)


@pytest.mark.parametrize(
    ("config", "field", "value"),
    [
        (PPOConfig, "gamma", 1.5),
        (PPOConfig, "n_steps", 0),
        (PPOConfig, "learning_rate", 0.0),
        (SACConfig, "tau", 0.0),
        (DQNConfig, "exploration_fraction", 2.0),
    ],
)
def test_ranges(config: Any, field: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{field} is {value}; expected a number in"):
        config(**{field: value})


def test_net_needs_layers() -> None:
    with pytest.raises(ValueError, match=r"net is \(\)"):
        PPOConfig(net=())
