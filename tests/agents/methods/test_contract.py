"""What every method must keep to, with every algorithm that takes it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3

from rover_cl_agents import ContinualLearner
from rover_cl_agents.methods import METHODS, Method
from rover_cl_agents.vec_env import as_vec_env

OFF = {"learning_starts": 16, "buffer_size": 200, "batch_size": 16}
ALGORITHMS: dict[str, tuple[Any, bool, dict[str, Any]]] = {
    "ppo": (PPO, False, {"n_steps": 16, "batch_size": 32, "n_epochs": 2}),
    "ppo-discrete": (PPO, True, {"n_steps": 16, "batch_size": 32, "n_epochs": 2}),
    "a2c": (A2C, False, {"n_steps": 16}),
    "sac": (SAC, False, OFF),
    "td3": (TD3, False, OFF),
    "dqn": (DQN, True, OFF),
}
OBSERVATIONS = np.random.default_rng(0).standard_normal((8, 4)).astype(np.float32)


def learner_of(name: str, algorithm: str, bandit: Any, seed: int = 0) -> ContinualLearner:
    """A tiny learner; skips where the method refuses the algorithm, with its reason."""
    build, discrete, settings = ALGORITHMS[algorithm]
    env = as_vec_env(bandit(0, 4, discrete=discrete))
    config, method = METHODS[name]
    model = build("MlpPolicy", env, seed=seed, device="cpu", policy_kwargs={"net_arch": [16, 16]}, **settings)
    try:
        return ContinualLearner(model, [method(config())], seed=seed)
    except ValueError as refusal:
        assert len(str(refusal)) > 30, "a refusal says why, and what to use instead"
        pytest.skip(str(refusal))


@pytest.mark.parametrize("name", METHODS)
def test_a_method_describes_itself(name: str) -> None:
    config, build = METHODS[name]
    method = build(config())
    assert isinstance(method, Method) and method.name == name
    described = method.describe()
    assert json.loads(json.dumps(described)) == described
    assert build(config(**described)).describe() == described
    other = build(_changed(config)).describe()
    assert build(config(**other)).describe() == other
    assert other != described or not _numbers(config)
    assert type(method).__doc__ and "Source:" in (type(method).__doc__ or "")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("name", METHODS)
def test_a_method_learns_two_tasks_as_if_never_stopped(
    name: str, algorithm: str, bandit: Any, tmp_path: Path
) -> None:
    learner, other, last = (learner_of(name, algorithm, bandit, seed) for seed in range(3))
    discrete = ALGORITHMS[algorithm][1]

    def learn(each: ContinualLearner, task: int) -> None:
        each.learn_task(as_vec_env(bandit(task, 4, discrete=discrete)), total_timesteps=128)

    learn(learner, 0)
    learner.save(tmp_path / "first")
    other.restore(tmp_path / "first")
    for each in (learner, other):
        each.reseed(5)
        learn(each, 1)
    learner.save(tmp_path / "second")
    last.restore(tmp_path / "second")
    assert learner.tasks == other.tasks == last.tasks == [0, 1]
    assert learner.cost() == other.cost() == last.cost()
    assert learner.cost().bytes >= 0 and learner.cost().parameters > 0
    weights = learner.algorithm.policy.state_dict()
    for each in (other, last):
        assert all(weights[k].equal(w) for k, w in each.algorithm.policy.state_dict().items())
        for told in (None, 0, 1):
            ours, theirs = (one.predict(OBSERVATIONS, task=told) for one in (learner, each))
            assert np.isfinite(ours).all()
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_leaves_the_global_generators_alone(name: str, bandit: Any) -> None:
    """Its doors, called by hand, draw nothing that the algorithm would have drawn."""
    import torch

    learner = learner_of(name, "ppo", bandit)
    learner.learn_task(as_vec_env(bandit(0, 4)), total_timesteps=128)
    method = learner.methods[0]
    torch.manual_seed(7)
    np.random.seed(7)
    before = torch.get_rng_state(), _words()
    method.on_task_start(1)
    method.auxiliary_loss("policy")
    method.auxiliary_gradient("policy")
    assert torch.equal(torch.get_rng_state(), before[0])
    np.testing.assert_array_equal(_words(), before[1])


def _numbers(config: Any) -> list[Any]:
    """The fields of a config that hold a number above 0."""
    defaults: dict[str, Any] = {field.name: field.default for field in dataclasses.fields(config)}
    return [
        field
        for field in dataclasses.fields(config)
        if type(defaults[field.name]) in (int, float) and defaults[field.name] > 0
    ]


def _changed(config: Any) -> Any:
    """A config that isn't the default one, where there is a number to change."""
    first = next((f for f in _numbers(config) if f.default != 1), None) or next(iter(_numbers(config)), None)
    if first is None:
        return config()
    return config(**{first.name: type(first.default)(first.default / 2)})


def _words() -> Any:
    """The state of numpy's global generator."""
    state: Any = np.random.get_state()
    return state[1].copy()
