"""V-trace: value targets and advantages of a policy from what another policy did."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Targets:
    """What to train on; neither carries a graph."""

    values: Tensor  # (steps, batch)
    """v_s, the target of the value at each step."""
    advantages: Tensor  # (steps, batch)
    """ρ_s (r_s + γ_s v_{s+1} − V(x_s)), the weight of ∇ log π(a_s | x_s)."""


@torch.no_grad()
def vtrace(
    log_ratios: Tensor,
    rewards: Tensor,
    discounts: Tensor,
    values: Tensor,
    bootstrap: Tensor,
    *,
    rho_limit: float = 1.0,
    c_limit: float = 1.0,
) -> Targets:
    """Compute V-trace targets over segments of a trajectory.

    Args:
        log_ratios: log π(a|x) − log μ(a|x), of the policy to train and the one that acted, shape (steps,
            batch).
        rewards: Shape (steps, batch).
        discounts: γ, or 0 where the episode ended with this step, shape (steps, batch).
        values: V(x) now, shape (steps, batch).
        bootstrap: V of the state after the last step, shape (batch,).
        rho_limit: ρ̄ > 0, the cut of the ratios in the temporal differences.
        c_limit: c̄ > 0, <= ρ̄, the cut of the ratios that carry them back.

    Returns:
        Targets of shape (steps, batch).

    Source: Espeholt et al. 2018, "IMPALA", equation 1 and section 4.2.
    """
    ratios = log_ratios.exp()
    rho, c = ratios.clamp_max(rho_limit), ratios.clamp_max(c_limit)
    following = torch.cat([values[1:], bootstrap[None]])
    differences = rho * (rewards + discounts * following - values)
    carried = torch.zeros_like(bootstrap)
    corrections = []
    for step in reversed(range(len(rewards))):
        carried = differences[step] + discounts[step] * c[step] * carried
        corrections.append(carried)
    targets = values + torch.stack(corrections[::-1])
    later = torch.cat([targets[1:], bootstrap[None]])
    return Targets(values=targets, advantages=rho * (rewards + discounts * later - values))
