"""On-policy self-distillation from a copy that knows more."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

import torch
from gymnasium import spaces
from stable_baselines3.common.base_class import BaseAlgorithm
from torch import Tensor

from rover_cl_agents.experience.recent import refuse_unanswered
from rover_cl_agents.experience.visited import VisitedStates
from rover_cl_agents.method import Cost, Method
from rover_cl_agents.outputs import actor_role, read
from rover_cl_agents.settings import chosen
from rover_cl_agents.state import State
from rover_cl_agents.teachers.divergence import divergence
from rover_cl_agents.teachers.teacher import Teacher


@dataclass(frozen=True, kw_only=True)
class SDFTConfig:
    """Settings of `SDFT`."""

    teacher: Literal["ema", "frozen"] = "ema"
    """`ema`: a running average of the student's weights, from the first step on. `frozen`: the policy at the
    last task's end; the first task is then learned without a teacher."""
    decay: float = 0.99
    """Share of its own weights that an `ema` teacher keeps at each optimiser step, in [0, 1]."""
    context_start: int = 0
    """First entry of the observation that only the teacher sees, >= 0."""
    context_size: int = 0
    """How many entries from there on, >= 0; 0: teacher and student see the same."""
    batch_size: int = 1024
    """Visited states asked at each optimiser step, >= 1."""
    spread: bool = False
    """Hold a Gaussian policy's spread too, by the whole KL divergence; otherwise its means alone."""
    weight: float = 0.3
    """Of the divergence, beside the algorithm's own loss, >= 0; 0 switches the method off."""

    def __post_init__(self) -> None:
        if self.teacher not in ("ema", "frozen"):
            raise ValueError(f"teacher is {self.teacher!r}; expected one of ema, frozen.")
        if not 0.0 <= self.decay <= 1.0:
            raise ValueError(f"decay is {self.decay}; expected a number in [0, 1].")
        for field in ("context_start", "context_size"):
            if getattr(self, field) < 0:
                raise ValueError(f"{field} is {getattr(self, field)}; expected at least 0.")
        if self.batch_size < 1:
            raise ValueError(f"batch_size is {self.batch_size}; expected at least 1.")
        if not 0.0 <= self.weight < float("inf"):
            raise ValueError(f"weight is {self.weight}; expected a finite number >= 0.")


class SDFT(Method):
    """Self-distillation on the states that the student visits: weight × KL(student ‖ teacher).

    In the paper a language model teaches itself: the teacher is a running average of its weights and also
    reads a demonstration, the student doesn't, and the student is drawn to the teacher's answers on text
    that the student wrote. Carried over to control:

    * On-policy as there: the states are those of the student's latest rollout (off-policy algorithms: the
      latest in the replay buffer), and the divergence is the reverse one.
    * The demonstration becomes a slice of the observation (`context_start`, `context_size`): a task's
      number, the terrain's parameters, an expert's action. The teacher sees it; for the student it is set
      to zero, so let zero stand for "not known". The policy that gathers the experience sees it still: the
      algorithm's own loss is as ever, and what the context tells is distilled into the answers without it.
    * Without a context the teacher's one advantage is that its weights are averaged over the last
      1 / (1 − decay) steps or so (`ema`), or from before the task (`frozen`).

    It is not a memory: no state of an old task is kept, and nothing is asked about one. With `ema` it only
    smooths the way of the policy; with `frozen` it is `Distillation` on current states, reversed. Against
    forgetting expect little from it alone. There is no importance weight either: the states are visited by
    this very student, or nearly so.

    Args:
        config: The settings; or give them by name: `SDFT(weight=0.3)`.

    Source: Shenfeld et al. 2026, "Self-distillation enables continual learning"; the transfer to control is
    this project's.
    """

    name: ClassVar[str] = "sdft"

    def __init__(self, config: SDFTConfig | None = None, **settings: Any) -> None:
        self.config = chosen(SDFTConfig, config, settings)

    def bind(self, algorithm: BaseAlgorithm, seed: int) -> None:
        """Take the algorithm and a seed; there is no teacher yet.

        Raises:
            ValueError: if the policy's answers can't be read, or the context isn't a part of the observation.
        """
        super().bind(algorithm, seed)
        if self.config.weight:
            refuse_unanswered(algorithm)
        self._generator = torch.Generator().manual_seed(seed)
        self._visited = VisitedStates(algorithm, self.config.batch_size, self._generator)
        self._role = actor_role(algorithm.policy)
        self.teacher = Teacher(algorithm.policy)
        if not self.config.context_size:
            return
        space = algorithm.observation_space
        if not isinstance(space, spaces.Box) or len(space.shape) != 1:
            raise ValueError(
                f"context_size is {self.config.context_size}; expected 0 for observation_space {space}, "
                "which isn't a Box of one axis."
            )
        end = self.config.context_start + self.config.context_size
        if end > space.shape[0]:
            raise ValueError(
                f"context_start + context_size is {end}; expected at most {space.shape[0]}, "
                "the observation's entries."
            )

    def on_task_start(self, task: int) -> None:
        """Begin to watch a task."""
        self._visited.clear()

    def pause(self) -> State:
        """Give the latest states."""
        return self._visited.state_dict()

    def resume(self, task: int, state: State) -> None:
        """Watch on."""
        self._visited.load_state_dict(state)

    def on_rollout_end(self) -> None:
        """Watch the states that the policy meets."""
        if self.config.weight:
            self._visited.note_rollout()

    def on_task_end(self) -> None:
        """Make the policy the teacher, if that one is frozen."""
        self._visited.clear()
        if self.config.weight and self.config.teacher == "frozen":
            self.teacher.copy()

    def without_context(self, states: Tensor) -> Tensor:
        """Give the states as the student sees them, shape (n, *observation)."""
        if not self.config.context_size:
            return states
        seen = states.clone()
        seen[:, self.config.context_start : self.config.context_start + self.config.context_size] = 0
        return seen

    def auxiliary_loss(self, role: str) -> Tensor | None:
        """Give weight × the divergence from the teacher, for the acting network; None before there is one.
        An `ema` teacher takes its step here.
        """
        if role != self._role or not self.config.weight:
            return None
        if self.config.teacher == "ema":
            if self.teacher.ready:
                self.teacher.follow(self.config.decay)
            else:
                self.teacher.copy()  # not at the task's start: another method may exchange layers there
        if not self.teacher.ready:
            return None
        states = self._visited.draw()
        if states is None:
            return None
        student = read(self.algorithm.policy, self.without_context(states))
        return self.config.weight * divergence(
            self.teacher.answer(states), student, direction="reverse", spread=self.config.spread
        )

    def describe(self) -> dict[str, int | float | str | bool]:
        """Give the settings."""
        return asdict(self.config)

    def state_dict(self) -> State:
        """Give the teacher and the generator's state."""
        return {**self.teacher.state_dict(), "generator": self._generator.get_state()}

    def load_state_dict(self, state: State) -> None:
        """Take back what `state_dict` gave."""
        tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
        generator = tensors.pop("generator", None)
        if generator is None:
            raise ValueError("the state of SDFT needs a tensor 'generator'.")
        self.teacher.load_state_dict(tensors)
        self._generator.set_state(generator)

    def cost(self) -> Cost:
        """Give the bytes of the teacher and of the states visited."""
        return Cost(bytes=self.teacher.bytes + self._visited.bytes)
