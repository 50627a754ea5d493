from __future__ import annotations

from typing import Any

import pytest
import torch
from stable_baselines3 import PPO

from rover_cl_agents import EWC, ContinualLearner, PPOConfig
from rover_cl_agents.methods.online_ewc import OnlineEWC, OnlineEWCConfig
from rover_cl_agents.vec_env import as_vec_env

BIAS = "action_net.bias"
SMALL = PPOConfig(n_steps=16, batch_size=128, n_epochs=4, net=(32, 32))


def bound(bandit: Any, **settings: Any) -> OnlineEWC:
    method = OnlineEWC(**settings)
    method.bind(PPO("MlpPolicy", as_vec_env(bandit(0, 2)), seed=0, device="cpu"), 0)
    return method


def place(method: Any, values: list[float]) -> None:
    with torch.no_grad():
        method.algorithm.policy.action_net.bias.copy_(torch.tensor(values))


def gradient(method: Any) -> list[float]:
    found: list[float] = method.auxiliary_gradient("policy")[method.algorithm.policy.action_net.bias].tolist()
    return found


def test_the_past_fades_and_the_anchor_moves(bandit: Any) -> None:
    method = bound(bandit, weight=1.0, decay=0.95)
    for information, at in (([1.0, 2.0], [0.0, 0.0]), ([3.0, 0.0], [10.0, 4.0])):
        place(method, at)
        method.hold({BIAS: torch.tensor(information)})
    assert gradient(method) == [0.0, 0.0]
    place(method, [11.0, 5.0])
    assert gradient(method) == pytest.approx([3.95, 1.9])
    assert method.penalty().item() == pytest.approx((3.95 + 1.9) / 2)


def test_one_anchor_stays_where_two_would_pull_back(bandit: Any) -> None:
    # F = 4 at 0, then F = 1 at 10: separate anchors rest at 2, the one anchor at 10.
    online, apart = bound(bandit, weight=1.0, decay=1.0), EWC(weight=1.0)
    apart.bind(online.algorithm, 0)
    for task, (value, at) in enumerate([(4.0, 0.0), (1.0, 10.0)]):
        place(online, [at, 0.0])
        online.hold({BIAS: torch.tensor([value, 0.0])})
        apart.anchor(task, {BIAS: torch.tensor([value, 0.0])})
    assert (gradient(online)[0], gradient(apart)[0]) == (0.0, 40.0)
    place(online, [2.0, 0.0])
    assert (gradient(online)[0], gradient(apart)[0]) == (-40.0, 0.0)


def test_memory_does_not_grow_and_the_first_two_tasks_are_ewcs(bandit: Any) -> None:
    found, costs = [], []
    for method in (OnlineEWC(samples=64), EWC(samples=64)):
        learner = ContinualLearner(SMALL.build(bandit(0, 8), 0), [method])
        held = []
        for task in range(3):
            learner.learn_task(bandit(task % 2, 8), total_timesteps=128)
            held.append(learner.cost().bytes)
            if task == 1:
                found.append([p.detach().clone() for p in learner.algorithm.policy.parameters()])
        costs.append(held)
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))
    numbers = 4 * 32 + 32 + 32 * 32 + 32 + 32 * 2 + 2
    assert costs[0] == [4 * 4 * numbers] * 3
    assert costs[1] == [4 * (2 * tasks + 2) * numbers for tasks in (1, 2, 3)]


def test_a_decay_of_zero_knows_the_last_task_alone(bandit: Any) -> None:
    method = bound(bandit, decay=0.0)
    for information in ([1.0, 2.0], [3.0, 0.5]):
        method.hold({BIAS: torch.tensor(information)})
    state = method.state_dict()
    assert torch.as_tensor(state[f"importance.0.{BIAS}"]).tolist() == [3.0, 0.5]


@pytest.mark.parametrize("seed", [0, 1])
def test_keeps_what_finetuning_loses(bandit: Any, seed: int) -> None:
    learner = ContinualLearner(SMALL.build(bandit(0), seed), [OnlineEWC(weight=3.0)])
    for task in range(2):
        learner.learn_task(bandit(task), total_timesteps=6144)
    assert bandit(0).score(learner.predict) > -0.24  # finetuning: -1.44 and -0.95
    assert bandit(1).score(learner.predict) > -2.8  # -3.57 before it is learned


@pytest.mark.parametrize("decay", [-0.1, 1.1, float("nan")])
def test_ranges(decay: float) -> None:
    with pytest.raises(ValueError, match=rf"decay is {decay}; expected a number in \[0, 1\]"):
        OnlineEWCConfig(decay=decay)
    with pytest.raises(ValueError, match="samples is 0"):
        OnlineEWCConfig(samples=0)
