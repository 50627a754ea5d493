"""A stream of environments, as a learner takes it: what to learn in, how long, perhaps which task it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from numbers import Real
from typing import Any, Protocol

from rover_cl_agents.vec_env import Env


class Stretch(Protocol):
    """A part of a stream, as an object; it may have a `task` too, an int or None."""

    @property
    def env(self) -> Env:
        """What to learn in."""

    @property
    def steps(self) -> int:
        """Over all its environments, >= 1."""


Stream = Iterable[tuple[Env, int] | tuple[Env, int, int | None] | Stretch]
"""Environments with the steps to learn in each, and with the task's number where it is known; endless if it
likes."""


def stretches(
    stream: Stream | None, total_timesteps: int | None = None
) -> Iterator[tuple[Env, int, int | None]]:
    """Give environment, steps and task of each part, up to `total_timesteps` in all.

    Args:
        stream: The parts.
        total_timesteps: >= 1; the part that would go beyond it is shortened. None: all parts.

    Raises:
        ValueError: if `total_timesteps` is out of its range, or a part isn't one.
    """
    if total_timesteps is not None and (not isinstance(total_timesteps, Real) or not total_timesteps >= 1):
        raise ValueError(f"total_timesteps is {total_timesteps!r}; expected at least 1, or None for all.")
    if isinstance(stream, str) or not isinstance(stream, Iterable):
        raise ValueError(
            f"stream is {stream!r}; expected parts such as [(env, steps), ...]. "
            "For a single environment there is learn_task(env, total_timesteps)."
        )
    left = total_timesteps
    for part in stream:
        env, steps, task = _read(part)
        steps = steps if left is None else min(steps, left)
        yield env, steps, task
        if left is not None:
            left -= steps
            if left < 1:
                return


def _read(part: Any) -> tuple[Env, int, int | None]:
    if isinstance(part, tuple) and len(part) in (2, 3):
        return part[0], _steps(part[1]), part[2] if len(part) == 3 else None
    if hasattr(part, "env") and hasattr(part, "steps"):
        return part.env, _steps(part.steps), getattr(part, "task", None)
    raise ValueError(
        f"stream holds {part!r}; expected (env, steps), (env, steps, task), or an object with env and steps."
    )


def _steps(steps: Any) -> int:
    number = steps if isinstance(steps, Real) else None
    if number is None:
        raise ValueError(f"stream holds {steps!r} steps; expected a number, at least 1.")
    return int(steps)
