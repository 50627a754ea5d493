"""Who drives: a trained agent, a reference, or nobody until a key is pressed."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rover_cl.catalogue import find_stream, parse_algorithm, parse_method
from rover_cl.configuration import read_config
from rover_cl.evaluation import Policy, examination_env
from rover_cl.memory_strip import Memory, memory_of
from rover_cl.records import RunFolder
from rover_cl_envs.errors import unknown_name
from rover_cl_envs.streams import Stream
from rover_cl_envs.vector_env import MarsRoverVectorEnv

REFERENCES = ("keyboard", "autopilot", "planner", "random")
"""Drivers that need no training."""
ALIASES = {"heuristic": "autopilot"}
"""Other names of theirs."""


@dataclass(frozen=True, kw_only=True)
class Driver:
    """Somebody who can drive a lone rover."""

    name: str
    """for the title"""
    policy: Callable[[int], Policy]
    """by the number of the task, the policy that drives it"""
    reference: Callable[[MarsRoverVectorEnv], Policy] | None = None
    """a driver of the environment's own, which knows more than it is told: `policy` isn't asked"""
    action_type: str = "continuous"
    """of the actions"""
    stream: Stream | None = None
    """what it was trained on"""
    memory: Memory | None = None
    """what it remembers of its stream, if it has been examined"""
    seed: int = 0
    """of its run: whose maps it has not seen"""

    def at_wheel(self, task: int, env: MarsRoverVectorEnv) -> Policy:
        """Give the policy that drives the rovers of `env` in that task."""
        return self.reference(env) if self.reference else self.policy(task)


def find_driver(who: str, segment: int | None = None) -> Driver:
    """Find the driver of a name, of a run folder, or of a checkpoint.

    Args:
        who: one of `REFERENCES` or `ALIASES`, a run folder, or a folder below its `checkpoint`.
        segment: of a run folder, the agent after that segment, counted from 1; None: the latest kept.

    Raises:
        ValueError: there is no such driver; the message is one line and says what there is.
    """
    who = ALIASES.get(who, who)
    if who in REFERENCES:
        if segment is not None:
            raise ValueError(
                f"--segment is {segment}, but {who} was not trained; leave it out, or give a run"
            )
        policy = partial(wander, np.random.default_rng(0)) if who == "random" else stand_still
        reference = {"autopilot": go_to_goal, "planner": plan}.get(who)
        return Driver(name=who, policy=lambda task: policy, reference=reference)
    path = Path(who)
    if not path.is_dir():
        if "/" in who or path.exists():
            raise ValueError(f"{who} is no folder of a run, and none of {', '.join(REFERENCES)}")
        raise unknown_name("driver", who, (*REFERENCES, *ALIASES))
    numbered = re.fullmatch(r"segment-(\d+)", path.resolve().name)
    if numbered:
        return _trained(path.resolve().parent.parent, int(numbered[1]))
    kept = kept_segments(path)
    if not kept:
        below = next((found.parent for found in sorted(path.glob("*/*/seed-*/checkpoint"))), None)
        such = f"such as {below}" if below else "whose agents were kept, or train one: rover-cl train"
        raise ValueError(f"{path} has no checkpoints; give the folder of a run (.../seed-0) {such}")
    if segment is not None and segment - 1 not in kept:
        there = ", ".join(str(k + 1) for k in kept)
        raise ValueError(f"{path} has no checkpoint of segment {segment}; there is {there}")
    return _trained(path, kept[-1] if segment is None else segment - 1)


def named(who: Sequence[str], runs: Sequence[str], policies: Sequence[str]) -> list[str]:
    """Put together who was asked for in whatever way; the keyboard where nobody was.

    Raises:
        ValueError: a run that is no folder, an unknown policy, or more than two drivers.
    """
    for run in runs:
        if not Path(run).is_dir():
            raise ValueError(f"--run is {run}, expected the folder of a run or of one of its checkpoints")
    for policy in policies:
        if policy not in (*REFERENCES, *ALIASES):
            raise unknown_name("policy", policy, (*REFERENCES, *ALIASES))
    asked = [*who, *runs, *policies] or ["keyboard"]
    if len(asked) > 2:
        raise ValueError(f"drivers are {', '.join(asked)}, expected one, or two to be seen side by side")
    return asked


def kept_segments(path: Path) -> list[int]:
    """List the segments, counted from 0, after which the agent was kept."""
    return sorted(int(folder.name[8:]) for folder in path.glob("checkpoint/segment-[0-9]*"))


def _trained(path: Path, segment: int) -> Driver:
    """Load the agent of a run after a segment."""
    folder = RunFolder(path)
    config = read_config(folder.config())
    method = parse_method(config.method)
    if method.protocol not in ("sequential", "scratch", "joint"):
        raise ValueError(f"{config.method} has no agent to watch; watch `random` instead")
    algorithm, build = parse_algorithm(config.algorithm)
    stream = config.build_stream()
    env = examination_env(
        [stream.tasks[0].conditions],
        seed=config.seed,
        action_type=algorithm.action_type,
        world=stream.world,
    )
    try:
        learner = method.learner(build(), env, 0).restore(folder.checkpoint(segment))
    except (OSError, KeyError) as error:
        raise ValueError(f"{folder.checkpoint(segment)} can't be read: {error}") from error

    def policy(task: int) -> Policy:
        return partial(learner.actor(1).act, task=min(task, len(stream.tasks) - 1))

    return Driver(
        name=f"{config.method}, segment {segment + 1}",
        policy=policy,
        action_type=algorithm.action_type,
        stream=stream,
        memory=_memory(folder, stream, segment),
        seed=config.seed,
    )


def _memory(folder: RunFolder, stream: Stream, segment: int) -> Memory | None:
    """Read what an agent scored in its examinations."""
    finished = folder.finished()
    if finished is None:
        return None
    if finished.segments <= segment:
        return None  # its examination was never written
    upto = finished.scores.segment <= segment
    performance = finished.scores.performance[upto]
    place = sum(part.steps for part in stream.segments[: segment + 1]) - 1
    return memory_of(stream, place, now=performance[-1], best=performance.max(axis=0))


def stand_still(observations: NDArray[np.float32], starts: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Give no command."""
    return np.zeros((len(observations), 2), dtype=np.float32)


def wander(
    generator: np.random.Generator, observations: NDArray[np.float32], starts: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Draw each command uniformly."""
    return generator.uniform(-1, 1, (len(observations), 2)).astype(np.float32)


def go_to_goal(env: MarsRoverVectorEnv) -> Policy:
    """Drive the rovers of an environment to the target that they are told, heedless of the ground."""
    autopilot = env.autopilot()
    return lambda observations, starts: autopilot.commands()


def plan(env: MarsRoverVectorEnv) -> Policy:
    """Drive the rovers of an environment by its true map, blind to what they are told."""
    planner = env.planner()
    return lambda observations, starts: planner.commands()


def stream_for(driver: Driver, name: str | None) -> Stream:
    """The stream whose tasks are driven: the one named, else the driver's own, else `lookalike`."""
    return find_stream(name) if name else driver.stream or find_stream("lookalike")
