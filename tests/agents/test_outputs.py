from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3
from stable_baselines3.common.distributions import DiagGaussianDistribution, kl_divergence
from torch.distributions import Normal
from torch.distributions import kl_divergence as torch_kl

from rover_cl_agents.outputs import Kind, Outputs, act, distance, linear_layers, read
from rover_cl_agents.vec_env import as_vec_env


def gaussian(mean: Any, log_std: Any) -> Outputs:
    return Outputs(kind="gaussian", location=torch.tensor(mean), log_scale=torch.tensor(log_std))


def test_torch_kl_of_two_normals() -> None:
    narrow, wide = Normal(torch.zeros(()), torch.ones(())), Normal(torch.ones(()), torch.tensor(2.0))
    assert torch_kl(narrow, wide).item() == pytest.approx(0.4431471806, abs=1e-7)
    assert torch_kl(wide, narrow).item() == pytest.approx(1.3068528194, abs=1e-7)


def test_sb3_kl_is_per_dimension() -> None:
    def make(mean: float, log_std: float) -> DiagGaussianDistribution:
        return DiagGaussianDistribution(2).proba_distribution(
            torch.full((3, 2), mean), torch.full((2,), log_std)
        )

    divergence = kl_divergence(make(0.0, 0.0), make(1.0, float(np.log(2))))
    assert divergence.shape == (3, 2)
    assert divergence.sum(-1)[0].item() == pytest.approx(0.8862943611, abs=1e-6)


def test_gaussian_distance_is_scaled_by_the_cached_spread_and_leaves_the_new_one_free() -> None:
    cached = gaussian([[0.0, 0.0], [1.0, 1.0]], [[float(np.log(0.5))] * 2] * 2)
    for log_std in (-3.0, 1.0):
        current = gaussian([[1.0, 0.0], [1.0, 3.0]], [[log_std] * 2] * 2)
        assert distance(current, cached).item() == pytest.approx((1 / 0.5 + 4 / 0.5) / 2)


def test_categorical_distance_is_the_kl_divergence() -> None:
    def make(logits: list[float]) -> Outputs:
        return Outputs(kind="categorical", location=torch.log_softmax(torch.tensor([logits]), dim=-1))

    assert distance(make([0.0, 1.0, 0.0]), make([2.0, 0.0, -1.0])).item() == pytest.approx(0.912983, abs=1e-6)


def test_categorical_gradient_is_q_minus_p() -> None:
    logits = torch.tensor([[0.0, 1.0, 0.0]], requires_grad=True)
    cached = torch.log_softmax(torch.tensor([[2.0, 0.0, -1.0]]), dim=-1)
    current = Outputs(kind="categorical", location=torch.log_softmax(logits, dim=-1))
    loss = distance(current, Outputs(kind="categorical", location=cached))
    (gradient,) = torch.autograd.grad(loss, logits)
    expected = torch.softmax(logits.detach(), -1) - cached.exp()
    torch.testing.assert_close(gradient, expected)


def test_distance_refuses_two_kinds() -> None:
    other = Outputs(kind="categorical", location=torch.zeros(1, 2))
    with pytest.raises(ValueError, match=r"'categorical'.*'gaussian'"):
        distance(gaussian([[0.0, 0.0]], [[0.0, 0.0]]), other)


CASES = [(PPO, False), (PPO, True), (A2C, False), (SAC, False), (TD3, False), (DQN, True)]


@pytest.mark.parametrize(("algorithm", "discrete"), CASES)
def test_act_equals_sb3_predict(algorithm: Any, discrete: bool, bandit: Any) -> None:
    model = algorithm("MlpPolicy", as_vec_env(bandit(0, 2, discrete=discrete)), seed=1, device="cpu")
    observations = np.random.default_rng(0).standard_normal((7, 4)).astype(np.float32) * 4
    expected, _ = model.predict(observations, deterministic=True)
    actions = act(model, observations)
    assert actions.shape == expected.shape
    np.testing.assert_allclose(actions, expected, atol=1e-6)


@pytest.mark.parametrize(("algorithm", "discrete"), CASES)
def test_outputs_are_differentiable_and_at_no_distance_from_themselves(
    algorithm: Any, discrete: bool, bandit: Any
) -> None:
    model = algorithm("MlpPolicy", as_vec_env(bandit(0, 2, discrete=discrete)), seed=1, device="cpu")
    observations = torch.randn(9, 4)
    cached = read(model.policy, observations).detach()
    parameters = list(model.policy.parameters())
    parameters = [p for p in parameters if p.requires_grad]
    loss = distance(read(model.policy, observations), cached)
    gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
    assert loss.item() == pytest.approx(0, abs=1e-12)
    assert all(g.abs().max() < 1e-6 for g in gradients if g is not None)
    expected: dict[Any, Kind] = {SAC: "gaussian", TD3: "deterministic", DQN: "values"}
    assert cached.kind == expected.get(algorithm, "categorical" if discrete else "gaussian")


def test_outputs_of_an_unshared_extractor_come_without_a_warning(bandit: Any) -> None:
    model = PPO(
        "MlpPolicy",
        as_vec_env(bandit(0, 2)),
        policy_kwargs={"share_features_extractor": False},
        device="cpu",
    )
    assert read(model.policy, torch.zeros(3, 4)).location.shape == (3, 2)


def test_linear_layers_are_the_actors_own(bandit: Any) -> None:
    ppo = PPO("MlpPolicy", as_vec_env(bandit(0, 2)), device="cpu")
    names = set(linear_layers(ppo.policy, torch.zeros(2, 4)))
    assert names == {"mlp_extractor.policy_net.0", "mlp_extractor.policy_net.2", "action_net"}


def test_state_dependent_exploration_is_refused(bandit: Any) -> None:
    model = PPO("MlpPolicy", as_vec_env(bandit(0, 2)), use_sde=True, device="cpu")
    with pytest.raises(ValueError, match="use_sde=False"):
        read(model.policy, torch.zeros(2, 4))
