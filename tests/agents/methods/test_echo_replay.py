from __future__ import annotations

from dataclasses import asdict
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

from rover_cl_agents import ContinualLearner, EchoReplay, EchoReplayConfig, PPOConfig, Replay
from rover_cl_agents.vec_env import as_vec_env

SMALL = PPOConfig(n_steps=16, batch_size=128, n_epochs=2, net=(16, 16))


class Wide(gymnasium.Env[Any, Any]):
    """As wide as a rover's observations and actions."""

    observation_space = gymnasium.spaces.Box(-1, 1, (80,), np.float32)
    action_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return self.np_random.uniform(-1, 1, 80).astype(np.float32), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return self.np_random.uniform(-1, 1, 80).astype(np.float32), float(action[0]), False, False, {}


def test_a_task_of_the_rover_takes_less_than_32_kilobytes() -> None:
    echo = EchoReplay()
    learner = ContinualLearner(PPOConfig(n_steps=128, batch_size=128).build(as_vec_env(Wide()), 0), [echo])
    for tasks in (1, 2):
        learner.learn_task(as_vec_env(Wide()), total_timesteps=128)
        assert echo.cost().bytes < tasks * 32_000
        assert torch.bincount(echo.memory.tasks).tolist() == [100] * tasks
    assert echo.cost().bytes > 2 * 30_000


def test_it_is_replay_with_other_defaults(bandit: Any) -> None:
    found = []
    for method in (EchoReplay(capacity=7), Replay(**asdict(EchoReplayConfig(capacity=7)))):
        learner = ContinualLearner(SMALL.build(bandit(0, 8), 0), [method])
        for task in (0, 1):
            learner.learn_task(bandit(task, 8), total_timesteps=256)
        found.append(learner.algorithm.policy.state_dict())
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


def test_weight_zero_is_finetuning_to_the_bit(bandit: Any) -> None:
    found = []
    for methods in ([], [EchoReplay(weight=0.0)], [EchoReplay()]):
        learner = ContinualLearner(SMALL.build(bandit(0, 8), 0), methods)
        for task in (0, 1):
            learner.learn_task(bandit(task, 8), total_timesteps=256)
        found.append([tensor.clone() for tensor in learner.algorithm.policy.state_dict().values()])
    plain, off, on = found
    assert all(torch.equal(a, b) for a, b in zip(plain, off, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(plain, on, strict=True))


@pytest.mark.parametrize("seed", [0, 1])
def test_it_keeps_what_finetuning_loses(bandit: Any, seed: int) -> None:
    config, scores = PPOConfig(n_steps=16, batch_size=128, n_epochs=4, net=(32, 32)), []
    for methods in ([], [EchoReplay(batch_size=64, echoes=512)]):
        learner = ContinualLearner(config.build(bandit(0), seed), methods)
        for task in range(2):
            learner.learn_task(bandit(task), total_timesteps=6144)
        scores.append([bandit(task).score(learner.predict) for task in range(2)])
    (lost, _), (kept, new) = scores
    assert lost < -0.8
    assert kept > lost / 3
    assert new > -1.0


def test_settings_or_a_config_not_both() -> None:
    with pytest.raises(ValueError, match="not both"):
        EchoReplay(EchoReplayConfig(), weight=1.0)
    with pytest.raises(ValueError, match="echoes is -1; expected at least 0"):
        EchoReplay(echoes=-1)
