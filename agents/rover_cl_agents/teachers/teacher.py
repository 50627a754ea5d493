"""A teacher: the acting network with older weights."""

from __future__ import annotations

import numpy as np
import torch
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.preprocessing import get_obs_shape
from torch import Tensor, nn

from rover_cl_agents.networks import DividedLayer
from rover_cl_agents.outputs import Outputs, read, to_tensor


class Teacher:
    """Weights that the acting network had, and the answers that it gives with them.

    Only the acting network's parameters are held (and the spread's): the network itself is the student's,
    run with the teacher's weights in place of its own for the length of one call. So nothing is built anew,
    which would draw from torch's global generator, and nothing is deep-copied, which fails for a trained
    PPO. The layers must keep their names and shapes while a teacher of them is held.

    Args:
        policy: The policy of a PPO, A2C, SAC, TD3 or DQN.
    """

    def __init__(self, policy: BasePolicy) -> None:
        self._policy = policy
        self._reader = _Reader(policy)
        self._weights: dict[str, Tensor] = {}

    @property
    def ready(self) -> bool:
        """True once weights were copied."""
        return bool(self._weights)

    @property
    def bytes(self) -> int:
        """Exactly what is held [bytes]."""
        return sum(tensor.numel() * tensor.element_size() for tensor in self._weights.values())

    def copy(self) -> None:
        """Take over the student's weights as they are."""
        found = acting_parameters(self._policy)
        self._weights = {name: parameter.detach().clone() for name, parameter in found.items()}

    @torch.no_grad()
    def follow(self, decay: float) -> None:
        """Move to decay × its own weights + (1 − decay) × the student's.

        Args:
            decay: In [0, 1]; 1 stays, 0 copies.

        Source: Tarvainen and Valpola 2017, "Mean teachers are better role models", section 2.
        """
        now = dict(self._policy.named_parameters())
        own = list(self._weights.values())
        torch._foreach_lerp_(own, [now[name].detach() for name in self._weights], 1.0 - decay)

    @torch.no_grad()
    def answer(self, observations: Tensor) -> Outputs:
        """Give the outputs with the teacher's weights, without a graph.

        Args:
            observations: On the policy's device, shape (n, *observation).

        Raises:
            ValueError: if no weights were copied yet.
        """
        if not self._weights:
            raise ValueError("the teacher has no weights: copy the student first.")
        weights = {f"policy.{name}": tensor for name, tensor in self._weights.items()}
        # Untied: a module of several names, as features that actor and critic share, would be exchanged once
        # for each, and so be left with the teacher's weights.
        outputs: Outputs = torch.func.functional_call(
            self._reader, weights, (observations,), tie_weights=False
        )
        return outputs

    def state_dict(self) -> dict[str, Tensor]:
        """Give the weights by name, `teacher.<parameter>`."""
        return {f"teacher.{name}": tensor for name, tensor in self._weights.items()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take back what `state_dict` gave; an empty one is that of a teacher without weights.

        Raises:
            ValueError: if the names or shapes aren't those of the acting network.
        """
        weights = {key.removeprefix("teacher."): tensor for key, tensor in state.items()}
        known = dict(self._policy.named_parameters())
        lacking = self._undivided() - set(weights) if weights else set()
        odd = sorted(lacking | (set(weights) - set(known)))
        if odd:
            side = "lacks" if odd[0] in known else "has an unknown"
            raise ValueError(f"the state of a teacher {side} weight {odd[0]!r} for this policy.")
        for name, tensor in weights.items():
            if tensor.shape != known[name].shape:
                raise ValueError(
                    f"the teacher's {name!r} has shape {tuple(tensor.shape)}; "
                    f"expected {tuple(known[name].shape)}."
                )
        self._weights = {n: tensor.detach().clone().to(known[n].device) for n, tensor in weights.items()}

    def _undivided(self) -> set[str]:
        """Name the acting weights that every teacher has; parts may have come in after it was copied."""
        divided = [n for n, module in self._policy.named_modules() if isinstance(module, DividedLayer)]
        parts = tuple(f"{name}." for name in divided)
        return {name for name in acting_parameters(self._policy) if not name.startswith(parts)}


class _Reader(nn.Module):
    """`read` as a module, so that torch can call it with other weights."""

    def __init__(self, policy: BasePolicy) -> None:
        super().__init__()
        self.policy = policy

    def forward(self, observations: Tensor) -> Outputs:
        return read(self.policy, observations)


def probe(policy: BasePolicy) -> Tensor:
    """Make one observation of zeros, shape (1, *observation), on the policy's device."""
    shape = get_obs_shape(policy.observation_space)
    if not isinstance(shape, tuple):
        raise ValueError(
            f"observation_space is {policy.observation_space}; expected a Box or Discrete space."
        )
    return to_tensor(policy, np.zeros((1, *shape), dtype=np.float32))


def acting_parameters(policy: BasePolicy) -> dict[str, nn.Parameter]:
    """Find the parameters that the policy's outputs depend on, by name: any layers, frozen ones too.

    A policy's own parameters count (the spread `log_std` of PPO and A2C), value networks don't.
    """
    used: set[int] = {id(parameter) for parameter in policy.parameters(recurse=False)}

    def note(module: nn.Module) -> None:
        used.update(id(parameter) for parameter in module.parameters(recurse=False))

    handles = [m.register_forward_hook(lambda module, _i, _o: note(module)) for m in policy.modules()]
    try:
        with torch.no_grad():
            read(policy, probe(policy))
    finally:
        for handle in handles:
            handle.remove()
    return {name: parameter for name, parameter in policy.named_parameters() if id(parameter) in used}
