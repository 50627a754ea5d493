"""Settings of PPO, RecurrentPPO and A2C that suit a batch of rovers, and how to build them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stable_baselines3 import A2C, PPO
from stable_baselines3.common.utils import LinearSchedule
from torch import nn

from rover_cl_agents.presets.preset import LEAST, NOTHING, UNBOUNDED, More, check, check_net, policy_name
from rover_cl_agents.recurrent import recurrent_ppo
from rover_cl_agents.vec_env import Env, as_vec_env

if TYPE_CHECKING:
    from sb3_contrib import RecurrentPPO


@dataclass(frozen=True, kw_only=True)
class _ActorCriticConfig:
    """What all three are set by."""

    n_steps: int = 64
    """Steps of each environment in a rollout, >= 1."""
    learning_rate: float = 1e-3
    """Of the optimiser at a task's start, > 0."""
    final_learning_rate: float = 1e-4
    """Of the optimiser at a task's end, > 0; it falls in a straight line over the task's steps."""
    gamma: float = 0.98
    """Discount per step, in [0, 1]."""
    gae_lambda: float = 0.95
    """Trace of the advantage estimate, in [0, 1]."""
    ent_coef: float = 0.002
    """Weight of the policy's entropy, >= 0."""
    vf_coef: float = 0.5
    """Weight of the value loss, >= 0."""
    max_grad_norm: float = 0.5
    """Bound on the gradient's norm, > 0."""
    log_std_init: float = 0.0
    """Log of the exploration spread at a task's start (Box actions)."""
    net: tuple[int, ...] = (128, 128)
    """Units of the tanh layers, the same for the policy's network and the value network."""

    def __post_init__(self) -> None:
        check(self, n_steps=(1, UNBOUNDED), learning_rate=(LEAST, 1), final_learning_rate=(LEAST, 1))
        check(self, gamma=(0, 1), gae_lambda=(0, 1), ent_coef=(0, UNBOUNDED), vf_coef=(0, UNBOUNDED))
        check(self, max_grad_norm=(LEAST, UNBOUNDED), log_std_init=(-20, 2))
        check_net(self.net)

    def _arguments(self, num_envs: int, policy: More) -> dict[str, Any]:
        """Give the algorithm's arguments for `num_envs` environments, as Stable-Baselines3 names them."""
        return {
            "n_steps": self.n_steps,
            "learning_rate": LinearSchedule(self.learning_rate, self.final_learning_rate, 1.0),
            "gamma": self.gamma,
            "gae_lambda": self.gae_lambda,
            "ent_coef": self.ent_coef,
            "vf_coef": self.vf_coef,
            "max_grad_norm": self.max_grad_norm,
            "policy_kwargs": {
                "net_arch": {"pi": list(self.net), "vf": list(self.net)},
                "activation_fn": nn.Tanh,
                "log_std_init": self.log_std_init,
                **policy,
            },
            "device": "cpu",
        }


@dataclass(frozen=True, kw_only=True)
class _ProximalConfig(_ActorCriticConfig):
    """What proximal policy optimisation is set by, with or without a recurrent network."""

    batch_size: int = 2048
    """Transitions in a minibatch at most, >= 2; lowered so that minibatches of one size make up the
    rollout."""
    n_epochs: int = 8
    """Passes over each rollout, >= 1."""
    clip_range: float = 0.2
    """How far an action's probability ratio may be moved, > 0."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self, batch_size=(2, UNBOUNDED), n_epochs=(1, UNBOUNDED), clip_range=(LEAST, UNBOUNDED))

    def minibatch(self, num_envs: int) -> int:
        """Give the largest size up to `batch_size` of which minibatches make up a rollout of `num_envs`."""
        rollout = self.n_steps * num_envs
        parts = math.ceil(rollout / self.batch_size)
        while rollout % parts:
            parts += 1
        return rollout // parts

    def _arguments(self, num_envs: int, policy: More) -> dict[str, Any]:
        minibatches = {"batch_size": self.minibatch(num_envs), "n_epochs": self.n_epochs}
        return {**super()._arguments(num_envs, policy), **minibatches, "clip_range": self.clip_range}


@dataclass(frozen=True, kw_only=True)
class PPOConfig(_ProximalConfig):
    """Proximal policy optimisation, for some hundred environments at once."""

    def build(self, env: Env, seed: int, policy: More = NOTHING) -> PPO:
        """Build the algorithm for `env`, its networks and its environment seeded with `seed`."""
        vec_env = as_vec_env(env)
        return PPO(policy_name(vec_env), vec_env, seed=seed, **self._arguments(vec_env.num_envs, policy))


@dataclass(frozen=True, kw_only=True)
class RecurrentPPOConfig(_ProximalConfig):
    """Proximal policy optimisation with an LSTM before the layers, of sb3-contrib.

    The LSTM's memory spans an episode; what it learns from spans a rollout's `n_steps` at most.
    """

    lstm: int = 64
    """Units of the LSTM, >= 1; the critic has one of its own, as large."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self, lstm=(1, UNBOUNDED))

    def build(self, env: Env, seed: int, policy: More = NOTHING) -> RecurrentPPO:
        """Build the algorithm for `env`, its networks and its environment seeded with `seed`.

        Raises:
            ValueError: if sb3-contrib isn't installed.
        """
        vec_env = as_vec_env(env)
        arguments = self._arguments(vec_env.num_envs, {"lstm_hidden_size": self.lstm, **policy})
        return recurrent_ppo()(policy_name(vec_env, "LstmPolicy"), vec_env, seed=seed, **arguments)


@dataclass(frozen=True, kw_only=True)
class A2CConfig(_ActorCriticConfig):
    """Advantage actor-critic: one update of the whole batch after every few steps."""

    n_steps: int = 8
    """Steps of each environment in a rollout, >= 1."""
    learning_rate: float = 2e-3
    """Of RMSprop at a task's start, > 0."""
    final_learning_rate: float = 2e-4
    """Of RMSprop at a task's end, > 0; it falls in a straight line over the task's steps."""

    def build(self, env: Env, seed: int, policy: More = NOTHING) -> A2C:
        """Build the algorithm for `env`, its networks and its environment seeded with `seed`."""
        vec_env = as_vec_env(env)
        return A2C(policy_name(vec_env), vec_env, seed=seed, **self._arguments(vec_env.num_envs, policy))
