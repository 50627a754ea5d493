"""One way to read what a policy would do, for PPO, A2C, SAC, TD3, DQN and RecurrentPPO."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.distributions import CategoricalDistribution, DiagGaussianDistribution
from stable_baselines3.common.policies import ActorCriticPolicy, BaseModel, BasePolicy
from stable_baselines3.dqn.policies import DQNPolicy
from stable_baselines3.sac.policies import SACPolicy
from stable_baselines3.td3.policies import TD3Policy
from torch import Tensor, nn
from torch.nn import functional

from rover_cl_agents.recurrent import acting_lstm

Kind = Literal["gaussian", "categorical", "deterministic", "values"]
KINDS: tuple[Kind, ...] = ("gaussian", "categorical", "deterministic", "values")

TD3_SCALE = 0.2
"""The action distance that counts as one for a policy without a spread: TD3's own smoothing noise."""


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """A policy's answer to a batch of observations, before any sampling."""

    kind: Kind
    """`gaussian` PPO, A2C and SAC (before the squashing), `categorical`, `deterministic` TD3, `values`
    DQN."""
    location: Tensor  # (batch, d)
    """Mean, log-probabilities, action, or action values less their mean over actions."""
    log_scale: Tensor | None = None  # (batch, d)
    """Log of the distance that counts as one; None for `categorical`, whose distance is a divergence."""

    def detach(self) -> Outputs:
        """Give the same outputs without their graph, in memory of their own."""
        scale = None if self.log_scale is None else self.log_scale.detach().clone()
        return Outputs(kind=self.kind, location=self.location.detach().clone(), log_scale=scale)

    def __getitem__(self, index: Tensor) -> Outputs:
        """Give the outputs for some of the observations."""
        scale = None if self.log_scale is None else rows_at(self.log_scale, index)
        return Outputs(kind=self.kind, location=rows_at(self.location, index), log_scale=scale)


def distance(current: Outputs, cached: Outputs) -> Tensor:
    """How far a policy has moved from its cached answers, mean over the batch.

    Gaussian and deterministic: sum over dimensions of (μ − μ*)² / (2 σ*²), i.e. the KL divergence of equal
    spreads. The spread itself isn't held: a new task may explore as it likes. Categorical: KL(cached ‖
    current). Values: as Gaussian, on centred action values, in units of their size over the cached task;
    the level of the values is free.

    Args:
        current: The outputs now, with their graph.
        cached: The outputs to keep, of the same kind and shape.

    Returns:
        A scalar >= 0.

    Raises:
        ValueError: if the two are of different kinds.

    Source: Wolczyk et al. 2022, "Disentangling transfer in continual RL" (ClonEx), with the mean's part of
    the KL.
    """
    if current.kind != cached.kind:
        raise ValueError(f"cached outputs are {cached.kind!r}, the policy now gives {current.kind!r}.")
    if cached.log_scale is None:
        return functional.kl_div(current.location, cached.location, reduction="batchmean", log_target=True)
    return 0.5 * ((current.location - cached.location) * torch.exp(-cached.log_scale)).square().sum(-1).mean()


def actor_role(policy: BasePolicy) -> str:
    """Name the optimiser that trains the acting network: `"policy"` or `"actor"`."""
    return "actor" if isinstance(policy, SACPolicy | TD3Policy) else "policy"


def read(policy: BasePolicy, observations: Tensor) -> Outputs:
    """Ask `policy` for its outputs, differentiably, and as tensors that no later call overwrites.

    Args:
        policy: The policy of a PPO, A2C, SAC, TD3 or DQN; that of a RecurrentPPO answers as at an episode's
            first step, remembering nothing.
        observations: On the policy's device, shape (batch, *observation), as the algorithm feeds them.

    Raises:
        ValueError: if the policy's outputs aren't of a kind that this module knows.
    """
    if isinstance(policy, ActorCriticPolicy):
        return _read_actor_critic(policy, observations)
    if isinstance(policy, SACPolicy) and not policy.actor.use_sde:
        mean, log_std, _ = policy.actor.get_action_dist_params(observations)
        return Outputs(kind="gaussian", location=mean, log_scale=log_std)
    if isinstance(policy, TD3Policy):
        action = policy.actor(observations)
        return Outputs(
            kind="deterministic", location=action, log_scale=torch.full_like(action, TD3_SCALE).log()
        )
    if isinstance(policy, DQNPolicy):
        values = policy.q_net(observations)
        centred = values - values.mean(dim=1, keepdim=True)
        size = centred.detach().square().mean().sqrt().clamp_min(1e-6)
        return Outputs(kind="values", location=centred, log_scale=size.log().expand_as(centred))
    raise ValueError(
        f"no outputs known for {type(policy).__name__}; expected the policy of PPO, A2C, SAC, TD3 or DQN, "
        "with use_sde=False."
    )


