"""The continual learner: one algorithm, any methods, one task after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Self, Unpack

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm

from rover_cl_agents import arguments, composition, task_switch
from rover_cl_agents.actor import Actor
from rover_cl_agents.arguments import Shown
from rover_cl_agents.binding import bind_methods
from rover_cl_agents.boundaries.finders import Boundaries
from rover_cl_agents.boundaries.untold import Untold
from rover_cl_agents.callbacks import Callback, flattened
from rover_cl_agents.checkpoints import checkpoint, snapshot
from rover_cl_agents.experience.transitions import pack_replay
from rover_cl_agents.method import Cost, Method
from rover_cl_agents.recurrent import acting_lstm
from rover_cl_agents.stream import Stream, stretches
from rover_cl_agents.task_sequence import TaskSequence, batched
from rover_cl_agents.training import Training
from rover_cl_agents.vec_env import Env, enter


class ContinualLearner:
    """Trains an unmodified Stable-Baselines3 algorithm on one task after another.

    At each task but the first, and for every method alike, exploration is put back, the optimisers are
    cleared and the off-policy buffer is emptied: what the last task left there would be mistaken for
    forgetting or for difficulty. Without methods this is finetuning.

    Stable-Baselines3 samples actions and minibatches by the GLOBAL generators of torch and numpy. The
    learner and its methods never draw from them, so that a method with weight 0 changes nothing, to the
    bit. A checkpoint holds the global generators, but no environment's: for runs that can be stopped
    between two tasks and resumed as if they never were, seed the environments, or call `reseed` before
    each task.

    Args:
        algorithm: PPO, A2C, SAC, TD3, DDPG or DQN of stable_baselines3, or RecurrentPPO of sb3_contrib, built
            for one of the tasks. Without methods any other will do.
        methods: The remedies, in the order of their composition.
        boundaries: None: each `learn_task` is a task. `Periodic()` or `Detected()`: nobody tells where a task
            ends; one long `learn_task` in an environment that drifts is as good as many.
        seed: Of the methods' generators, in [0, 2^32); None: the algorithm's seed, or 0.
        reset_exploration: Put exploration back at a task switch.
        reset_optimizer: Clear the optimisers' moments at a task switch.
        reset_buffer: Empty the off-policy buffer at a task switch.

    Raises:
        ValueError: if a method doesn't fit the algorithm, or two of them don't go together.

    Example:
        >>> learner = ContinualLearner(PPO("MlpPolicy", env, device="cpu"), [Replay()])  # doctest: +SKIP
        >>> learner.learn_task(env, total_timesteps=100_000)  # doctest: +SKIP

        In an environment that changes, nobody says when:

        >>> learner = ContinualLearner(algorithm, [Replay()], boundaries=Detected())  # doctest: +SKIP
        >>> learner.learn_task(drifting_env, total_timesteps=1_000_000)  # doctest: +SKIP
    """

    def __init__(
        self,
        algorithm: BaseAlgorithm,
        methods: Sequence[Method] = (),
        *,
        boundaries: Boundaries | None = None,
        seed: int | None = None,
        reset_exploration: bool = True,
        reset_optimizer: bool = True,
        reset_buffer: bool = True,
    ) -> None:
        self.methods = arguments.checked_methods(methods)
        composition.refuse(self.methods)
        arguments.check_algorithm(algorithm, self.methods)
        arguments.check_boundaries(boundaries)
        self.algorithm = algorithm
        self.switch = task_switch.Switch(
            reset_exploration=reset_exploration, reset_optimizer=reset_optimizer, reset_buffer=reset_buffer
        )
        self._env_seed: int | None = None
        self._sequence = TaskSequence(algorithm, self.methods, partial(self.switch.put_back, algorithm))
        self._training = Training(algorithm, self.methods)
        self._untold = (
            None
            if boundaries is None
            else Untold(algorithm, self.methods, boundaries, end=self._sequence.end, begin=self._begin_next)
        )
        bind_methods(algorithm, self.methods, arguments.checked_seed(seed, algorithm))

    def learn(
        self,
        stream: Stream | None = None,
        *,
        total_timesteps: int | None = None,
        callback: Callback = None,
        **shown: Unpack[Shown],
    ) -> Self:
        """Learn in one environment after another, each with `learn_task`.

        Args:
            stream: (env, steps) or (env, steps, task), or objects with these as attributes; any iterable.
            total_timesteps: Stop after so many, >= 1; needed if the stream is endless. None: at its end.
            callback: As of `learn_task`, and so are `progress_bar`, `log_interval` and `tb_log_name`.

        Returns:
            The learner.

        Raises:
            ValueError: as of `learn_task`, or if the stream holds something else.
        """
        for env, steps, task in stretches(stream, total_timesteps):
            self.learn_task(env, total_timesteps=steps, task=task, callback=callback, **shown)
        return self

    def learn_task(
        self,
        env: Env,
        total_timesteps: int,
        *,
        task: int | None = None,
        callback: Callback = None,
        **shown: Unpack[Shown],
    ) -> Self:
        """Learn in `env` for `total_timesteps`, then let the methods consolidate.

        With `boundaries` it only goes on learning, in this environment: nothing is put back, nobody
        consolidates, and no schedule restarts, before the policy of boundaries says so. The task at hand goes
        on into the next call.

        Args:
            env: A gymnasium.Env, gymnasium.vector.VectorEnv or SB3 VecEnv, with the spaces and the number of
                environments that the algorithm was built for.
            total_timesteps: Steps over all environments, >= 1; rounded up to whole rollouts by the algorithm.
            task: Number of the task, >= 0, for methods that know a task again; None: a new one. Ignored with
                `boundaries`: tasks are then numbered as they are found.
            callback: Of your own: whatever `learn` of Stable-Baselines3 takes.
            shown: `progress_bar`, `log_interval` and `tb_log_name`, as for `learn` of Stable-Baselines3.

        Returns:
            The learner.

        Raises:
            ValueError: if an argument is out of its range or `env` doesn't fit the algorithm.
        """
        arguments.check_task(total_timesteps, task)
        arguments.check_shown(shown)
        callback = flattened(callback)
        self._enter(env)
        if self._untold is None:
            self._sequence.begin(max(self.tasks, default=-1) + 1 if task is None else int(task))
            self._training.run(total_timesteps, callback, None, shown)
            self._sequence.end()
            return self
        if self._untold.task is None:
            self._untold.start(0)
            self._sequence.begin(0)
        with self._untold.running():
            self._training.run(total_timesteps, callback, self._untold, shown)
        return self

    def _begin_next(self) -> None:
        """Start the next task between two rollouts, where methods may have exchanged the optimisers."""
        self._sequence.begin(len(self.tasks))
        self._training.hooks.attach()

    @property
    def steps(self) -> int:
        """Environment steps over all tasks, interrupted ones included."""
        return self._training.steps

    @property
    def tasks(self) -> list[int]:
        """The tasks learned, in order, revisits included; that at hand isn't, where nobody tells its end."""
        return self._sequence.learned

    @property
    def found(self) -> list[tuple[int, int]]:
        """The boundaries that were found, if nobody told them.

        Of each the environment steps that it is dated at, and those at which it was declared.
        """
        return [] if self._untold is None else list(self._untold.found)

    def _enter(self, env: Env) -> None:
        """Set the algorithm's environment, unless it is this one already."""
        enter(self.algorithm, env)
        if self._env_seed is not None and self.algorithm.env is not None:
            self.algorithm.env.seed(self._env_seed)
            self._env_seed = None
            if self._untold is not None:  # which would go on in the midst of an episode
                self.algorithm.set_env(self.algorithm.env)

    def predict(
        self,
        observations: Any,
        deterministic: bool = True,
        task: int | NDArray[np.int64] | None = None,
    ) -> NDArray[Any]:
        """Act on observations, or windows of them, each by itself; see `actor` for acting with a memory.

        Args:
            observations: Shape (n, *observation), as the algorithm is fed; or one, shape (*observation).
            deterministic: Greedily, or as in training (then drawing from torch's global generator).
            task: The task at hand, or that of each observation, shape (n,); None if nobody knows. Only
                methods with parts of their own for each task look at it. Ignored with `boundaries`: the
                learner numbers tasks by itself.

        Returns:
            Actions, shape (n, *action), inside the action space; of one observation one, shape (*action).

        Raises:
            ValueError: if the policy is recurrent.
        """
        if acting_lstm(self.algorithm.policy) is not None:
            raise ValueError(
                "predict remembers nothing, but the policy is recurrent; expected actor(n).act(...)."
            )
        rows, single = batched(observations, self.algorithm.observation_space)
        actions = self._sequence.act(rows, deterministic, None if self._untold is not None else task)
        return actions[0] if single else actions

    def actor(self, count: int) -> Actor:
        """Give what acts in `count` environments at once, and remembers each one's episode if it must."""
        return Actor(self.algorithm, self.predict, count)

    def reseed(self, seed: int) -> None:
        """Seed all that training draws from: the global generators of Python, numpy and torch, the action
        space, and the next task's environments. The methods' own generators go on.

        Args:
            seed: In [0, 2^32).
        """
        self.algorithm.set_random_seed(seed)
        self._env_seed = seed

    def cost(self) -> Cost:
        """Give what the methods hold, and the number of parameters that the optimisers change."""
        parameters = task_switch.count_trained(self.algorithm)
        held = Cost(bytes=0 if self._untold is None else self._untold.bytes, parameters=parameters)
        return sum((method.cost() for method in self.methods), held)

    def save(self, folder: str | Path, *, midst: bool = False) -> None:
        """Write a checkpoint: call it between two tasks, or, with `boundaries`, between two calls.

        It holds networks, optimisers, methods, counters, and the generators that training draws from: the
        global ones of torch, its GPU's included, numpy and Python, and the action space's. With
        `reset_buffer=False` it holds the off-policy buffer as well. It holds no environment and no generator
        of one, no rollout, and no statistics of a `VecNormalize`, which has a `save` of its own.

        With `boundaries` it holds the task at hand as well: what was gathered of it, the ring, and the
        off-policy buffer.

        Args:
            folder: Where to; an older checkpoint there is replaced in one step.
            midst: Write in the midst of a task too, from a callback: what acts then can be looked at, but the
                task isn't counted, and training doesn't go on from there as if it had never stopped.

        Raises:
            ValueError: if the folder holds something else, or if a task is being learned, without `midst`.
        """
        if self._training.running and not midst:
            raise ValueError(
                "save was called in the midst of a task; call it when learn_task has returned, or with "
                "midst=True, for what is only looked at."
            )
        # With boundaries it is in the state of the task at hand.
        kept = self._untold is None and not self.switch.reset_buffer
        snapshot.write(
            Path(folder),
            self.algorithm,
            self.methods,
            tasks=self.tasks,
            steps=self.steps,
            switch=asdict(self.switch),
            boundaries=None if self._untold is None else self._untold.boundaries,
            untold=None if self._untold is None else self._untold.state_dict(),
            replay=pack_replay(self.algorithm) if kept else None,
        )

    @classmethod
    def load(
        cls,
        folder: str | Path,
        env: Env,
        *,
        algorithm: BaseAlgorithm | None = None,
        methods: Sequence[Method] | None = None,
        boundaries: Boundaries | None = None,
        device: torch.device | str | None = None,
    ) -> Self:
        """Read a learner from a checkpoint.

        A checkpoint doesn't decide where files are written: to go on logging, set the algorithm's
        `tensorboard_log` or logger again, `learner.algorithm.tensorboard_log = "runs/board"`.

        Args:
            folder: Where `save` wrote.
            env: An environment for it, as for `learn_task`.
            algorithm: Built like the one that was saved; None: built from the checkpoint, if its settings
                allow.
            methods: Built like those that were saved; None: built from the checkpoint, if all are this
                package's.
            boundaries: Built like those that were saved; None: built from the checkpoint.
            device: Of an algorithm that is built from the checkpoint, wherever it was saved; None: the CPU.

        Raises:
            CheckpointError: if a file is damaged, or the checkpoint doesn't fit what was given.
            ValueError: if `device` is unknown, not there, or given beside `algorithm`.
        """
        place = arguments.checked_device(device, algorithm)
        _, index = checkpoint.read(Path(folder))
        with snapshot.refusals(Path(folder)):
            learner = cls(
                *snapshot.read_parts(index, env, algorithm, methods, place),
                boundaries=boundaries or snapshot.read_boundaries(index),
                **index["switch"],
            )
        learner._enter(env)
        return learner.restore(folder)

    def restore(self, folder: str | Path) -> Self:
        """Take over the state in a checkpoint; this learner must be built like the one that was saved.

        Global generators are put back too, so that training goes on as if it had never stopped, if the
        environments do, and if the algorithm is on the same kind of device.

        Raises:
            CheckpointError: if a file is damaged, or was made by a different learner.
        """
        folder, untold = Path(folder), self._untold
        policy = None if untold is None else untold.boundaries
        tasks, self._training.steps, state = snapshot.restore(folder, self.algorithm, self.methods, policy)
        if untold is not None:
            with snapshot.refusals(folder, RuntimeError):
                untold.load_state_dict(state)
        self._sequence.restore(tasks, (tasks[-1] if tasks else None) if untold is None else untold.task)
        return self
