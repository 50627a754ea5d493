"""Settings of SAC, TD3 and DQN that suit a batch of rovers, and how to build them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from stable_baselines3 import DQN, SAC, TD3
from stable_baselines3.common.noise import NormalActionNoise

from rover_cl_agents.presets.preset import LEAST, NOTHING, UNBOUNDED, More, check, check_net, policy_name
from rover_cl_agents.vec_env import Env, as_vec_env


@dataclass(frozen=True, kw_only=True)
class _ReplayedConfig:
    """What all three are set by."""

    learning_rate: float = 1e-3
    """Of each Adam, > 0."""
    buffer_size: int = 200_000
    """Transitions held of the task at hand, >= 1."""
    learning_starts: int = 1000
    """Steps of exploration before the first update of a task, >= 0."""
    batch_size: int = 256
    """Transitions in a minibatch, >= 1."""
    train_freq: int = 1
    """Steps of each environment between two trainings, >= 1."""
    gradient_steps: int = 1
    """Updates in a training; -1: as many as transitions were gathered."""
    gamma: float = 0.98
    """Discount per step, in [0, 1]."""
    net: tuple[int, ...] = (128, 128)
    """Units of the ReLU layers, the same for all networks."""

    def __post_init__(self) -> None:
        check(self, learning_rate=(LEAST, 1.0), buffer_size=(1, UNBOUNDED), learning_starts=(0, UNBOUNDED))
        check(self, batch_size=(1, UNBOUNDED), train_freq=(1, UNBOUNDED), gradient_steps=(-1, UNBOUNDED))
        check(self, gamma=(0, 1))
        check_net(self.net)

    def _arguments(self, policy: More) -> dict[str, Any]:
        """Give the algorithm's arguments, as Stable-Baselines3 names them."""
        return {
            "learning_rate": self.learning_rate,
            "buffer_size": self.buffer_size,
            "learning_starts": self.learning_starts,
            "batch_size": self.batch_size,
            "train_freq": self.train_freq,
            "gradient_steps": self.gradient_steps,
            "gamma": self.gamma,
            "policy_kwargs": {"net_arch": list(self.net), **policy},
            "device": "cpu",
        }


@dataclass(frozen=True, kw_only=True)
class SACConfig(_ReplayedConfig):
    """Soft actor-critic, for Box actions."""

    entropy: float = 0.005
    """Weight of the policy's entropy to begin with, > 0; from there it is tuned. Stable-Baselines3 begins at
    1, from which the few updates of a task with hundreds of environments hardly bring it down."""
    tau: float = 0.005
    """Share of the new weights in the target networks at each update, in (0, 1]."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self, entropy=(LEAST, UNBOUNDED), tau=(LEAST, 1))

    def build(self, env: Env, seed: int, policy: More = NOTHING) -> SAC:
        """Build the algorithm for `env`, its networks and its environment seeded with `seed`."""
        vec_env = as_vec_env(env)
        own: dict[str, Any] = {"ent_coef": f"auto_{self.entropy}", "tau": self.tau}
        return SAC(policy_name(vec_env), vec_env, seed=seed, **own, **self._arguments(policy))


@dataclass(frozen=True, kw_only=True)
class TD3Config(_ReplayedConfig):
    """Twin delayed deep deterministic policy gradient, for Box actions."""

    tau: float = 0.005
    """Share of the new weights in the target networks at each update, in (0, 1]."""
    policy_delay: int = 2
    """Updates of the critics to one of the actor, >= 1."""
    noise: float = 0.2
    """Spread of the Gaussian noise added to the actions, in their own units, >= 0; 0 explores nothing."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self, tau=(LEAST, 1), policy_delay=(1, UNBOUNDED), noise=(0, UNBOUNDED))

    def build(self, env: Env, seed: int, policy: More = NOTHING) -> TD3:
        """Build the algorithm for `env`, its networks and its environment seeded with `seed`."""
        vec_env = as_vec_env(env)
        spread = np.full(vec_env.action_space.shape or (1,), self.noise)
        noise = NormalActionNoise(np.zeros_like(spread), spread) if self.noise > 0 else None
        own: dict[str, Any] = {"tau": self.tau, "policy_delay": self.policy_delay, "action_noise": noise}
        return TD3(policy_name(vec_env), vec_env, seed=seed, **own, **self._arguments(policy))


@dataclass(frozen=True, kw_only=True)
class DQNConfig(_ReplayedConfig):
    """Deep Q-learning, for Discrete actions."""

    learning_rate: float = 7e-4
    """Of Adam, > 0."""
    train_freq: int = 4
    """Steps of each environment between two trainings, >= 1."""
    target_update_interval: int = 2000
    """Steps between two copies into the target network, >= 1."""
    exploration_fraction: float = 0.3
    """Share of a task over which ε falls from 1, in (0, 1]."""
    exploration_final_eps: float = 0.05
    """ε after that, in [0, 1]."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self, target_update_interval=(1, UNBOUNDED))
        check(self, exploration_fraction=(LEAST, 1), exploration_final_eps=(0, 1))

    def build(self, env: Env, seed: int, policy: More = NOTHING) -> DQN:
        """Build the algorithm for `env`, its networks and its environment seeded with `seed`."""
        vec_env = as_vec_env(env)
        return DQN(
            policy_name(vec_env),
            vec_env,
            seed=seed,
            target_update_interval=self.target_update_interval,
            exploration_fraction=self.exploration_fraction,
            exploration_final_eps=self.exploration_final_eps,
            **self._arguments(policy),
        )
