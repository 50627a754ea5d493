"""How conditions move in time: five paths from one point to another, as functions of the steps taken."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from rover_cl_envs.conditions import Conditions, check_conditions
from rover_cl_envs.errors import is_integer, unknown_name

Kind = Literal["abrupt", "linear", "sinusoidal", "random-walk", "recurring"]
WALK_TICKS = 64  # ticks of a random walk per period, at least a step each


@dataclass(frozen=True, kw_only=True)
class Drift:
    """A path through the space of conditions, from `start` towards `end`.

    The rate is 1 / `period`, the amplitude the largest share of the way that is covered. A drift is a
    pure function of the step: the same step gives the same conditions in every process.

    Raises:
        ValueError: an unknown kind, no conditions, a period that is too short, an amplitude out of [0, 1] or
            a negative seed.
    """

    kind: Kind
    """abrupt: jump after `period` steps and stay · linear: reach the far point after `period` steps and
    stay · sinusoidal: to the far point and back every `period` steps · random-walk: a reflected walk whose
    standard deviation over a period is the amplitude · recurring: jump there and back, half a period each"""
    start: Conditions
    """where the path begins"""
    end: Conditions
    """where it leads"""
    period: int = WALK_TICKS
    """[steps]; its meaning is the kind's; at least 1, for a random walk 64, as it moves 64 times in it"""
    amplitude: float = 1.0
    """largest share of the way from `start` to `end`"""
    seed: int = 0
    """of the random walk; the other kinds ignore it"""

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise unknown_name("drift", self.kind, get_args(Kind))
        for side in ("start", "end"):
            check_conditions(getattr(self, side))
        if not is_integer(self.period, _least_period(self.kind)):
            raise ValueError(
                f"Drift.period is {self.period!r}, expected an integer >= {_least_period(self.kind)} [steps] "
                f"for kind {self.kind!r}."
            )
        if not 0 <= self.amplitude <= 1:
            raise ValueError(f"Drift.amplitude is {self.amplitude}, expected a number from 0 to 1.")
        if not is_integer(self.seed, 0):
            raise ValueError(f"Drift.seed is {self.seed!r}, expected an integer >= 0.")

    @classmethod
    def none(cls, conditions: Conditions) -> Drift:
        """No drift: the conditions hold for ever."""
        return cls(kind="abrupt", start=conditions, end=conditions)

    def stretched(self, factor: float) -> Drift:
        """The same path with a period that many times as long, or the kind's shortest."""
        return replace(self, period=max(_least_period(self.kind), round(self.period * factor)))

    @property
    def is_still(self) -> bool:
        """Whether the conditions never change."""
        return self.start == self.end or self.amplitude == 0

    def share(self, step: int) -> float:
        """Share of the way covered at that step, from 0 to `amplitude`.

        Args:
            step: steps taken since the drift began, not negative.
        """
        if step < 0:
            raise ValueError(f"step is {step}, expected an integer >= 0.")
        phase = step / self.period
        if self.kind == "abrupt":
            return self.amplitude if phase >= 1 else 0.0
        if self.kind == "linear":
            return self.amplitude * min(phase, 1.0)
        if self.kind == "sinusoidal":
            return self.amplitude * (1 - math.cos(2 * math.pi * phase)) / 2
        if self.kind == "recurring":
            return self.amplitude if phase % 1 >= 0.5 else 0.0
        tick = int(phase * WALK_TICKS)
        # Lengths are powers of two, so that an endless walk is drawn anew only when it has doubled.
        return self.amplitude * float(_walk(self.seed, 1 << tick.bit_length())[tick])

    def at(self, step: int) -> Conditions:
        """The conditions after that many steps."""
        return self.start if self.is_still else self.start.mixed_with(self.end, self.share(step))


def _least_period(kind: Kind) -> int:
    return WALK_TICKS if kind == "random-walk" else 1


@lru_cache(maxsize=16)
def _walk(seed: int, ticks: int) -> NDArray[np.float64]:
    """A walk from 0 that is reflected at 0 and 1; longer walks of a seed continue shorter ones."""
    rng = np.random.default_rng(seed)
    steps = rng.standard_normal(ticks) / math.sqrt(WALK_TICKS)
    path = np.concatenate([[0.0], np.cumsum(steps)])
    # A walk folded into [0, 1] is the walk reflected at both ends.
    return np.abs((path + 1) % 2 - 1)
