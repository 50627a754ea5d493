"""Every method with its algorithm on a GPU. Where there is none, nothing of this can be tried."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3

from rover_cl_agents import ContinualLearner, Detected, Periodic, Replay
from rover_cl_agents.methods import METHODS
from rover_cl_agents.recurrent import recurrent_ppo
from rover_cl_agents.vec_env import as_vec_env

if not torch.cuda.is_available():
    pytest.skip("there is no GPU", allow_module_level=True)

OFF = {"learning_starts": 16, "buffer_size": 200, "batch_size": 16}
ALGORITHMS: dict[str, tuple[Any, bool, dict[str, Any]]] = {
    "ppo": (PPO, False, {"n_steps": 16, "batch_size": 32, "n_epochs": 2}),
    "ppo-discrete": (PPO, True, {"n_steps": 16, "batch_size": 32, "n_epochs": 2}),
    "a2c": (A2C, False, {"n_steps": 16}),
    "sac": (SAC, False, OFF),
    "td3": (TD3, False, OFF),
    "dqn": (DQN, True, OFF),
}
VARIANTS: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in METHODS),
    ("replay", {"total": 40, "eviction": "loss-aware", "capacity": 30}),
    ("replay", {"echoes": 256, "precision": "float16"}),
    ("replay", {"insertion": "diversity", "capacity": 20}),
    ("replay", {"insertion": "difficulty"}),
    ("der", {"eviction": "loss-aware", "capacity": 60}),
    ("der", {"label_weight": 0.1}),
    ("clear", {"replay_weight": 0.1, "unroll": 4}),
    ("ewc", {"fisher": "sampled"}),
    ("ewc", {"fisher": "empirical"}),
    ("ewc", {"proximal": True}),
    ("ogd", {"directions": "sampled", "vectors": 10, "gradients": 20, "max_vectors": 20}),
    ("agem", {"reference": "reward"}),
    ("distill", {"teacher": "ema"}),
    ("distill", {"states": "current"}),
    ("generative", {"covariance": "full"}),
    ("sharpen", {"variant": "fta"}),
    ("sharpen", {"variant": "kwta"}),
    ("sharpen", {"variant": "softmax"}),
    ("shrink-perturb", {"variant": "soft"}),
    ("cbp", {"replacement_rate": 0.2, "maturity": 2}),
    ("redo", {"period": 2, "threshold": 0.9}),
    ("progressive", {"infer": True}),
    ("packnet", {"infer": True, "tasks": 4}),
]
OBSERVATIONS = np.random.default_rng(0).standard_normal((8, 4)).astype(np.float32)


def build(algorithm: str, bandit: Any, seed: int = 0, device: str = "cuda") -> Any:
    kind, discrete, settings = ALGORITHMS[algorithm]
    env = as_vec_env(bandit(0, 4, discrete=discrete))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "You are trying to run", UserWarning)  # SB3 prefers the CPU here
        return kind(
            "MlpPolicy", env, seed=seed, device=device, policy_kwargs={"net_arch": [16, 16]}, **settings
        )


def learner_of(name: str, settings: dict[str, Any], model: Any, **more: Any) -> ContinualLearner:
    config, method = METHODS[name]
    return ContinualLearner(model, [method(config(**settings))], seed=0, **more)


def skip_if_refused(name: str, settings: dict[str, Any], algorithm: str, bandit: Any) -> None:
    """Skip a pair that isn't taken on the CPU either."""
    try:
        learner_of(name, settings, build(algorithm, bandit, 0, "cpu"))
    except ValueError as refusal:
        pytest.skip(str(refusal))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize(("name", "settings"), VARIANTS, ids=str)
def test_a_method_learns_on_a_gpu_and_its_checkpoint_goes_on_on_either(
    name: str, settings: dict[str, Any], algorithm: str, bandit: Any, tmp_path: Path
) -> None:
    discrete = ALGORITHMS[algorithm][1]
    skip_if_refused(name, settings, algorithm, bandit)
    learner = learner_of(name, settings, build(algorithm, bandit))
    for task in (0, 1, 0):
        learner.learn_task(as_vec_env(bandit(task, 4, discrete=discrete)), total_timesteps=128)
    assert all(p.is_cuda for p in learner.algorithm.policy.parameters())
    learner.save(tmp_path / "first")
    drawn = torch.cuda.get_rng_state()
    answers, cost = learner.predict(OBSERVATIONS), learner.cost()
    there, here = (learner_of(name, settings, build(algorithm, bandit, 1, each)) for each in ("cuda", "cpu"))
    for other in (there, here):
        other.restore(tmp_path / "first")
        assert other is here or torch.cuda.get_rng_state().equal(drawn)
        assert other.cost() == cost
        np.testing.assert_allclose(other.predict(OBSERVATIONS), answers, atol=1e-4)
    for each in (learner, there, here):
        each.reseed(5)
        each.learn_task(as_vec_env(bandit(1, 4, discrete=discrete)), total_timesteps=128)
        assert np.isfinite(each.predict(OBSERVATIONS)).all()
    weights = learner.algorithm.policy.state_dict()
    assert all(weights[k].equal(w) for k, w in there.algorithm.policy.state_dict().items())


