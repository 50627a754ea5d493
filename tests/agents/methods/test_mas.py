from __future__ import annotations

from typing import Any

import pytest
import torch
from stable_baselines3 import DQN, PPO, SAC, TD3
from stable_baselines3.common import policies

from rover_cl_agents import ContinualLearner, PPOConfig
from rover_cl_agents.methods.mas import MAS, MASConfig, sensitivity
from rover_cl_agents.outputs import read
from rover_cl_agents.vec_env import as_vec_env

SMALL = PPOConfig(n_steps=16, batch_size=128, n_epochs=4, net=(32, 32))


def test_a_linear_map_gives_thirty_and_ten(bandit: Any) -> None:
    # y = [1, 2] . x at x = [3, 1]: y = 5, and d y^2 / dW = 2 y x = [30, 10]. Signs don't cancel.
    model = PPO("MlpPolicy", as_vec_env(bandit(0, 2)), policy_kwargs={"net_arch": []}, device="cpu")
    policy: Any = model.policy
    with torch.no_grad():
        policy.action_net.bias.zero_()
        policy.action_net.weight.copy_(torch.tensor([[1.0, 2.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]))
    for observations in ([[3.0, 1, 0, 0]], [[3.0, 1, 0, 0], [-3.0, -1, 0, 0]]):
        found = sensitivity(policy, torch.tensor(observations))
        assert set(found) == {"action_net.weight", "action_net.bias"}
        assert found["action_net.weight"].tolist() == [[30.0, 10.0, 0.0, 0.0], [0.0] * 4]
        assert found["action_net.bias"].tolist() == [10.0, 0.0]


@pytest.mark.parametrize(
    ("algorithm", "discrete"), [(PPO, False), (PPO, True), (SAC, False), (TD3, False), (DQN, True)]
)
def test_layer_trick_equals_enumeration_over_samples(
    algorithm: Any, discrete: bool, bandit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # SB3 casts observations to float32 on their way in; here they stay as they are.
    monkeypatch.setattr(policies, "preprocess_obs", lambda observations, *_args, **_kwargs: observations)
    model = algorithm(
        "MlpPolicy",
        as_vec_env(bandit(0, 2, discrete=discrete)),
        policy_kwargs={"net_arch": [16, 16]},
        seed=0,
        device="cpu",
    )
    policy = model.policy.double()
    observations = torch.randn(20, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = sensitivity(policy, observations)
    parameters = dict(policy.named_parameters())
    expected = {name: torch.zeros_like(parameters[name]) for name in found}
    for i in range(20):
        answer = read(policy, observations[i : i + 1]).location
        if algorithm is PPO and discrete:
            answer = answer - answer.mean()
        gradients = torch.autograd.grad(answer.square().sum(), [parameters[name] for name in found])
        for name, gradient in zip(found, gradients, strict=True):
            expected[name] += gradient.abs() / 20
    for name, value in found.items():
        torch.testing.assert_close(value, expected[name], atol=1e-12, rtol=1e-9)
    assert not any("value" in name or "log_std" in name or "critic" in name for name in found)


def test_the_level_of_the_logits_is_no_answer(bandit: Any) -> None:
    env = as_vec_env(bandit(0, 2, discrete=True))
    policy: Any = PPO("MlpPolicy", env, policy_kwargs={"net_arch": [8]}, seed=0, device="cpu").policy
    observations = torch.randn(20, 4, generator=torch.Generator().manual_seed(0))
    before = sensitivity(policy, observations)
    with torch.no_grad():
        policy.action_net.bias.add_(3.0)
    for name, value in sensitivity(policy, observations).items():
        torch.testing.assert_close(value, before[name], atol=1e-6, rtol=1e-4)


def test_importance_adds_up_over_tasks(bandit: Any) -> None:
    method = MAS(samples=64, cap_quantile=1.0)
    learner = ContinualLearner(SMALL.build(bandit(0, 8), 0), [method])
    for task in range(3):
        learner.learn_task(bandit(task % 2, 8), total_timesteps=128)
        found = [v for n, v in method.state_dict().items() if n.startswith("importance.0.")]
        everything = torch.cat([torch.as_tensor(tensor).flatten() for tensor in found])
        assert everything.mean().item() == pytest.approx(task + 1, rel=1e-4)
        assert method.penalty().item() == 0.0  # the anchor is where the task ended


@pytest.mark.parametrize("seed", [0, 1])
def test_keeps_what_finetuning_loses(bandit: Any, seed: int) -> None:
    learner = ContinualLearner(SMALL.build(bandit(0), seed), [MAS(weight=0.1)])
    for task in range(2):
        learner.learn_task(bandit(task), total_timesteps=6144)
    assert bandit(0).score(learner.predict) > -0.24  # finetuning: -1.44 and -0.95
    assert bandit(1).score(learner.predict) > -1.5  # -3.57 before it is learned


@pytest.mark.parametrize(("field", "value"), [("weight", -1.0), ("samples", 0), ("cap_quantile", 1.5)])
def test_ranges(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{field} is {value}; expected"):
        MASConfig(**{field: value})
