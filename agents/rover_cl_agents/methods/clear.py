"""CLEAR: stay close to the old policy and its values on a sample of the whole life, and learn from it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.policies import ActorCriticPolicy
from torch import Tensor

from rover_cl_agents.experience.recent import refuse_unanswered, refuse_unstorable
from rover_cl_agents.experience.vtrace import vtrace
from rover_cl_agents.memory import eviction
from rover_cl_agents.memory.life_memory import LifeMemory, check_admission
from rover_cl_agents.memory.task_memory import check_precision, drifts, narrowed, widened
from rover_cl_agents.method import Cost, Method
from rover_cl_agents.outputs import Kind, Outputs, distance, read, to_tensor
from rover_cl_agents.policies.parted import each_by_its_task
from rover_cl_agents.settings import chosen
from rover_cl_agents.state import State


@dataclass(frozen=True, kw_only=True)
class CLEARConfig:
    """Settings of `CLEAR`; all three weights at 0 switch it off."""

    weight: float = 0.1
    """Of the distance to the stored policy (policy cloning), >= 0."""
    value_weight: float = 0.005
    """Of the squared distance to the stored values (value cloning), in units of the return squared, >= 0."""
    replay_weight: float = 0.0
    """Of the policy gradient and value loss on stored trajectories, corrected by V-trace, >= 0."""
    capacity: int = 5000
    """States kept in all, >= 1."""
    batch_size: int = 1024
    """Stored states asked at each optimiser step, >= 1."""
    unroll: int = 20
    """Steps of a stored trajectory, >= 2; with `replay_weight` 0 states are stored one by one."""
    insertion: str = "reservoir"
    """Which states are kept: reservoir (a uniform sample of the life) or all."""
    eviction: str = "uniform"
    """Who makes room: uniform, fifo, balanced or loss-aware; the last two look at the task's number."""
    precision: str = "float32"
    """Of the stored observations: float32 or float16."""

    def __post_init__(self) -> None:
        for field in ("weight", "value_weight", "replay_weight"):
            if not 0.0 <= getattr(self, field) < float("inf"):
                raise ValueError(f"{field} is {getattr(self, field)}; expected a finite number >= 0.")
        for field, least in (("capacity", 1), ("batch_size", 1), ("unroll", 2)):
            if getattr(self, field) < least:
                raise ValueError(f"{field} is {getattr(self, field)}; expected at least {least}.")
        if self.replay_weight and self.capacity < self.unroll:
            raise ValueError(f"capacity is {self.capacity}; expected at least unroll, {self.unroll}.")
        check_admission(self.insertion)
        eviction.check(self.eviction)
        check_precision(self.precision)


