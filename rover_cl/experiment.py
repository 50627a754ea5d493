"""The loop: one method learns one stream, segment after segment, and is examined on every task all the time.

A run takes its agent through the checkpoint at every segment's start, whether it was stopped there or not,
and seeds everything from (seed, segment). So a resumed run is the run that was never stopped, bit for bit.
Joint training knows no segments: it learns all tasks in one go, with one schedule and one buffer, and is
examined where a segment would end; stopped within, it begins anew.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray
from stable_baselines3.common.logger import Logger

from rover_cl.catalogue import parse_algorithm, parse_method
from rover_cl.configuration import RunConfig
from rover_cl.evaluation import NUM_MAPS, Examiner, Policy, random_policy
from rover_cl.examinations import Examinations, Log, due_marks
from rover_cl.onlooker import Onlooker
from rover_cl.records import Finished, RunFolder, SegmentCost, open_run
from rover_cl.stopwatch import Stopwatch, TimedVectorEnv
from rover_cl_agents import ContinualLearner
from rover_cl_envs.streams import Stream
from rover_cl_envs.vector_env import MarsRoverVectorEnv


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a run is."""

    run: str
    """label of the run"""
    share: float
    """share of the run done, in [0, 1]"""
    text: str
    """what it does"""


Listener = Callable[[Progress], None]


