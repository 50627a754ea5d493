"""The film of an agent before and after the drift."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from PIL import Image

from rover_cl import watch
from rover_cl.configuration import RunConfig
from rover_cl.evaluation import examination_env, rover_seed
from rover_cl.experiment import run
from rover_cl.watch import before_after, film
from rover_cl_envs.conditions import Conditions


def micro(method: str) -> RunConfig:
    return RunConfig(
        stream="lookalike",
        method=method,
        algorithm="ppo:n_steps=8,batch_size=64,n_epochs=1",
        steps_per_segment=64,
        num_envs=8,
        eval_episodes=2,
        evals_per_segment=1,
    )


@pytest.mark.parametrize("method", ["finetune", "context:kind=attention,steps=3,width=4"])
def test_two_agents_are_filmed_side_by_side(tmp_path: Path, method: str) -> None:
    finished = run(micro(method), tmp_path / "run")
    told = before_after(tmp_path / "run", tmp_path / "film.gif", size=96, every=20)
    success = finished.scores.success
    assert told.task == "bright-trap"
    assert told.before == pytest.approx(success[1, 0].mean())
    assert told.after == pytest.approx(success[-1, 0].mean())
    with Image.open(tmp_path / "film.gif") as picture:
        assert picture.size == (2 * 96 + 4, 96)
        assert getattr(picture, "n_frames", 1) >= 1


def test_a_method_without_before_and_after_is_refused(tmp_path: Path) -> None:
    run(micro("random"), tmp_path)
    with pytest.raises(ValueError, match="no agent before and after"):
        before_after(tmp_path, tmp_path / "film.gif")


def test_the_last_picture_is_of_the_episodes_end(monkeypatch: pytest.MonkeyPatch) -> None:
    scenes: list[Any] = []

    def note(scene: Any, size: tuple[int, int], centre: tuple[float, float]) -> np.ndarray[Any, Any]:
        scenes.append(scene)
        return np.zeros((*size, 3), dtype=np.uint8)

    monkeypatch.setattr(watch, "draw", note)
    env = examination_env(
        [Conditions(ground_fluffiness=1.0, outcrop_cover=0.0)],
        seed=0,
        action_type="continuous",
        autoreset_mode=AutoresetMode.NEXT_STEP,
    )
    ahead = np.array([[1.0, 0.0]], dtype=np.float32)
    frames = film(env, lambda observations, starts: ahead, rover_seed(0, 0), "drift", size=64, every=100)
    assert len(frames) == len(scenes) == 2  # the start, and the end two steps later: all ground is drift
    assert scenes[0].outcome == "running" and scenes[-1].outcome == "embedded"
    assert scenes[-1].pose != scenes[0].pose
