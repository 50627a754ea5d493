"""Is an old task's knowledge gone, or only no longer read? Linear readouts of today's features."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from stable_baselines3.common.policies import ActorCriticPolicy, BasePolicy
from stable_baselines3.sac.policies import SACPolicy
from torch import Tensor

from rover_cl_agents.networks import readout_stack
from rover_cl_agents.outputs import Kind, Outputs, distance, read
from rover_cl_agents.units.hidden_layers import Recorder, acting_layers, activations

EDGE = 0.999
"""Actions of a squashed policy beyond ±EDGE count as ±EDGE, where the squashing can still be undone."""


@dataclass(frozen=True)
class Readout:
    """A linear map from features to answers."""

    weight: Tensor  # (features, d)
    bias: Tensor  # (d,)

    def __call__(self, features: Tensor) -> Tensor:
        """Give the answers, shape (n, d)."""
        return features.double() @ self.weight + self.bias


def ridge(features: Tensor, targets: Tensor, *, strength: float = 1e-4) -> Readout:
    """Fit a linear readout by ridge regression, its bias free.

    Minimises mean ‖(x − x̄) W − (y − ȳ)‖² + strength · v · ‖W‖², with v the mean variance of the features.

    Args:
        features: Shape (n, features).
        targets: Shape (n, d).
        strength: >= 0, without a unit.

    Returns:
        The readout, in double precision.
    """
    x, y = features.double(), targets.double()
    centre, level = x.mean(dim=0), y.mean(dim=0)
    gram = (x - centre).T @ (x - centre) / len(x)
    # The second term keeps features that never vary from making the system singular.
    load = strength * gram.diagonal().mean() + torch.finfo(torch.float64).eps
    loaded = gram + load * torch.eye(len(gram), dtype=x.dtype, device=x.device)
    weight = torch.linalg.solve(loaded, (x - centre).T @ (y - level) / len(x))
    return Readout(weight, level - centre @ weight)


def r_squared(predicted: Tensor, targets: Tensor) -> float:
    """Give the share of the targets' variance that is predicted, over all outputs together.

    Returns:
        At most 1; below 0 if the mean would have been the better guess; 0 for targets without variance.
    """
    total = (targets - targets.mean(dim=0)).double().square().sum()
    rest = (targets - predicted).double().square().sum()
    return float(1.0 - rest / total) if bool(total > 0) else 0.0


def held_out_r_squared(
    features: Tensor, targets: Tensor, *, strength: float = 1e-4, held_out: float = 0.2, seed: int = 0
) -> float:
    """Fit a ridge readout on some states and give its R² on the others.

    Args:
        features: Shape (n, features); n well above the number of features.
        targets: Shape (n, d).
        strength: As for `ridge`.
        held_out: Share of the states to test on, in (0, 1).
        seed: Of the split.
    """
    fitted, tested = _split(len(features), held_out, seed)
    readout = ridge(features[fitted], targets[fitted], strength=strength)
    return r_squared(readout(features[tested]), targets[tested])


def _split(count: int, held_out: float, seed: int) -> tuple[Tensor, Tensor]:
    """Divide `count` states at random: those to fit on, and those to test on."""
    if not 0.0 < held_out < 1.0:
        raise ValueError(f"held_out is {held_out}; expected a number in (0, 1).")
    tested = round(held_out * count)
    if not 1 <= tested <= count - 2:
        raise ValueError(f"{count} states are too few; expected at least {math.ceil(2 / held_out)}.")
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    return order[tested:], order[:tested]


def decodability(
    policy: BasePolicy, observations: Tensor, old: Outputs, *, held_out: float = 0.2, seed: int = 0
) -> float:
    """Say how well a linear readout finds a task's old answers in today's features.

    Near 1 with a low return: the features are still there, and the readout alone has forgotten.

    Args:
        policy: The policy of a PPO, A2C, SAC, TD3 or DQN, as it is today.
        observations: Of the old task, shape (n, *observation).
        old: The answers that the policy gave them when it had learned the task.
        held_out: Share of the states to test on, in (0, 1).
        seed: Of the split.

    Returns:
        R² on the states held out, at most 1.
    """
    features = _features(policy, observations)
    return held_out_r_squared(features, _before_readout(old), held_out=held_out, seed=seed)


@dataclass(frozen=True, kw_only=True)
class Relearned:
    """What a new readout on a frozen trunk brings back."""

    before: float
    """Distance from the old answers today, on states held out, >= 0."""
    after: float
    """With the new readout, on the same states, >= 0."""

    @property
    def share(self) -> float:
        """Share of what was lost that the readout recovers, at most 1; not a number if nothing was lost."""
        return 1.0 - self.after / self.before if self.before > 0 else math.nan


def relearn_readout(
    policy: BasePolicy, observations: Tensor, old: Outputs, *, held_out: float = 0.2, seed: int = 0
) -> Relearned:
    """Freeze the trunk, fit its last layer to a task's old answers, and see how much comes back.

    The policy itself isn't changed; the arguments are those of `decodability`. Distances are
    `outputs.distance`, the measure that `Replay` trains on.
    """
    features = _features(policy, observations)
    fitted, tested = _split(len(features), held_out, seed)
    readout = ridge(features[fitted], _before_readout(old)[fitted])
    refitted = Outputs(
        kind=old.kind,
        location=_after_readout(old.kind, readout(features[tested])).to(old.location.dtype),
        log_scale=None if old.log_scale is None else old.log_scale[tested],
    )
    with torch.no_grad():
        today = read(policy, observations)
    return Relearned(
        before=float(distance(today[tested], old[tested])), after=float(distance(refitted, old[tested]))
    )


def _features(policy: BasePolicy, observations: Tensor) -> Tensor:
    """Give what the acting network's readout reads, shape (n, units): its last hidden layer, or, where
    `net_arch` has none, the features of the extractor or of the LSTM.
    """
    stack = readout_stack(policy)
    inside = 0 if isinstance(policy, ActorCriticPolicy | SACPolicy) else 1  # readouts in the stack itself
    if stack is None or sum(any(True for _ in part.parameters()) for part in stack) > inside:
        return activations(policy, observations)[acting_layers(policy)[-1].name]
    recorder = Recorder(always=True)
    handle = stack.register_forward_pre_hook(recorder)
    try:
        with torch.no_grad():
            read(policy, observations)
    finally:
        handle.remove()
    return recorder.take()[0]


def _before_readout(outputs: Outputs) -> Tensor:
    """Undo what the policy does behind its last linear layer, shape (n, d)."""
    location = outputs.location
    if outputs.kind == "deterministic":
        return torch.atanh(location.clamp(-EDGE, EDGE))
    if outputs.kind == "categorical":  # the level of logits is free
        return location - location.mean(dim=1, keepdim=True)
    return location


def _after_readout(kind: Kind, answer: Tensor) -> Tensor:
    """Do again what the policy does behind its last linear layer."""
    if kind == "deterministic":
        return answer.tanh()
    if kind == "categorical":
        return torch.log_softmax(answer, dim=-1)
    return answer