class CLEAR(Method):
    """Continual learning with experience and replay, for PPO and A2C, without task boundaries.

    A reservoir of the whole life holds states with the policy and the value of the moment they were met. Each
    step adds weight × distance to the stored policy (`outputs.distance`: the KL divergence; of Gaussians that
    of equal spreads, so that exploration stays free) and value_weight × (V − V_stored)². With
    `replay_weight`, trajectories are stored, and the actor-critic loss on them is added as well, corrected
    by V-trace for the policy having changed.

    Args:
        config: The settings; or give them by name: `CLEAR(weight=0.1)`.

    Source: Rolnick et al. 2019, "Experience replay for continual learning", section 3; Espeholt et al. 2018
    for V-trace.
    """

    name: ClassVar[str] = "clear"
    algorithm: OnPolicyAlgorithm

    def __init__(self, config: CLEARConfig | None = None, **settings: Any) -> None:
        self.config = chosen(CLEARConfig, config, settings)

    def bind(self, algorithm: BaseAlgorithm, seed: int) -> None:
        """Take the algorithm and a seed; nothing is stored yet.

        Raises:
            ValueError: if the algorithm isn't PPO or A2C, its answers can't be read, or its rollouts are
                shorter than a trajectory.
        """
        super().bind(algorithm, seed)
        if not isinstance(algorithm, OnPolicyAlgorithm):
            raise ValueError(
                f"algorithm is {type(algorithm).__name__}; expected PPO or A2C, whose policy and state "
                "values CLEAR clones. Use DER instead."
            )
        refuse_unstorable(algorithm)
        self._on = bool(self.config.weight or self.config.value_weight or self.config.replay_weight)
        if self._on:
            refuse_unanswered(algorithm)
        config = self.config
        self._unroll = config.unroll if config.replay_weight else 1
        if algorithm.n_steps < self._unroll:
            raise ValueError(f"unroll is {self._unroll}; expected at most n_steps, {algorithm.n_steps}.")
        self.memory = LifeMemory(
            seed,
            config.capacity // self._unroll,
            admission=config.insertion,
            evicting=config.eviction,
            device=algorithm.device,
        )
        self._task = 0

    @property
    def _policy(self) -> ActorCriticPolicy:
        return self.algorithm.policy

    def on_task_start(self, task: int) -> None:
        """Note the task's number, for evictions that balance tasks."""
        self._task = task

    def resume(self, task: int, state: State) -> None:
        """Note the task's number; the memory knows no tasks."""
        self._task = task

    def on_rollout_end(self) -> None:
        """Store some of the rollout, cut into trajectories, with the policy's answers."""
        if not self._on:
            return
        buffer = self.algorithm.rollout_buffer
        count = buffer.observations.shape[0] // self._unroll * buffer.n_envs
        arrivals, places = self.memory.places(count, self._task)
        if not len(arrivals):
            return
        chosen, policy = arrivals.numpy(), self._policy
        observations = to_tensor(policy, self._cut(buffer.observations)[chosen])
        kept = narrowed(observations, self.config.precision)
        columns = {"observations": kept}
        with torch.no_grad():
            states, shape = widened(kept).flatten(0, 1), kept.shape[:2]
            outputs = read(policy, states)
            columns["location"] = outputs.location.reshape(*shape, -1)
            if outputs.log_scale is not None:
                columns["log_scale"] = outputs.log_scale.reshape(*shape, -1)
            columns["values"] = policy.predict_values(states).reshape(shape)
        if self.config.replay_weight:
            following = np.asarray(self.algorithm._last_episode_starts)[None]
            ends = np.concatenate([buffer.episode_starts[1:], following]).astype(np.float32)
            for name, values in (
                ("actions", buffer.actions),
                ("rewards", buffer.rewards),
                ("log_probs", buffer.log_probs),
                ("ends", ends),
            ):
                columns[name] = to_tensor(policy, self._cut(values)[chosen])
        self.memory.put(places, self._task, columns)

    def _cut(self, values: NDArray[Any]) -> NDArray[Any]:
        """Cut (steps, envs, *item) into trajectories (n, unroll, *item); the remaining steps are left out."""
        whole = len(values) // self._unroll
        cut = values[: whole * self._unroll].reshape(whole, self._unroll, *values.shape[1:])
        return np.moveaxis(cut, 2, 1).reshape(-1, self._unroll, *values.shape[2:])

    def auxiliary_loss(self, role: str) -> Tensor | None:
        """Give the cloning losses and that of the replayed trajectories; None while the memory is empty."""
        if role != "policy" or not len(self.memory):
            return None
        places = self.memory.draw(max(1, self.config.batch_size // self._unroll))
        rows = self.memory.at(places)
        with each_by_its_task(self._policy, rows["tasks"].repeat_interleave(self._unroll)):
            return self._loss(places, rows)

    def _loss(self, places: Tensor, rows: dict[str, Tensor]) -> Tensor:
        """Give the losses on the rows at `places`."""
        states, loss = widened(rows["observations"]).flatten(0, 1), torch.zeros(())
        if self.config.weight:
            current, cached = read(self._policy, states), _cached(rows)
            self.memory.note(places, drifts(current, cached).reshape(len(places), -1).mean(dim=1))
            loss = loss + self.config.weight * distance(current, cached)
        if self.config.value_weight:
            change = self._policy.predict_values(states).squeeze(1) - rows["values"].flatten()
            loss = loss + self.config.value_weight * change.square().mean()
        if self.config.replay_weight:
            loss = loss + self.config.replay_weight * self.replay_loss(rows)
        return loss

    def replay_loss(self, rows: dict[str, Tensor]) -> Tensor:
        """Give −ρ A log π + (vf_coef / 2) (v − V)², mean over the steps of stored trajectories but the last,
        whose value takes the place of what comes after.

        Args:
            rows: As stored, each column of shape (n, unroll, *item).
        """
        states, actions = widened(rows["observations"]).flatten(0, 1), rows["actions"].flatten(0, 1)
        if rows["location"].shape[-1] != actions.shape[-1]:  # a categorical policy takes plain numbers
            actions = actions.flatten()
        values, log_probs, _ = self._policy.evaluate_actions(states, actions)
        shape = rows["rewards"].shape
        values, log_probs = values.reshape(shape).T, log_probs.reshape(shape).T  # (unroll, n)
        found = vtrace(
            (log_probs - rows["log_probs"].T)[:-1],
            rows["rewards"].T[:-1],
            self.algorithm.gamma * (1 - rows["ends"].T[:-1]),
            values[:-1],
            values[-1],
        )
        actor = -(found.advantages * log_probs[:-1]).mean()
        return actor + 0.5 * self.algorithm.vf_coef * (found.values - values[:-1]).square().mean()

    def describe(self) -> dict[str, int | float | str | bool]:
        """Give the settings."""
        return asdict(self.config)

    def state_dict(self) -> State:
        """Give the memory."""
        return self.memory.state_dict()

    def load_state_dict(self, state: State) -> None:
        """Take back what `state_dict` gave."""
        self.memory.load_state_dict(state)

    def cost(self) -> Cost:
        """Give the memory's bytes."""
        return Cost(bytes=self.memory.bytes)


def _cached(rows: dict[str, Tensor]) -> Outputs:
    """Read the stored policy from a memory's rows."""
    scale = rows.get("log_scale")
    kind: Kind = "categorical" if scale is None else "gaussian"
    location = rows["location"].flatten(0, 1)
    return Outputs(kind=kind, location=location, log_scale=None if scale is None else scale.flatten(0, 1))
