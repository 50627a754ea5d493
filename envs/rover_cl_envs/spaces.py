"""What a rover observes and what it is told to do, as Gymnasium's spaces."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from rover_cl_envs.errors import unknown_name
from rover_cl_envs.frame import CHANNELS, PIXELS
from rover_cl_envs.sensors import LIMIT, observation_size

ACTION_TYPES = ("continuous", "discrete")
DISCRETE_ACTIONS = np.array([(d, s) for d in (1, 0, -1) for s in (1, 0, -1)], dtype=np.float32)
"""Drive and steer (9, 2) of the discrete actions: forward, in place, backward x left, straight, right."""


def observation_space(systems: Collection[str] = (), observation: str = "vector") -> spaces.Box:
    """The observation of one rover.

    (80,) float32 and the systems' blocks, laid out as sensors.py says; or under "pixels" a picture
    (3, 64, 64) uint8, laid out as camera.py says.
    """
    if observation == "pixels":
        return spaces.Box(0, 255, (CHANNELS, PIXELS, PIXELS), np.uint8)
    return spaces.Box(-LIMIT, LIMIT, (observation_size(systems),), np.float32)


def action_space(action_type: str) -> spaces.Box | spaces.Discrete[np.int64]:
    """The action of one rover: `Box(2)` drive and steer, or `Discrete(9)`.

    Raises:
        ValueError: an unknown action type.
    """
    if action_type not in ACTION_TYPES:
        raise unknown_name("action_type", action_type, ACTION_TYPES)
    if action_type == "continuous":
        return spaces.Box(-1.0, 1.0, (2,), np.float32)
    return spaces.Discrete(len(DISCRETE_ACTIONS))


def commands(actions: NDArray[Any], count: int, *, discrete: bool) -> NDArray[np.float32]:
    """Actions of so many rovers as drive and steer (count, 2).

    Raises:
        ValueError: actions of the wrong shape, or discrete ones that are not among the nine.
    """
    actions = np.asarray(actions)
    shape = (count,) if discrete else (count, 2)
    if actions.shape != shape:
        raise ValueError(f"actions have shape {actions.shape}, expected {shape}.")
    if not discrete:
        return np.ascontiguousarray(actions, dtype=np.float32)
    if actions.dtype.kind not in "iu" or (actions < 0).any() or (actions >= len(DISCRETE_ACTIONS)).any():
        raise ValueError(
            f"actions are {actions.dtype} from {actions.min()} to {actions.max()}, "
            "expected integers from 0 to 8."
        )
    return DISCRETE_ACTIONS[actions]
