from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from stable_baselines3 import PPO

from rover_cl_agents import (
    EWC,
    ContinualLearner,
    Distillation,
    Freeze,
    Generative,
    HeadBank,
    LayerNorm,
    Method,
    PackNet,
    Progressive,
    Replay,
    Sharpen,
    ShrinkPerturb,
    SlowLayers,
)
from rover_cl_agents.methods import METHODS
from rover_cl_agents.vec_env import as_vec_env

SMALL: dict[str, dict[str, Any]] = {
    "replay": {"batch_size": 16, "capacity": 20},
    "echo-replay": {"batch_size": 16, "capacity": 10, "echoes": 256, "pool": 40},
    "der": {"batch_size": 16, "capacity": 20},
    "clear": {"batch_size": 16, "capacity": 20},
    "distill": {"batch_size": 16, "capacity": 20, "teacher": "ema"},
    "sdft": {"batch_size": 16},
    "generative": {"batch_size": 16, "components": 2, "samples": 32},
    "ogd": {"vectors": 5, "gradients": 10},
    "gpm": {"samples": 20, "threshold": 0.5},
    "agem": {"batch_size": 16, "capacity": 20},
    "packnet": {"retrain_steps": 2, "batch_size": 8, "tasks": 3},
    "redo": {"period": 1},
    "cbp": {"replacement_rate": 0.5, "maturity": 0},
}
"""Settings under which each method does something within a few steps."""


def method_of(name: str) -> Method:
    config, build = METHODS[name]
    return build(config(**SMALL.get(name, {})))


def learner_of(bandit: Any, methods: list[Method]) -> ContinualLearner:
    env = as_vec_env(bandit(0, 4))
    rollout: dict[str, Any] = {"n_steps": 4, "batch_size": 16, "n_epochs": 1}
    model = PPO("MlpPolicy", env, seed=0, device="cpu", policy_kwargs={"net_arch": [8, 8]}, **rollout)
    return ContinualLearner(model, methods)


@pytest.mark.parametrize("first", METHODS)
def test_any_two_methods_learn_two_tasks_and_come_back_or_are_refused_at_once(
    first: str, bandit: Any, tmp_path: Path
) -> None:
    for second in METHODS:
        try:
            learner = learner_of(bandit, [method_of(first), method_of(second)])
        except ValueError as refusal:
            assert f"methods holds {first}, {second}: " in str(refusal) and "expected" in str(refusal)
            continue
        for task in range(2):
            learner.learn_task(bandit(task, 4), total_timesteps=16)
        learner.save(tmp_path / second)
        again = learner_of(bandit, [method_of(first), method_of(second)])
        again.restore(tmp_path / second)
        ours, theirs = (each.algorithm.policy.state_dict() for each in (learner, again))
        assert all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items()), second
        assert learner.cost() == again.cost(), second


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: [HeadBank(), Progressive()], "headbank, progressive: both divide.*one of the two"),
        (lambda: [EWC(proximal=True), PackNet()], "ewc, packnet: .*expected packnet alone, or ewc alone"),
        (lambda: [PackNet(), Replay()], "packnet, replay: packnet keeps old tasks' answers by itself"),
        (
            lambda: [Generative(), HeadBank()],
            "generative, headbank: .*which head.*expected replay or distill",
        ),
        (lambda: [Progressive(), LayerNorm()], "progressive, layernorm: .*several columns"),
        (lambda: [PackNet(), LayerNorm()], "expected layernorm before packnet"),
        (lambda: [HeadBank(), Sharpen(variant="fta")], "expected sharpen before headbank"),
        (lambda: [ShrinkPerturb(), Freeze()], "expected shrink-perturb behind freeze"),
        (lambda: [EWC(), SlowLayers(), Progressive()], "slow-layers, progressive: .*slow-layers:layers=0"),
    ],
)
def test_a_refusal_names_both_the_reason_and_what_goes(
    make: Callable[[], list[Method]], reason: str, bandit: Any
) -> None:
    with pytest.raises(ValueError, match=f"^methods holds .*{reason}"):
        learner_of(bandit, make())


@pytest.mark.parametrize(
    "make",
    [
        lambda: [LayerNorm(), PackNet(tasks=3, retrain_steps=2)],
        lambda: [Sharpen(variant="fta"), HeadBank()],
        lambda: [ShrinkPerturb(variant="soft", amount=0.1), Freeze()],
        lambda: [SlowLayers(layers=0), Progressive()],
        lambda: [Progressive(), Distillation(states="current", batch_size=16)],
    ],
)
def test_what_a_refusal_recommends_goes(make: Callable[[], list[Method]], bandit: Any) -> None:
    learner = learner_of(bandit, make())
    for task in range(3):
        learner.learn_task(bandit(task % 2, 4), total_timesteps=16)
    assert learner.tasks == [0, 1, 2]
