from __future__ import annotations

from typing import Any

import pytest
import torch
from stable_baselines3 import DQN, PPO, SAC
from stable_baselines3.common import policies

from rover_cl_agents.importance.fisher import fisher, normalised, sampled_score, score_vectors, taken_score
from rover_cl_agents.outputs import Outputs, read
from rover_cl_agents.vec_env import as_vec_env


def test_score_vectors_of_a_gaussian_give_sixteen() -> None:
    # mu = w x with x = 2, sigma = 0.5: F = x^2 / sigma^2
    outputs = Outputs(kind="gaussian", location=torch.zeros(1, 1), log_scale=torch.full((1, 1), 0.5).log())
    (vector,) = score_vectors(outputs)
    assert (vector.item() * 2) ** 2 == pytest.approx(16)


def test_score_vectors_of_logits_give_p_times_one_minus_p() -> None:
    outputs = Outputs(kind="categorical", location=torch.log_softmax(torch.tensor([[1.0, 0.0, -1.0]]), -1))
    squares = sum(vector.square() for vector in score_vectors(outputs))
    torch.testing.assert_close(squares, torch.tensor([[0.222695, 0.184836, 0.081925]]), atol=1e-6, rtol=0)


@pytest.mark.parametrize("discrete", [False, True])
def test_the_score_of_a_taken_action_is_the_derivative_of_its_log_probability(
    discrete: bool, bandit: Any
) -> None:
    model = PPO("MlpPolicy", as_vec_env(bandit(0, 2, discrete=discrete)), seed=1, device="cpu")
    policy: Any = model.policy
    observations = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        actions, _, _ = policy(observations)
    outputs = read(policy, observations)
    _, chance, _ = policy.evaluate_actions(observations, actions)
    parameters = [policy.action_net.weight, policy.action_net.bias]
    expected = torch.autograd.grad(chance.sum(), parameters, retain_graph=True)
    found = torch.autograd.grad(outputs.location, parameters, taken_score(outputs, actions.reshape(6, -1)))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("algorithm", "discrete"), [(PPO, False), (PPO, True), (SAC, False), (DQN, True)])
