"""A learner's state on disk: what is written of it, built from it, and taken back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from stable_baselines3.common.base_class import BaseAlgorithm

from rover_cl_agents.boundaries.finders import BOUNDARIES, Boundaries
from rover_cl_agents.checkpoints import checkpoint, recipe
from rover_cl_agents.checkpoints.checkpoint import CheckpointError, Tensors
from rover_cl_agents.checkpoints.generators import pack_generators, unpack_generators
from rover_cl_agents.experience.transitions import unpack_replay
from rover_cl_agents.method import Method
from rover_cl_agents.methods import METHODS
from rover_cl_agents.networks import policy_tensors
from rover_cl_agents.state import State, under
from rover_cl_agents.task_switch import all_optimizers
from rover_cl_agents.vec_env import Env, normalises

COUNTERS = ("num_timesteps", "_n_updates", "_n_calls", "_episode_num", "exploration_rate")
"""Numbers of an algorithm that its next training depends on."""


def write(
    folder: Path,
    algorithm: BaseAlgorithm,
    methods: Sequence[Method],
    *,
    tasks: Sequence[int],
    steps: int,
    switch: Mapping[str, bool],
    boundaries: Boundaries | None = None,
    untold: State | None = None,
    replay: State | None = None,
) -> None:
    """Write a learner's state.

    Args:
        folder: Where to; an older checkpoint there is replaced in one step.
        algorithm: With its networks, optimisers and counters.
        methods: With what they remember.
        tasks: Those learned, in order.
        steps: Environment steps over all tasks.
        switch: What the learner puts back at a task switch, by the names of its arguments.
        boundaries: Where tasks end, if nobody tells.
        untold: State of the task at hand then.
        replay: The off-policy buffer, where the next task keeps it.

    Raises:
        ValueError: if the folder holds something else.
    """
    states = [method.state_dict() for method in methods]
    values = {
        "algorithm": recipe.write_recipe(algorithm),
        "spaces": _spaces(algorithm),
        "observations": _scale(algorithm),
        "tasks": list(tasks),
        "steps": steps,
        "counters": {name: getattr(algorithm, name, 0) for name in COUNTERS},
        "switch": dict(switch),
        "methods": [
            {
                "name": method.name,
                "settings": method.describe(),
                "scalars": _split(state)[1],
            }
            for method, state in zip(methods, states, strict=True)
        ],
    }
    tensors = _tensors(algorithm, states)
    tensors["generators"], values["generators"] = pack_generators(algorithm)
    if boundaries is not None:
        tensors["untold"], scalars = _split(untold or {})
        values["boundaries"] = {**(_described(boundaries) or {}), "scalars": scalars}
    if replay:
        tensors["replay"], values["replay"] = _split(replay)
    checkpoint.write(folder.absolute(), tensors, values)


def read_parts(
    index: Mapping[str, Any],
    env: Env,
    algorithm: BaseAlgorithm | None,
    methods: Sequence[Method] | None,
    device: torch.device,
) -> tuple[BaseAlgorithm, Sequence[Method]]:
    """Build what isn't given of a learner, from a checkpoint's index; its state isn't restored yet.

    Args:
        index: Of the checkpoint.
        env: An environment for the algorithm.
        algorithm: Kept if given.
        methods: Kept if given.
        device: Of an algorithm that isn't given.

    Raises:
        ValueError: if the index doesn't say enough to build it; see also `refusals`.
    """
    if algorithm is None:
        algorithm = recipe.build(index["algorithm"], env, device)
    if methods is None:
        methods = [_build_method(entry["name"], entry["settings"]) for entry in index["methods"]]
    return algorithm, methods


def read_boundaries(index: Mapping[str, Any]) -> Boundaries | None:
    """Build the policy of boundaries that a checkpoint's index names; None if boundaries were told.

    Raises:
        ValueError: if it isn't this package's; see also `refusals`.
    """
    entry = index.get("boundaries")
    if entry is None:
        return None
    if entry["name"] not in BOUNDARIES:
        raise ValueError(
            f"boundaries {entry['name']!r} aren't this package's; build them yourself and give them in "
            "boundaries=."
        )
    config, policy = BOUNDARIES[entry["name"]]
    return policy(config(**entry["settings"]))


def restore(
    folder: Path, algorithm: BaseAlgorithm, methods: Sequence[Method], boundaries: Boundaries | None = None
) -> tuple[list[int], int, State]:
    """Put a checkpoint's state into `algorithm` and `methods`, built like those that were saved.

    Returns:
        The tasks learned, in order, the environment steps over all of them, and the state of the task at hand
        if nobody told the boundaries, else empty.

    Raises:
        CheckpointError: if a file is damaged, or was made by a different learner.
    """
    tensors, index = checkpoint.read(folder)
    with refusals(folder, RuntimeError):
        _check(index, algorithm, methods, boundaries, folder / checkpoint.INDEX)
        states: list[State] = [
            {**under(tensors["methods"], str(position)), **entry["scalars"]}
            for position, entry in enumerate(index["methods"])
        ]
        for method, state in zip(methods, states, strict=True):
            method.reshape(state)
        checkpoint.copy_into(policy_tensors(algorithm), tensors["policy"], folder / "policy.safetensors")
        for role, optimizer in all_optimizers(algorithm).items():
            own = under(tensors["optimizers"], role)
            checkpoint.unpack_optimizer(optimizer, own, folder / "optimizers.safetensors")
        for method, state in zip(methods, states, strict=True):
            method.load_state_dict(state)
        for name, value in index["counters"].items():
            if name in COUNTERS and hasattr(algorithm, name):
                setattr(algorithm, name, value)
        if "replay" in index:
            unpack_replay(algorithm, {**tensors["replay"], **index["replay"]})
        if "generators" in index:
            unpack_generators(algorithm, tensors["generators"], index["generators"])
        tasks, steps = [int(task) for task in index["tasks"]], int(index["steps"])
        scalars = {} if boundaries is None else index["boundaries"]["scalars"]
    return tasks, steps, {**tensors.get("untold", {}), **scalars}


@contextmanager
def refusals(folder: Path, *more: type[Exception]) -> Iterator[None]:
    """Turn what goes wrong while a checkpoint's index is used into one line that names the file.

    Args:
        folder: The checkpoint.
        more: Errors to turn, beside those that a wrong entry causes by itself.

    Raises:
        CheckpointError: instead of them.
    """
    # Stable-Baselines3 asserts what it expects of settings and spaces.
    wrong = (AssertionError, AttributeError, KeyError, TypeError, ValueError)
    kinds: tuple[type[Exception], ...] = (*wrong, *more)
    try:
        yield
    except CheckpointError:
        raise
    except kinds as error:
        text = f"entry {error} is missing" if isinstance(error, KeyError) else str(error)
        raise CheckpointError(f"{folder / checkpoint.INDEX}: {' '.join(text.split())}") from error


def _check(
    index: Mapping[str, Any],
    algorithm: BaseAlgorithm,
    methods: Sequence[Method],
    boundaries: Boundaries | None,
    path: Path,
) -> None:
    """Compare a checkpoint's index with the learner it is to be put into."""
    pairs: list[tuple[str, Any, Any]] = [
        ("algorithm", index["algorithm"]["algorithm"], type(algorithm).__name__),
        *((name, index["spaces"][name], mine) for name, mine in _spaces(algorithm).items()),
        ("observations", index.get("observations", _scale(algorithm)), _scale(algorithm)),
        ("methods", [entry["name"] for entry in index["methods"]], [m.name for m in methods]),
        ("boundaries", _names(index.get("boundaries")), _names(_described(boundaries))),
    ]
    for what, saved, mine in pairs:
        if saved != mine:
            raise CheckpointError(
                f"{path}: {what} was {saved}, here it is {mine}; build the learner the same way."
            )
    for entry, method in zip(index["methods"], methods, strict=True):
        if entry["settings"] != method.describe():
            raise CheckpointError(
                f"{path}: {method.name} had {entry['settings']}, here {method.describe()}; "
                "build it with the same settings."
            )


