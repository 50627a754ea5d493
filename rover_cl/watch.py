"""Two agents on the same ground: one that had just learned the first task, and what the drift left of it."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from rover_cl import recording
from rover_cl.catalogue import parse_algorithm, parse_method
from rover_cl.comparison import BASELINE, Comparison
from rover_cl.configuration import RunConfig, read_config
from rover_cl.evaluation import Policy, examination_env, rover_seed
from rover_cl.metrics import Scores, segment_matrix
from rover_cl.records import RunFolder
from rover_cl_envs.renderer import draw
from rover_cl_envs.streams import Task
from rover_cl_envs.vector_env import MarsRoverVectorEnv

Frame = NDArray[np.uint8]
FRAMES_PER_SECOND = 9


@dataclass(frozen=True, kw_only=True)
class BeforeAfter:
    """What a before-and-after picture shows."""

    task: str
    """name of the first task"""
    episode: int
    """episode of the examination"""
    before: float
    """the agent's success on the task after segment 1"""
    after: float
    """its success after the whole stream"""


def before_after(
    path: Path, gif: Path, *, size: int = 360, every: int = 4, episode: int | None = None
) -> BeforeAfter:
    """Write a GIF of a run's agent after its first segment beside the agent at the end: same map, same start.

    The episode is the first of the examination in which the first agent arrived and the last one did not; if
    there is none, the first in which the first agent arrived.

    Args:
        path: folder of a finished run whose agent has checkpoints.
        gif: file to write.
        size: width and height of each picture [px].
        every: steps of the rover from one frame to the next.
        episode: another one of the examination; None: as said above.

    Raises:
        ValueError: the run is not finished, or has no checkpoints.
    """
    folder = RunFolder(path)
    config = read_config(folder.config())
    finished = folder.finished()
    if finished is None or not finished.complete:
        raise ValueError(f"{path} is not finished; resume it before watching it")
    if parse_method(config.method).protocol not in ("sequential", "scratch"):
        raise ValueError(
            f"{config.method} has no agent before and after the drift; watch a method that learns on"
        )
    stream = config.build_stream()
    task = stream.segments[0].task
    episode = telling_episode(finished.scores, task) if episode is None else episode
    rover = rover_seed(config.seed, task * config.eval_episodes + episode)
    last = finished.segments - 1
    matrix = segment_matrix(finished.scores)
    sides = []
    for segment in (0, last):
        title = f"{config.method} after segment {segment + 1}: {100 * matrix[segment, task]:.0f} %"
        checkpoint = folder.checkpoint(segment)
        sides.append(_drive(config, checkpoint, stream.tasks[task], rover, title, size=size, every=every))
    _write_gif(_side_by_side(sides[0], sides[1]), gif)
    return BeforeAfter(
        task=stream.tasks[task].name,
        episode=episode,
        before=float(matrix[0, task]),
        after=float(matrix[last, task]),
    )


def telling_episode(scores: Scores, task: int) -> int:
    """Pick the first episode that was won after segment 1 and lost at the end, else the first won."""
    end = int(np.flatnonzero(scores.segment == 0)[-1])
    before, after = scores.success[end, task] > 0.5, scores.success[-1, task] > 0.5
    for choice in (before & ~after, before):
        if choice.any():
            return int(np.argmax(choice))
    return 0


def _drive(
    config: RunConfig,
    checkpoint: Path,
    task: Task,
    seed: int,
    title: str,
    *,
    size: int,
    every: int,
) -> list[Frame]:
    """Frames of one episode."""
    algorithm, build_algorithm = parse_algorithm(config.algorithm)
    env = examination_env(
        [task.conditions],
        seed=config.seed,
        action_type=algorithm.action_type,
        world=config.build_stream().world,
        autoreset_mode=AutoresetMode.NEXT_STEP,  # so that the last picture is of the episode's end
    )
    learner = parse_method(config.method).learner(build_algorithm(), env, 0).restore(checkpoint)
    number = config.build_stream().tasks.index(task)
    policy = partial(learner.actor(1).act, task=number)
    frames = film(env, policy, seed, title, size=size, every=every)
    env.close()
    return frames


def film(
    env: MarsRoverVectorEnv, policy: Policy, seed: int, title: str, *, size: int, every: int
) -> list[Frame]:
    """Draw the first rover's episode; the last frame says how it ended."""
    observations, _ = env.reset(seed=seed)
    trail: list[tuple[float, ...]] = []
    site = env.scene(0).site
    frames: list[Frame] = []
    step = 0
    while True:
        trail.append(env.trail_point())
        scene = env.scene(0, trail=trail, title=title)
        if step % every == 0:
            frames.append(draw(scene, size=(size, size), centre=site))
        observations, _, terminated, truncated, _ = env.step(policy(observations, np.array([step == 0])))
        step += 1
        if terminated[0] or truncated[0]:
            last = env.scene(0, trail=[*trail, env.trail_point()], title=title)
            frames.append(draw(last, size=(size, size), centre=site))
            return frames


def _side_by_side(left: list[Frame], right: list[Frame]) -> list[Frame]:
    length = max(len(left), len(right))
    gap = np.full((left[0].shape[0], 4, 3), 24, dtype=np.uint8)
    return [
        np.concatenate([left[min(i, len(left) - 1)], gap, right[min(i, len(right) - 1)]], axis=1)
        for i in range(length)
    ]


def _write_gif(frames: list[Frame], gif: Path) -> None:
    with recording.film(gif, FRAMES_PER_SECOND) as made:
        for frame in frames:
            made.add(frame)


def film_baseline(comparison: Comparison, folder: Path) -> Path | None:
    """Film finetune's first seed before and after the drift, unless it has been."""
    results = comparison.results.get(BASELINE)
    if not results:
        return None
    gif = folder / "before-and-after.gif"
    scores = results[0].path / "scores.npz"
    if not gif.exists() or gif.stat().st_mtime < scores.stat().st_mtime:
        before_after(results[0].path, gif)
    return gif
