from __future__ import annotations

from itertools import cycle
from types import SimpleNamespace
from typing import Any

import pytest

from rover_cl_agents import ContinualLearner, PPOConfig
from rover_cl_agents.stream import stretches

SMALL = PPOConfig(n_steps=16, batch_size=64, n_epochs=1, net=(8,))


def test_all_forms_of_a_part_are_read() -> None:
    env: Any = object()
    stream: Any = [(env, 5), (env, 6, 3), SimpleNamespace(env=env, steps=7, task=1)]
    assert list(stretches(stream)) == [(env, 5, None), (env, 6, 3), (env, 7, 1)]
    assert [steps for _, steps, _ in stretches(cycle(stream), 20)] == [5, 6, 7, 2]
    assert [steps for _, steps, _ in stretches(stream, 11)] == [5, 6]
    wrong: Any = [env]
    with pytest.raises(ValueError, match=r"expected \(env, steps\)"):
        list(stretches(wrong))
    for steps in (0, "100"):
        total: Any = steps
        with pytest.raises(ValueError, match=r"total_timesteps is .*; expected at least 1, or None"):
            list(stretches(stream, total))
    with pytest.raises(ValueError, match="stream holds '5' steps; expected a number"):
        list(stretches([(env, "5")]))  # type: ignore[list-item]


def test_one_environment_is_no_stream(countdown: Any) -> None:
    learner = ContinualLearner(SMALL.build(countdown(3), 0))
    stream: Any
    for stream in (countdown(3), None, "CartPole-v1"):
        with pytest.raises(ValueError, match=r"expected parts such as .*there is learn_task\(env, total"):
            learner.learn(stream, total_timesteps=64)


def test_a_learner_learns_a_stream(bandit: Any) -> None:
    learner = ContinualLearner(SMALL.build(bandit(0, 8), 0))
    learner.learn([(bandit(0, 8), 128), (bandit(1, 8), 256, 4), (bandit(0, 8), 128, 0)])
    assert (learner.tasks, learner.steps) == ([0, 4, 0], 512)
