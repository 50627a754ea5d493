"""A ring of snapshots: where a learner was at the start of each of its latest rollouts."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from torch import Tensor

from rover_cl_agents.method import Method, overrides
from rover_cl_agents.networks import policy_tensors
from rover_cl_agents.state import State, under


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A learner at the start of a rollout; what methods keep of older tasks isn't in it."""

    rollout: int
    """Rollouts of the task at hand before it."""
    steps: int
    """`num_timesteps` of the algorithm."""
    position: int
    """Where the replay buffer goes on, in rows; 0 on-policy."""
    policy: Mapping[str, Tensor]
    """The networks, copied."""
    methods: Sequence[State]
    """What each method had gathered of the task at hand."""


class SnapshotRing:
    """The latest `capacity` snapshots of the task at hand.

    Args:
        algorithm: Whose networks are kept.
        methods: Whose gathered states are kept; methods share the arrays of states among the snapshots.
        capacity: >= 0; 0 keeps none.
    """

    def __init__(self, algorithm: BaseAlgorithm, methods: Sequence[Method], capacity: int) -> None:
        self._algorithm, self._methods = algorithm, methods
        self._snapshots: deque[Snapshot] = deque(maxlen=capacity)

    def __len__(self) -> int:
        return len(self._snapshots)

    def clear(self) -> None:
        """Forget all: a task begins."""
        self._snapshots.clear()

    def take(self, rollout: int) -> None:
        """Take a snapshot before rollout number `rollout` of the task at hand."""
        if not self._snapshots.maxlen:
            return
        snapshot = Snapshot(
            rollout=rollout,
            steps=self._algorithm.num_timesteps,
            position=replay_position(self._algorithm),
            policy={name: t.detach().clone() for name, t in policy_tensors(self._algorithm).items()},
            methods=[method.pause() for method in self._methods],
        )
        self._snapshots.append(snapshot)

    def rewind(self, rollout: int, task: int) -> Snapshot | None:
        """Put the networks, and what the methods had gathered of `task`, back to before rollout `rollout`, or
        as near to it as the ring reaches.

        Returns:
            The snapshot; None if no snapshot is of `rollout` or later: then nothing is changed.
        """
        found = next((each for each in self._snapshots if each.rollout >= rollout), None)
        if found is None:
            return None
        with torch.no_grad():
            for name, tensor in policy_tensors(self._algorithm).items():
                tensor.copy_(found.policy[name])
        for method, state in zip(self._methods, found.methods, strict=True):
            if overrides(method, "resume"):
                method.resume(task, state)
        return found

    def state_dict(self) -> State:
        """Give all snapshots; a tensor that several of them hold is given once."""
        state: State = {}
        places: dict[tuple[int, torch.Size, torch.dtype], str] = {}
        for i, snapshot in enumerate(self._snapshots):
            state |= {f"{i}.{name}": getattr(snapshot, name) for name in ("rollout", "steps", "position")}
            entries: State = {f"policy.{name}": tensor for name, tensor in snapshot.policy.items()}
            for m, gathered in enumerate(snapshot.methods):
                entries |= {f"methods.{m}.{name}": value for name, value in gathered.items()}
            for name, value in entries.items():
                key = f"{i}.{name}"
                if isinstance(value, Tensor) and value.numel():
                    known = places.setdefault((value.data_ptr(), value.shape, value.dtype), key)
                    state[key] = value if known == key else f"={known}"
                else:
                    state[key] = value
        return state

    def load_state_dict(self, state: State) -> None:
        """Take back what `state_dict` gave."""
        whole: State = {
            name: state[value[1:]] if isinstance(value, str) and value.startswith("=") else value
            for name, value in state.items()
        }
        self.clear()
        while f"{len(self)}.rollout" in whole:
            own = under(whole, str(len(self)))
            rollout, steps, position = (int(cast(int, own[n])) for n in ("rollout", "steps", "position"))
            self._snapshots.append(
                Snapshot(
                    rollout=rollout,
                    steps=steps,
                    position=position,
                    policy={n: t for n, t in under(own, "policy").items() if isinstance(t, Tensor)},
                    methods=[under(own, f"methods.{m}") for m in range(len(self._methods))],
                )
            )

    def sharing(self, state: State) -> State:
        """Give `state` with the ring's own tensors in the place of equal ones, as it was before both were
        written to a checkpoint; whoever gathers states leaves them as they are.
        """
        own = [
            tensor
            for snapshot in self._snapshots
            for gathered in snapshot.methods
            for tensor in gathered.values()
            if isinstance(tensor, Tensor)
        ]

        def shared(tensor: Tensor) -> Tensor:
            alike = (each for each in own if (each.shape, each.dtype) == (tensor.shape, tensor.dtype))
            return next((each for each in alike if torch.equal(each, tensor)), tensor)

        return {name: shared(v) if isinstance(v, Tensor) else v for name, v in state.items()}

    @property
    def bytes(self) -> int:
        """What is held, shared tensors once, and without those that the methods count as theirs [bytes]."""
        now = [tensor for method in self._methods for tensor in method.pause().values()]
        theirs = {tensor.data_ptr() for tensor in now if isinstance(tensor, Tensor)}
        held = [tensor for tensor in self.state_dict().values() if isinstance(tensor, Tensor)]
        return sum(t.numel() * t.element_size() for t in held if t.data_ptr() not in theirs)


def replay_position(algorithm: BaseAlgorithm) -> int:
    """Give where the replay buffer goes on, in rows; 0 on-policy."""
    buffer = algorithm.replay_buffer if isinstance(algorithm, OffPolicyAlgorithm) else None
    return 0 if buffer is None else int(buffer.pos)


@contextmanager
def experience_as_of(algorithm: BaseAlgorithm, position: int, steps: int, began: int) -> Iterator[None]:
    """Let the replay buffer end where it ended once, and begin where the task at hand began.

    Args:
        algorithm: Off-policy; on-policy nothing is to be done.
        position: Of `replay_position` at that time.
        steps: `num_timesteps` at that time.
        began: `num_timesteps` when the task began.
    """
    if not isinstance(algorithm, OffPolicyAlgorithm) or algorithm.replay_buffer is None:
        yield
        return
    buffer, now = algorithm.replay_buffer, algorithm.num_timesteps
    end = buffer.pos
    since = -(-(now - steps) // algorithm.n_envs)  # rows that have come, and taken older ones' places
    left = max(0, buffer.buffer_size - since) * algorithm.n_envs
    buffer.pos, algorithm.num_timesteps = position, min(steps - began, left)
    try:
        yield
    finally:
        buffer.pos, algorithm.num_timesteps = end, now
