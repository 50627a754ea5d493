"""What is kept of old tasks: observations, and the policy's answers to them."""

from __future__ import annotations

import torch
from torch import Tensor

from rover_cl_agents.memory import eviction
from rover_cl_agents.outputs import KINDS, Kind, Outputs, rows_at

PRECISIONS = {"float32": torch.float32, "float16": torch.float16}
"""How exactly floating-point observations are kept, by name; float16 is off by 2^-11 of a value at most, from
2^-14 on, and holds none above 65504."""


def narrowed(observations: Tensor, precision: str) -> Tensor:
    """Give floating-point `observations` in a precision; others as they are.

    Raises:
        ValueError: if a value is beyond the precision's range.
    """
    if not observations.is_floating_point() or precision == "float32":
        return observations
    narrow = observations.to(PRECISIONS[precision])
    if not bool(torch.isfinite(narrow).all()):
        raise ValueError(
            f"precision is {precision!r}, but an observation is above 65504; expected 'float32'."
        )
    return narrow


def widened(observations: Tensor) -> Tensor:
    """Give kept observations as the policy is fed them: float16 as float32."""
    return observations.float() if observations.dtype == torch.float16 else observations


def check_precision(precision: str) -> None:
    """Refuse an unknown precision.

    Raises:
        ValueError: naming those there are.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}; expected one of {', '.join(PRECISIONS)}.")


def drifts(current: Outputs, cached: Outputs) -> Tensor:
    """Give each state's part of `outputs.distance`, without a graph, >= 0, shape (batch,)."""
    now, then = current.location.detach(), cached.location
    if cached.log_scale is None:
        return (then.exp() * (then - now)).sum(dim=-1).clamp_min(0)
    return 0.5 * ((now - then) * torch.exp(-cached.log_scale)).square().sum(dim=-1)


