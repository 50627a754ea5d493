"""The networks inside a Stable-Baselines3 policy: where their layers are, and how to exchange them."""

from __future__ import annotations

import inspect
from typing import Any

from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import ActorCriticPolicy, BasePolicy
from stable_baselines3.dqn.policies import DQNPolicy
from stable_baselines3.sac.policies import SACPolicy
from stable_baselines3.td3.policies import TD3Policy
from torch import Tensor, nn

from rover_cl_agents.step_hooks import optimizers


class DividedLayer(nn.Module):
    """What sits in the place of a linear layer, and has a part for each task."""


def acting_stack(policy: BasePolicy) -> nn.Sequential:
    """Find the acting network's stack of layers: linear layers and activations in turn.

    PPO and A2C: up to the last hidden activation (`action_net` follows). SAC: likewise (`mu` and `log_std`
    follow). DQN and TD3: the output layer is the stack's last linear one.

    Raises:
        ValueError: if the policy has no such stack.
    """
    found = readout_stack(policy)
    if found is None or not len(found):
        raise ValueError(
            f"{type(policy).__name__} has no stack of hidden layers; expected the policy of PPO, A2C, SAC, "
            "TD3 or DQN with at least one hidden layer."
        )
    return found


def readout_stack(policy: BasePolicy) -> nn.Sequential | None:
    """Find the same stack where it may be empty, as that of a CnnPolicy; None if the policy isn't known."""
    found: Any = None
    if isinstance(policy, ActorCriticPolicy):
        found = policy.mlp_extractor.policy_net
    elif isinstance(policy, SACPolicy):
        found = policy.actor.latent_pi
    elif isinstance(policy, TD3Policy):
        found = policy.actor.mu
    elif isinstance(policy, DQNPolicy):
        found = policy.q_net.q_net
    return found if isinstance(found, nn.Sequential) else None


def hidden_stacks(policy: BasePolicy) -> dict[str, nn.Sequential]:
    """Find every stack of layers that an optimiser changes, acting and valuing, by its name in the policy."""
    stacks = {
        name: module
        for name, module in policy.named_modules()
        if isinstance(module, nn.Sequential) and any(isinstance(part, nn.Linear) for part in module)
    }
    return {name: stack for name, stack in stacks.items() if "target" not in name}


def policy_tensors(algorithm: BaseAlgorithm) -> dict[str, Tensor]:
    """Give the networks' tensors and SAC's entropy coefficient, themselves and not copies."""
    tensors: dict[str, Tensor] = dict(algorithm.policy.state_dict())
    log_ent_coef = getattr(algorithm, "log_ent_coef", None)
    if isinstance(log_ent_coef, Tensor):
        tensors["log_ent_coef"] = log_ent_coef.detach()
    return tensors


def rebuild_optimizers(algorithm: BaseAlgorithm) -> None:
    """Make the optimisers anew, of the same kind and settings, over the parameters that are there now.

    Needed when layers were exchanged, added or frozen. The moments are lost, and so are hooks: exchange
    layers in `Method.bind`, `Method.on_task_start` or `Method.reshape`, before the learner attaches its own.
    """
    policy: Any = algorithm.policy
    for parameter in policy.parameters():
        # What no optimiser holds keeps its last gradient, which would count in the norm that SB3 clips.
        parameter.grad = None
    owners = (
        {"policy": policy}
        if "policy" in optimizers(algorithm)
        else {
            "actor": policy.actor,
            "critic": policy.critic,
        }
    )
    for role, owner in owners.items():
        old = optimizers(algorithm)[role]
        module = policy.q_net if isinstance(policy, DQNPolicy) else owner
        parameters = [p for p in _own_parameters(role, policy, module) if p.requires_grad]
        # torch writes settings into the defaults that not every class takes, such as AdamW's decay.
        known = inspect.signature(type(old)).parameters
        settings = {name: value for name, value in old.defaults.items() if name in known}
        owner.optimizer = type(old)(parameters, **settings)


def _own_parameters(role: str, policy: Any, module: nn.Module) -> list[nn.Parameter]:
    """The parameters of a role's optimiser; a critic leaves the shared features to the actor, as SAC does."""
    shared = role == "critic" and getattr(policy, "share_features_extractor", False)
    return [
        p for name, p in module.named_parameters() if not (shared and name.startswith("features_extractor"))
    ]
