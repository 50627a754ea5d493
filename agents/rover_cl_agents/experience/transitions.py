"""The transitions of an off-policy algorithm as something that can be written down."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from rover_cl_agents.state import State

COLUMNS = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")
"""What a replay buffer holds of each transition."""


def pack_replay(algorithm: BaseAlgorithm) -> State:
    """Give the filled rows of the replay buffer, without copying them; on-policy nothing."""
    buffer = algorithm.replay_buffer if isinstance(algorithm, OffPolicyAlgorithm) else None
    if buffer is None:
        return {}
    # An optimised buffer keeps the latest row's successor in the row after it.
    rows = buffer.buffer_size if buffer.full else min(buffer.pos + 1, buffer.buffer_size)
    columns = {name: getattr(buffer, name) for name in COLUMNS if hasattr(buffer, name)}
    packed: dict[str, Any] = {name: torch.from_numpy(column[:rows]) for name, column in columns.items()}
    return {**packed, "position": int(buffer.pos), "full": bool(buffer.full)}


def unpack_replay(algorithm: BaseAlgorithm, state: State) -> None:
    """Take back what `pack_replay` gave.

    Raises:
        KeyError: if a column is missing.
        ValueError: if the replay buffer has another shape.
    """
    if not isinstance(algorithm, OffPolicyAlgorithm) or algorithm.replay_buffer is None:
        return
    buffer = algorithm.replay_buffer
    for name in COLUMNS:
        if hasattr(buffer, name):
            values = np.asarray(state[name])
            column = getattr(buffer, name)
            if values.shape[1:] != column.shape[1:] or len(values) > len(column):
                raise ValueError(f"{name} of the replay buffer was {values.shape}, here {column.shape}.")
            column[: len(values)] = values
    buffer.pos, buffer.full = int(cast(int, state["position"])), bool(state["full"])
