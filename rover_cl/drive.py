"""One rover, one driver, one episode after another: what the viewer shows and the recorder films."""

import dataclasses
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from rover_cl.drivers import Driver, find_driver
from rover_cl.evaluation import Policy, examination_env, rover_seed
from rover_cl.memory_strip import Memory, memory_of
from rover_cl_envs.conditions import RANGES, Conditions
from rover_cl_envs.scene import Scene, between
from rover_cl_envs.streams import Stream

NEEDS = {
    "bodies": ("devil_rate", "devil_speed", "martian", "martian_speed", "martian_sight"),
    "power": (
        *("season", "latitude", "time_of_sol", "dust_factor", "dust_fall", "cleaning"),
        *("battery_health", "cold", "initial_charge", "clock_rate"),
    ),
}
"""Conditions that have an effect only where a system is on."""


class Drive:
    """A driver's rover.

    Args:
        driver: who drives.
        stream: whose tasks are driven.
        seed: of the maps; drives of one seed meet the same ground.
    """

    def __init__(self, driver: Driver, stream: Stream, seed: int) -> None:
        self.driver, self.stream, self.seed = driver, stream, seed
        self._env = examination_env(
            [Conditions()],
            seed=seed,
            action_type=driver.action_type,
            world=stream.world,
            autoreset_mode=AutoresetMode.NEXT_STEP,  # so that the last picture is of the episode's end
        )
        self.begin(0, 0)

    def begin(self, task: int, episode: int, conditions: Conditions | None = None) -> None:
        """Begin an episode: its number settles ground, start and targets for everybody.

        Args:
            task: number of the task in the stream.
            episode: any number from 0 on.
            conditions: others than the task's own.
        """
        self.task, self.episode = task, episode
        self.conditions = conditions or self.stream.tasks[task].conditions
        self._told = told(self.stream, task)
        self._env.set_conditions(self.conditions)
        self._observations, _ = self._env.reset(seed=rover_seed(self.seed, episode))
        self._policy: Policy = self.driver.at_wheel(task, self._env)
        self._starts = np.ones(1, dtype=bool)
        self._trail = [self._env.trail_point()]
        self.score, self.ended = 0.0, False
        self._last = self._now = self._scene()

    def take_over(self, driver: Driver) -> None:
        """Let somebody else drive on from here."""
        self.driver = driver
        self._policy = driver.at_wheel(self.task, self._env)
        self._starts = np.ones(1, dtype=bool)  # who takes over remembers nothing of this episode
        self._last = self._now = self._scene()

    @property
    def memory(self) -> Memory:
        """The strip below the picture: the driver's own of this stream, else where the task is in it."""
        own = self.driver.memory
        if own is not None and own.tasks == tuple(task.name for task in self.stream.tasks):
            return own
        before = [part.task for part in self.stream.segments]
        first = before.index(self.task) if self.task in before else 0
        return memory_of(self.stream, sum(part.steps for part in self.stream.segments[:first]))

    def change(self, conditions: Conditions) -> None:
        """Change the world at once."""
        self.conditions = conditions
        self._env.set_conditions(conditions)
        self._last = self._now = self._scene()

    def step(self, command: NDArray[np.float32] | None = None) -> None:
        """Drive for one step, by the driver or as commanded (2,); not beyond the episode's end."""
        if self.ended:
            self._last = self._now
            return
        actions: NDArray[Any] = self._policy(self._observations, self._starts)
        if command is not None and self.driver.action_type == "continuous":
            actions = command[None].astype(np.float32)
        self._observations, rewards, terminated, truncated, _ = self._env.step(actions)
        self._starts = np.zeros(1, dtype=bool)
        self.ended = bool(terminated[0] or truncated[0])
        self.score += float(rewards[0])
        self._trail.append(self._env.trail_point())
        self._last, self._now = self._now, self._scene()

    def moment(self, share: float = 1.0) -> Scene:
        """The scene a share, 0 to 1, of the way through the last step."""
        return between(self._last, self._now, share)

    def close(self) -> None:
        """Release the environment."""
        self._env.close()

    def _scene(self) -> Scene:
        title = f"{self.driver.name}: {self.stream.tasks[self.task].name}"
        scene = self._env.scene(trail=self._trail, title=title, score=self.score)
        rows = {row[0]: row for row in scene.conditions}
        return dataclasses.replace(scene, conditions=tuple(rows[name] for name in self._told))


def told(stream: Stream, task: int) -> list[str]:
    """Sort the scalar conditions for a viewer of a stream's task.

    First what is out of the ordinary in the task, then what is so elsewhere in the stream, then the others;
    without those that have no effect in the stream's world.
    """
    ordinary, here = Conditions(), stream.tasks[task].conditions
    worlds = [t.conditions for t in stream.tasks]
    parts = [part for segment in stream.segments for part in segment.drift.parts]
    worlds += [end for part in parts for end in (part.start, part.end)]

    def rank(name: str) -> int:
        usual = getattr(ordinary, name)
        return 0 if getattr(here, name) != usual else 2 - any(getattr(w, name) != usual for w in worlds)

    idle = {name for system, names in NEEDS.items() if system not in stream.world.systems for name in names}
    return sorted((name for name in RANGES if name not in idle), key=rank)


def score_to_beat(drive: Drive) -> float:
    """What the autopilot scores in the episode that a drive begins."""
    rival = Drive(find_driver("autopilot"), drive.stream, drive.seed)
    rival.begin(drive.task, drive.episode, drive.conditions)
    while not rival.ended:
        rival.step()
    rival.close()
    return rival.score


def changed(conditions: Conditions, name: str, value: float | tuple[float, ...]) -> Conditions:
    """Change one of the conditions."""
    values: dict[str, Any] = {name: value}
    return dataclasses.replace(conditions, **values)
