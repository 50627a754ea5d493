"""Policies that remember by themselves: sb3-contrib's RecurrentPPO, where it is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from stable_baselines3.common.policies import BasePolicy
from torch import Tensor, nn

if TYPE_CHECKING:
    from sb3_contrib import RecurrentPPO


def recurrent_ppo() -> type[RecurrentPPO]:
    """Give the class RecurrentPPO.

    Raises:
        ValueError: if sb3-contrib isn't installed; with what to do.
    """
    try:
        from sb3_contrib import RecurrentPPO
    except ImportError as error:
        raise ValueError(
            'RecurrentPPO is part of sb3-contrib, which is not installed; pip install "rover-cl[recurrent]".'
        ) from error
    return RecurrentPPO


def acting_lstm(policy: BasePolicy) -> nn.LSTM | None:
    """Give the acting network's LSTM, or None if the policy answers from one observation alone."""
    lstm = getattr(policy, "lstm_actor", None)
    return lstm if isinstance(lstm, nn.LSTM) else None


def blank_memory(policy: BasePolicy, count: int) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """Give what a recurrent policy remembers at the first step of `count` episodes: the two states of an
    LSTM, each of shape (layers, count, units), and the marks of the beginnings, shape (count,).
    """
    lstm = getattr(policy, "lstm_critic", None) or acting_lstm(policy)
    assert lstm is not None, "the policy is recurrent"
    zeros = torch.zeros(lstm.num_layers, count, lstm.hidden_size, device=policy.device)
    return (zeros, zeros), torch.ones(count, device=policy.device)
