"""Between what bounds the observations lie that a policy is fed."""

from __future__ import annotations

import torch
from gymnasium import spaces
from stable_baselines3.common.base_class import BaseAlgorithm
from torch import Tensor


def fed_bounds(algorithm: BaseAlgorithm) -> tuple[Tensor, Tensor]:
    """Give the least and the greatest observation that the policy can be fed, each of shape (*observation).

    They are those of the observation space, unless a `VecNormalize` stands before the policy: it divides by
    the running spread, which has nothing to do with the space, and clips to ±`clip_obs`.

    Raises:
        ValueError: if the observation space isn't a Box.
    """
    space = algorithm.observation_space
    if not isinstance(space, spaces.Box):
        raise ValueError(
            f"observation_space is {space}; expected a Box: states of other spaces can't be made up. "
            "Use Replay without echoes."
        )
    normaliser = algorithm.get_vec_normalize_env()
    if normaliser is not None and normaliser.norm_obs:
        high = torch.full(space.shape, float(normaliser.clip_obs))
        return -high, high
    return torch.as_tensor(space.low), torch.as_tensor(space.high)
