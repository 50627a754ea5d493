"""Longer context: an agent that sees its recent history can tell which world it is in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stable_baselines3.common.vec_env import VecEnv

from rover_cl_agents.context.attention import AttentionWindow
from rover_cl_agents.context.history import VecHistory
from rover_cl_agents.vec_env import Env

KINDS = ("stack", "attention")
"""How a window of observations is read."""


@dataclass(frozen=True, kw_only=True)
class ContextConfig:
    """Let the policy see the last observations, not the latest alone.

    What the worlds differ in (slip, wear, a bias) shows in how the last steps went. A policy that can see
    them may act differently in each world with the same weights, so that fewer have to change. It is decided
    when environment and algorithm are built, so it is no `Method`.

    Source: Mnih et al. 2015, "Human-level control through deep reinforcement learning" (stacked
    observations); Vaswani et al. 2017, "Attention is all you need"; Yu et al. 2017, "Preparing for the
    unknown: learning a universal policy with online system identification".
    """

    kind: str = "stack"
    """`stack`: the observations side by side, `attention`: read by `AttentionWindow`."""
    steps: int = 8
    """Observations in the window, >= 1; one alone, with `stack`, switches it off."""
    width: int = 32
    """Numbers that `attention` makes of each observation, >= 1."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind is {self.kind!r}; expected one of {', '.join(KINDS)}.")
        for field in ("steps", "width"):
            if getattr(self, field) < 1:
                raise ValueError(f"{field} is {getattr(self, field)}; expected at least 1.")

    def wrap(self, env: Env) -> VecEnv:
        """Give `env` with windows for observations.

        Raises:
            ValueError: if its observations aren't a Box of one axis.
        """
        return VecHistory(env, self.steps, mask=self.kind == "attention")

    def policy_kwargs(self) -> dict[str, Any]:
        """Give what a policy has to be built with to read the windows."""
        if self.kind == "stack":
            return {}
        return {
            "features_extractor_class": AttentionWindow,
            "features_extractor_kwargs": {"steps": self.steps, "width": self.width},
        }
