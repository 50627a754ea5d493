"""Answers at made-up states: a seed says where they were given, so that only the answers take memory."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from rover_cl_agents.memory.task_memory import Memory, narrowed, widened
from rover_cl_agents.outputs import Outputs

BLOCK = 256
"""Echoes are made, kept and asked in blocks of this many."""


class Echoes:
    """The policy's answers on mixtures of a memory's states, with noise: how it acts around and between them.

    Echo number i of a task has two of the task's stored states s, s' and u ~ U(0, 1), ε ~ N(0, 1) for its
    parents, all drawn by a generator whose seed is made of the memory's, the task and the block:
    x = u s + (1 − u) s' + noise · σ ε, inside the observations' bounds, σ the standard deviation of the
    task's stored states in each entry. What is kept of it is the answer alone: for two actions 8 bytes,
    where a state of 80 entries takes 320. The states are made again whenever they are asked.

    A few stored states pin a network at few points, and it moves freely between them; echoes hold its course
    from one to the next, and its slope across them.

    Args:
        memory: Holds the states; a task's must stay as they are from `store` on.
        space: Of the observations: floating-point.
        seed: In [0, 2^63).
        count: Of a task's echoes, >= 0, rounded up to whole blocks.
        noise: >= 0, in standard deviations of the stored states.
        precision: Of the answers, one of `memory.PRECISIONS`.
        bounds: Asked for the least and the greatest observation whenever echoes are made; None: the space's.

    Raises:
        ValueError: if `count` isn't 0 and the observations aren't floating-point numbers.

    Source: Robins 1995, "Catastrophic forgetting, rehearsal and pseudorehearsal", whose pseudo-items are pure
    noise; the mixtures are those of Zhang et al. 2018, "mixup", but with the answers that were given there.
    """

    def __init__(
        self,
        memory: Memory,
        space: spaces.Space[object],
        seed: int,
        *,
        count: int,
        noise: float,
        precision: str = "float32",
        bounds: Callable[[], tuple[Tensor, Tensor]] | None = None,
    ) -> None:
        if count and not (isinstance(space, spaces.Box) and np.issubdtype(space.dtype, np.floating)):
            raise ValueError(
                f"echoes is {count} with observations {space}; expected 0: only floating-point ones mix."
            )
        self._memory = memory
        self._seed = seed
        self._blocks = -(-count // BLOCK)
        self._noise = noise
        self._precision = precision
        self._answers: dict[int, Tensor] = {}  # by task, (blocks · BLOCK, d)
        self._generator = torch.Generator().manual_seed(seed)
        self._space = space
        self._bounds = bounds

    def __len__(self) -> int:
        return sum(len(answers) for answers in self._answers.values())

    @property
    def bytes(self) -> int:
        """Exactly what is held [bytes]: the answers."""
        return sum(answers.numel() * answers.element_size() for answers in self._answers.values())

    def store(self, task: int, answer: Callable[[Tensor], Outputs]) -> None:
        """Ask `answer` at the echoes of `task`, whose states the memory holds already; what was kept of the
        task is replaced.
        """
        if not self._blocks:
            return
        with torch.no_grad():
            found = [answer(self._make(task, block)[0]).location for block in range(self._blocks)]
        self._answers[task] = narrowed(torch.cat(found), self._precision).detach().clone()

    def sample(self, count: int) -> tuple[Tensor, Outputs, Tensor]:
        """Draw whole blocks with replacement, by a generator of its own: `count` echoes, rounded up.

        Returns:
            The observations, the answers to keep, and the task of each, int64, shape (n,). The scale of an
            answer is that of its nearer parent.

        Raises:
            ValueError: if there are none.
        """
        if not self._answers:
            raise ValueError("there are no echoes: store a task first.")
        tasks = sorted(self._answers)
        drawn = torch.randint(
            len(tasks) * self._blocks, (max(1, -(-count // BLOCK)),), generator=self._generator
        )
        observations, locations, scales, owners, kind = [], [], [], [], None
        for number in drawn.tolist():
            task, block = tasks[number // self._blocks], number % self._blocks
            states, parents = self._make(task, block)
            observations.append(states)
            locations.append(widened(self._answers[task][block * BLOCK : (block + 1) * BLOCK]))
            owners.append(torch.full((BLOCK,), task))
            kind = parents.kind
            if parents.log_scale is not None:
                scales.append(parents.log_scale)
        assert kind is not None, "at least one block was drawn"
        scale = torch.cat(scales) if scales else None
        answers = Outputs(kind=kind, location=torch.cat(locations), log_scale=scale)
        return torch.cat(observations), answers, torch.cat(owners)

    def _make(self, task: int, block: int) -> tuple[Tensor, Outputs]:
        """Make one block of a task's echoes, and give the nearer parents' answers."""
        held = torch.nonzero(self._memory.tasks == task).squeeze(1)
        states, outputs = self._memory.at(held)
        recipe = np.random.SeedSequence([self._seed, task, block]).generate_state(1, np.uint64)[0]
        generator = torch.Generator().manual_seed(int(recipe >> np.uint64(1)))
        nearer, farther = torch.randint(len(held), (2, BLOCK), generator=generator)
        share = 0.5 + 0.5 * torch.rand((BLOCK, *[1] * (states.dim() - 1)), generator=generator).to(states)
        noise = torch.randn((BLOCK, *states.shape[1:]), generator=generator).to(states)
        spread = states.std(dim=0, unbiased=False)
        made = torch.lerp(states[farther], states[nearer], share) + self._noise * spread * noise
        low, high = (limit.to(made.device) for limit in self._limits())
        return made.clamp(low, high), outputs[nearer]

    def _limits(self) -> tuple[Tensor, Tensor]:
        """Give the least and the greatest observation."""
        if self._bounds is not None:
            return self._bounds()
        assert isinstance(self._space, spaces.Box), "echoes of anything else were refused"
        return torch.as_tensor(self._space.low), torch.as_tensor(self._space.high)

    def state_dict(self) -> dict[str, Tensor | int | float | str | bool]:
        """Give the answers, the seed and the generator's state."""
        if not self._blocks:
            return {}
        return {
            "echo_seed": str(self._seed),
            "echo_generator": self._generator.get_state(),
            **{f"echoes.{task}": answers for task, answers in self._answers.items()},
        }

    def load_state_dict(self, state: dict[str, Tensor | int | float | str | bool]) -> None:
        """Take back what `state_dict` gave; the memory must have taken back its own.

        Raises:
            ValueError: if the state isn't that of echoes, or not of as many.
        """
        if not self._blocks and not state:
            return
        rest = dict(state)
        seed, generator = rest.pop("echo_seed", None), rest.pop("echo_generator", None)
        if not isinstance(seed, str) or not isinstance(generator, Tensor):
            raise ValueError("the state of echoes needs their 'echo_seed' and 'echo_generator'.")
        answers: dict[int, Tensor] = {}
        for key, value in rest.items():
            task = key.removeprefix("echoes.")
            fits = isinstance(value, Tensor) and len(value) == self._blocks * BLOCK
            if not task.isdecimal() or not fits or not bool((self._memory.tasks == int(task)).any()):
                raise ValueError(f"the state of echoes has no entry {key!r} for this memory.")
            assert isinstance(value, Tensor)
            answers[int(task)] = value.to(self._memory.device)
        self._seed = int(seed)
        self._generator.set_state(generator)
        self._answers = answers
