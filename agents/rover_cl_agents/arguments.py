"""Arguments: what a learner is given, refused where it can't be what was meant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from numbers import Integral, Real
from typing import Any, TypedDict

import torch
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3
from stable_baselines3.common.base_class import BaseAlgorithm

from rover_cl_agents.boundaries.finders import BOUNDARIES, Boundaries
from rover_cl_agents.method import Method
from rover_cl_agents.recurrent import recurrent_ppo
from rover_cl_agents.settings import nearest

SUPPORTED = (PPO, A2C, SAC, TD3, DQN)
"""What methods are made for, beside RecurrentPPO; DDPG is a TD3."""
DEVICES = ("cpu", "cuda")
"""Types of the devices that methods have been tried on."""


def checked_methods(methods: Sequence[Method]) -> tuple[Method, ...]:
    """Give the methods of a learner.

    Raises:
        ValueError: if they are no list of methods.
    """
    if isinstance(methods, Method | str) or not isinstance(methods, Iterable):
        raise ValueError(f"methods is {methods!r}; expected a list of Method objects, such as [Replay()].")
    for method in methods:
        if not isinstance(method, Method):
            raise ValueError(f"methods holds {method!r}; expected Method objects such as Replay().")
    return tuple(methods)


def check_algorithm(algorithm: BaseAlgorithm, methods: Sequence[Method]) -> None:
    """Refuse what is no algorithm with networks, or none that methods would have an effect on.

    Raises:
        ValueError: saying what was expected.
    """
    if not isinstance(algorithm, BaseAlgorithm):
        given = f"the class {algorithm.__name__}" if isinstance(algorithm, type) else repr(algorithm)
        raise ValueError(f'algorithm is {given}; expected one that is built, such as PPO("MlpPolicy", env).')
    kind = type(algorithm).__name__
    if getattr(algorithm, "policy", None) is None:
        raise ValueError(
            f'algorithm is a {kind} without networks; build it for an environment: {kind}("MlpPolicy", env).'
        )
    if methods and not isinstance(algorithm, SUPPORTED) and not _recurrent(algorithm):
        raise ValueError(
            f"algorithm is {kind}, on which methods might be without effect; expected PPO, A2C, SAC, TD3, "
            "DDPG or DQN of stable_baselines3, or RecurrentPPO of sb3_contrib. Without methods any will do."
        )
    if methods and algorithm.device.type not in DEVICES:
        raise ValueError(
            f"algorithm is on {algorithm.device}, where methods have never been tried; expected a device of "
            f'the type {" or ".join(DEVICES)}: {kind}(..., device="cpu").'
        )


def checked_device(device: torch.device | str | None, algorithm: BaseAlgorithm | None) -> torch.device:
    """Give the device for an algorithm that is to be built; None: the CPU.

    Raises:
        ValueError: an unknown device, one that isn't there, or any beside an `algorithm` that is built.
    """
    if device is None:
        return torch.device("cpu")
    if algorithm is not None:
        raise ValueError(
            f"device is {str(device)!r}, but algorithm is given, and is on {algorithm.device}; "
            "give one of the two."
        )
    found = None
    with suppress(RuntimeError):  # of a name that PyTorch doesn't know
        found = torch.device(device)
    if found is None or found.type not in DEVICES:
        raise ValueError(f"device is {str(device)!r}; expected one of the type {' or '.join(DEVICES)}.")
    if found.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device is {str(device)!r}, but PyTorch finds no GPU here; expected 'cpu'.")
    return found


def _recurrent(algorithm: BaseAlgorithm) -> bool:
    try:
        return isinstance(algorithm, recurrent_ppo())
    except ValueError:  # sb3-contrib isn't installed
        return False


def check_boundaries(boundaries: Boundaries | None) -> None:
    """Refuse what is no policy of boundaries.

    Raises:
        ValueError: saying what was expected.
    """
    if boundaries is None or isinstance(boundaries, Boundaries):
        return
    given, meant = repr(boundaries), "expected Periodic(), Detected(), or None"
    if isinstance(boundaries, type):
        given, meant = (
            f"the class {boundaries.__name__}",
            f"expected one that is built: {boundaries.__name__}()",
        )
    elif isinstance(boundaries, str) and boundaries in BOUNDARIES:
        meant = f"expected an object: {boundaries.capitalize()}()"
    raise ValueError(f"boundaries is {given}; {meant}.")


def checked_seed(seed: int | None, algorithm: BaseAlgorithm) -> int:
    """Give the methods' seed: the algorithm's, or 0, if there is none of their own.

    Raises:
        ValueError: if it is no whole number >= 0.
    """
    root: Any = (algorithm.seed or 0) if seed is None else seed
    if not isinstance(root, Integral) or root < 0:
        raise ValueError(f"seed is {root!r}; expected a whole number in [0, 2^32), or None.")
    return int(root)


def check_task(total_timesteps: int, task: int | None) -> None:
    """Refuse a task's length and number that can't be.

    Raises:
        ValueError: saying what was expected.
    """
    if not isinstance(total_timesteps, Real) or not total_timesteps >= 1:
        raise ValueError(f"total_timesteps is {total_timesteps!r}; expected a number >= 1.")
    if task is not None and (not isinstance(task, Integral) or task < 0):
        raise ValueError(f"task is {task!r}; expected a whole number >= 0, or None for a new task.")


class Shown(TypedDict, total=False):
    """How a run is shown: arguments of Stable-Baselines3's `learn`, handed on to it."""

    progress_bar: bool
    log_interval: int
    tb_log_name: str


def check_shown(shown: Iterable[str]) -> None:
    """Refuse keyword arguments that `learn` of an algorithm isn't handed.

    Raises:
        ValueError: naming those there are.
    """
    for name in shown:
        if name not in Shown.__annotations__:
            known = ("env", "total_timesteps", "task", "callback", *Shown.__annotations__)
            raise ValueError(f"{name!r} is no argument of learn_task; {nearest(name, known)}")
