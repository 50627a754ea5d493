from __future__ import annotations

from typing import Any

import pytest
from stable_baselines3.common.callbacks import BaseCallback, CallbackList

from rover_cl_agents import ContinualLearner, Periodic, PPOConfig, Replay

SMALL = PPOConfig(n_steps=16, batch_size=128, n_epochs=1, net=(8,))


class Count(BaseCallback):
    """Counts steps."""

    steps = 0

    def _on_step(self) -> bool:
        self.steps += 1
        return True


@pytest.mark.parametrize("boundaries", [None, Periodic])
@pytest.mark.parametrize("remedies", [0, 1])
def test_whatever_sb3_takes_is_called(bandit: Any, remedies: int, boundaries: Any) -> None:
    called: list[int] = []

    def function(inside: dict[str, Any], outside: dict[str, Any]) -> bool:
        called.append(len(inside))
        return True

    counts = [Count() for _ in range(4)]
    one, two, three, four = counts
    users: Any
    for users, calls in (
        ([one, function], 16),
        ([], 0),
        (function, 16),
        (CallbackList([two]), 0),
        ([[three], CallbackList([four])], 0),
    ):
        called.clear()
        learner = ContinualLearner(
            SMALL.build(bandit(0, 8), 0),
            [Replay(batch_size=8)] * remedies,
            boundaries=None if boundaries is None else boundaries(),
        )
        learner.learn_task(bandit(0, 8), 128, callback=users)
        assert len(called) == calls
    assert [count.steps for count in counts] == [16] * 4


@pytest.mark.parametrize("wrong", ["x", 3, Count])
def test_what_is_no_callback_is_refused_before_anything_begins(bandit: Any, wrong: Any) -> None:
    learner = ContinualLearner(SMALL.build(bandit(0, 8), 0))
    with pytest.raises(ValueError, match=r"callback is .*; expected a BaseCallback"):
        learner.learn_task(bandit(0, 8), 128, callback=[wrong])
    assert learner.steps == 0