def run(
    config: RunConfig,
    path: Path,
    listen: Listener = lambda progress: None,
    onlookers: Sequence[Onlooker] = (),
) -> Finished:
    """Run, or take up where the folder stands, until the stream is done.

    Args:
        config: what to run.
        path: the run's folder.
        listen: is told of the progress.
        onlookers: look on while it learns; the run stays what it is without them, bit for bit.

    Raises:
        ValueError: the folder belongs to another configuration, or is damaged.
    """
    stream = config.build_stream()
    folder = open_run(path, config.describe())
    finished = folder.finished()
    if finished is None or not finished.complete:
        with (
            folder.alone(),
            _one_thread(),
            closing(_Run(config, stream, folder, listen, onlookers)) as unfinished,
        ):
            finished = unfinished.complete(folder.finished())
    listen(Progress(run=config.label, share=1.0, text="done"))
    return finished


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let torch use one thread: batches are too small for more, and sums must not depend on their number."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _Run:
    """A run that is not done yet."""

    def __init__(
        self,
        config: RunConfig,
        stream: Stream,
        folder: RunFolder,
        listen: Listener,
        onlookers: Sequence[Onlooker],
    ) -> None:
        self._config, self._stream, self._folder, self._listen = config, stream, folder, listen
        self._onlookers, self._looking = onlookers, Stopwatch()
        self._method = parse_method(config.method)
        self._algorithm, self._build_algorithm = parse_algorithm(config.algorithm)
        self._log = Log()
        self._examiner = Examiner(
            stream.tasks,
            episodes=config.eval_episodes,
            seed=config.seed,
            action_type=self._algorithm.action_type,
            world=stream.world,
        )
        self._examining = Stopwatch()
        self._examined_steps = 0

    def close(self) -> None:
        """Release the environments."""
        self._examiner.close()

    def complete(self, finished: Finished | None) -> Finished:
        """Run the segments that are left."""
        costs = list(finished.costs) if finished else []
        if finished:
            self._log = Log.of(finished.scores)
        for stretch in self._stretches()[len(costs) :]:
            self._examining, self._examined_steps = Stopwatch(), 0
            learns = self._method.protocol != "random" and (
                self._method.protocol != "frozen" or stretch.start == 0
            )
            costs.append(self._learn(stretch) if learns else self._stand_still(stretch.start))
            finished = Finished(scores=self._log.scores(self._stream), costs=tuple(costs))
            self._folder.save(finished)
        assert finished is not None, "a stream has at least one segment"
        return finished

    def _stretches(self) -> list[range]:
        """Give the segments that are learned without a break: each on its own, but all at once for joint."""
        total = len(self._stream.segments)
        return [range(total)] if self._method.protocol == "joint" else [range(s, s + 1) for s in range(total)]

    def _learn(self, stretch: range) -> SegmentCost:
        """Train on a stretch of segments, examine, and leave a checkpoint."""
        segment, last = stretch.start, stretch[-1]
        env = self._training_env(segment)
        learner = self._learner(segment, env)
        begin = self._log.steps[-1] if self._log.steps else 0
        # The agents of other tasks stay what they are: only the new one's task, and those nobody learned,
        # change.
        trained = {part.task for part in self._stream.segments[:segment]}
        keep = (
            trained - {self._stream.segments[segment].task} if self._method.protocol == "scratch" else set()
        )
        policy = partial(learner.actor(self._examiner.env.num_envs).act, task=self._examiner.tasks)
        if segment == 0:
            self._examine(policy, 0, -1)
            self._show_examined(learner)
        learner.reseed(derived_seed(self._config.seed, segment))
        length = sum(self._stream.segments[s].steps for s in stretch)
        lived = sum(part.steps for part in self._stream.segments[: stretch.start])

        def examine(steps: int, s: int) -> None:
            self._examine(policy, begin + steps, s, keep)
            self._show_examined(learner)

        def tell(steps: int) -> None:
            self._tell(stretch, min(steps / length, 1.0))
            with self._looking:
                for onlooker in self._onlookers:
                    onlooker.at_rollout(learner, lived + min(steps, length - 1))

        callback = Examinations(
            marks=due_marks(self._stream, stretch, self._config.evals_per_segment),
            examine=examine,
            tell=tell,
        )
        before, learned = self._examining.seconds + self._looking.seconds, learner.steps
        with Stopwatch() as training:
            learner.learn_task(env, total_timesteps=length, task=self._task(segment), callback=callback)
        inner = self._examining.seconds + self._looking.seconds - before
        steps = learner.steps - learned
        self._examine(policy, begin + steps, last, keep)
        self._show_examined(learner)
        self._folder.save_checkpoint(last, learner.save, keep=self._method.protocol == "scratch")
        size = learner.cost()
        env.close()
        return SegmentCost(
            training_s=training.seconds - inner,
            evaluation_s=self._examining.seconds,
            simulator_s=env.watch.seconds,
            env_steps=steps,
            evaluation_steps=self._examined_steps,
            method_bytes=size.bytes + 4 * size.parameters * len(keep),
            parameters=size.parameters * (len(keep) + 1),
        )

    def _stand_still(self, segment: int) -> SegmentCost:
        """Let a segment pass without learning: the same agent scores the same on the same episodes."""
        if not self._log.steps:
            self._examine(random_policy(self._examiner.env, self._config.seed), 0, -1)
        steps = self._log.steps[-1] + self._stream.segments[segment].steps
        self._log.add(steps, segment, self._log.success[-1], self._log.returns[-1])
        return SegmentCost(evaluation_s=self._examining.seconds, evaluation_steps=self._examined_steps)

    def _training_env(self, segment: int) -> TimedVectorEnv:
        env = MarsRoverVectorEnv(
            self._config.num_envs,
            world=self._stream.world,
            action_type=self._algorithm.action_type,
            map_seed=self._config.seed,
            num_maps=NUM_MAPS,
            autoreset_mode=AutoresetMode.SAME_STEP,
            threads=1,
        )
        if self._method.protocol == "joint":
            tasks = [self._stream.tasks[t] for t in sorted({part.task for part in self._stream.segments})]
            env.set_conditions([tasks[i % len(tasks)].conditions for i in range(self._config.num_envs)])
        else:
            env.follow(self._stream.segments[segment].drift)
        return TimedVectorEnv(env)

    def _learner(self, segment: int, env: TimedVectorEnv) -> ContinualLearner:
        """Make the agent that learns a segment, with what its checkpoint knows."""
        fresh = segment == 0 or self._method.protocol == "scratch"
        seed = derived_seed(self._config.seed, segment if fresh else 0)
        switches = self._method.protocol != "joint"  # a joint agent stays with its task: nothing to put back
        learner = self._method.learner(
            self._build_algorithm(), env, seed, reset_exploration=switches, reset_optimizer=switches
        )
        # Without a logger of its own, Stable-Baselines3 leaves a new folder under /tmp at every `learn`.
        begin = self._log.steps[-1] if self._log.steps else 0
        outputs = [output for onlooker in self._onlookers for output in onlooker.outputs(begin)]
        learner.algorithm.set_logger(Logger(folder=None, output_formats=outputs))
        return learner if fresh else learner.restore(self._folder.checkpoint(segment - 1))

    def _task(self, segment: int) -> int:
        return 0 if self._method.protocol == "joint" else self._stream.segments[segment].task

    def _examine(self, policy: Policy, steps: int, segment: int, keep: Collection[int] = ()) -> None:
        with self._examining:
            result = self._examiner.examine(policy)
        self._examined_steps += result.steps
        for task in keep:
            result.success[task] = self._log.success[-1][task]
            result.returns[task] = self._log.returns[-1][task]
        self._log.add(steps, segment, result.success, result.returns)

    def _show_examined(self, learner: ContinualLearner) -> None:
        with self._looking:
            for onlooker in self._onlookers:
                onlooker.at_examination(learner, self._log.scores(self._stream))

    def _tell(self, stretch: range, share: float) -> None:
        total = len(self._stream.segments)
        task = self._stream.tasks[self._stream.segments[stretch.start].task].name
        text = "all tasks" if len(stretch) > 1 else f"segment {stretch.start + 1}/{total} {task}"
        done = (stretch.start + share * len(stretch)) / total
        self._listen(Progress(run=self._config.label, share=done, text=text))


def derived_seed(*parts: int) -> int:
    """Mix numbers into a seed in [0, 2^31)."""
    words: NDArray[Any] = np.random.SeedSequence(parts).generate_state(1)
    return int(words[0] >> 1)
