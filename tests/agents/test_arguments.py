from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sb3_contrib import TRPO
from stable_baselines3 import DDPG, DQN, PPO

from rover_cl_agents import EWC, L2, ContinualLearner, Detected, Periodic, PPOConfig, Replay
from rover_cl_agents.vec_env import as_vec_env

SMALL = PPOConfig(n_steps=16, batch_size=128, n_epochs=1, net=(8,))


class MyPPO(PPO):
    """A user's own."""


WRONG: list[tuple[Any, str]] = [
    (DQN, "algorithm is the class DQN; expected one that is built"),
    ("DQN", "algorithm is 'DQN'; expected one that is built"),
    (None, "algorithm is None; expected one that is built"),
]


@pytest.mark.parametrize(("algorithm", "message"), WRONG)
def test_an_algorithm_is_built(algorithm: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ContinualLearner(algorithm)


def test_an_algorithm_has_networks(bandit: Any) -> None:
    bare = PPO("MlpPolicy", as_vec_env(bandit(0, 2)), device="cpu", _init_setup_model=False)
    with pytest.raises(ValueError, match="algorithm is a PPO without networks; build it for an environment"):
        ContinualLearner(bare, [EWC()])


def test_methods_meet_algorithms_that_they_have_an_effect_on(bandit: Any) -> None:
    env = as_vec_env(bandit(0, 2))
    settings: dict[str, Any] = {"device": "cpu", "n_steps": 16, "batch_size": 16}
    contributed: Any = TRPO("MlpPolicy", env, **settings)
    with pytest.raises(ValueError, match="algorithm is TRPO, on which methods might be without effect"):
        ContinualLearner(contributed, [L2()])
    assert ContinualLearner(contributed).learn_task(env, 32).tasks == [0]
    own: Any = MyPPO("MlpPolicy", env, **settings)
    assert ContinualLearner(own, [L2()]).learn_task(env, 32).tasks == [0]
    assert len(ContinualLearner(DDPG("MlpPolicy", env, device="cpu", buffer_size=50), [L2()]).methods) == 1


def test_methods_are_for_cpu_and_gpu(bandit: Any) -> None:
    model = SMALL.build(bandit(0, 2), 0)
    model.device = torch.device("mps", 0)  # as "auto" chooses where there is one
    with pytest.raises(ValueError, match=r'algorithm is on mps:0, .* cpu or cuda: PPO\(..., device="cpu"\)'):
        ContinualLearner(model, [Replay()])
    assert ContinualLearner(model).methods == ()


@pytest.mark.parametrize(
    ("device", "message"),
    [("gpu", "device is 'gpu'; expected one of the type cpu or cuda"), ("meta", "device is 'meta'; expected")]
    + ([] if torch.cuda.is_available() else [("cuda", "device is 'cuda', but PyTorch finds no GPU here")]),
)
def test_a_checkpoint_goes_to_a_device_that_is_there(
    bandit: Any, tmp_path: Path, device: str, message: str
) -> None:
    env = as_vec_env(bandit(0, 2))
    model = SMALL.build(env, 0)
    ContinualLearner(model, []).save(tmp_path / "saved")
    assert ContinualLearner.load(tmp_path / "saved", env).algorithm.device.type == "cpu"
    with pytest.raises(ValueError, match=message):
        ContinualLearner.load(tmp_path / "saved", env, device=device)
    with pytest.raises(ValueError, match="device is 'cpu', but algorithm is given"):
        ContinualLearner.load(tmp_path / "saved", env, algorithm=model, device="cpu")


@pytest.mark.parametrize("wrong", [EWC(), "ewc", 3])
def test_methods_are_a_list(bandit: Any, wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"methods is .*; expected a list of Method objects"):
        ContinualLearner(SMALL.build(bandit(0, 2), 0), wrong)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (Detected, r"boundaries is the class Detected; expected one that is built: Detected\(\)"),
        ("detected", r"boundaries is 'detected'; expected an object: Detected\(\)"),
        (16, r"boundaries is 16; expected Periodic\(\), Detected\(\), or None"),
    ],
)
def test_boundaries_are_an_object(bandit: Any, wrong: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ContinualLearner(SMALL.build(bandit(0, 2), 0), boundaries=wrong)


def test_numbers_are_numbers(bandit: Any) -> None:
    seed: Any
    steps: Any
    task: Any
    for seed in (-1, 1.5, "100"):
        with pytest.raises(ValueError, match=r"seed is .*; expected a whole number in \[0, 2\^32\), or None"):
            ContinualLearner(SMALL.build(bandit(0, 2), 0), [Replay()], seed=seed)
    learner = ContinualLearner(SMALL.build(bandit(0, 2), 0))
    for steps in ("100", float("nan"), 0):
        with pytest.raises(ValueError, match=r"total_timesteps is .*; expected a number >= 1"):
            learner.learn_task(bandit(0, 2), steps)
    for task in ("100", 1.5, -1):
        with pytest.raises(ValueError, match=r"task is .*; expected a whole number >= 0, or None"):
            learner.learn_task(bandit(0, 2), 32, task=task)
    learner.learn_task(bandit(0, 2), np.int64(32), task=np.int64(3))  # type: ignore[arg-type]
    assert (learner.tasks, learner.steps) == ([3], 32)


def test_an_unknown_argument_is_told_before_anything_begins(bandit: Any) -> None:
    learner = ContinualLearner(SMALL.build(bandit(0, 2), 0), [Replay()], boundaries=Periodic())
    wrong: Any = {"taks": 1}
    with pytest.raises(ValueError, match=r"'taks' is no argument of learn_task; .* did you mean 'task'\?"):
        learner.learn_task(bandit(0, 2), 32, **wrong)
    assert learner.steps == 0
