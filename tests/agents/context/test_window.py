"""Longer context: what an agent can do that sees its recent history."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3 import DQN, PPO, SAC

from rover_cl_agents import (
    EWC,
    AttentionWindow,
    ContextConfig,
    ContinualLearner,
    Distillation,
    DQNConfig,
    PPOConfig,
    Replay,
    SACConfig,
    VecHistory,
)
from rover_cl_agents.methods import METHODS
from rover_cl_agents.recurrent import recurrent_ppo
from rover_cl_agents.vec_env import as_vec_env

SIZE: dict[str, Any] = {"n_steps": 16, "batch_size": 128, "n_epochs": 4, "learning_rate": 3e-3, "gamma": 0.5}


def scores_of(cue: Any, kind: str, seed: int, steps: int = 8192) -> float:
    settings = {**SIZE, "seed": seed, "device": "cpu"}
    if kind == "recurrent":
        net = {"net_arch": [16], "lstm_hidden_size": 16}
        model: Any = recurrent_ppo()("MlpLstmPolicy", as_vec_env(cue()), policy_kwargs=net, **settings)
    else:
        config = ContextConfig(
            kind="attention" if kind == "attention" else "stack", steps=1 if kind == "none" else 4
        )
        net = {"net_arch": [16], **config.policy_kwargs()}
        model = PPO("MlpPolicy", config.wrap(cue()), policy_kwargs=net, **settings)
    learner = ContinualLearner(model, [])
    learner.learn_task(model.env, total_timesteps=steps)
    return float(cue(64).score(learner.actor(64).act))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_memory_of_the_episodes_start_is_what_a_hidden_cue_needs(cue: Any, seed: int) -> None:
    assert 0.4 < scores_of(cue, "none", seed) < 0.6
    assert scores_of(cue, "stack", seed) > 0.9
    assert scores_of(cue, "attention", seed) > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_an_lstm_remembers_it_as_well(cue: Any, seed: int) -> None:
    assert scores_of(cue, "recurrent", seed) > 0.9


def test_a_window_of_one_is_ppo_to_the_bit(bandit: Any) -> None:
    learners = []
    for wrap in (as_vec_env, ContextConfig(steps=1).wrap):
        learner = ContinualLearner(
            PPOConfig(n_steps=16, net=(8,)).build(wrap(bandit(0)), 3), [Replay(capacity=16)]
        )
        for task in (0, 1):
            learner.learn_task(wrap(bandit(task)), total_timesteps=1024)
        learners.append(learner)
    plain, one = (dict(learner.algorithm.policy.state_dict()) for learner in learners)
    assert plain.keys() == one.keys() and len(plain) > 4
    assert all(torch.equal(plain[name], one[name]) for name in plain)


@pytest.mark.parametrize("kind", ["stack", "attention"])
@pytest.mark.parametrize(
    "config",
    [
        PPOConfig(n_steps=8, net=(8,)),
        SACConfig(learning_starts=16, buffer_size=200, batch_size=16, net=(8,)),
        DQNConfig(learning_starts=16, buffer_size=200, batch_size=16, net=(8,)),
    ],
    ids=lambda c: type(c).__name__,
)
def test_every_algorithm_learns_from_windows_and_resumes_to_the_bit(
    config: Any, kind: str, bandit: Any, tmp_path: Path
) -> None:
    context = ContextConfig(kind=kind, steps=3, width=4)
    discrete = isinstance(config, DQNConfig)

    def learner() -> ContinualLearner:
        env = context.wrap(bandit(0, 4, discrete=discrete))
        return ContinualLearner(
            config.build(env, 0, context.policy_kwargs()), [Distillation(capacity=16)], seed=0
        )

    def second(one: ContinualLearner) -> dict[str, torch.Tensor]:
        one.reseed(7)
        one.learn_task(context.wrap(bandit(1, 4, discrete=discrete)), total_timesteps=64)
        return dict(one.algorithm.policy.state_dict())

    first = learner().learn_task(context.wrap(bandit(0, 4, discrete=discrete)), total_timesteps=64)
    first.save(tmp_path / "c")
    whole, resumed = second(first), second(learner().restore(tmp_path / "c"))
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_replay_holds_what_was_answered_to_windows(bandit: Any) -> None:
    """Replay, distillation and EWC meet windows as they meet any observation."""
    context = ContextConfig(steps=2)
    for remedy in (Replay(capacity=16), EWC(samples=16), Distillation(capacity=16)):
        model = PPOConfig(n_steps=16, net=(8,)).build(context.wrap(bandit(0)), 0)
        learner = ContinualLearner(model, [remedy])
        for task in (0, 1):
            learner.learn_task(context.wrap(bandit(task)), total_timesteps=512)
        if isinstance(remedy, Replay):
            assert remedy.memory.sample(4)[0].shape == (4, 8)
        assert learner.cost().bytes > 0


@pytest.mark.parametrize("name", METHODS)
def test_a_method_learns_with_attention_and_resumes_or_says_why_not(
    name: str, bandit: Any, tmp_path: Path
) -> None:
    context = ContextConfig(kind="attention", steps=2, width=4)
    config, method = METHODS[name]

    def learner() -> ContinualLearner:
        settings = PPOConfig(n_steps=16, batch_size=32, n_epochs=1, net=(8, 8))
        model = settings.build(context.wrap(bandit(0, 4)), 0, context.policy_kwargs())
        return ContinualLearner(model, [method(config())], seed=0)

    try:
        first = learner().learn_task(context.wrap(bandit(0, 4)), total_timesteps=64)
    except ValueError as refusal:
        assert "features_extractor (AttentionWindow)" in str(refusal)
        return
    first.save(tmp_path / "c")
    found = []
    for one in (first, learner().restore(tmp_path / "c")):
        one.reseed(5)
        one.learn_task(context.wrap(bandit(1, 4)), total_timesteps=64)
        found.append(dict(one.algorithm.policy.state_dict()))
    assert all(torch.equal(found[0][key], found[1][key]) for key in found[0])


def test_importance_of_attention_is_refused_with_what_to_use_instead(bandit: Any) -> None:
    context = ContextConfig(kind="attention", steps=2)
    model = PPOConfig(n_steps=16).build(context.wrap(bandit(0)), 0, context.policy_kwargs())
    with pytest.raises(ValueError, match=r"features_extractor \(AttentionWindow\).*Use L2 or SI"):
        ContinualLearner(model, [EWC()])


def test_a_checkpoint_builds_attention_again(bandit: Any, tmp_path: Path) -> None:
    context = ContextConfig(kind="attention", steps=3, width=4)
    env = context.wrap(bandit(0, 4))
    learner = ContinualLearner(PPOConfig(n_steps=16, net=(8,)).build(env, 0, context.policy_kwargs()), [])
    learner.learn_task(env, total_timesteps=64).save(tmp_path / "c")
    loaded = ContinualLearner.load(tmp_path / "c", context.wrap(bandit(1, 4)))
    assert isinstance(loaded.algorithm.policy.features_extractor, AttentionWindow)
    seen = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)
    starts = np.ones(5, dtype=np.bool_)
    np.testing.assert_array_equal(learner.actor(5).act(seen, starts), loaded.actor(5).act(seen, starts))


def test_attention_is_handed_to_an_algorithm_of_ones_own(bandit: Any) -> None:
    env = VecHistory(bandit(0, 4), 4, mask=True)
    kwargs: dict[str, Any] = {
        "features_extractor_class": AttentionWindow,
        "features_extractor_kwargs": {"steps": 4},
    }
    algorithms: list[tuple[Any, dict[str, Any]]] = [
        (PPO, {"n_steps": 8, "batch_size": 8}),
        (SAC, {"learning_starts": 8}),
    ]
    for algorithm, more in algorithms:
        model = algorithm("MlpPolicy", env, policy_kwargs=dict(kwargs), device="cpu", **more)
        assert ContinualLearner(model, []).learn_task(env, total_timesteps=32).steps == 32
    flat = VecHistory(bandit(0, 4, discrete=True), 4, mask=True)
    other = DQN("MlpPolicy", flat, policy_kwargs=dict(kwargs), learning_starts=8, device="cpu")
    assert ContinualLearner(other, []).learn_task(flat, total_timesteps=32).steps == 32


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="kind is 'lstm'; expected one of stack, attention"):
        ContextConfig(kind="lstm")
    for wrong in ({"steps": 0}, {"width": 0}):
        settings: dict[str, Any] = wrong
        with pytest.raises(ValueError, match=f"{next(iter(wrong))} is 0; expected at least 1"):
            ContextConfig(**settings)
