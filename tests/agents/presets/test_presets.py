from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3

from rover_cl_agents import A2CConfig, ContinualLearner, DQNConfig, PPOConfig, SACConfig, TD3Config


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
    assert isinstance(A2CConfig().build(bandit(0, 4), 3), A2C)
    assert isinstance(TD3Config().build(bandit(0, 4), 3), TD3)
    assert TD3Config(noise=0).build(bandit(0, 4), 3).action_noise is None
    assert isinstance(DQNConfig().build(bandit(0, 4, discrete=True), 3), DQN)


@pytest.mark.parametrize(
    ("config", "field", "value"),
    [
        (PPOConfig, "gamma", 1.5),
        (PPOConfig, "n_steps", 0),
        (PPOConfig, "learning_rate", 0.0),
        (SACConfig, "tau", 0.0),
        (SACConfig, "entropy", 0.0),
        (TD3Config, "policy_delay", 0),
        (A2CConfig, "gamma", -1),
        (DQNConfig, "exploration_fraction", 2.0),
    ],
)
def test_ranges(config: Any, field: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{field} is {value}; expected a number in"):
        config(**{field: value})


def test_net_needs_layers() -> None:
    with pytest.raises(ValueError, match=r"net is \(\)"):
        PPOConfig(net=())


def test_soft_actor_critic_begins_each_task_with_little_entropy(bandit: Any) -> None:
    config = SACConfig(learning_starts=8, buffer_size=100, batch_size=8, net=(8,))
    learner = ContinualLearner(config.build(bandit(0, 4), 3))
    learner.learn_task(bandit(0, 4), 32)
    model: Any = learner.algorithm
    assert float(model.log_ent_coef.detach().exp()) != pytest.approx(config.entropy, rel=1e-6)
    learner.switch.put_back(learner.algorithm)
    assert float(model.log_ent_coef.detach().exp()) == pytest.approx(config.entropy)


@pytest.mark.parametrize("build", [A2CConfig(net=(8,)), TD3Config(learning_starts=8, net=(8,))])
def test_a_preset_is_built_again_from_its_checkpoint(build: Any, bandit: Any, tmp_path: Path) -> None:
    learner = ContinualLearner(build.build(bandit(0, 4), 3))
    learner.learn_task(bandit(0, 4), 64)
    learner.save(tmp_path)
    again = ContinualLearner.load(tmp_path, bandit(0, 4))
    for model in (learner, again):
        model.reseed(5)
        model.learn_task(bandit(1, 4), 64)
    for old, new in zip(
        learner.algorithm.policy.parameters(), again.algorithm.policy.parameters(), strict=True
    ):
        assert torch.equal(old, new)
