"""Replay that makes do with a hundred states of a task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from rover_cl_agents.methods.replay import Replay, ReplayConfig
from rover_cl_agents.settings import chosen


@dataclass(frozen=True, kw_only=True)
class EchoReplayConfig(ReplayConfig):
    """Settings of `EchoReplay`: those of `Replay`, with defaults for a small memory."""

    capacity: int = 100
    """States kept of each task, >= 1."""
    weight: float = 0.2
    """Of the distance to the stored answers, beside the algorithm's own loss, >= 0; 0 switches the method
    off."""
    insertion: str = "diversity"
    """Which of a task's latest states are kept, one of `insertion.INSERTIONS`."""
    pool: int = 20_000
    """Latest states to choose from, >= 0; 0: four times `capacity`."""
    precision: str = "float16"
    """Of the stored observations and of the answers at made-up states: float32 or float16."""
    echoes: int = 3328
    """Answers kept of each task at made-up states between and around the stored ones, >= 0, in whole blocks
    of 256; they count half of the loss."""


class EchoReplay(Replay):
    """Keep few states of each task, and the policy's answers at many made-up states between and around them.

    The stored states are those whose answers say most about the others' (`diversity.select`); the made-up
    ones are drawn again from a seed whenever they are asked (`echoes.Echoes`), so that only their answers
    take memory: of a task with 80 numbers to a state and 2 to an action 31.7 kB in all.

    Args:
        config: The settings; or give them by name: `EchoReplay(weight=0.1)`.

    Source: `Replay`'s; the states are chosen after Cohn, Ghahramani & Jordan 1996, "Active learning with
    statistical models"; the made-up ones follow Robins 1995, "Catastrophic forgetting, rehearsal and
    pseudorehearsal".
    """

    name: ClassVar[str] = "echo-replay"

    def __init__(self, config: EchoReplayConfig | None = None, **settings: Any) -> None:
        super().__init__(chosen(EchoReplayConfig, config, settings))