@pytest.mark.parametrize("name", METHODS)
def test_a_gpu_learns_what_a_cpu_learns(name: str, bandit: Any) -> None:
    """The draws are the same; what differs is rounding, which few steps of training can't blow up."""
    answers = []
    for device in ("cuda", "cpu"):
        learner = learner_of(name, {}, build("ppo", bandit, 0, device))
        # The exploration noise is torch's own, drawn where the networks are: without it the paths are one.
        spread: Any = learner.algorithm.policy.log_std
        spread.data.fill_(-12.0)
        start = {n: t.cpu().clone() for n, t in learner.algorithm.policy.state_dict().items()}
        learner.learn_task(as_vec_env(bandit(0, 4)), total_timesteps=64)
        learner.learn_task(as_vec_env(bandit(1, 4)), total_timesteps=64)
        answers.append((start, learner.predict(OBSERVATIONS)))
    for weight in answers[0][0]:
        torch.testing.assert_close(answers[0][0][weight], answers[1][0][weight])
    np.testing.assert_allclose(answers[0][1], answers[1][1], atol=0.02)


@pytest.mark.parametrize("boundaries", [Detected(), Periodic()], ids=["detected", "periodic"])
@pytest.mark.parametrize("algorithm", ["ppo", "dqn"])
def test_untold_boundaries_are_found_on_a_gpu(
    algorithm: str, boundaries: Any, bandit: Any, tmp_path: Path
) -> None:
    discrete = ALGORITHMS[algorithm][1]
    learner = learner_of("replay", {}, build(algorithm, bandit), boundaries=boundaries)
    learner.learn_task(as_vec_env(bandit(0, 4, discrete=discrete)), total_timesteps=512)
    learner.save(tmp_path / "first")
    for device in ("cuda", "cpu"):
        other = learner_of("replay", {}, build(algorithm, bandit, 1, device), boundaries=boundaries)
        other.restore(tmp_path / "first")
        other.learn_task(as_vec_env(bandit(1, 4, discrete=discrete)), total_timesteps=256)
        assert np.isfinite(other.predict(OBSERVATIONS)).all()


def test_a_recurrent_policy_goes_on_a_gpu_where_a_method_takes_it(cue: Any) -> None:
    pytest.importorskip("sb3_contrib")
    env, taken = as_vec_env(cue(8)), []
    for name, (config, method) in METHODS.items():
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "You are trying to run", UserWarning)
            model = recurrent_ppo()(
                "MlpLstmPolicy", env, n_steps=16, batch_size=32, n_epochs=1, seed=0, device="cuda"
            )
        try:
            learner = ContinualLearner(model, [method(config())])
        except ValueError:
            continue
        learner.learn_task(as_vec_env(cue(8)), 256).learn_task(as_vec_env(cue(8)), 256)
        assert learner.tasks == [0, 1], name
        taken.append(name)
    assert {"l2", "si", "slow-layers"} <= set(taken)


def test_a_checkpoint_is_built_on_the_device_asked_for(bandit: Any, tmp_path: Path) -> None:
    learner = ContinualLearner(build("ppo", bandit), [Replay()], seed=0)
    learner.learn_task(as_vec_env(bandit(0, 4)), 128)
    learner.save(tmp_path / "first")
    here = ContinualLearner.load(tmp_path / "first", as_vec_env(bandit(0, 4)))
    assert here.algorithm.device.type == "cpu"
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "You are trying to run", UserWarning)
        there = ContinualLearner.load(tmp_path / "first", as_vec_env(bandit(0, 4)), device="cuda")
    assert there.algorithm.device.type == "cuda"
    np.testing.assert_allclose(here.predict(OBSERVATIONS), there.predict(OBSERVATIONS), atol=1e-5)
