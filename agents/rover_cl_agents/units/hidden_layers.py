"""The hidden units of a policy's networks: what feeds each layer of them, and what reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from stable_baselines3.common.policies import ActorCriticPolicy, BasePolicy
from stable_baselines3.dqn.policies import DQNPolicy
from stable_baselines3.sac.policies import SACPolicy
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from rover_cl_agents.networks import DividedLayer, acting_stack, hidden_stacks
from rover_cl_agents.outputs import read
from rover_cl_agents.recurrent import acting_lstm, blank_memory

RECORDED = 4
"""Batches that a recorder holds at most between two steps."""


@dataclass(frozen=True, kw_only=True)
class HiddenLayer:
    """A layer of hidden units: linear layer, activation, and the linear layers that read it."""

    name: str
    """Of the linear layer, among the policy's modules."""
    stacks: tuple[nn.Sequential, ...]
    """The stack that holds it; then the target network's, if there is one."""
    incoming: nn.Linear
    """What feeds the units."""
    parts: range
    """Where the modules between `incoming` and its readers are in the stack: mostly one activation."""
    reader: nn.Module
    """What is given the units' values whenever they are asked: a linear layer, or one with parts."""
    outgoing: tuple[nn.Linear, ...]
    """What reads the units, in the stack or behind it: each head, where each task has its own."""
    acting: bool
    """Whether the layer is the acting network's."""

    @property
    def rectified(self) -> bool:
        """Whether the units are silent at zero, so that their size tells if they are in use."""
        modules = [m for place in self.parts for m in self.stacks[0][place].modules()]
        return any(isinstance(module, nn.ReLU) for module in modules)

    def exchange(self, place: int, make: Callable[[nn.Module], nn.Module]) -> None:
        """Put `make(module)` in the place of the stack's module number `place`, in the target's stack too."""
        for stack in self.stacks:
            stack[place] = make(stack[place])


def hidden_layers(policy: BasePolicy) -> list[HiddenLayer]:
    """List the layers of hidden units that an optimiser changes, acting and valuing, from input to output.

    A layer whose readers aren't known (in a feature extractor) is left out.
    """
    found: list[HiddenLayer] = []
    modules = dict(policy.named_modules())
    for name, stack in hidden_stacks(policy).items():
        head, _, rest = name.partition(".")
        target = modules.get(f"{head}_target.{rest}")
        stacks = (stack, target) if isinstance(target, nn.Sequential) else (stack,)
        places = [place for place, part in enumerate(stack) if isinstance(part, nn.Linear | DividedLayer)]
        for place, following in zip(places, [*places[1:], len(stack)], strict=True):
            incoming = stack[place]
            readers = (stack[following],) if following < len(stack) else _heads(policy, name)
            parts = range(place + 1, following)
            if readers and parts and isinstance(incoming, nn.Linear):
                found.append(
                    HiddenLayer(
                        name=f"{name}.{place}",
                        stacks=stacks,
                        incoming=incoming,
                        parts=parts,
                        reader=readers[0],
                        outgoing=tuple(linear for reader in readers for linear in _linears(reader)),
                        acting=stack is acting_stack(policy),
                    )
                )
    return found


def _linears(reader: nn.Module) -> tuple[nn.Linear, ...]:
    """Give the linear layers that a reader is or holds."""
    return tuple(module for module in reader.modules() if isinstance(module, nn.Linear))


def _heads(policy: Any, stack: str) -> tuple[nn.Module, ...]:
    """Find the linear layers that read a stack's last hidden layer from outside."""
    heads: tuple[Any, ...] = ()
    if isinstance(policy, ActorCriticPolicy) and stack == "mlp_extractor.policy_net":
        heads = (policy.action_net,)
    elif isinstance(policy, ActorCriticPolicy) and stack == "mlp_extractor.value_net":
        heads = (policy.value_net,)
    elif isinstance(policy, SACPolicy) and stack == "actor.latent_pi":
        heads = (policy.actor.mu, policy.actor.log_std)
    return tuple(head for head in heads if isinstance(head, nn.Linear | DividedLayer))


