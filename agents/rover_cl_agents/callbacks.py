"""Callbacks: those of the user, as Stable-Baselines3 takes them, after the learner's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from stable_baselines3.common.callbacks import BaseCallback, CallbackList, ConvertCallback

from rover_cl_agents.boundaries.untold import Untold, UntoldCallback
from rover_cl_agents.method import Method, labels, overrides
from rover_cl_agents.rollout_callback import RolloutCallback
from rover_cl_agents.step_hooks import StepHooks

Callback = BaseCallback | Callable[[dict[str, Any], dict[str, Any]], bool] | list[BaseCallback] | None
"""What Stable-Baselines3's `learn` takes: a callback, a function of locals and globals, a list, or None."""


def joined(
    users: Callback, methods: Sequence[Method], hooks: StepHooks, untold: Untold | None
) -> BaseCallback | None:
    """Give one callback for all that looks on while a task is learned; None if nothing does.

    Raises:
        ValueError: if `users` is none.
    """
    watching = [method for method in methods if overrides(method, "on_rollout_end")]
    named = zip(labels(methods), methods, strict=True)
    closed = {name: method for name, method in named if overrides(method, "penalty")}
    every: list[BaseCallback] = []
    if watching or closed or hooks.penalises:
        every.append(RolloutCallback(watching, hooks.penalties, closed))
    if untold is not None:
        every.append(UntoldCallback(untold))
    every += flattened(users)
    return CallbackList(every) if len(every) > 1 else next(iter(every), None)


def flattened(users: Any) -> list[BaseCallback]:
    """Give a user's callbacks one by one.

    Raises:
        ValueError: if one of them is none.
    """
    if users is None:
        return []
    if isinstance(users, BaseCallback):
        return [users]
    if isinstance(users, list | tuple):
        return [callback for each in users for callback in flattened(each)]
    if callable(users) and not isinstance(users, type):
        return [ConvertCallback(users)]
    raise ValueError(
        f"callback is {users!r}; expected a BaseCallback, a function of locals and globals, or a list "
        "of them."
    )
