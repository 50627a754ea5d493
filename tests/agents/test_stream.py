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
    with pytest.raises(ValueError, match="total_timesteps is 0"):
        list(stretches(stream, 0))


def test_a_learner_learns_a_stream(bandit: Any) -> None:
    learner = ContinualLearner(SMALL.build(bandit(0, 8), 0))
    learner.learn([(bandit(0, 8), 128), (bandit(1, 8), 256, 4), (bandit(0, 8), 128, 0)])
    assert (learner.tasks, learner.steps) == ([0, 4, 0], 512)
