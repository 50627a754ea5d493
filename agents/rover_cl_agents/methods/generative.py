"""Pseudo-rehearsal: answer as before where a generator says that old tasks were."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.base_class import BaseAlgorithm
from torch import Tensor

from rover_cl_agents.experience.bounds import fed_bounds
from rover_cl_agents.experience.recent import RecentStates, refuse_unanswered
from rover_cl_agents.memory.generator import COVARIANCES, Covariance, Mixture, fit
from rover_cl_agents.method import Cost, Method
from rover_cl_agents.outputs import actor_role, read
from rover_cl_agents.settings import chosen
from rover_cl_agents.state import State
from rover_cl_agents.teachers.divergence import divergence
from rover_cl_agents.teachers.teacher import Teacher

HELD_OUT = 0.2
"""Share of a task's states that the generator isn't fitted to, but judged by."""


@dataclass(frozen=True, kw_only=True)
class GenerativeConfig:
    """Settings of `Generative`."""

    components: int = 16
    """Gaussians kept of each task, >= 1."""
    covariance: Covariance = "diagonal"
    """`diagonal`, or `full`: more true to the states, and d/2 times the memory for d dimensions."""
    samples: int = 8192
    """Latest states of a task that its mixture is fitted to and judged by, >= 2."""
    batch_size: int = 1024
    """States generated at each optimiser step, >= 1."""
    weight: float = 0.1
    """Of the divergence, beside the algorithm's own loss, >= 0; 0 switches the method off."""

    def __post_init__(self) -> None:
        for field, least in (("components", 1), ("samples", 2), ("batch_size", 1)):
            if getattr(self, field) < least:
                raise ValueError(f"{field} is {getattr(self, field)}; expected at least {least}.")
        if self.covariance not in COVARIANCES:
            raise ValueError(f"covariance is {self.covariance!r}; expected one of {', '.join(COVARIANCES)}.")
        if not 0.0 <= self.weight < float("inf"):
            raise ValueError(f"weight is {self.weight}; expected a finite number >= 0.")


@dataclass(frozen=True, kw_only=True)
class Quality:
    """How well generated states stand for real ones: what the task changed in the policy, seen on both."""

    generated: float
    """Divergence of the policy at the task's end from that at its beginning, on generated states."""
    real: float
    """The same on states of the task that the generator wasn't fitted to."""

    @property
    def ratio(self) -> float:
        """`generated` / `real`: near 1 is good; above 2 or below ½, keep real states instead (`Replay`)."""
        return self.generated / max(self.real, 1e-12)


