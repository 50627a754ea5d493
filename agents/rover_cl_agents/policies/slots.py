"""The places in a policy's acting network where its linear layers sit."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from gymnasium import spaces
from stable_baselines3.common.policies import ActorCriticPolicy, BasePolicy
from torch import nn

from rover_cl_agents.networks import acting_stack
from rover_cl_agents.outputs import linear_layers
from rover_cl_agents.policies.parted import PartedLinear

HIDDEN_GAIN, HEAD_GAIN = 2**0.5, 0.01
"""Of Stable-Baselines3's orthogonal start for on-policy networks."""


@dataclass(frozen=True, kw_only=True)
class Slot:
    """One of these places."""

    name: str
    """Of the layer, among the policy's modules."""
    twin: str | None
    """The same place in the target network (DQN, TD3), which must be built alike; None without one."""
    first: bool
    """The observations come in here."""
    head: bool
    """The actions, their spread or their values come out here."""
    gain: float | None
    """Of a fresh layer's orthogonal start; None: PyTorch's own."""


def acting_layers(policy: BasePolicy) -> list[str]:
    """Name the linear layers of the acting network among the policy's modules, in the order of their use.

    Raises:
        ValueError: if another layer with parameters takes part, or the observations are a dictionary.
    """
    space = policy.observation_space
    if isinstance(space, spaces.Dict):
        raise ValueError(
            "observation_space is a Dict; expected a Box or Discrete space. "
            "Wrap the environment in gymnasium.wrappers.FlattenObservation."
        )
    return list(linear_layers(policy, torch.zeros((1, *(space.shape or ())), device=policy.device)))


def acting_slots(policy: BasePolicy) -> list[Slot]:
    """List the acting network's linear layers, in the order of their use.

    Raises:
        ValueError: if the network has other layers with parameters, features that are learned, no hidden
            layer, or layers that another method has divided.
    """
    if any(isinstance(module, PartedLinear) for module in policy.modules()):
        raise ValueError("another method has divided the network among the tasks; take one such method.")
    names = acting_layers(policy)
    learned = [name for name in names if "features_extractor" in name]
    if learned:
        raise ValueError(
            f"the features are learned ({', '.join(learned)}); expected an acting network fed with the "
            "observations themselves, as MlpPolicy's is."
        )
    inside, modules = set(acting_stack(policy).modules()), dict(policy.named_modules())
    heads = [name for name in names if modules[name] not in inside] or names[-1:]
    if len(heads) == len(names):
        raise ValueError(f"the acting network is {names}; expected a hidden layer before the head.")
    return [_slot(policy, name, first=name == names[0], head=name in heads) for name in names]


def _slot(policy: BasePolicy, name: str, *, first: bool, head: bool) -> Slot:
    network, _, rest = name.partition(".")
    twin = f"{network}_target.{rest}" if hasattr(policy, f"{network}_target") else None
    orthogonal = isinstance(policy, ActorCriticPolicy) and policy.ortho_init
    gain = (HEAD_GAIN if head else HIDDEN_GAIN) if orthogonal else None
    return Slot(name=name, twin=twin, first=first, head=head, gain=gain)


def linear_at(policy: BasePolicy, name: str) -> nn.Linear:
    """Give the linear layer of this name."""
    layer = policy.get_submodule(name)
    assert isinstance(layer, nn.Linear), "slots are where linear layers sit"
    return layer


def exchange(policy: BasePolicy, name: str, layer: nn.Module) -> None:
    """Put `layer` in the place of this name, in the same position among the parameters."""
    home, _, own = name.rpartition(".")
    setattr(policy.get_submodule(home), own, layer)
