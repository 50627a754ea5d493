"""DER: answer states as when they were met, from the first step of a life to the last."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, cast

import torch
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.dqn.policies import DQNPolicy
from torch import Tensor
from torch.nn import functional

from rover_cl_agents.experience.recent import latest_observations, refuse_unanswered, refuse_unstorable
from rover_cl_agents.memory import eviction
from rover_cl_agents.memory.life_memory import LifeMemory, check_admission
from rover_cl_agents.memory.task_memory import check_precision, narrowed, widened
from rover_cl_agents.method import Cost, Method
from rover_cl_agents.outputs import actor_role, read, to_tensor
from rover_cl_agents.policies.parted import each_by_its_task
from rover_cl_agents.settings import chosen
from rover_cl_agents.state import State


@dataclass(frozen=True, kw_only=True)
class DERConfig:
    """Settings of `DER`."""

    weight: float = 0.5
    """Of the squared distance to the stored outputs (α of the paper), beside the algorithm's own loss,
    >= 0."""
    label_weight: float = 0.0
    """Of imitating the stored actions (β of the paper, which makes DER++), >= 0; with `weight` 0 too the
    method is off. PPO and A2C only."""
    capacity: int = 5000
    """States kept in all, >= 1."""
    batch_size: int = 1024
    """Stored states asked at each optimiser step, >= 1; DER++ asks as many again for the actions."""
    insertion: str = "reservoir"
    """Which states are kept: reservoir (a uniform sample of the life) or all (with eviction="balanced": the
    latest states of each task, which the policy answers best)."""
    eviction: str = "uniform"
    """Who makes room: uniform, fifo, balanced or loss-aware; the last two look at the task's number."""
    precision: str = "float32"
    """Of the stored observations: float32 or float16."""

    def __post_init__(self) -> None:
        for field in ("weight", "label_weight"):
            if not 0.0 <= getattr(self, field) < float("inf"):
                raise ValueError(f"{field} is {getattr(self, field)}; expected a finite number >= 0.")
        for field in ("capacity", "batch_size"):
            if getattr(self, field) < 1:
                raise ValueError(f"{field} is {getattr(self, field)}; expected at least 1.")
        check_admission(self.insertion)
        eviction.check(self.eviction)
        check_precision(self.precision)