class Generative(Method):
    """Keep of each task a mixture of Gaussians over its states, and no state; answer as before on draws.

    At a task's end the mixture is fitted to its latest states, as the policy is fed them, and the policy
    becomes the teacher. From then on, at each optimiser step, states are drawn from all old tasks alike and
    clipped to the observations' bounds, the teacher answers them, and `weight` × the divergence from it is
    added to the acting network's loss. A task visited again replaces its mixture. As there is one teacher,
    what the policy has lost of a task by the next boundary is lost.

    `quality` has, by task, a check made at its end on states held out.

    Args:
        config: The settings; or give them by name: `Generative(components=16)`.

    Source: Robins 1995, "Catastrophic forgetting, rehearsal and pseudorehearsal"; Atkinson et al. 2021,
    "Pseudo-rehearsal: achieving deep reinforcement learning without catastrophic forgetting", here with a
    mixture of Gaussians for the generative network.
    """

    name: ClassVar[str] = "generative"

    def __init__(self, config: GenerativeConfig | None = None, **settings: Any) -> None:
        self.config = chosen(GenerativeConfig, config, settings)

    def bind(self, algorithm: BaseAlgorithm, seed: int) -> None:
        """Take the algorithm and a seed; there is no mixture yet.

        Raises:
            ValueError: if the observations aren't real vectors, or the policy's answers can't be read.
        """
        super().bind(algorithm, seed)
        self._recent = RecentStates(algorithm, self.config.samples)
        if self.config.weight:
            refuse_unanswered(algorithm)
        space = algorithm.observation_space
        if not isinstance(space, spaces.Box) or not np.issubdtype(space.dtype, np.floating):
            raise ValueError(
                f"observation_space is {space}; expected a Box of floats: a Gaussian doesn't generate "
                "numbers of a list or pixels; use Replay."
            )
        self._generator = torch.Generator().manual_seed(seed)
        self._role = actor_role(algorithm.policy)
        self._shape = space.shape
        self._size = int(np.prod(space.shape))
        self.teacher = Teacher(algorithm.policy)
        self.quality: dict[int, Quality] = {}
        self._task = 0
        self._mixture: Mixture | None = None  # of all old tasks
        self._owners = torch.zeros(0, dtype=torch.int64)  # the task of each component

    def on_task_start(self, task: int) -> None:
        """Begin to watch a task."""
        self._task = task
        self._recent.clear()

    def pause(self) -> State:
        """Give the latest states."""
        return self._recent.state_dict()

    def resume(self, task: int, state: State) -> None:
        """Watch on."""
        self._task = task
        self._recent.load_state_dict(state)

    def on_rollout_end(self) -> None:
        """Watch the states that the policy meets, and remember how it was before it learned anything."""
        if not self.config.weight:
            return
        self._recent.note_rollout()
        if not self.teacher.ready:
            self.teacher.copy()

    def on_task_end(self) -> None:
        """Fit a mixture to the task's states, judge it, and make the policy the teacher."""
        found = self._recent.observations()[-self.config.samples :]
        self._recent.clear()
        if not self.config.weight or len(found) < 2:
            return
        states = torch.as_tensor(found.reshape(len(found), -1), dtype=torch.float32)
        states = states[torch.randperm(len(states), generator=self._generator)]
        held_out = max(1, round(HELD_OUT * len(states)))
        config = self.config
        arriving = fit(states[held_out:], config.components, self._generator, covariance=config.covariance)
        self.algorithm.policy.set_training_mode(False)
        generated = self._draw(arriving, held_out)
        self.quality[self._task] = Quality(
            generated=self._divergence(generated).item(),
            real=self._divergence(self._fed(states[:held_out])).item(),
        )
        self._keep(arriving)
        self.teacher.copy()

    def _keep(self, arriving: Mixture) -> None:
        """Put a mixture beside those of the other tasks, in place of what was kept of this one."""
        others = torch.nonzero(self._owners != self._task).squeeze(1)
        owners = torch.full((len(arriving.weights),), self._task, dtype=torch.int64)
        if self._mixture is not None and len(others):
            arriving = self._mixture[others] + arriving
        self._mixture, self._owners = arriving, torch.cat([self._owners[others], owners])

    def _draw(self, mixture: Mixture, count: int) -> Tensor:
        """Generate `count` states inside the observations' bounds, shape (count, *observation)."""
        low, high = (bound.flatten().float() for bound in fed_bounds(self.algorithm))
        return self._fed(mixture.sample(count, self._generator).clamp(low, high))

    def _fed(self, states: Tensor) -> Tensor:
        """Bring flat states (n, d) to the shape and the device of the policy's observations."""
        return states.reshape(-1, *self._shape).to(self.algorithm.policy.device)

    def _divergence(self, states: Tensor) -> Tensor:
        """Give the policy's divergence from the teacher, mean over `states`."""
        return divergence(self.teacher.answer(states), read(self.algorithm.policy, states))

    def auxiliary_loss(self, role: str) -> Tensor | None:
        """Give weight × the divergence from the teacher on generated states, for the acting network; None
        before the second task.
        """
        if role != self._role or not self.config.weight or self._mixture is None:
            return None
        return self.config.weight * self._divergence(self._draw(self._mixture, self.config.batch_size))

    def describe(self) -> dict[str, int | float | str | bool]:
        """Give the settings."""
        return asdict(self.config)

    def state_dict(self) -> State:
        """Give the mixtures, their quality, the teacher and the generator's state."""
        state: State = {**self.teacher.state_dict(), "generator": self._generator.get_state()}
        if self._mixture is not None:
            mixture = self._mixture
            state |= {"weights": mixture.weights, "means": mixture.means, "scales": mixture.scales}
            state["owners"] = self._owners
        for task, quality in self.quality.items():
            state[f"generated.{task}"], state[f"real.{task}"] = quality.generated, quality.real
        return state

    def load_state_dict(self, state: State) -> None:
        """Take back what `state_dict` gave."""
        tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
        parts = {
            name: tensors.pop(name) for name in ("weights", "means", "scales", "owners") if name in tensors
        }
        generator = tensors.pop("generator", None)
        if generator is None or len(parts) not in (0, 4):
            raise ValueError(
                "the state of pseudo-rehearsal needs tensors 'generator', and 'weights', 'means', 'scales' "
                "and 'owners' or none of them."
            )
        owners = parts.pop("owners", torch.zeros(0, dtype=torch.int64))
        mixture = Mixture(**parts) if parts else None
        if mixture is not None and (len(owners), self._size) != mixture.means.shape:
            raise ValueError(
                f"'means' has shape {tuple(mixture.means.shape)}; expected ({len(owners)}, {self._size})."
            )
        self.teacher.load_state_dict(tensors)
        self._generator.set_state(generator)
        self._mixture, self._owners = mixture, owners
        tasks = [int(name.partition(".")[2]) for name in state if name.startswith("generated.")]
        self.quality = {
            task: Quality(generated=float(state[f"generated.{task}"]), real=float(state[f"real.{task}"]))
            for task in tasks
        }

    def cost(self) -> Cost:
        """Give the bytes of the mixtures, of the teacher and of the task's latest states."""
        kept = 0 if self._mixture is None else self._mixture.bytes
        owners = self._owners.numel() * self._owners.element_size()
        return Cost(bytes=self.teacher.bytes + kept + owners + self._recent.bytes)
