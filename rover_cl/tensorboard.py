"""A run in TensorBoard: scores, forgetting, the algorithm's scalars and pictures of drives, as they come."""

import importlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3.common.logger import KVWriter

from rover_cl import metrics
from rover_cl.catalogue import parse_algorithm
from rover_cl.configuration import RunConfig
from rover_cl.drive import Drive
from rover_cl.drivers import Driver
from rover_cl.metrics import Scores
from rover_cl.onlooker import Onlooker
from rover_cl_agents import ContinualLearner
from rover_cl_envs.renderer import Renderer

PICTURE = (480, 480)
LONGEST = 200
"""Steps of a drive in a picture at most."""


def check_tensorboard() -> None:
    """Refuse before a run begins what could not be written.

    Raises:
        RuntimeError: TensorBoard is not installed; the message says what to do.
    """
    try:
        importlib.import_module("torch.utils.tensorboard")
    except ImportError as error:
        raise RuntimeError(
            f"TensorBoard can't be written ({error}); pip install tensorboard, or leave --tensorboard out"
        ) from error


class TensorBoard(Onlooker):
    """Writes what happens in a run to a folder for TensorBoard; the axis is environment steps of the stream.

    * `success/<task>`, `return/<task>`: each examination's means;
    * `stream/average_performance`, `stream/forgetting_so_far`, `stream/segment`;
    * what Stable-Baselines3 and the methods log, by their own names, as `train/loss` and `methods/replay`;
    * `drive/<task>`: after each examination a picture of one of its episodes, on the task in training.

    Args:
        config: the run.
        folder: where to; events are added to those that are there.

    Raises:
        RuntimeError: TensorBoard is not installed.
    """

    def __init__(self, config: RunConfig, folder: Path) -> None:
        check_tensorboard()
        self._writer: Any = importlib.import_module("torch.utils.tensorboard").SummaryWriter(str(folder))
        self._config, self._stream = config, config.build_stream()
        self._action_type = parse_algorithm(config.algorithm)[0].action_type
        self._drive: Drive | None = None
        self._renderer = Renderer(PICTURE)

    def outputs(self, begin: int) -> Sequence[KVWriter]:
        """Give what passes the logger's scalars on."""
        return (_Scalars(self._writer, begin),)

    def at_examination(self, learner: ContinualLearner, scores: Scores) -> None:
        """Write scores and a picture."""
        step, segment = int(scores.steps[-1]), int(scores.segment[-1])
        values = {
            "stream/average_performance": float(scores.performance[-1].mean()),
            "stream/forgetting_so_far": metrics.forgetting_so_far(scores),
            "stream/segment": float(segment + 1),
        }
        returns = scores.returns[-1].mean(axis=1)
        for task, success, total in zip(self._stream.tasks, scores.performance[-1], returns, strict=True):
            values[f"success/{task.name}"] = float(success)
            values[f"return/{task.name}"] = float(total)
        for name, value in values.items():
            if value is not None:
                self._writer.add_scalar(name, value, step)
        trained = self._stream.segments[max(segment, 0)].task
        picture = self._picture(learner, trained)
        self._writer.add_image(f"drive/{self._stream.tasks[trained].name}", picture, step, dataformats="HWC")
        self._writer.flush()

    def close(self) -> None:
        """Finish the files."""
        self._writer.close()
        if self._drive is not None:
            self._drive.close()

    def _picture(self, learner: ContinualLearner, task: int) -> Any:
        """The whole way of one episode, with the site in the middle; the same site every time."""
        driver = Driver(
            name=self._config.method,
            policy=lambda number: partial(learner.actor(1).act, task=number),
            action_type=self._action_type,
        )
        if self._drive is None:
            self._drive = Drive(driver, self._stream, self._config.seed)
        self._drive.driver = driver
        self._drive.begin(task, 0)
        centre = self._drive.moment().site
        for _ in range(LONGEST):
            if self._drive.ended:
                break
            self._drive.step()
        return self._renderer.picture(self._drive.moment(), centre=centre)


class _Scalars(KVWriter):
    """Passes an algorithm's scalars on; its own count of steps begins anew with every task."""

    def __init__(self, writer: Any, begin: int) -> None:
        self._writer, self._begin = writer, begin

    def write(
        self, key_values: dict[str, Any], key_excluded: dict[str, tuple[str, ...]], step: int = 0
    ) -> None:
        for name, value in key_values.items():
            if "tensorboard" in key_excluded.get(name, ()) or not isinstance(value, int | float | np.number):
                continue
            self._writer.add_scalar(name, float(value), self._begin + step)

    def close(self) -> None:
        """Leave the writer to the run."""