def _described(boundaries: Boundaries | None) -> dict[str, Any] | None:
    return None if boundaries is None else {"name": boundaries.name, "settings": boundaries.describe()}


def _split(state: State) -> tuple[Tensors, dict[str, Any]]:
    """Divide a state into its tensors and the rest."""
    tensors = {name: value for name, value in state.items() if isinstance(value, torch.Tensor)}
    return tensors, {name: value for name, value in state.items() if name not in tensors}


def _names(entry: Mapping[str, Any] | None) -> str:
    return "told" if entry is None else f"{entry['name']} with {entry['settings']}"


def _tensors(algorithm: BaseAlgorithm, states: Sequence[State]) -> dict[str, Tensors]:
    """Name all tensors of a learner, by file."""
    return {
        "policy": policy_tensors(algorithm),
        "optimizers": {
            f"{role}.{name}": tensor
            for role, optimizer in all_optimizers(algorithm).items()
            for name, tensor in checkpoint.pack_optimizer(optimizer).items()
        },
        "methods": {
            f"{position}.{name}": value
            for position, state in enumerate(states)
            for name, value in state.items()
            if isinstance(value, torch.Tensor)
        },
    }


def _spaces(algorithm: BaseAlgorithm) -> dict[str, str]:
    return {name: repr(getattr(algorithm, name)) for name in ("observation_space", "action_space")}


def _scale(algorithm: BaseAlgorithm) -> str:
    return "normalised by a VecNormalize" if normalises(algorithm.env) else "as they are"


def _build_method(name: str, settings: Mapping[str, Any]) -> Method:
    """Build one of this package's methods."""
    if name not in METHODS:
        raise ValueError(f"method {name!r} isn't this package's; build it yourself and give it in methods=.")
    config, method = METHODS[name]
    return method(config(**settings))