def _read_actor_critic(policy: ActorCriticPolicy, observations: Tensor) -> Outputs:
    """Run the actor's half of an on-policy network alone."""
    features = BaseModel.extract_features(policy, observations, policy.pi_features_extractor)
    lstm = acting_lstm(policy)
    if lstm is not None:
        features = lstm(features.unsqueeze(0))[0].squeeze(0)  # sequences of one step, from a state of zeros
    answer = policy.action_net(policy.mlp_extractor.forward_actor(features))
    if isinstance(policy.action_dist, DiagGaussianDistribution):
        return Outputs(kind="gaussian", location=answer, log_scale=policy.log_std.expand_as(answer))
    if isinstance(policy.action_dist, CategoricalDistribution):
        return Outputs(kind="categorical", location=torch.log_softmax(answer, dim=-1))
    raise ValueError(
        f"no outputs known for {type(policy.action_dist).__name__}; expected a Box or Discrete action space, "
        "with use_sde=False."
    )


def to_tensor(policy: BasePolicy, observations: NDArray[Any]) -> Tensor:
    """Put a batch of observations, shape (batch, *observation), on the policy's device."""
    return torch.as_tensor(observations, device=policy.device)


def rows_at(tensor: Tensor, index: Tensor) -> Tensor:
    """Give some rows of `tensor`, on its device. Methods draw the index, shape (k,), on the CPU, so that the
    draws are the same wherever the networks are.
    """
    return tensor.index_select(0, index.to(tensor.device))


def acts(algorithm: BaseAlgorithm) -> bool:
    """Say whether `act` knows how this algorithm's policy acts; `algorithm.predict` knows it of every one."""
    policy, space = algorithm.policy, algorithm.action_space
    if isinstance(algorithm.observation_space, spaces.Dict) or not isinstance(
        space, spaces.Box | spaces.Discrete
    ):
        return False
    if isinstance(policy, ActorCriticPolicy):
        return isinstance(policy.action_dist, DiagGaussianDistribution | CategoricalDistribution)
    if isinstance(policy, SACPolicy):
        return not policy.actor.use_sde
    return isinstance(policy, TD3Policy | DQNPolicy)


@torch.no_grad()
def act(algorithm: BaseAlgorithm, observations: NDArray[Any]) -> NDArray[Any]:
    """Act greedily: one forward pass of the acting network, nothing else.

    Args:
        algorithm: PPO, A2C, SAC, TD3 or DQN.
        observations: Shape (n, *observation), as the algorithm feeds them.

    Returns:
        Actions, shape (n, *action), inside the action space; the same as
        `algorithm.predict(deterministic=True)`.
    """
    policy, space = algorithm.policy, algorithm.action_space
    outputs = read(policy, to_tensor(policy, observations))
    if isinstance(space, spaces.Discrete):
        best: NDArray[Any] = outputs.location.argmax(dim=1).cpu().numpy() + space.start
        return best
    if not isinstance(space, spaces.Box):
        raise ValueError(f"action_space is {space}; expected a Box or Discrete space.")
    squashed = isinstance(policy, SACPolicy)
    location = outputs.location.tanh() if squashed else outputs.location
    actions: NDArray[Any] = location.cpu().numpy().reshape(-1, *space.shape)
    if squashed or isinstance(policy, TD3Policy):
        scaled: NDArray[Any] = policy.unscale_action(actions)
        return scaled
    clipped: NDArray[Any] = np.clip(actions, space.low, space.high)
    return clipped


def linear_layers(policy: BasePolicy, observations: Tensor) -> dict[str, nn.Linear]:
    """Find the linear layers that the acting network uses, by the names of the policy's modules.

    Raises:
        ValueError: if a layer with parameters that isn't linear takes part: naming it, since whatever
            relies on the list would silently leave that layer out.
    """
    used: dict[str, nn.Linear] = {}
    foreign: list[str] = []

    def note(name: str, module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            used[name] = module
        elif list(module.parameters(recurse=False)) and not isinstance(module, BasePolicy):
            foreign.append(f"{name} ({type(module).__name__})")

    handles = [
        module.register_forward_hook(lambda m, _i, _o, name=name: note(name, m))
        for name, module in policy.named_modules()
    ]
    try:
        with torch.no_grad():
            read(policy, observations[:1])
    finally:
        for handle in handles:
            handle.remove()
    if foreign:
        raise ValueError(f"the acting network has layers that aren't linear: {', '.join(foreign)}.")
    return used
