"""Settings of the algorithms, with the values that suit a batch of rovers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from stable_baselines3 import DQN, PPO, SAC
from stable_baselines3.common.preprocessing import is_image_space
from stable_baselines3.common.utils import LinearSchedule
from stable_baselines3.common.vec_env import VecEnv
from torch import nn

from rover_cl_agents.recurrent import recurrent_ppo
from rover_cl_agents.vec_env import Env, as_vec_env

if TYPE_CHECKING:
    from sb3_contrib import RecurrentPPO

More = Mapping[str, Any]
"""What a policy is built with besides, as `ContextConfig.policy_kwargs` gives it."""
NOTHING: More = MappingProxyType({})


def _check(config: object, **ranges: tuple[float, float]) -> None:
    """Raise a ValueError for a field outside its closed range."""
    for field, (low, high) in ranges.items():
        value = getattr(config, field)
        if not low <= value <= high:
            raise ValueError(f"{field} is {value}; expected a number in [{low:g}, {high:g}].")


def _policy(vec_env: VecEnv, kind: str = "Policy") -> str:
    """Name Stable-Baselines3's policy for the observations: convolutional for pictures."""
    return ("Cnn" if is_image_space(vec_env.observation_space) else "Mlp") + kind


def _check_net(net: tuple[int, ...]) -> None:
    if not net or min(net) < 1:
        raise ValueError(f"net is {net}; expected at least one layer, each of at least 1 unit.")


