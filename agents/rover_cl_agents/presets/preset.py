"""What the presets of the algorithms share: ranges, and how a policy is named."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from stable_baselines3.common.preprocessing import is_image_space
from stable_baselines3.common.vec_env import VecEnv

More = Mapping[str, Any]
"""What a policy is built with besides, as `ContextConfig.policy_kwargs` gives it."""
NOTHING: More = MappingProxyType({})
UNBOUNDED = float("inf")
LEAST = 1e-12
"""Lower end of a range that excludes 0."""


def check(config: object, **ranges: tuple[float, float]) -> None:
    """Raise a ValueError for a field outside its closed range."""
    for field, (low, high) in ranges.items():
        value = getattr(config, field)
        if not low <= value <= high:
            raise ValueError(f"{field} is {value}; expected a number in [{low:g}, {high:g}].")


def check_net(net: tuple[int, ...]) -> None:
    """Raise a ValueError unless there is a layer, and a unit in each."""
    if not net or min(net) < 1:
        raise ValueError(f"net is {net}; expected at least one layer, each of at least 1 unit.")


def policy_name(vec_env: VecEnv, kind: str = "Policy") -> str:
    """Name Stable-Baselines3's policy for the observations: convolutional for pictures."""
    return ("Cnn" if is_image_space(vec_env.observation_space) else "Mlp") + kind
