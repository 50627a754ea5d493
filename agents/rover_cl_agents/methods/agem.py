"""A-GEM: turn aside each update that would move the answers to old states."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from torch import Tensor

from rover_cl_agents.experience.recent import RecentStates, refuse_unanswered
from rover_cl_agents.memory.task_memory import Memory
from rover_cl_agents.method import Cost, Method
from rover_cl_agents.outputs import actor_role, distance, read, to_tensor
from rover_cl_agents.policies.parted import each_by_its_task
from rover_cl_agents.settings import chosen
from rover_cl_agents.state import State
from rover_cl_agents.step_hooks import optimizers, trained_parameters

POOL = 4
"""A task's states are drawn from the latest POOL × capacity observations."""
NOTHING = 1e-16
"""A squared gradient up to this is rounding noise: the answers are where they were."""


@dataclass(frozen=True, kw_only=True)
class AGEMConfig:
    """Settings of `AGEM`."""

    strength: float = 1.0
    """Share of the harmful part of an update that is taken out, in [0, 2]; 1 is A-GEM, more than 1 turns
    that part back, 0 switches the method off."""
    capacity: int = 5000
    """States kept of each task, >= 1."""
    batch_size: int = 1024
    """Stored states asked at each optimiser step, >= 1."""
    reference: str = "answers"
    """What mustn't rise: answers, the distance to the stored answers; or reward, the policy-gradient loss of
    the old tasks' last transitions, as in the paper (PPO and A2C)."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.strength <= 2.0:
            raise ValueError(f"strength is {self.strength}; expected a number in [0, 2].")
        for field in ("capacity", "batch_size"):
            if getattr(self, field) < 1:
                raise ValueError(f"{field} is {getattr(self, field)}; expected at least 1.")
        if self.reference not in ("answers", "reward"):
            raise ValueError(f"reference is {self.reference!r}; expected answers or reward.")


class AGEM(Method):
    """Averaged gradient episodic memory.

    At the end of a task, `capacity` of its latest observations are drawn and the policy's outputs on them
    are stored once. From then on, before each optimiser step, the gradient r of the mean distance
    (`outputs.distance`) on a batch drawn from all tasks is taken; a step Δ with Δ · r > 0, which would raise
    that distance, becomes Δ − strength (Δ · r / |r|²) r. Right after a task's end r is zero, and the first
    step goes where it likes. A task visited again replaces what was kept of it.

    With `reference="reward"` transitions of the task's last rollout are stored, and r is the gradient of
    −min(ρ, 1) A log π(a | x), with their advantages A of then and ρ = π / π_then: the paper's reference, the
    old tasks' own loss. It says little where the policy has moved on.

    One departure from the paper: the update is projected, not the gradient, as Adam would put the harmful
    part back.

    Args:
        config: The settings; or give them by name: `AGEM(capacity=5000)`.

    Source: Chaudhry et al. 2019, "Efficient lifelong learning with A-GEM", equation 11.
    """

    name: ClassVar[str] = "agem"

    def __init__(self, config: AGEMConfig | None = None, **settings: Any) -> None:
        self.config = chosen(AGEMConfig, config, settings)

    def bind(self, algorithm: BaseAlgorithm, seed: int) -> None:
        """Take the algorithm and a seed; nothing is stored yet.

        Raises:
            ValueError: if the reference is the reward, and the algorithm isn't PPO or A2C, or if the policy's
                answers can't be read.
        """
        super().bind(algorithm, seed)
        if self._rewarded and not isinstance(algorithm, OnPolicyAlgorithm):
            raise ValueError(
                f"reference is 'reward' with {type(algorithm).__name__}; expected 'answers': only PPO and "
                "A2C have advantages to store."
            )
        if self.config.strength:
            refuse_unanswered(algorithm)
        self.memory = Memory(seed, device=algorithm.device)
        self._transitions: dict[str, Tensor] = {}  # of the last rollout, for the reward
        self._generator = torch.Generator().manual_seed(seed)
        self._recent = RecentStates(algorithm, POOL * self.config.capacity)
        self._role = actor_role(algorithm.policy)
        self._task = 0
        self._reference: Tensor | None = None  # from the door before a step to the door after it

    @property
    def _rewarded(self) -> bool:
        return self.config.reference == "reward"

    def on_task_start(self, task: int) -> None:
        """Begin to watch a task."""
        self._task = task
        self._recent.clear()
        self._transitions, self._reference = {}, None

    def pause(self) -> State:
        """Give the latest states, or transitions."""
        return dict(self._transitions) if self._rewarded else self._recent.state_dict()

    def resume(self, task: int, state: State) -> None:
        """Watch on."""
        self._task = task
        self._reference = None
        if self._rewarded:
            here = self.algorithm.device
            self._transitions = {n: rows.to(here) for n, rows in state.items() if isinstance(rows, Tensor)}
        else:
            self._recent.load_state_dict(state)

    def on_rollout_end(self) -> None:
        """Watch the states that the policy meets."""
        if self.config.strength and self._rewarded:
            self._transitions = self._some_of_the_rollout()
        elif self.config.strength:
            self._recent.note_rollout()

    def _some_of_the_rollout(self) -> dict[str, Tensor]:
        """Draw `capacity` transitions of the rollout just gathered; advantages have unit variance."""
        assert isinstance(self.algorithm, OnPolicyAlgorithm), "bind has seen to it"
        buffer, policy = self.algorithm.rollout_buffer, self.algorithm.policy
        advantages = (buffer.advantages - buffer.advantages.mean()) / (buffer.advantages.std() + 1e-8)
        count = advantages.size
        order = torch.randperm(count, generator=self._generator)[: self.config.capacity].numpy()
        columns = {
            "observations": buffer.observations,
            "actions": buffer.actions,
            "advantages": advantages,
            "log_probs": buffer.log_probs,
        }
        flat = {name: values.reshape(count, *values.shape[2:])[order] for name, values in columns.items()}
        return {name: to_tensor(policy, values) for name, values in flat.items()}

    def on_task_end(self) -> None:
        """Store a sample of the task's states with the policy's answers."""
        if self._transitions:
            rows, self._transitions = dict(self._transitions), {}
            states = rows.pop("observations")
            self.algorithm.policy.set_training_mode(False)
            with torch.no_grad():
                self.memory.store(self._task, states, read(self.algorithm.policy, states), **rows)
            return
        observations = self._recent.observations()
        if not self.config.strength or not len(observations):
            return
        self._recent.clear()
        policy = self.algorithm.policy
        policy.set_training_mode(False)
        order = torch.randperm(len(observations), generator=self._generator)
        states = to_tensor(policy, observations[order[: self.config.capacity].numpy()])
        with torch.no_grad():
            self.memory.store(self._task, states, read(policy, states))

    def auxiliary_gradient(self, role: str) -> None:
        """Take the reference gradient at the weights before the step; nothing is added to the loss."""
        if role == self._role and self.config.strength and len(self.memory):
            self._reference = self.reference_gradient()

    def reference_gradient(self) -> Tensor:
        """Differentiate what mustn't rise, on a batch from memory.

        Returns:
            By all parameters of the acting network's optimiser, flat, in its order, shape (n,); 0 where it
            doesn't depend on them.
        """
        parameters = trained_parameters(optimizers(self.algorithm)[self._role])
        with torch.enable_grad():
            loss = self._old_loss() if self._rewarded else self._distance()
        if not loss.requires_grad:  # all that the old answers depend on is frozen
            return torch.zeros(sum(p.numel() for p in parameters), device=loss.device)
        found = torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)
        return torch.cat([gradient.flatten() for gradient in found])

    def _distance(self) -> Tensor:
        """Give the mean distance to the stored answers."""
        index = self.memory.draw(self.config.batch_size)
        observations, cached = self.memory.at(index)
        with each_by_its_task(self.algorithm.policy, self.memory.tasks[index]):
            return distance(read(self.algorithm.policy, observations), cached)

    def _old_loss(self) -> Tensor:
        """Give the policy-gradient loss of stored transitions."""
        index = self.memory.draw(self.config.batch_size)
        states, cached = self.memory.at(index)
        actions = self.memory.beside("actions", index)
        if cached.log_scale is None:  # a categorical policy takes plain numbers
            actions = actions.flatten()
        policy: Any = self.algorithm.policy
        with each_by_its_task(policy, self.memory.tasks[index]):
            _, log_probs, _ = policy.evaluate_actions(states, actions)
        ratios = torch.exp(log_probs.detach() - self.memory.beside("log_probs", index)).clamp_max(1.0)
        loss: Tensor = -(ratios * self.memory.beside("advantages", index) * log_probs).mean()
        return loss

    def adjust_update(self, role: str, delta: Tensor) -> Tensor:
        """Project the acting network's step, if it would raise the distance."""
        if role != self._role or self._reference is None:
            return delta
        reference, self._reference = self._reference, None
        return turned_aside(delta, reference, strength=self.config.strength)

    def describe(self) -> dict[str, int | float | str | bool]:
        """Give the settings."""
        return asdict(self.config)

    def state_dict(self) -> State:
        """Give the memory and the generator's state."""
        return {**self.memory.state_dict(), "choice": self._generator.get_state()}

    def load_state_dict(self, state: State) -> None:
        """Take back what `state_dict` gave."""
        rest = dict(state)
        choice = rest.pop("choice", None)
        if not isinstance(choice, Tensor):
            raise ValueError("the state of AGEM needs the tensor 'choice', a generator's state.")
        self.memory.load_state_dict(rest)
        self._generator.set_state(choice)

    def cost(self) -> Cost:
        """Give the bytes of the memory, and of the task's latest states or transitions."""
        rows = sum(tensor.numel() * tensor.element_size() for tensor in self._transitions.values())
        return Cost(bytes=self.memory.bytes + self._recent.bytes + rows)


def turned_aside(delta: Tensor, reference: Tensor, *, strength: float = 1.0) -> Tensor:
    """Take `strength` of the part along `reference` out of `delta`, if the two point the same way.

    Args:
        delta: A step, shape (n,).
        reference: The gradient of what mustn't rise, shape (n,).
        strength: >= 0; at 1 the result is orthogonal to `reference`.

    Returns:
        The step to make, shape (n,): `delta` itself where it does no harm or `reference` is zero.
    """
    squared, harm = torch.dot(reference, reference), torch.dot(delta, reference)
    if squared <= NOTHING or harm <= 0:
        return delta
    return delta - strength * (harm / squared) * reference
