"""How fast it is: the simulator alone and under PPO, beside peers that are installed, in one run."""

import importlib
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import gymnasium
import numba
import numpy as np
from gymnasium.vector import AutoresetMode
from stable_baselines3.common.callbacks import BaseCallback

from rover_cl import feature_costs
from rover_cl.evaluation import Examiner
from rover_cl.stopwatch import Stopwatch, TimedVectorEnv
from rover_cl_agents import ContinualLearner, PPOConfig
from rover_cl_envs.conditions import Conditions
from rover_cl_envs.streams import Task
from rover_cl_envs.vector_env import MarsRoverVectorEnv


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One figure."""

    name: str
    """what was measured"""
    value: float
    """how much"""
    unit: str
    """of what"""

    def __str__(self) -> str:
        """One line of a table."""
        return f"{self.name:<48}{self.value:>14,.4g} {self.unit}"


numba_settings: Any = numba.config  # its fields are made at run time
Tell = Callable[[Measurement], None]


def bench(
    *, seconds: float = 2.0, train: bool = True, tell: Tell = lambda measurement: None
) -> list[Measurement]:
    """Measure everything; each rate over at least `seconds`, as the median of five stretches.

    Raises:
        ValueError: `seconds` is not above 0.
    """
    if not seconds > 0:
        raise ValueError(f"seconds is {seconds}, expected a number above 0")
    measured: list[Measurement] = []

    def note(name: str, value: float, unit: str) -> None:
        measured.append(Measurement(name=name, value=value, unit=unit))
        tell(measured[-1])

    most = min(os.cpu_count() or 1, int(numba_settings.NUMBA_NUM_THREADS))
    for count, threads in ((1, 1), (1024, 1), (1024, 2)):
        text = f"{count} rover{'s' if count > 1 else ''}, {threads} thread{'s' if threads > 1 else ''}"
        if threads <= most:
            note(text, rover_rate(count, threads, seconds), "rover-steps/s")
        else:
            note(f"{text} (nan: only {most} to be had)", float("nan"), "rover-steps/s")
    fastest = max(m.value for m in measured if np.isfinite(m.value))
    for name, value, unit in simulator_figures(seconds, most):
        note(name, value, unit)
    single = single_rate("RoverCL/MarsRover-v0", seconds)
    note("one rover, gymnasium.make", single, "steps/s")
    for name, rate, ours in _peers(seconds, fastest, single):
        note(name, rate, "steps/s")
        note(f"rover_cl over {name}", ours / rate, "x")
    if train:
        for name, value, unit in training_figures():
            note(name, value, unit)
    return measured


def simulator_figures(seconds: float, most: int) -> Iterator[tuple[str, float, str]]:
    """What the simulator's parts cost: rates with everything on, each part's share, pictures, maps, memory.

    Args:
        seconds: for each rate.
        most: threads that there are.
    """
    for threads in (1, 2):
        if threads <= most:
            text = f"1024 rovers, everything on, {threads} thread{'s' if threads > 1 else ''}"
            rate = rover_rate(1024, threads, seconds, feature_costs.EVERYTHING)
            yield text, rate, "rover-steps/s"
    for name, ratio in feature_costs.feature_ratios(seconds).items():
        yield f"time of a step with {name}, over plain driving", ratio, "x"
    for threads in (1, 2):
        if threads <= most:
            rate = rover_rate(256, threads, seconds, observation="pixels")
            yield (
                f"64 x 64 pictures, 256 rovers, {threads} thread{'s' if threads > 1 else ''}",
                rate,
                "frames/s",
            )
    ground, forms = feature_costs.map_seconds()
    yield "a new map of 64 m", 1000 * ground, "ms"
    yield "its landforms", 1000 * forms, "ms"
    for name, size in feature_costs.bytes_per_rover().items():
        yield f"memory a rover: {name}", size, "bytes"


def rover_rate(
    count: int,
    threads: int,
    seconds: float,
    feature: feature_costs.Feature = ((), {}),
    observation: str = "vector",
) -> float:
    """Rover-steps per second of a batch under random actions."""
    env = feature_costs.rovers_with(*feature, count, threads, observation=observation)
    rate = _rate(env, env.action_space, count, seconds)
    env.close()
    return rate


def single_rate(name: str, seconds: float) -> float:
    """Steps per second of `gymnasium.make(name)` under random actions, resets included."""
    env = gymnasium.make(name)
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(256)]
    env.reset(seed=0)

    def stretch(steps: int) -> None:
        for step in range(steps):
            _, _, terminated, truncated, _ = env.step(actions[step % 256])
            if terminated or truncated:
                env.reset()

    rate = _median_rate(stretch, 1, seconds)
    env.close()
    return rate


def training_figures(budget: int = 600_000, goal: float = 0.8) -> list[tuple[str, float, str]]:
    """PPO on the nominal task: its speed, the simulator's share of it, and the time to `goal` success."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _training_figures(budget, goal)
    finally:
        torch.set_num_threads(before)


