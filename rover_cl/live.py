"""A window on a run that learns: a process of its own, which drives with the latest policy.

The window asks, the run answers between two rollouts: it writes its policy to a temporary folder and says
where in the stream it is. Whoever closes the window closes the window only.
"""

import multiprocessing
import os
import signal
import tempfile
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rover_cl.catalogue import parse_algorithm, parse_method
from rover_cl.configuration import RunConfig
from rover_cl.metrics import Scores
from rover_cl.onlooker import Onlooker
from rover_cl_agents import ContinualLearner

if TYPE_CHECKING:
    from rover_cl.viewer import Viewer

EVERY = 4.0
"""Seconds from one policy to the next, at least."""
RATE = 30
"""Pictures a second: fewer than elsewhere, so that the processor is the run's."""
START_TIMEOUT = 120.0  # [s]
REST = 1.0  # between two episodes [s]


@dataclass(frozen=True, kw_only=True, eq=False)
class News:
    """What the run tells its window."""

    place: int
    """steps of the stream that have passed"""
    now: NDArray[np.float64] | None
    """(T,) success on each task at the latest examination"""
    best: NDArray[np.float64] | None
    """(T,) the best so far"""


class LiveWindow(Onlooker):
    """Shows the policy of a run that is learning.

    Args:
        config: the run.

    Raises:
        ValueError: the method has no agent to watch.
        RuntimeError: there is no display; the message says what to do.
    """

    def __init__(self, config: RunConfig) -> None:
        if parse_method(config.method).protocol == "random":
            raise ValueError(f"{config.method} has no agent to watch; leave --watch out")
        self._now: NDArray[np.float64] | None = None
        self._best: NDArray[np.float64] | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="rover-cl-")
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        arguments = (theirs, config, str(self._snapshot))
        self._process = context.Process(target=show, args=arguments, daemon=True)
        self._process.start()
        theirs.close()
        try:
            trouble = self._pipe.recv() if self._pipe.poll(START_TIMEOUT) else "the window does not open"
        except EOFError:
            trouble = "the window's process ended before it opened"
        if trouble is not None:
            self.close()
            raise RuntimeError(f"{trouble}, or leave --watch out")

    @property
    def _snapshot(self) -> Path:
        return Path(self._folder.name) / "policy"

    def at_rollout(self, learner: ContinualLearner, place: int) -> None:
        """Give the window a policy, if it has asked for one."""
        try:
            if self._pipe.closed or not self._pipe.poll():
                return
            self._pipe.recv()
            learner.save(self._snapshot, midst=True)
            self._pipe.send(News(place=place, now=self._now, best=self._best))
        except (EOFError, OSError):  # the window was closed
            self._pipe.close()

    def at_examination(self, learner: ContinualLearner, scores: Scores) -> None:
        """Keep the scores for the window's strip."""
        self._now, self._best = scores.performance[-1], scores.performance.max(axis=0)

    def close(self) -> None:
        """Close the window, if it is open."""
        self._pipe.close()
        self._process.join(5)
        if self._process.is_alive():
            self._process.terminate()
            self._process.join()
        self._folder.cleanup()


def show(pipe: Connection, config: RunConfig, folder: str) -> None:
    """The window's process: opens it, tells None or what is wrong, and shows until either side closes.

    Args:
        pipe: to the run.
        config: the run.
        folder: where it leaves its policy.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the run, whose end ends the window
    if hasattr(os, "nice"):
        os.nice(10)
    import torch

    from rover_cl.viewer import Viewer

    torch.set_num_threads(1)
    follower = Follower(pipe, config, Path(folder))
    try:
        caption = f"{config.method} learns {config.stream}"
        viewer = Viewer([follower.drive], follower.attend, RATE, bars=True, caption=caption)
    except RuntimeError as error:
        pipe.send(str(error))
        return
    pipe.send(None)
    if hasattr(os, "nice"):
        os.nice(9)  # on a lone core 10 would slow the run by a tenth, 19 by a hundredth
    viewer.run()


class Follower:
    """Keeps a drive's policy and world at what the run is at.

    Args:
        pipe: to the run.
        config: the run.
        folder: where it leaves its policy.
    """

    def __init__(self, pipe: Connection, config: RunConfig, folder: Path) -> None:
        from rover_cl.drive import Drive
        from rover_cl.drivers import Driver, stand_still
        from rover_cl.evaluation import examination_env
        from rover_cl.memory_strip import memory_of

        self._pipe, self._config, self._folder = pipe, config, folder
        self._stream = config.build_stream()
        self._asked, self._next, self._ended_at = False, 0.0, float("inf")
        self._method, (entry, self._build) = parse_method(config.method), parse_algorithm(config.algorithm)
        self._action_type = entry.action_type
        self._env = examination_env(
            [self._stream.tasks[0].conditions],
            seed=config.seed,
            action_type=self._action_type,
            world=self._stream.world,
        )
        waiting = Driver(
            name=f"{config.method}, before its first rollout",
            policy=lambda task: stand_still,
            memory=memory_of(self._stream, 0),
        )
        self.drive = Drive(waiting, self._stream, config.seed)
        self._world = self.drive.conditions

    def attend(self, viewer: "Viewer") -> None:
        """Ask for a policy when it is time, take one that has come, begin an episode after the last."""
        moment = monotonic()
        try:
            if not self._asked and moment >= self._next:
                self._pipe.send(None)
                self._asked = True
            if self._pipe.poll():
                self._take(self._pipe.recv(), viewer)
                self._asked, self._next = False, moment + EVERY
        except (EOFError, OSError):  # the run is over
            viewer.window.close()
            return
        if not self.drive.ended:
            self._ended_at = moment
        elif moment > self._ended_at + REST:
            task = self.drive.task
            viewer.begin(task, self.drive.episode + 1)
            self.drive.change(self._world)

    def _take(self, news: News, viewer: "Viewer") -> None:
        from rover_cl.drivers import Driver
        from rover_cl.memory_strip import memory_of

        learner = self._method.learner(self._build(), self._env, 0).restore(self._folder)
        segment, since = self._stream.locate(news.place)
        driver = Driver(
            name=f"{self._config.method}, {news.place / 1000:.0f} k steps",
            policy=lambda task: partial(learner.actor(1).act, task=task),
            action_type=self._action_type,
            memory=memory_of(self._stream, news.place, news.now, news.best),
        )
        task, world = self._stream.segments[segment].task, self._stream.segments[segment].drift.at(since)
        self.drive.take_over(driver)
        if task != self.drive.task:
            viewer.begin(task, self.drive.episode)
        if world != self._world:
            self.drive.change(world)
            self._world = world
        viewer.stage.remember(0, self.drive.memory)
