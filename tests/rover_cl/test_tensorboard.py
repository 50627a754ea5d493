"""What a run writes for TensorBoard; the writer itself is somebody else's, and a stand-in here."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from rover_cl import metrics
from rover_cl.cli import app
from rover_cl.configuration import RunConfig
from rover_cl.experiment import run
from rover_cl.tensorboard import PICTURE, TensorBoard


class Writer:
    """Keeps what is written."""

    made: "list[Writer]" = []  # noqa: RUF012  of one test at a time

    def __init__(self, folder: str) -> None:
        self.folder, self.closed = folder, False
        self.scalars: dict[str, dict[int, float]] = {}
        self.images: list[tuple[str, int, Any]] = []
        self.made.append(self)

    def add_scalar(self, name: str, value: float, step: int) -> None:
        self.scalars.setdefault(name, {})[step] = value

    def add_image(self, name: str, picture: Any, step: int, dataformats: str) -> None:
        assert dataformats == "HWC"
        self.images.append((name, step, picture.shape))

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


def test_scores_losses_and_pictures_are_written_as_they_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", SimpleNamespace(SummaryWriter=Writer))
    config = RunConfig(
        stream="lookalike",
        method="replay",
        algorithm="ppo:n_steps=8,batch_size=64,n_epochs=1",
        steps_per_segment=128,
        num_envs=8,
        eval_episodes=4,
        evals_per_segment=1,
    )
    board = TensorBoard(config, tmp_path / "board")
    watched = run(config, tmp_path / "watched", onlookers=[board])
    board.close()
    alone = run(config, tmp_path / "alone")
    np.testing.assert_array_equal(watched.scores.returns, alone.scores.returns)
    writer = Writer.made.pop()
    steps = watched.scores.steps.tolist()
    assert writer.closed and steps == [0, 128, 256, 384]
    for k, name in enumerate(("bright-trap", "dark-trap")):
        assert list(writer.scalars[f"success/{name}"]) == steps
        assert list(writer.scalars[f"success/{name}"].values()) == watched.scores.performance[:, k].tolist()
    last = writer.scalars["stream/forgetting_so_far"][384]
    assert last == metrics.forgetting(watched.scores)
    assert 0 not in writer.scalars["stream/forgetting_so_far"]
    losses = writer.scalars["train/loss"]
    assert max(losses) == 384 and len(losses) >= 3  # the axis goes on over the tasks
    assert any(name.startswith("methods/") for name in writer.scalars)
    shape = (PICTURE[1], PICTURE[0], 3)
    names = ("bright-trap", "bright-trap", "dark-trap", "bright-trap")
    assert writer.images == [(f"drive/{name}", step, shape) for name, step in zip(names, steps, strict=True)]


def test_a_missing_tensorboard_is_told_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    for command in (["train"], ["compare"]):
        arguments = [*command, "--out", str(tmp_path / "run"), "--tensorboard", str(tmp_path / "board")]
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 1
        assert "pip install tensorboard" in result.stderr and result.stderr.count("\n") == 1
    assert not (tmp_path / "board").exists()
