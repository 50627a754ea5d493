"""OGD: move only where the old tasks' answers don't change, to first order."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from torch import Tensor
from torch.nn import functional

from rover_cl_agents.experience.recent import RecentStates
from rover_cl_agents.importance.fisher import sampled_score, score_vectors
from rover_cl_agents.importance.layer_trace import LayerTrace, locate, probe, trace
from rover_cl_agents.importance.subspace import Basis, principal, project_out
from rover_cl_agents.method import Cost, Method
from rover_cl_agents.outputs import actor_role, to_tensor
from rover_cl_agents.settings import chosen
from rover_cl_agents.state import State
from rover_cl_agents.step_hooks import optimizers, trained_parameters

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

    What is left in the span is rounding: weights are float32, and a step is kept to 6e-8 of each weight. The
    smaller the steps beside the weights, the larger that share of them: of a run's whole move some 4e-6 lies
    in the span at a learning rate of 1e-3, up to 1e-5 at 3e-4 and up to 8e-4 at 1e-5; of a single step, in
    the median, 3e-5, 7e-5 and 9e-4 (PPO on Pendulum-v1, 64 x 64 units, three seeds; the largest).

    Over `max_vectors` the directions with the smallest second moment over all tasks are let go. A task
    visited again adds its directions as they are then. Value networks and the exploration spread are free.
    Where another method freezes some of the weights, the others alone are kept from changing the answers.

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
        probe(algorithm)
        self.basis = Basis.empty(0, algorithm.device)
        self._names: list[str] = []
        """The parameters that the entries of the basis' vectors belong to, in order."""
        self._held: _Held | None = None

    def on_task_start(self, task: int) -> None:
        """Begin to watch a task.

        Raises:
            ValueError: if the acting network has other parameters than those the basis is for.
        """
        self._recent.clear()
        self._held = None
        self._check(self.basis, self._names)

    def _sizes(self, names: list[str]) -> list[int]:
        """Count the entries of the parameters of these names; 0 where the policy has none."""
        named = dict(self.algorithm.policy.named_parameters())
        return [named[name].numel() if name in named else 0 for name in names]

    def _check(self, basis: Basis, names: list[str]) -> None:
        """Refuse a basis that isn't for the parameters of these names."""
        sizes = self._sizes(names)
        size = basis.directions.shape[-1]
        if basis.directions.shape[1:] != (sum(sizes),) or 0 in sizes:
            raise ValueError(
                f"the basis of OGD has vectors of {size} entries; expected {sum(sizes)}, the parameters of "
                "the acting network, whose layers must stay as they are."
            )

    def _found(self) -> _Held:
        """Find what is to be taken out of the flat update.

        Not before the first step of a task: at its start other methods may exchange or freeze layers.
        """
        if self._held is None:
            named = dict(self.algorithm.policy.named_parameters())
            optimizer = optimizers(self.algorithm)[self._role]
            trained = {id(p) for p in trained_parameters(optimizer)}
            learning = [id(named[name]) in trained for name in self._names]
            parameters = [named[n] for n, learns in zip(self._names, learning, strict=True) if learns]
            directions = self.basis.directions
            if not all(learning):  # a frozen weight doesn't move: the others alone must leave the answers
                mask = torch.tensor(learning).repeat_interleave(torch.tensor(self._sizes(self._names)))
                directions = directions[:, mask.to(directions.device)]
                if parameters:
                    directions, _ = principal(directions, len(directions))
            self._held = _Held(slices=locate(optimizer, parameters), directions=directions)
        return self._held

    def pause(self) -> State:
        """Give the latest states."""
        return self._recent.state_dict()

    def resume(self, task: int, state: State) -> None:
        """Watch on."""
        self._recent.load_state_dict(state)
        self._held = None

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
        rows = self.output_gradients(states)
        wider = functional.pad(self.basis.directions, (0, rows.shape[1] - self.basis.directions.shape[1]))
        self.basis = Basis(directions=wider, strengths=self.basis.strengths).extended(
            rows, count=self.config.vectors, capacity=self.config.max_vectors
        )
        self._held = None

    def output_gradients(self, observations: Tensor) -> Tensor:
        """Take the gradients of the policy's outputs by the acting network's parameters.

        Args:
            observations: Shape (m, *observation); `all` uses the first gradients / outputs of them.

        Returns:
            At most `gradients` of them, shape (rows, n): 0 by parameters that no longer learn.
        """
        if self.config.directions == "sampled":
            found = trace(self.algorithm.policy, observations[: self.config.gradients])
            return self._by_names(found, found.gradients(sampled_score(found.outputs, self._generator)))
        outputs = probe(self.algorithm).outputs.location.shape[1]
        found = trace(self.algorithm.policy, observations[: -(-self.config.gradients // outputs)])
        rows = [found.gradients(vector) for vector in score_vectors(found.outputs)]
        return self._by_names(found, torch.cat(rows)[: self.config.gradients])

    def _by_names(self, found: LayerTrace, rows: Tensor) -> Tensor:
        """Bring gradients by the traced parameters into the order of the basis, new parameters last."""
        named = found.named_parameters
        parts = dict(zip(named, torch.split(rows, [p.numel() for p in named.values()], dim=1), strict=True))
        self._names += [name for name in named if name not in self._names]
        sizes = zip(self._names, self._sizes(self._names), strict=True)
        return torch.cat([parts.get(name, rows.new_zeros(len(rows), size)) for name, size in sizes], dim=1)

    def adjust_update(self, role: str, delta: Tensor) -> Tensor:
        """Take the basis' span out of the acting network's step."""
        if role != self._role or not len(self.basis):
            return delta
        held = self._found()
        if not held.slices:
            return delta
        step = torch.cat([delta[place] for place in held.slices])
        free = project_out(step, held.directions)
        edited = delta.clone()
        parts = torch.split(free, [place.stop - place.start for place in held.slices])
        for place, part in zip(held.slices, parts, strict=True):
            edited[place] = part
        return edited

    def describe(self) -> dict[str, int | float | str | bool]:
        """Give the settings."""
        return asdict(self.config)

    def state_dict(self) -> State:
        """Give the basis with its parameters' names, and the generator's state."""
        state: State = {"generator": self._generator.get_state()}
        if len(self.basis):
            state |= {"directions": self.basis.directions, "strengths": self.basis.strengths}
            state["parameters"] = " ".join(self._names)
        return state

    def load_state_dict(self, state: State) -> None:
        """Take back what `state_dict` gave."""
        tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
        generator = tensors.pop("generator", None)
        if generator is None or set(tensors) not in (set(), {"directions", "strengths"}):
            raise ValueError("the state of OGD needs 'generator', and 'directions' with 'strengths'.")
        device = self.algorithm.device
        here = {name: tensor.to(device) for name, tensor in tensors.items()}
        basis = Basis(**here) if here else Basis.empty(0, device)
        names = str(state.get("parameters", "")).split()
        self._check(basis, names)
        if basis.strengths.shape != (len(basis),):
            raise ValueError(f"'strengths' has {len(basis.strengths)} entries; expected {len(basis)}.")
        self._generator.set_state(generator)
        self.basis, self._names, self._held = basis, names, None

    def cost(self) -> Cost:
        """Give the bytes of the basis, of its part on the weights that learn, if some are frozen, and of the
        task's latest states.
        """
        if not len(self.basis):
            return Cost(bytes=self._recent.bytes)
        part = self._found().directions
        own = 0 if part is self.basis.directions else part.numel() * part.element_size()
        return Cost(bytes=self.basis.bytes + own + self._recent.bytes)


@dataclass(frozen=True, kw_only=True)
class _Held:
    """What is taken out of the flat update."""

    slices: list[slice]
    """Where the parameters that learn lie in it."""
    directions: Tensor  # (k, n)
    """Orthonormal rows, over these slices one behind the other."""
