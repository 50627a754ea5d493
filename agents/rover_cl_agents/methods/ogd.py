"""OGD: move only where the old tasks' answers don't change, to first order."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from torch import Tensor
from torch.nn import functional

from rover_cl_agents.experience.recent import RecentStates
from rover_cl_agents.importance.fisher import score_vectors
from rover_cl_agents.importance.layer_trace import locate, probe, trace
from rover_cl_agents.importance.subspace import Basis, project_out
from rover_cl_agents.method import Cost, Method
from rover_cl_agents.outputs import Outputs, actor_role, to_tensor
from rover_cl_agents.settings import chosen
from rover_cl_agents.state import State
from rover_cl_agents.step_hooks import optimizers

POOL = 4
"""A task's states are drawn from the latest POOL × gradients observations."""
DIRECTIONS = ("all", "sampled")


@dataclass(frozen=True, kw_only=True)
class OGDConfig:
    """Settings of `OGD`."""

    vectors: int = 200
    """Directions kept of each task, its strongest, >= 0; 0 switches the method off."""
    gradients: int = 400
    """Gradients taken at a task's end, at least `vectors` and 1."""
    directions: Literal["all", "sampled"] = "all"
    """`all`: every output of gradients / outputs states; `sampled`: one random direction, that of the log
    probability of an action drawn from the policy, of `gradients` states."""
    max_vectors: int = 600
    """Directions kept in all, the strongest over all tasks, at least `vectors`."""

    def __post_init__(self) -> None:
        if self.vectors < 0:
            raise ValueError(f"vectors is {self.vectors}; expected at least 0.")
        if self.gradients < max(1, self.vectors):
            raise ValueError(f"gradients is {self.gradients}; expected at least 1 and at least vectors.")
        if self.directions not in DIRECTIONS:
            raise ValueError(f"directions is {self.directions!r}; expected one of {', '.join(DIRECTIONS)}.")
        if self.max_vectors < self.vectors:
            raise ValueError(f"max_vectors is {self.max_vectors}; expected at least vectors, {self.vectors}.")


