"""Attention over a window: which of the last observations tell in what world the agent is."""

from __future__ import annotations

import math

import torch
from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor, nn


class AttentionWindow(BaseFeaturesExtractor):
    """Attend from the latest observation to the last K; observations from before the episode are masked.

    Each observation o_k becomes a token e_k = tanh(W o_k + b). The latest one, e_K, asks: with
    q = W_q e_K + b_q, the weights are softmax over k of (e_k + p_k) · q / √width, where p_k is a learned
    embedding of the position. The features are the latest observation itself, then the weighted mean of the
    tokens. A single query needs no causal mask, costs O(K) where attention of all on all costs O(K²), and
    saves the maps of keys and values: the next linear layers make up for them.

    Give it as `policy_kwargs=dict(features_extractor_class=AttentionWindow,
    features_extractor_kwargs=dict(steps=16))`, with an environment `VecHistory(env, 16, mask=True)`.

    Args:
        observation_space: Of `VecHistory` with `mask=True`, shape (K · (d + 1),).
        steps: K, >= 1.
        width: Numbers in a token, >= 1.

    Raises:
        ValueError: if an argument is out of its range, or the space isn't such a window's.

    Source: Vaswani et al. 2017, "Attention is all you need", equation 1, with one query.
    """

    def __init__(self, observation_space: spaces.Space[object], steps: int = 16, width: int = 32) -> None:
        for field, value in (("steps", steps), ("width", width)):
            if value < 1:
                raise ValueError(f"{field} is {value}; expected at least 1.")
        size = _observation_size(observation_space, steps)
        super().__init__(observation_space, features_dim=size + width)
        self.steps = steps
        self.scale = 1 / math.sqrt(width)
        self.embed = nn.Linear(size, width)
        self.query = nn.Linear(width, width)
        self.position = nn.Parameter(torch.zeros(steps, width))

    def forward(self, observations: Tensor) -> Tensor:
        """Map windows, shape (batch, K · (d + 1)), to features, shape (batch, d + width)."""
        rows = observations.reshape(len(observations), self.steps, -1)
        seen = rows[..., -1] > 0.5
        seen[:, -1] = True  # always; in made-up windows, and in windows of zeros, the mask may deny it
        window = rows[..., :-1].masked_fill(~seen.unsqueeze(-1), 0.0)
        tokens = torch.tanh(self.embed(window))
        question = self.query(tokens[:, -1]) * self.scale
        scores = ((tokens + self.position) * question.unsqueeze(1)).sum(dim=-1)
        weights = torch.softmax(scores.masked_fill(~seen, -math.inf), dim=1)
        told = (weights.unsqueeze(-1) * tokens).sum(dim=1)
        return torch.cat([window[:, -1], told], dim=1)


def _observation_size(space: spaces.Space[object], steps: int) -> int:
    """Give the numbers of one observation, d, in a window's space; refuse any other space."""
    if isinstance(space, spaces.Box) and len(space.shape) == 1 and space.shape[0] % steps == 0:
        low, high = space.low.reshape(steps, -1), space.high.reshape(steps, -1)
        if low.shape[1] > 1 and (low[:, -1] == 0).all() and (high[:, -1] == 1).all():
            return int(low.shape[1]) - 1
    raise ValueError(
        f"observation_space is {space}; expected the windows of VecHistory(env, {steps}, mask=True), "
        "whose mask tells what was seen from the zeros before an episode."
    )
