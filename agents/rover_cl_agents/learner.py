"""The continual learner: one algorithm, any methods, one task after another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback, CallbackList
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from rover_cl_agents import checkpoint, recipe, task_switch
from rover_cl_agents.checkpoint import CheckpointError
from rover_cl_agents.methods import EWC, Cost, EWCConfig, Method, Replay, ReplayConfig
from rover_cl_agents.methods.method import State, overrides
from rover_cl_agents.outputs import act
from rover_cl_agents.step_hooks import StepHooks
from rover_cl_agents.vec_env import Env, as_vec_env, holds

COUNTERS = ("num_timesteps", "_n_updates", "_n_calls", "_episode_num", "exploration_rate")
"""Numbers of an algorithm that its next training depends on."""


class _RolloutCallback(BaseCallback):
    """Tells the methods of each rollout."""

    def __init__(self, methods: Sequence[Method]) -> None:
        super().__init__()
        self._methods = methods

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        for method in self._methods:
            method.on_rollout_end()


class ContinualLearner:
    """Trains an unmodified Stable-Baselines3 algorithm on one task after another.

    At each task but the first, and for every method alike, exploration is put back, the optimisers are
    cleared and the off-policy buffer is emptied: what the last task left there would be mistaken for
    forgetting or for difficulty. Without methods this is finetuning.

    Stable-Baselines3 samples actions and minibatches by the GLOBAL generators of torch and numpy. The
    learner and its methods never draw from them, so that a method with weight 0 changes nothing, to the
    bit. For runs that can be stopped between two tasks and resumed as if they never were, call `reseed`
    before each task.

    Args:
        algorithm: PPO, A2C, SAC, TD3 or DQN of stable_baselines3, built for one of the tasks.
        methods: The remedies, in the order of their composition.
        seed: Of the methods' generators, in [0, 2^32); None: the algorithm's seed, or 0.
        reset_exploration: Put exploration back at a task switch.
        reset_optimizer: Clear the optimisers' moments at a task switch.
        reset_buffer: Empty the off-policy buffer at a task switch.

    Example:
        >>> learner = ContinualLearner(PPO("MlpPolicy", env), [Replay(), EWC()])  # doctest: +SKIP
        >>> learner.learn_task(env, total_timesteps=100_000)  # doctest: +SKIP
    """

    def __init__(
        self,
        algorithm: BaseAlgorithm,
        methods: Sequence[Method] = (),
        *,
        seed: int | None = None,
        reset_exploration: bool = True,
        reset_optimizer: bool = True,
        reset_buffer: bool = True,
    ) -> None:
        for method in methods:
            if not isinstance(method, Method):
                raise ValueError(f"methods holds {method!r}; expected Method objects such as Replay().")
        self.algorithm = algorithm
        self.methods = tuple(methods)
        self.reset_exploration = reset_exploration
        self.reset_optimizer = reset_optimizer
        self.reset_buffer = reset_buffer
        self.tasks: list[int] = []
        """The tasks learned, in order, revisits included."""
        self.steps = 0
        """Environment steps over all tasks."""
        self._env_seed: int | None = None
        self._hooks = StepHooks(algorithm, self.methods)
        root = (algorithm.seed or 0) if seed is None else seed
        for index, method in enumerate(self.methods):
            own = np.random.SeedSequence([root, index]).generate_state(1, np.uint64)[0] >> np.uint64(1)
            method.bind(algorithm, int(own))

    def learn_task(
        self,
        env: Env,
        *,
        total_timesteps: int,
        task: int | None = None,
        callback: BaseCallback | None = None,
    ) -> Self:
        """Learn in `env` for `total_timesteps`, then let the methods consolidate.

        Args:
            env: A gymnasium.Env, gymnasium.vector.VectorEnv or SB3 VecEnv, with the spaces and the number of
                environments that the algorithm was built for.
            total_timesteps: Steps over all environments, >= 1; rounded up to whole rollouts by the algorithm.
            task: Number of the task, >= 0, for methods that know a task again; None: a new one.
            callback: Of your own.

        Returns:
            The learner.

        Raises:
            ValueError: if an argument is out of its range or `env` doesn't fit the algorithm.
        """
        if total_timesteps < 1:
            raise ValueError(f"total_timesteps is {total_timesteps}; expected at least 1.")
        if task is not None and task < 0:
            raise ValueError(f"task is {task}; expected a number >= 0, or None for a new task.")
        number = max(self.tasks, default=-1) + 1 if task is None else int(task)
        self._enter(env)
        if self.tasks:
            self._switch()
        for method in self.methods:
            method.on_task_start(number)
        self._hooks.attach()
        try:
            self.algorithm.learn(total_timesteps, callback=self._callback(callback), reset_num_timesteps=True)
        finally:
            self._hooks.detach()
        for method in self.methods:
            method.on_task_end()
        self.tasks.append(number)
        self.steps += self.algorithm.num_timesteps
        return self

    def _enter(self, env: Env) -> None:
        """Set the algorithm's environment, unless it is this one already."""
        if not holds(self.algorithm.env, env):
            vec_env = as_vec_env(env)
            algorithm = self.algorithm
            if vec_env.num_envs != algorithm.n_envs:
                raise ValueError(
                    f"env has num_envs {vec_env.num_envs}; expected {algorithm.n_envs}, the algorithm's."
                )
            for name in ("observation_space", "action_space"):
                given, expected = getattr(vec_env, name), getattr(algorithm, name)
                if given != expected:
                    raise ValueError(f"env has {name} {given}; expected {expected}, the algorithm's.")
            algorithm.set_env(vec_env)
        if self._env_seed is not None and self.algorithm.env is not None:
            self.algorithm.env.seed(self._env_seed)
            self._env_seed = None

    def _switch(self) -> None:
        """Put back what the last task left behind."""
        if self.reset_exploration:
            task_switch.reset_exploration(self.algorithm)
        if self.reset_optimizer:
            task_switch.reset_optimizers(self.algorithm)
        if self.reset_buffer:
            task_switch.reset_buffer(self.algorithm)

    def _callback(self, users: BaseCallback | None) -> BaseCallback | None:
        watching = [method for method in self.methods if overrides(method, "on_rollout_end")]
        if not watching:
            return users
        ours = _RolloutCallback(watching)
        return ours if users is None else CallbackList([ours, users])

    def predict(
        self, observations: NDArray[Any], deterministic: bool = True, task: int | None = None
    ) -> NDArray[Any]:
        """Act.

        Args:
            observations: Shape (n, *observation), as the algorithm is fed.
            deterministic: Greedily, or as in training (then drawing from torch's global generator).
            task: The task at hand, for methods with a head for each; there is none such among today's.

        Returns:
            Actions, shape (n, *action), inside the action space.
        """
        if deterministic:
            self.algorithm.policy.set_training_mode(False)
            return act(self.algorithm, observations)
        return self.algorithm.predict(observations, deterministic=False)[0]

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
        trained = {
            id(p): p.numel()
            for optimizer in task_switch.all_optimizers(self.algorithm).values()
            for group in optimizer.param_groups
            for p in group["params"]
        }
        return sum((method.cost() for method in self.methods), Cost(parameters=sum(trained.values())))

    def save(self, folder: str | Path) -> None:
        """Write a checkpoint: call it between two tasks.

        It holds networks, optimisers, methods and counters; no environment, no rollout, no global generator
        (see `reseed`), and no statistics of a `VecNormalize`, which has a `save` of its own.

        Args:
            folder: Where to; an older checkpoint there is replaced in one step.

        Raises:
            ValueError: if the folder holds something else, or an off-policy buffer would have to be kept.
        """
        if isinstance(self.algorithm, OffPolicyAlgorithm) and not self.reset_buffer:
            raise ValueError("reset_buffer is False; expected True, as a checkpoint holds no replay buffer.")
        states = [method.state_dict() for method in self.methods]
        checkpoint.write(
            Path(folder).absolute(),
            {
                "policy": self._policy_tensors(),
                "optimizers": {
                    f"{role}.{name}": tensor
                    for role, optimizer in task_switch.all_optimizers(self.algorithm).items()
                    for name, tensor in checkpoint.pack_optimizer(optimizer).items()
                },
                "methods": {
                    f"{index}.{name}": value
                    for index, state in enumerate(states)
                    for name, value in state.items()
                    if isinstance(value, torch.Tensor)
                },
            },
            {
                "algorithm": recipe.write_recipe(self.algorithm),
                "spaces": self._spaces(),
                "tasks": self.tasks,
                "steps": self.steps,
                "counters": {name: getattr(self.algorithm, name, 0) for name in COUNTERS},
                "switch": {
                    "reset_exploration": self.reset_exploration,
                    "reset_optimizer": self.reset_optimizer,
                    "reset_buffer": self.reset_buffer,
                },
                "methods": [
                    {
                        "name": method.name,
                        "settings": method.describe(),
                        "scalars": {n: v for n, v in state.items() if not isinstance(v, torch.Tensor)},
                    }
                    for method, state in zip(self.methods, states, strict=True)
                ],
            },
        )

    @classmethod
    def load(
        cls,
        folder: str | Path,
        env: Env,
        *,
        algorithm: BaseAlgorithm | None = None,
        methods: Sequence[Method] | None = None,
    ) -> Self:
        """Read a learner from a checkpoint.

        Args:
            folder: Where `save` wrote.
            env: An environment for it, as for `learn_task`.
            algorithm: Built like the one that was saved; None: built from the checkpoint, if its settings
                allow. methods: Built like those that were saved; None: built from the checkpoint, if all
                are this package's.

        Raises:
            CheckpointError: if a file is damaged, or the checkpoint doesn't fit what was given.
        """
        path = Path(folder) / checkpoint.INDEX
        _, index = checkpoint.read(Path(folder))
        try:
            if algorithm is None:
                algorithm = recipe.build(index["algorithm"], env)
            if methods is None:
                methods = [_method(entry["name"], entry["settings"]) for entry in index["methods"]]
            learner = cls(algorithm, methods, **index["switch"])
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise CheckpointError(f"{path}: {_sentence(error)}") from error
        learner._enter(env)
        return learner.restore(folder)

    def restore(self, folder: str | Path) -> Self:
        """Take over the state in a checkpoint; this learner must be built like the one that was saved.

        Raises:
            CheckpointError: if a file is damaged, or was made by a different learner.
        """
        folder = Path(folder)
        tensors, index = checkpoint.read(folder)
        path = folder / checkpoint.INDEX
        try:
            self._check(index, path)
            checkpoint.copy_into(self._policy_tensors(), tensors["policy"], folder / "policy.safetensors")
            for role, optimizer in task_switch.all_optimizers(self.algorithm).items():
                own = _under(tensors["optimizers"], role)
                checkpoint.unpack_optimizer(optimizer, own, folder / "optimizers.safetensors")
            for position, (method, entry) in enumerate(zip(self.methods, index["methods"], strict=True)):
                state: State = {**_under(tensors["methods"], str(position)), **entry["scalars"]}
                method.load_state_dict(state)
            for name, value in index["counters"].items():
                if name in COUNTERS and hasattr(self.algorithm, name):
                    setattr(self.algorithm, name, value)
            self.tasks, self.steps = [int(task) for task in index["tasks"]], int(index["steps"])
        except CheckpointError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise CheckpointError(f"{path}: {_sentence(error)}") from error
        return self

    def _check(self, index: dict[str, Any], path: Path) -> None:
        """Compare a checkpoint's index with this learner."""
        pairs: list[tuple[str, Any, Any]] = [
            ("algorithm", index["algorithm"]["algorithm"], type(self.algorithm).__name__),
            *((name, index["spaces"][name], mine) for name, mine in self._spaces().items()),
            ("methods", [entry["name"] for entry in index["methods"]], [m.name for m in self.methods]),
        ]
        for what, saved, mine in pairs:
            if saved != mine:
                raise CheckpointError(
                    f"{path}: {what} was {saved}, here it is {mine}; build the learner the same way."
                )
        for entry, method in zip(index["methods"], self.methods, strict=True):
            if entry["settings"] != method.describe():
                raise CheckpointError(
                    f"{path}: {method.name} had {entry['settings']}, here {method.describe()}; "
                    "build it with the same settings."
                )

    def _policy_tensors(self) -> dict[str, torch.Tensor]:
        """Give the networks' tensors and SAC's entropy coefficient, themselves and not copies."""
        tensors = dict(self.algorithm.policy.state_dict())
        log_ent_coef = getattr(self.algorithm, "log_ent_coef", None)
        if isinstance(log_ent_coef, torch.Tensor):
            tensors["log_ent_coef"] = log_ent_coef.detach()
        return tensors

    def _spaces(self) -> dict[str, str]:
        return {name: repr(getattr(self.algorithm, name)) for name in ("observation_space", "action_space")}


def _under(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """Pick the tensors named `<prefix>.<name>`, by name."""
    start = f"{prefix}."
    return {name[len(start) :]: tensor for name, tensor in tensors.items() if name.startswith(start)}


def _method(name: str, settings: dict[str, Any]) -> Method:
    """Build one of this package's methods."""
    if name == Replay.name:
        return Replay(ReplayConfig(**settings))
    if name == EWC.name:
        return EWC(EWCConfig(**settings))
    raise ValueError(f"method {name!r} isn't this package's; build it yourself and give it in methods=.")


def _sentence(error: Exception) -> str:
    """Say in one line what was wrong."""
    text = f"entry {error} is missing" if isinstance(error, KeyError) else str(error)
    return " ".join(text.split())
