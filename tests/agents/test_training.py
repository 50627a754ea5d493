from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stable_baselines3.common.callbacks import BaseCallback

from rover_cl_agents import ContinualLearner, Periodic, PPOConfig, Replay

SMALL = PPOConfig(n_steps=16, batch_size=128, n_epochs=1, net=(8,))


class At(BaseCallback):
    """Does something once, at a step of the task."""

    def __init__(self, step: int, act: Any) -> None:
        super().__init__()
        self.step, self.act = step, act

    def _on_step(self) -> bool:
        if self.num_timesteps == self.step:
            self.act()
        return True


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("boundaries", [None, Periodic])
def test_the_steps_of_an_interrupted_task_count(bandit: Any, boundaries: Any) -> None:
    learner = ContinualLearner(
        SMALL.build(bandit(0, 8), 0),
        [Replay(batch_size=8)],
        boundaries=None if boundaries is None else boundaries(),
    )
    learner.learn_task(bandit(0, 8), 128)
    with pytest.raises(KeyboardInterrupt):
        learner.learn_task(bandit(0, 8), 128, callback=At(64 if boundaries is None else 192, interrupt))
    assert learner.steps == 128 + 64
    learner.learn_task(bandit(0, 8), 128)
    assert learner.steps == 128 + 64 + 128


def test_a_learner_is_not_saved_in_the_midst_of_a_task(bandit: Any, tmp_path: Path) -> None:
    learner = ContinualLearner(SMALL.build(bandit(0, 8), 0), [Replay(batch_size=8)])
    with pytest.raises(ValueError, match="save was called in the midst of a task"):
        learner.learn_task(bandit(0, 8), 128, callback=At(64, lambda: learner.save(tmp_path / "c")))
    assert not (tmp_path / "c").exists()
    learner.save(tmp_path / "c")
    assert ContinualLearner.load(tmp_path / "c", bandit(0, 8)).steps == 64


def test_what_acts_in_the_midst_of_a_task_can_be_looked_at(bandit: Any, tmp_path: Path) -> None:
    learner = ContinualLearner(SMALL.build(bandit(0, 8), 0), [Replay(batch_size=8)])
    acted = []

    def look() -> None:
        learner.save(tmp_path / "c", midst=True)
        acted.append(learner.predict(np.ones((1, 4), dtype=np.float32)))

    learner.learn_task(bandit(0, 8), 128, callback=At(64, look))
    seen = ContinualLearner.load(tmp_path / "c", bandit(0, 8))
    assert seen.tasks == []
    assert np.array_equal(seen.predict(np.ones((1, 4), dtype=np.float32)), acted[0])


def test_how_a_run_is_shown_is_handed_on(bandit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, Any]] = []
    learner = ContinualLearner(SMALL.build(bandit(0, 8), 0))
    learn = learner.algorithm.learn

    def note(total_timesteps: int, callback: Any, **rest: Any) -> Any:
        seen.append(rest)
        return learn(total_timesteps, callback, **rest)

    monkeypatch.setattr(learner.algorithm, "learn", note)
    learner.learn_task(bandit(0, 8), 128)
    learner.learn([(bandit(0, 8), 128)], log_interval=3, tb_log_name="mine", progress_bar=False)
    told = {"reset_num_timesteps": True}
    assert seen == [told, {**told, "log_interval": 3, "tb_log_name": "mine", "progress_bar": False}]
