"""Policies that remember by themselves: sb3-contrib's RecurrentPPO, where it is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stable_baselines3.common.policies import BasePolicy
from torch import nn

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