def _training_figures(budget: int, goal: float) -> list[tuple[str, float, str]]:
    env = TimedVectorEnv(MarsRoverVectorEnv(256, threads=1, autoreset_mode=AutoresetMode.SAME_STEP))
    learner = ContinualLearner(PPOConfig().build(env, 0), [], seed=0)
    tasks = [Task(name="nominal", conditions=Conditions())]
    with closing(env), closing(Examiner(tasks, episodes=200, seed=0)) as examiner:
        policy = learner.actor(examiner.env.num_envs).act
        timer = _TimeToGoal(lambda: float(examiner.examine(policy).success.mean()), goal)
        with Stopwatch() as total:
            learner.learn_task(env, total_timesteps=budget, callback=timer)
    training = total.seconds - timer.examining.seconds
    return [
        ("PPO, 256 rovers, one thread", learner.algorithm.num_timesteps / training, "steps/s"),
        ("simulator's share of PPO", 100 * env.watch.seconds / training, "%"),
        (f"expert to {goal:.0%} success (nan: not within {budget} steps)", timer.reached, "s"),
    ]


class _TimeToGoal(BaseCallback):
    """Examines after every second rollout until the goal is reached; examining does not count as time."""

    def __init__(self, examine: Callable[[], float], goal: float) -> None:
        super().__init__()
        self._measure, self._goal = examine, goal
        self.examining = Stopwatch()
        self.reached = float("nan")
        self._began = 0.0
        self._rollouts = 0

    def _on_training_start(self) -> None:
        self._began = perf_counter()

    def _on_rollout_start(self) -> None:
        self._rollouts += 1
        if np.isfinite(self.reached) or self._rollouts % 2:
            return
        now = perf_counter() - self._began - self.examining.seconds
        with self.examining:
            success = self._measure()
        if success >= self._goal:
            self.reached = now

    def _on_step(self) -> bool:
        return True


def _peers(seconds: float, batch: float, single: float) -> list[tuple[str, float, float]]:
    """Name, rate, and our rate to hold against it, of each peer that can be imported."""
    found = []
    for task in ("HalfCheetah-v4", "LunarLanderContinuous-v2"):
        try:
            envpool = importlib.import_module("envpool")
        except ImportError:
            break
        env: Any = envpool.make_gymnasium(task, num_envs=64, num_threads=os.cpu_count() or 1)
        shape = (64, *env.action_space.shape)
        actions = np.random.default_rng(0).uniform(-1, 1, (32, *shape))
        env.reset()
        found.append((f"EnvPool {task}, 64 environments", _rate_of(env, list(actions), 64, seconds), batch))
    for task in ("CartPole-v1", "LunarLander-v3"):
        try:
            found.append((f"Gymnasium {task}, one", single_rate(task, seconds), single))
        except gymnasium.error.DependencyNotInstalled:
            continue
    return found


def _rate(env: MarsRoverVectorEnv, space: Any, count: int, seconds: float) -> float:
    space.seed(0)
    env.reset(seed=0)
    return _rate_of(env, [space.sample() for _ in range(32)], count, seconds)


def _rate_of(env: Any, actions: list[Any], count: int, seconds: float) -> float:
    def stretch(steps: int) -> None:
        for step in range(steps):
            env.step(actions[step % len(actions)])

    return _median_rate(stretch, count, seconds)


def _median_rate(stretch: Callable[[int], None], count: int, seconds: float) -> float:
    """Environment steps per second: the median of five stretches that last `seconds` together."""
    stretch(20)  # compiles what is compiled on first use
    began = perf_counter()
    stretch(20)
    steps = max(20, int(20 * seconds / 5 / max(perf_counter() - began, 1e-9)))
    rates = []
    for _ in range(5):
        began = perf_counter()
        stretch(steps)
        rates.append(steps * count / (perf_counter() - began))
    return float(np.median(rates))
