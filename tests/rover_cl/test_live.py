"""The window on a run that learns: it sees the run's policy, and the run doesn't see it."""

import multiprocessing
from pathlib import Path

import numpy as np
import pytest

from rover_cl.audience import onlookers
from rover_cl.configuration import RunConfig
from rover_cl.experiment import run
from rover_cl.live import Follower, LiveWindow, News
from rover_cl.metrics import Scores
from rover_cl.onlooker import Onlooker
from rover_cl.viewer import Viewer
from rover_cl_agents import ContinualLearner


def micro(method: str = "finetune") -> RunConfig:
    return RunConfig(
        stream="lookalike",
        method=method,
        algorithm="ppo:n_steps=8,batch_size=64,n_epochs=1",
        steps_per_segment=128,
        num_envs=8,
        eval_episodes=2,
        evals_per_segment=1,
    )


class Witness(Onlooker):
    """Keeps what it was told, and a snapshot of the second segment."""

    def __init__(self, folder: Path) -> None:
        self.places: list[int] = []
        self.examined: list[int] = []
        self.folder = folder

    def at_rollout(self, learner: ContinualLearner, place: int) -> None:
        self.places.append(place)
        if place == 128:
            learner.save(self.folder, midst=True)

    def at_examination(self, learner: ContinualLearner, scores: Scores) -> None:
        self.examined.append(int(scores.segment[-1]))


def test_onlookers_hear_of_every_rollout_and_examination(tmp_path: Path) -> None:
    witness = Witness(tmp_path / "policy")
    run(micro(), tmp_path / "run", onlookers=[witness])
    assert witness.places == [0, 64, 128, 192, 256, 320]
    assert witness.examined == [-1, 0, 1, 2]


def test_a_window_follows_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    config = micro("echo-replay")
    run(config, tmp_path / "run", onlookers=[Witness(tmp_path / "policy")])
    ours, theirs = multiprocessing.Pipe()
    follower = Follower(theirs, config, tmp_path / "policy")
    viewer = Viewer([follower.drive])
    follower.attend(viewer)
    follower.attend(viewer)
    assert ours.poll() and ours.recv() is None and not ours.poll()  # asks once
    success = np.array([0.5, 0.25])
    ours.send(News(place=130, now=success, best=success))
    follower.attend(viewer)
    drive = follower.drive
    assert drive.driver.name == "echo-replay, 0 k steps" and drive.task == 1
    assert drive.conditions == drive.stream.tasks[1].conditions
    assert drive.memory.place == 130 and drive.memory.now is not None
    drive.step()
    assert drive.moment().command != (0.0, 0.0)  # somebody drives
    ours.close()
    follower.attend(viewer)
    assert viewer.window.closed  # the run is over


def test_a_watched_run_is_the_same_and_goes_on_without_its_window(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    alone = run(micro(), tmp_path / "alone")
    window = LiveWindow(micro())
    assert window._pipe.poll(60)  # it asks for a policy
    window.at_examination(None, alone.scores)  # type: ignore[arg-type]  # it looks at the scores only
    watched = run(micro(), tmp_path / "watched", onlookers=[window])
    np.testing.assert_array_equal(alone.scores.returns, watched.scores.returns)
    assert (window._snapshot / "policy.safetensors").is_file()
    window._process.terminate()
    window._process.join()
    run(micro("ewc"), tmp_path / "unseen", onlookers=[window])
    assert window._pipe.closed
    window.close()
    assert not window._snapshot.exists()


def test_without_a_display_nothing_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "nonsense")
    with pytest.raises(RuntimeError, match=r"no window can be opened.*leave --watch out"):
        LiveWindow(micro())
    with pytest.raises(ValueError, match="no agent to watch"), onlookers(micro("random"), None, window=True):
        pass