def test_layer_trick_equals_enumeration_over_samples(
    algorithm: Any, discrete: bool, bandit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # SB3 casts observations to float32 on their way in; here they stay as they are.
    monkeypatch.setattr(policies, "preprocess_obs", lambda observations, *_args, **_kwargs: observations)
    net = {"net_arch": [16, 16]}
    model = algorithm(
        "MlpPolicy", as_vec_env(bandit(0, 2, discrete=discrete)), policy_kwargs=net, device="cpu"
    )
    policy = model.policy.double()
    torch.manual_seed(0)
    observations = torch.randn(20, 4, dtype=torch.float64)
    found = fisher(policy, observations)
    parameters = dict(policy.named_parameters())
    expected = {name: torch.zeros_like(parameters[name]) for name in found}
    outputs = read(policy, observations)
    for vector in score_vectors(outputs):
        for i in range(20):
            scalar = (outputs.location[i] * vector[i]).sum()
            gradients = torch.autograd.grad(scalar, [parameters[n] for n in found], retain_graph=True)
            for name, gradient in zip(found, gradients, strict=True):
                expected[name] += gradient.square() / 20
    for name, value in found.items():
        torch.testing.assert_close(value, expected[name], atol=1e-12, rtol=1e-9)
    assert not any("value" in name or "log_std" in name or "critic" in name for name in found)


def test_information_of_a_linear_gaussian_policy_is_sixteen(bandit: Any) -> None:
    # mu = w x with x = 2 and sigma = 0.5, through the policy.
    model = PPO("MlpPolicy", as_vec_env(bandit(0, 2)), policy_kwargs={"net_arch": []}, device="cpu")
    policy: Any = model.policy
    with torch.no_grad():
        policy.log_std.fill_(0.5).log_()
    found = fisher(policy, torch.tensor([[2.0, 0.0, 0.0, 0.0]] * 3))
    expected = torch.tensor([[16.0, 0.0, 0.0, 0.0]] * 2)
    torch.testing.assert_close(found["action_net.weight"], expected, atol=1e-4, rtol=0)
    torch.testing.assert_close(found["action_net.bias"], torch.full((2,), 4.0), atol=1e-4, rtol=0)


def test_sampled_scores_are_those_of_the_log_probability() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.tensor([[2.0, 0.0, -1.0]]).expand(20_000, 3)
    categorical = Outputs(kind="categorical", location=logits.log_softmax(1))
    scores = sampled_score(categorical, generator)
    chosen, probabilities = scores.argmax(1), logits.softmax(1)
    torch.testing.assert_close(scores, torch.eye(3)[chosen] - probabilities)
    torch.testing.assert_close(scores.mean(0), torch.zeros(3), atol=0.02, rtol=0)
    gaussian = Outputs(
        kind="gaussian", location=torch.zeros(20_000, 2), log_scale=torch.full((20_000, 2), -1.0)
    )
    spread = sampled_score(gaussian, generator).std(0)
    torch.testing.assert_close(spread, torch.full((2,), 1.0).exp(), rtol=0.03, atol=0)


@pytest.mark.parametrize("kind", ["gaussian", "categorical"])
def test_sampled_scores_square_to_the_information(kind: Any) -> None:
    logits, n = torch.tensor([[1.0, 0.0, -1.0]]), 200_000
    outputs = (
        Outputs(kind=kind, location=torch.zeros(n, 1), log_scale=torch.full((n, 1), 0.5).log())
        if kind == "gaussian"
        else Outputs(kind=kind, location=torch.log_softmax(logits, -1).expand(n, 3))
    )
    before = torch.get_rng_state()
    scores = sampled_score(outputs, torch.Generator().manual_seed(0))
    assert torch.equal(torch.get_rng_state(), before)
    expected = torch.tensor([4.0] if kind == "gaussian" else [0.222695, 0.184836, 0.081925])
    torch.testing.assert_close(scores.square().mean(dim=0), expected, atol=0, rtol=0.02)
    assert scores.mean(dim=0).abs().max().item() < 0.02
    # One and the same action for a row: its scores are e_a - p, and sum to nothing.
    if kind == "categorical":
        assert scores.sum(dim=1).abs().max().item() < 1e-6


@pytest.mark.parametrize("discrete", [False, True])
def test_sampled_information_squares_each_sample_by_itself(
    discrete: bool, bandit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policies, "preprocess_obs", lambda observations, *_args, **_kwargs: observations)
    env = as_vec_env(bandit(0, 2, discrete=discrete))
    policy = PPO("MlpPolicy", env, policy_kwargs={"net_arch": [16]}, seed=0, device="cpu").policy.double()
    observations = torch.randn(20, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = fisher(policy, observations, generator=torch.Generator().manual_seed(3))
    outputs = read(policy, observations)
    scores = sampled_score(outputs, torch.Generator().manual_seed(3))
    parameters = dict(policy.named_parameters())
    for name, value in found.items():
        expected = torch.zeros_like(value)
        for i in range(20):
            scalar = (outputs.location[i] * scores[i]).sum()
            (gradient,) = torch.autograd.grad(scalar, parameters[name], retain_graph=True)
            expected += gradient.square() / 20
        torch.testing.assert_close(value, expected, atol=1e-12, rtol=1e-9)


def test_normalised_has_mean_one_before_the_cap() -> None:
    information = {"a": torch.arange(1.0, 11.0), "b": torch.zeros(10)}
    free = normalised(information, cap_quantile=1.0)
    assert torch.cat(list(free.values())).mean().item() == pytest.approx(1)
    capped = normalised(information, cap_quantile=0.9)
    assert capped["a"].max().item() == pytest.approx(8 / 2.75)
    assert torch.equal(normalised({"a": torch.zeros(3)}, cap_quantile=0.999)["a"], torch.zeros(3))