def placed(columns: dict[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    """Put a memory's columns on `device`; tasks and losses, which decide who stays, remain on the CPU."""
    return {n: column if n in ("tasks", "losses") else column.to(device) for n, column in columns.items()}


class Memory:
    """Observations with the answers to keep, task by task, sampled uniformly over all of them.

    Args:
        seed: Of the memory's own generator.
        capacity: States over all tasks; 0: no limit.
        evicting: Who leaves when there are more, one of `eviction.EVICTIONS`.
        precision: Of the observations, one of `PRECISIONS`.
        device: Where states and answers are held, that of the policy. What decides who stays, the tasks and
            the losses, is on the CPU.
    """

    def __init__(
        self,
        seed: int,
        *,
        capacity: int = 0,
        evicting: str = "uniform",
        precision: str = "float32",
        device: torch.device | str = "cpu",
    ) -> None:
        eviction.check(evicting)
        check_precision(precision)
        self._generator = torch.Generator().manual_seed(seed)
        self._capacity = capacity
        self._evicting = evicting
        self._precision = precision
        self._device = torch.device(device)
        self._kind: Kind = "gaussian"  # of what is stored; of no account while nothing is
        self._tensors: dict[str, Tensor] = {}

    def __len__(self) -> int:
        return len(self._tensors["tasks"]) if self._tensors else 0

    @property
    def tasks(self) -> Tensor:
        """The task of each state held, int64, shape (n,)."""
        return self._tensors.get("tasks", torch.zeros(0, dtype=torch.int64))

    @property
    def device(self) -> torch.device:
        """Where states and answers are held."""
        return self._device

    @property
    def bytes(self) -> int:
        """Exactly what is held [bytes]."""
        return sum(tensor.numel() * tensor.element_size() for tensor in self._tensors.values())

    def rounded(self, observations: Tensor) -> Tensor:
        """Give `observations` as they will come back from the memory: ask for the answers on these."""
        return widened(narrowed(observations, self._precision))

    def store(self, task: int, observations: Tensor, outputs: Outputs, **beside: Tensor) -> None:
        """Keep `observations` (n, *observation), their `outputs` and what else is given of them, (n, ...), in
        place of what was kept of this task; then evict what is beyond the capacity.
        """
        arriving = {
            "observations": narrowed(observations, self._precision).detach().clone(),
            "location": outputs.location.detach().clone(),
            "tasks": torch.full((len(observations),), task, dtype=torch.int64),
            **{name: tensor.detach().clone() for name, tensor in beside.items()},
        }
        if outputs.log_scale is not None:
            arriving["log_scale"] = outputs.log_scale.detach().clone()
        if self._evicting == "loss-aware":
            # A fresh answer is held perfectly, and would be the first to leave: it counts as the mean
            # until it is sampled.
            held = self._tensors.get("losses", torch.zeros(0))
            arriving["losses"] = torch.full((len(observations),), float(held.mean()) if len(held) else 0.0)
        if self._tensors:
            others = torch.nonzero(self.tasks != task).squeeze(1)
            arriving = {
                name: torch.cat([rows_at(self._tensors[name], others), tensor])
                for name, tensor in arriving.items()
            }
        self._kind, self._tensors = outputs.kind, arriving
        if self._capacity and len(self) > self._capacity:
            losses = self._tensors.get("losses", torch.zeros(len(self)))
            stay = eviction.survivors(self._evicting, self._capacity, self.tasks, losses, self._generator)
            self._tensors = {name: rows_at(tensor, stay) for name, tensor in self._tensors.items()}

    def draw(self, batch: int) -> Tensor:
        """Draw `batch` states uniformly with replacement, by the memory's own generator.

        Returns:
            Their indices, shape (batch,); each once if there are no more than `batch`.

        Raises:
            ValueError: if the memory is empty.
        """
        if not len(self):
            raise ValueError("the memory is empty: store a task first.")
        if len(self) <= batch:
            return torch.arange(len(self))
        return torch.randint(len(self), (batch,), generator=self._generator)

    def at(self, index: Tensor) -> tuple[Tensor, Outputs]:
        """Give the observations, as the policy is fed, and the answers of the states at `index`."""
        return widened(rows_at(self._tensors["observations"], index)), self._outputs()[index]

    def beside(self, name: str, index: Tensor) -> Tensor:
        """Give what was stored under `name` beside the states at `index`."""
        return rows_at(self._tensors[name], index)

    def sample(self, batch: int) -> tuple[Tensor, Outputs]:
        """Draw states and give them; see `draw` and `at`."""
        return self.at(self.draw(batch))

    def note(self, index: Tensor, current: Outputs, cached: Outputs) -> None:
        """Note how well the answers of the states at `index` are held now; only `loss-aware` needs it."""
        if self._evicting == "loss-aware":
            self._tensors["losses"][index] = drifts(current, cached).cpu()

    def _outputs(self) -> Outputs:
        return Outputs(
            kind=self._kind, location=self._tensors["location"], log_scale=self._tensors.get("log_scale")
        )

    def state_dict(self) -> dict[str, Tensor | int | float | str | bool]:
        """Give everything held, and the generator's state."""
        return {"kind": self._kind, "generator": self._generator.get_state(), **self._tensors}

    def load_state_dict(self, state: dict[str, Tensor | int | float | str | bool]) -> None:
        """Take back what `state_dict` gave.

        Raises:
            ValueError: if the state isn't a memory's.
        """
        tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
        generator = tensors.pop("generator", None)
        kind = next((k for k in KINDS if k == state.get("kind")), None)
        if generator is None or kind is None:
            raise ValueError(
                "the state of a memory needs a 'generator' tensor and the 'kind' of its outputs."
            )
        if len({len(tensor) for tensor in tensors.values()}) > 1:
            raise ValueError("the tensors of a memory must have the same length.")
        self._generator.set_state(generator)
        self._kind, self._tensors = kind, placed(tensors, self._device)