class DER(Method):
    """Dark experience replay: store the policy's raw outputs as it goes, and stay close to them.

    At each rollout's end, before the algorithm trains on it, its states compete for a place in one memory of
    the whole life; those that come in are stored with the outputs that the policy gives at that moment. At
    each step weight × the mean squared difference from them is added to the acting network's loss. No task's
    end is needed; nor is it made use of, so the first, poor answers are kept too, as the paper has it.

    The outputs are a Gaussian's mean (SAC: before the squashing), TD3's action, DQN's action values, and
    logits less their mean over actions, since a policy doesn't depend on that.

    Args:
        config: The settings; or give them by name: `DER(weight=0.5)`.

    Source: Buzzega et al. 2020, "Dark experience for general continual learning", equations 5 (DER) and 6
    (DER++).
    """

    name: ClassVar[str] = "der"

    def __init__(self, config: DERConfig | None = None, **settings: Any) -> None:
        self.config = chosen(DERConfig, config, settings)

    def bind(self, algorithm: BaseAlgorithm, seed: int) -> None:
        """Take the algorithm and a seed; nothing is stored yet.

        Raises:
            ValueError: if actions are to be imitated off-policy, observations are dictionaries, or the
                policy's answers can't be read.
        """
        super().bind(algorithm, seed)
        refuse_unstorable(algorithm)
        if self.config.weight or self.config.label_weight:
            refuse_unanswered(algorithm)
        if self.config.label_weight and not isinstance(algorithm, OnPolicyAlgorithm):
            raise ValueError(
                f"label_weight is {self.config.label_weight} with {type(algorithm).__name__}; expected 0: "
                "its actions carry exploration that the actor never chose. Use PPO or A2C, or weight alone."
            )
        config = self.config
        self.memory = LifeMemory(
            seed,
            config.capacity,
            admission=config.insertion,
            evicting=config.eviction,
            device=algorithm.device,
        )
        self._role = actor_role(algorithm.policy)
        self._task = 0
        self._steps = 0  # of this task that were looked at

    def on_task_start(self, task: int) -> None:
        """Note the task's number, for evictions that balance tasks."""
        self._task, self._steps = task, 0

    def pause(self) -> State:
        """Give how much of the task was looked at."""
        return {"steps": self._steps}

    def resume(self, task: int, state: State) -> None:
        """Note the task's number; the memory knows no tasks."""
        self._task, self._steps = task, int(cast(int, state["steps"]))

    def on_rollout_end(self) -> None:
        """Store some of the states just met with the policy's outputs."""
        if not (self.config.weight or self.config.label_weight):
            return
        observations, actions = self._latest()
        arrivals, places = self.memory.places(len(observations), self._task)
        if not len(arrivals):
            return
        policy, chosen = self.algorithm.policy, arrivals.numpy()
        kept = narrowed(to_tensor(policy, observations[chosen]), self.config.precision)
        columns = {"observations": kept}
        with torch.no_grad():
            columns["outputs"] = raw_outputs(policy, widened(kept))
            if self.config.label_weight and actions is not None:
                columns["actions"] = to_tensor(policy, actions[chosen])
                scale = read(policy, widened(kept)).log_scale
                if scale is not None:
                    columns["log_scale"] = scale
        self.memory.put(places, self._task, columns)

    def _latest(self) -> tuple[NDArray[Any], NDArray[Any] | None]:
        """Give the observations since the last call, shape (n, *observation), and on-policy the actions."""
        algorithm = self.algorithm
        if isinstance(algorithm, OnPolicyAlgorithm):
            buffer = algorithm.rollout_buffer
            shape = algorithm.observation_space.shape or ()
            return buffer.observations.reshape(-1, *shape), buffer.actions.reshape(-1, buffer.action_dim)
        assert isinstance(algorithm, OffPolicyAlgorithm), "refuse_unstorable has refused anything else"
        count, self._steps = algorithm.num_timesteps - self._steps, algorithm.num_timesteps
        return latest_observations(algorithm, count), None

    def auxiliary_loss(self, role: str) -> Tensor | None:
        """Give weight × squared distance, and label_weight × the actions' part on a batch of its own; None
        while the memory is empty.
        """
        if role != self._role or not len(self.memory):
            return None
        loss = torch.zeros(())
        if self.config.weight:
            places = self.memory.draw(self.config.batch_size)
            rows = self.memory.at(places)
            with each_by_its_task(self.algorithm.policy, rows["tasks"]):
                outputs = raw_outputs(self.algorithm.policy, widened(rows["observations"]))
            self.memory.note(places, (outputs - rows["outputs"]).square().mean(dim=1))
            loss = loss + self.config.weight * functional.mse_loss(outputs, rows["outputs"])
        if self.config.label_weight:
            rows = self.memory.at(self.memory.draw(self.config.batch_size))
            with each_by_its_task(self.algorithm.policy, rows["tasks"]):
                loss = loss + self.config.label_weight * self._label_loss(rows)
        return loss

    def _label_loss(self, rows: dict[str, Tensor]) -> Tensor:
        """Give −log π of the stored actions, mean over the batch; of a Gaussian the part that moves its mean,
        in the spread that it had.
        """
        location = read(self.algorithm.policy, widened(rows["observations"])).location
        if "log_scale" not in rows:
            return -location.gather(1, rows["actions"].long().reshape(-1, 1)).mean()
        error = (rows["actions"] - location) * torch.exp(-rows["log_scale"])
        return 0.5 * error.square().sum(dim=1).mean()

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


def raw_outputs(policy: BasePolicy, observations: Tensor) -> Tensor:
    """Give what a policy's acting network says, less what its actions don't depend on; shape (batch, d).

    Args:
        policy: Of a PPO, A2C, SAC, TD3 or DQN.
        observations: Shape (batch, *observation).
    """
    if isinstance(policy, DQNPolicy):
        values: Tensor = policy.q_net(observations)
        return values
    outputs = read(policy, observations)
    if outputs.kind == "categorical":
        return outputs.location - outputs.location.mean(dim=-1, keepdim=True)
    return outputs.location