@dataclass(frozen=True, kw_only=True)
class _ProximalConfig:
    """What proximal policy optimisation is set by, with or without a recurrent network."""

    n_steps: int = 64
    """Steps of each environment in a rollout, >= 1."""
    batch_size: int = 2048
    """Transitions in a minibatch at most, >= 2; lowered so that minibatches of one size make up the
    rollout."""
    n_epochs: int = 8
    """Passes over each rollout, >= 1."""
    learning_rate: float = 1e-3
    """Of Adam at a task's start, > 0."""
    final_learning_rate: float = 1e-4
    """Of Adam at a task's end, > 0; it falls in a straight line over the task's steps."""
    gamma: float = 0.98
    """Discount per step, in [0, 1]."""
    gae_lambda: float = 0.95
    """Trace of the advantage estimate, in [0, 1]."""
    clip_range: float = 0.2
    """How far an action's probability ratio may be moved, > 0."""
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
        big = float("inf")
        _check(self, n_steps=(1, big), batch_size=(2, big), n_epochs=(1, big), learning_rate=(1e-12, 1.0))
        _check(self, final_learning_rate=(1e-12, 1.0))
        _check(self, gamma=(0, 1), gae_lambda=(0, 1), clip_range=(1e-12, big), ent_coef=(0, big))
        _check(self, vf_coef=(0, big), max_grad_norm=(1e-12, big), log_std_init=(-20, 2))
        _check_net(self.net)

    def minibatch(self, num_envs: int) -> int:
        """Give the largest size up to `batch_size` of which minibatches make up a rollout of `num_envs`."""
        rollout = self.n_steps * num_envs
        parts = math.ceil(rollout / self.batch_size)
        while rollout % parts:
            parts += 1
        return rollout // parts

    def _arguments(self, num_envs: int, policy: More) -> dict[str, Any]:
        """Give the algorithm's arguments, as Stable-Baselines3 names them."""
        return {
            "n_steps": self.n_steps,
            "batch_size": self.minibatch(num_envs),
            "n_epochs": self.n_epochs,
            "learning_rate": LinearSchedule(self.learning_rate, self.final_learning_rate, 1.0),
            "gamma": self.gamma,
            "gae_lambda": self.gae_lambda,
            "clip_range": self.clip_range,
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
class PPOConfig(_ProximalConfig):
    """Proximal policy optimisation, for some hundred environments at once."""

    def build(self, env: Env, seed: int, policy: More = NOTHING) -> PPO:
        """Build the algorithm for `env`, its networks and its environment seeded with `seed`."""
        vec_env = as_vec_env(env)
        return PPO(_policy(vec_env), vec_env, seed=seed, **self._arguments(vec_env.num_envs, policy))


@dataclass(frozen=True, kw_only=True)
class RecurrentPPOConfig(_ProximalConfig):
    """Proximal policy optimisation with an LSTM before the layers, of sb3-contrib.

    The LSTM's memory spans an episode; what it learns from spans a rollout's `n_steps` at most.
    """

    lstm: int = 64
    """Units of the LSTM, >= 1; the critic has one of its own, as large."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(self, lstm=(1, float("inf")))

    def build(self, env: Env, seed: int, policy: More = NOTHING) -> RecurrentPPO:
        """Build the algorithm for `env`, its networks and its environment seeded with `seed`.

        Raises:
            ValueError: if sb3-contrib isn't installed.
        """
        vec_env = as_vec_env(env)
        arguments = self._arguments(vec_env.num_envs, {"lstm_hidden_size": self.lstm, **policy})
        return recurrent_ppo()(_policy(vec_env, "LstmPolicy"), vec_env, seed=seed, **arguments)


@dataclass(frozen=True, kw_only=True)
class SACConfig:
    """Soft actor-critic, for Box actions."""

    learning_rate: float = 3e-4
    """Of the three Adams, > 0."""
    buffer_size: int = 200_000
    """Transitions held of the task at hand, >= 1."""
    learning_starts: int = 1000
    """Steps of uniform exploration at each task's start, >= 0."""
    batch_size: int = 256
    """Transitions in a minibatch, >= 1."""
    train_freq: int = 1
    """Steps of each environment between two trainings, >= 1."""
    gradient_steps: int = 1
    """Updates in a training; -1: as many as transitions were gathered."""
    gamma: float = 0.98
    """Discount per step, in [0, 1]."""
    tau: float = 0.005
    """Share of the new weights in the target networks at each update, in (0, 1]."""
    net: tuple[int, ...] = (128, 128)
    """Units of the ReLU layers, the same for actor and critics."""

    def __post_init__(self) -> None:
        big = float("inf")
        _check(self, learning_rate=(1e-12, 1.0), buffer_size=(1, big), learning_starts=(0, big))
        _check(self, batch_size=(1, big), train_freq=(1, big), gradient_steps=(-1, big))
        _check(self, gamma=(0, 1), tau=(1e-12, 1))
        _check_net(self.net)

    def build(self, env: Env, seed: int, policy: More = NOTHING) -> SAC:
        """Build the algorithm for `env`, its networks and its environment seeded with `seed`."""
        vec_env = as_vec_env(env)
        return SAC(
            _policy(vec_env),
            vec_env,
            learning_rate=self.learning_rate,
            buffer_size=self.buffer_size,
            learning_starts=self.learning_starts,
            batch_size=self.batch_size,
            train_freq=self.train_freq,
            gradient_steps=self.gradient_steps,
            gamma=self.gamma,
            tau=self.tau,
            policy_kwargs={"net_arch": list(self.net), **policy},
            seed=seed,
            device="cpu",
        )


@dataclass(frozen=True, kw_only=True)
class DQNConfig:
    """Deep Q-learning, for Discrete actions."""

    learning_rate: float = 7e-4
    """Of Adam, > 0."""
    buffer_size: int = 200_000
    """Transitions held of the task at hand, >= 1."""
    learning_starts: int = 1000
    """Steps of exploration before the first update of a task, >= 0."""
    batch_size: int = 256
    """Transitions in a minibatch, >= 1."""
    train_freq: int = 4
    """Steps of each environment between two trainings, >= 1."""
    gradient_steps: int = 1
    """Updates in a training; -1: as many as transitions were gathered."""
    gamma: float = 0.98
    """Discount per step, in [0, 1]."""
    target_update_interval: int = 2000
    """Steps between two copies into the target network, >= 1."""
    exploration_fraction: float = 0.3
    """Share of a task over which ε falls from 1, in (0, 1]."""
    exploration_final_eps: float = 0.05
    """ε after that, in [0, 1]."""
    net: tuple[int, ...] = (128, 128)
    """Units of the ReLU layers."""

    def __post_init__(self) -> None:
        big = float("inf")
        _check(self, learning_rate=(1e-12, 1.0), buffer_size=(1, big), learning_starts=(0, big))
        _check(self, batch_size=(1, big), train_freq=(1, big), gradient_steps=(-1, big), gamma=(0, 1))
        _check(self, target_update_interval=(1, big), exploration_fraction=(1e-12, 1))
        _check(self, exploration_final_eps=(0, 1))
        _check_net(self.net)

    def build(self, env: Env, seed: int, policy: More = NOTHING) -> DQN:
        """Build the algorithm for `env`, its networks and its environment seeded with `seed`."""
        vec_env = as_vec_env(env)
        return DQN(
            _policy(vec_env),
            vec_env,
            learning_rate=self.learning_rate,
            buffer_size=self.buffer_size,
            learning_starts=self.learning_starts,
            batch_size=self.batch_size,
            train_freq=self.train_freq,
            gradient_steps=self.gradient_steps,
            gamma=self.gamma,
            target_update_interval=self.target_update_interval,
            exploration_fraction=self.exploration_fraction,
            exploration_final_eps=self.exploration_final_eps,
            policy_kwargs={"net_arch": list(self.net), **policy},
            seed=seed,
            device="cpu",
        )
