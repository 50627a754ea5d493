"""How conditions move in time: five paths from one point to another, as functions of the steps taken.

One path moves all its numbers in step. Others, each of numbers of its own, go `beside` it:

    calm, dusty = Conditions(), Conditions(optical_depth=3.0)
    right, left = Conditions(steering_bias=-0.3), Conditions(steering_bias=0.3)
    swing = Drift(kind="sinusoidal", start=right, end=left, period=5_000)
    Drift(kind="linear", start=calm, end=dusty, period=100_000, beside=(swing,))

Here dust rises for good while the steering swings from one side to the other and back.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from rover_cl_envs.conditions import Conditions, check_conditions
from rover_cl_envs.errors import is_integer, unknown_name

Kind = Literal["abrupt", "linear", "sinusoidal", "random-walk", "recurring"]
_FIELDS = tuple(field.name for field in fields(Conditions))
WALK_TICKS = 64  # ticks of a random walk per period, at least a step each


@dataclass(frozen=True, kw_only=True)
class Drift:
    """A path through the space of conditions, from `start` towards `end`.

    The rate is 1 / `period`, the amplitude the largest share of the way that is covered. A drift is a
    pure function of the step: the same step gives the same conditions in every process.

    Raises:
        ValueError: an unknown kind, no conditions, a period that is too short, an amplitude out of [0, 1], a
            negative seed, or drifts beside it that are none, that move what another one moves, or that hold
            what none moves at another value.
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
    beside: tuple[Drift, ...] = ()
    """further drifts, with none beside them: each moves the fields in which its start and its end differ, by
    its own kind, period, amplitude and seed. No field is moved by two; what none moves is the same in all"""

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
        self._check_beside()

    def _check_beside(self) -> None:
        """Refuse drifts that can't go beside this one."""
        if not isinstance(self.beside, tuple) or not all(isinstance(d, Drift) for d in self.beside):
            kinds = [type(d).__name__ for d in (self.beside if isinstance(self.beside, tuple) else ())]
            given = f"a tuple of {', '.join(kinds)}" if kinds else f"a {type(self.beside).__name__}"
            raise ValueError(f"Drift.beside is {given}, expected a tuple of Drift: (other,).")
        if any(other.beside for other in self.beside):
            raise ValueError("Drift.beside holds a drift with others beside it, expected all in one tuple.")
        moved = [name for part in self.parts for name in part.moves]
        for name in _FIELDS:
            if moved.count(name) > 1:
                raise ValueError(
                    f"Drift.beside: {name} is moved by {moved.count(name)} drifts, expected one at most: let "
                    "it be the same in start and end of the others."
                )
            here = getattr(self.start, name)
            others = (getattr(other.start, name) for other in self.beside)
            strange = [value for value in others if value != here]
            if strange and name not in moved:
                raise ValueError(
                    f"Drift.beside holds {name} at {strange[0]!r}, expected {here!r} as in the drift that it "
                    "goes beside, since nothing moves it."
                )

    @classmethod
    def none(cls, conditions: Conditions) -> Drift:
        """No drift: the conditions hold for ever."""
        return cls(kind="abrupt", start=conditions, end=conditions)

    def stretched(self, factor: float) -> Drift:
        """The same path and those beside it, with periods that many times as long, or the kind's shortest."""
        period = max(_least_period(self.kind), round(self.period * factor))
        return replace(self, period=period, beside=tuple(other.stretched(factor) for other in self.beside))

    @property
    def parts(self) -> tuple[Drift, ...]:
        """This drift, then those beside it."""
        return (self, *self.beside)

    @property
    def moves(self) -> tuple[str, ...]:
        """The fields of the conditions that this drift moves itself: in which start and end differ."""
        return tuple(name for name in _FIELDS if getattr(self.start, name) != getattr(self.end, name))

    @property
    def is_still(self) -> bool:
        """Whether the conditions never change."""
        return all(part.start == part.end or part.amplitude == 0 for part in self.parts)

    @property
    def far_end(self) -> Conditions:
        """Where all parts lead together."""
        return self._joined(part.end for part in self.parts)

    def share(self, step: int) -> float:
        """Share of this drift's own way covered at that step, from 0 to `amplitude`.

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
        return self._joined(
            part.start if part.start == part.end else part.start.mixed_with(part.end, part.share(step))
            for part in self.parts
        )

    def _joined(self, points: Iterator[Conditions]) -> Conditions:
        """Points of all parts as one: this drift's own, with what the others move taken from theirs."""
        own = next(points)
        moved = {
            name: getattr(point, name)
            for other, point in zip(self.beside, points, strict=True)
            for name in other.moves
        }
        return replace(own, **moved) if moved else own


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