def acting_layers(policy: BasePolicy) -> list[HiddenLayer]:
    """List the acting network's layers of hidden units, from input to output.

    Raises:
        ValueError: if it has none, or they are divided among the tasks.
    """
    stack = acting_stack(policy)
    found = [layer for layer in hidden_layers(policy) if layer.acting]
    if not found and any(isinstance(part, DividedLayer) for part in stack):
        raise ValueError(
            f"the acting network of {type(policy).__name__} has its hidden layers divided among the tasks; "
            "expected layers that all tasks share, as without a method or with HeadBank."
        )
    if not found:
        raise ValueError(
            f"the acting network of {type(policy).__name__} has no hidden layer; expected at least one "
            "(net_arch in policy_kwargs)."
        )
    return found


@torch.no_grad()
def activations(policy: BasePolicy, observations: Tensor) -> dict[str, Tensor]:
    """Read every layer of hidden units, as the next layer is given them.

    Critics that want an action are given the policy's own.

    Args:
        policy: The policy of a PPO, A2C, SAC, TD3 or DQN.
        observations: Shape (n, *observation).

    Returns:
        By the layer's name, shape (n, units).
    """
    recorders = {layer.name: (layer.reader, Recorder(always=True)) for layer in hidden_layers(policy)}
    handles = [reader.register_forward_pre_hook(recorder) for reader, recorder in recorders.values()]
    try:
        read(policy, observations)
        _value(policy, observations)
    finally:
        for handle in handles:
            handle.remove()
    return {name: recorder.take()[0] for name, (_, recorder) in recorders.items()}


def _value(policy: Any, observations: Tensor) -> None:
    """Run the networks that only value; DQN's acts as well."""
    if acting_lstm(policy) is not None:  # as `read` answers: at an episode's first step
        policy.predict_values(observations, *blank_memory(policy, len(observations)))
    elif isinstance(policy, ActorCriticPolicy):
        policy.predict_values(observations)
    elif not isinstance(policy, DQNPolicy):
        policy.critic(observations, policy._predict(observations, deterministic=True))


class Recorder:
    """A hook that keeps what a module is given while its network is trained.

    It holds no reference to a network or method, so that a copy of a watched network is harmless.

    Args:
        always: Keep it at every call, not in training with gradients alone.
    """

    def __init__(self, *, always: bool = False) -> None:
        self._always = always
        self._inputs: list[Tensor] = []

    def __call__(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        """Keep the first input, without its graph."""
        if len(self._inputs) < RECORDED and (self._always or (module.training and torch.is_grad_enabled())):
            self._inputs.append(inputs[0].detach())

    def take(self) -> list[Tensor]:
        """Give the batches kept since the last call, oldest first, each of shape (n, units); forget them."""
        taken, self._inputs = self._inputs, []
        return taken


class UnitWatch:
    """Watches the hidden units of some layers while they are trained."""

    def __init__(self) -> None:
        self._recorders: list[Recorder] = []
        self._handles: list[RemovableHandle] = []

    def attach(self, layers: list[HiddenLayer]) -> None:
        """Watch `layers`, and what was watched before no more."""
        self.detach()
        self._recorders = [Recorder() for _ in layers]
        self._handles = [
            layer.reader.register_forward_pre_hook(recorder)
            for layer, recorder in zip(layers, self._recorders, strict=True)
        ]

    def detach(self) -> None:
        """Watch nothing."""
        for handle in self._handles:
            handle.remove()
        self._recorders, self._handles = [], []

    def take(self) -> list[Tensor | None]:
        """Give what each layer's units did since the last call, shape (n, units); None for nothing.

        Several batches of a step, such as a replay's, are joined: a unit that old tasks use is in use.
        """
        batches = [recorder.take() for recorder in self._recorders]
        return [torch.cat(found) if found else None for found in batches]
