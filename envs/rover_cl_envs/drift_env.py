"""A stream as an ordinary environment: the world drifts with the steps taken."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rover_cl_envs.env import MarsRoverEnv
from rover_cl_envs.errors import unknown_name
from rover_cl_envs.streams import Stream, get_stream

NOTICES = ("none", "boundary", "task")


class MarsDriftEnv(MarsRoverEnv):
    """`MarsRoverEnv` whose conditions follow a stream, counted in steps over all episodes.

    `reset()` begins an episode but not the stream, which goes on where it was. `reset(seed=...)` begins all
    anew, the stream too: what follows a seeded reset depends on the seed alone. `options={"stream_step": k}`
    puts the stream at step k. Past its end, the last segment goes on. Conditions change between
    two steps; which target is rewarded is drawn when an episode begins, so a swap of targets counts from the
    next one.

    How much of the task label the agent is told, in `info`:

    * notify="none": nothing.
    * notify="boundary": `boundary`, whether this step, or after a reset the next, is the first of a segment.
    * notify="task": also `segment`, `task` (index), `task_name`, and `stream_step`.

    Args:
        stream: a name of `streams.STREAMS`, or a `Stream` of your own.
        notify: "none", "boundary" or "task".
        kwargs: of `MarsRoverEnv`, but `conditions`; the stream's world is changed by them.

    Raises:
        ValueError: an unknown stream or notice, or `conditions` given.
    """

    def __init__(self, *, stream: str | Stream = "lookalike", notify: str = "task", **kwargs: Any) -> None:
        if notify not in NOTICES:
            raise unknown_name("notify", notify, NOTICES)
        if "conditions" in kwargs:
            raise ValueError("conditions are the stream's; use RoverCL/MarsRover-v0 to set them yourself.")
        self.stream = stream if isinstance(stream, Stream) else get_stream(stream)
        self.notify = notify
        self.stream_step = 0
        self._segment = 0
        kwargs.setdefault("world", self.stream.world)
        super().__init__(conditions=self.stream.at(0), **kwargs)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin an episode where the stream is.

        Args:
            seed: begins the stream anew as well.
            options: "stream_step" puts the stream at that step.
        """
        if seed is not None:
            self.stream_step = 0
        if options is not None and "stream_step" in options:
            self.stream.locate(int(options["stream_step"]))  # refuses a step before the stream
            self.stream_step = int(options["stream_step"])
        self._follow()
        observation, info = super().reset(seed=seed, options=options)
        return observation, info | self._notice()

    def step(self, action: Any) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Drive for one step in the world of this moment of the stream."""
        self._follow()
        observation, reward, terminated, truncated, info = super().step(action)
        notice = self._notice()
        self.stream_step += 1
        return observation, reward, terminated, truncated, info | notice

    @property
    def title(self) -> str:
        """The stream and the task of this moment."""
        return f"{self.stream.name}: {self.stream.tasks[self.stream.segments[self._segment].task].name}"

    def _follow(self) -> None:
        """Take over the conditions of this moment."""
        segment, since = self.stream.locate(self.stream_step)
        drift = self.stream.segments[segment].drift
        if segment != self._segment or not drift.is_still or since == 0:
            self.set_conditions(drift.at(since))
        self._segment = segment

    def _notice(self) -> dict[str, Any]:
        """What the agent is told of where the stream is."""
        if self.notify == "none":
            return {}
        boundary = self.stream.locate(self.stream_step)[1] == 0
        if self.notify == "boundary":
            return {"boundary": boundary}
        task = self.stream.segments[self._segment].task
        return {
            "boundary": boundary,
            "segment": self._segment,
            "task": task,
            "task_name": self.stream.tasks[task].name,
            "stream_step": self.stream_step,
        }