class OGD(Method):
    """Orthogonal gradient descent: take out of each update what would change the old answers at once.

    At the end of a task the gradients of the policy's outputs on some of its states are taken, each for
    itself, in units of the policy's spread. Their strongest `vectors` directions (all of them, if there are
    no more) join an orthonormal basis, and from then on every update of the acting network is freed of the
    basis' span. It is the UPDATE that is projected, after Adam: Adam divides each entry of a projected
    gradient by its own root mean square, and most of what was taken out comes back.

    Over `max_vectors` the directions with the smallest second moment over all tasks are let go. A task
    visited again adds its directions as they are then. Value networks and the exploration spread are free.

    Args:
        config: The settings; or give them by name: `OGD(vectors=200)`.

    Source: Farajtabar et al. 2020, "Orthogonal gradient descent for continual learning", algorithm 1; Doan
    et al. 2021, "A theoretical analysis of catastrophic forgetting through the NTK overlap matrix"
    (PCA-OGD).
    """

    name: ClassVar[str] = "ogd"

    def __init__(self, config: OGDConfig | None = None, **settings: Any) -> None:
        self.config = chosen(OGDConfig, config, settings)

    def bind(self, algorithm: BaseAlgorithm, seed: int) -> None:
        """Take the algorithm and a seed; nothing is protected yet.

        Raises:
            ValueError: if the acting network has a layer with parameters that isn't linear.
        """
        super().bind(algorithm, seed)
        self._generator = torch.Generator().manual_seed(seed)
        self._recent = RecentStates(algorithm, POOL * self.config.gradients)
        self._role = actor_role(algorithm.policy)
        self._find_layers()
        self.basis = Basis.empty(self._size)

    def _find_layers(self) -> None:
        """Find where the acting network's parameters lie in the flat update."""
        parameters = probe(self.algorithm).parameters
        self._slices = locate(optimizers(self.algorithm)[self._role], parameters)
        self._size = sum(parameter.numel() for parameter in parameters)

    def on_task_start(self, task: int) -> None:
        """Begin to watch a task.

        Raises:
            ValueError: if the acting network has other parameters than those the basis is for.
        """
        self._recent.clear()
        self._find_layers()  # the policy's parameters may be other objects than before
        if self.basis.directions.shape[1] != self._size:
            self._refuse(self.basis.directions.shape[1])

    def _refuse(self, size: int) -> None:
        raise ValueError(
            f"the basis of OGD has vectors of {size} entries; expected {self._size}, the parameters of the "
            "acting network, whose layers must stay as they are."
        )

    def pause(self) -> State:
        """Give the latest states."""
        return self._recent.state_dict()

    def resume(self, task: int, state: State) -> None:
        """Watch on."""
        self._recent.load_state_dict(state)
        self._find_layers()

    def on_rollout_end(self) -> None:
        """Watch the states that the policy meets."""
        if self.config.vectors:
            self._recent.note_rollout()

    def on_task_end(self) -> None:
        """Add the task's directions to the basis."""
        observations = self._recent.observations()
        if not self.config.vectors or not len(observations):
            return
        self._recent.clear()
        policy = self.algorithm.policy
        policy.set_training_mode(False)
        order = torch.randperm(len(observations), generator=self._generator)
        states = to_tensor(policy, observations[order[: self.config.gradients].numpy()])
        self.basis = self.basis.extended(
            self.output_gradients(states), count=self.config.vectors, capacity=self.config.max_vectors
        )

    def output_gradients(self, observations: Tensor) -> Tensor:
        """Take the gradients of the policy's outputs by the acting network's parameters.

        Args:
            observations: Shape (m, *observation); `all` uses the first gradients / outputs of them.

        Returns:
            At most `gradients` of them, shape (rows, n).
        """
        if self.config.directions == "sampled":
            found = trace(self.algorithm.policy, observations[: self.config.gradients])
            return found.gradients(sampled_scores(found.outputs, self._generator))
        outputs = probe(self.algorithm).outputs.location.shape[1]
        found = trace(self.algorithm.policy, observations[: -(-self.config.gradients // outputs)])
        rows = [found.gradients(vector) for vector in score_vectors(found.outputs)]
        return torch.cat(rows)[: self.config.gradients]

    def adjust_update(self, role: str, delta: Tensor) -> Tensor:
        """Take the basis' span out of the acting network's step."""
        if role != self._role or not len(self.basis):
            return delta
        step = torch.cat([delta[place] for place in self._slices])
        free = project_out(step, self.basis.directions)
        edited = delta.clone()
        parts = torch.split(free, [place.stop - place.start for place in self._slices])
        for place, part in zip(self._slices, parts, strict=True):
            edited[place] = part
        return edited

    def describe(self) -> dict[str, int | float | str | bool]:
        """Give the settings."""
        return asdict(self.config)

    def state_dict(self) -> State:
        """Give the basis and the generator's state."""
        state: State = {"generator": self._generator.get_state()}
        if len(self.basis):
            state |= {"directions": self.basis.directions, "strengths": self.basis.strengths}
        return state

    def load_state_dict(self, state: State) -> None:
        """Take back what `state_dict` gave."""
        tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
        generator = tensors.pop("generator", None)
        if generator is None or set(tensors) not in (set(), {"directions", "strengths"}):
            raise ValueError("the state of OGD needs 'generator', and 'directions' with 'strengths'.")
        self._find_layers()
        basis = Basis(**tensors) if tensors else Basis.empty(self._size)
        if basis.directions.shape[1:] != (self._size,):
            self._refuse(basis.directions.shape[-1])
        if basis.strengths.shape != (len(basis),):
            raise ValueError(f"'strengths' has {len(basis.strengths)} entries; expected {len(basis)}.")
        self._generator.set_state(generator)
        self.basis = basis

    def cost(self) -> Cost:
        """Give the bytes of the basis and of the task's latest states."""
        return Cost(bytes=self.basis.bytes + self._recent.bytes)


def sampled_scores(outputs: Outputs, generator: torch.Generator) -> Tensor:
    """Draw an action for each observation, and give the direction v with v · ∂location = ∂ log π(action).

    Gaussian: noise / σ, action values and deterministic actions alike, of their own size. Categorical:
    e_action − p.

    Returns:
        Shape (batch, d).
    """
    location = outputs.location.detach()
    if outputs.log_scale is not None:
        noise = torch.randn(location.shape, generator=generator, dtype=location.dtype)
        return noise * torch.exp(-outputs.log_scale.detach())
    probabilities = location.exp()
    actions = torch.multinomial(probabilities, 1, generator=generator).squeeze(1)
    return functional.one_hot(actions, location.shape[1]) - probabilities
