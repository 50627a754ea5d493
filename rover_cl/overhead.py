"""What each method costs: the wall time of training beside plain finetuning, on one workload."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from statistics import median

import torch
from gymnasium.vector import AutoresetMode

from rover_cl.catalogue import parse_method
from rover_cl.stopwatch import Stopwatch
from rover_cl_agents import ContinualLearner, PPOConfig
from rover_cl_envs.vector_env import MarsRoverVectorEnv

ROVERS = 256


@dataclass(frozen=True, kw_only=True)
class Overhead:
    """A method beside finetuning."""

    method: str
    """as in `--method`"""
    tasks: int
    """tasks learned before the one that was timed"""
    ratio: float
    """wall time of training on the same steps over finetuning's; median of pairs timed one after the other"""
    switch_s: float
    """time of `on_task_start` and `on_task_end` of that task, once [s]"""
    bytes: int
    """held besides the policy at the end [B]"""
    parameters: int
    """numbers that the optimisers change"""

    def __str__(self) -> str:
        """One line of a table."""
        held = f"{self.bytes:>12,} B {self.parameters:>9,} parameters"
        return f"{self.method:<28}{self.ratio:>6.2f} x  {self.switch_s:>6.2f} s at a switch {held}"


def overheads(
    methods: Sequence[str],
    *,
    tasks: int = 1,
    rollouts: int = 4,
    pairs: int = 3,
    tell: Callable[[Overhead], None] = lambda overhead: None,
) -> list[Overhead]:
    """Time methods against finetuning with PPO, pair by pair, so that a busy machine slows both alike.

    Args:
        methods: specs such as `replay:capacity=100`.
        tasks: tasks of one rollout each that are learned before, >= 0.
        rollouts: length of the timed stretch.
        pairs: stretches of each, >= 1.
        tell: hears of each result at once.

    Raises:
        ValueError: a spec doesn't tell the boundaries: the timing tells them.
    """
    untold = [spec for spec in methods if parse_method(spec).boundaries]
    if untold:
        raise ValueError(
            f"methods holds {untold[0]!r}; expected methods without @: the timing tells tasks apart"
        )
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        found = []
        for spec in methods:
            found.append(_overhead(spec, tasks, rollouts, pairs))
            tell(found[-1])
        return found
    finally:
        torch.set_num_threads(before)


def _overhead(spec: str, tasks: int, rollouts: int, pairs: int) -> Overhead:
    envs = [MarsRoverVectorEnv(ROVERS, threads=1, autoreset_mode=AutoresetMode.SAME_STEP) for _ in range(2)]
    with closing(envs[0]), closing(envs[1]):
        plain, learner = (
            parse_method(method).learner(PPOConfig(), env, 0)
            for env, method in zip(envs, ("finetune", spec), strict=True)
        )
        steps = PPOConfig().n_steps * ROVERS
        for task in range(tasks):
            for each, env in zip((plain, learner), envs, strict=True):
                each.learn_task(env, total_timesteps=steps, task=task)
        ratios, switches = [], []
        for _ in range(pairs):
            walls = []
            for each, env in zip((plain, learner), envs, strict=True):
                switch = _Switch(each)
                with Stopwatch() as total:
                    each.learn_task(env, total_timesteps=rollouts * steps, task=tasks)
                walls.append(total.seconds - switch.seconds)
            ratios.append(walls[1] / walls[0])
            switches.append(switch.seconds)
        size = learner.cost()
    return Overhead(
        method=spec,
        tasks=tasks,
        ratio=median(ratios),
        switch_s=median(switches),
        bytes=size.bytes,
        parameters=size.parameters,
    )


class _Switch:
    """Time that a learner's methods spend at the start and the end of its next task."""

    def __init__(self, learner: ContinualLearner) -> None:
        self._watch = Stopwatch()
        for method in learner.methods:
            for door in ("on_task_start", "on_task_end"):
                setattr(method, door, self._timed(getattr(type(method), door).__get__(method)))

    @property
    def seconds(self) -> float:
        return self._watch.seconds

    def _timed(self, door: Callable[..., None]) -> Callable[..., None]:
        def call(*arguments: int) -> None:
            with self._watch:
                door(*arguments)

        return call
