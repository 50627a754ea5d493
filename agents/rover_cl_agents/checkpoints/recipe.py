"""How an algorithm was built, as JSON, so that a checkpoint can build it again without pickles."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import stable_baselines3
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.buffers import (
    DictReplayBuffer,
    DictRolloutBuffer,
    NStepReplayBuffer,
    ReplayBuffer,
    RolloutBuffer,
)
from stable_baselines3.common.noise import NormalActionNoise, VectorizedActionNoise
from stable_baselines3.common.sb2_compat.rmsprop_tf_like import RMSpropTFLike
from stable_baselines3.common.utils import ConstantSchedule, FloatSchedule, LinearSchedule

from rover_cl_agents.context.attention import AttentionWindow
from rover_cl_agents.recurrent import recurrent_ppo
from rover_cl_agents.vec_env import Env, as_vec_env

ALGORITHMS: dict[str, Callable[[], type[BaseAlgorithm]]] = {
    "A2C": lambda: stable_baselines3.A2C,
    "DDPG": lambda: stable_baselines3.DDPG,
    "DQN": lambda: stable_baselines3.DQN,
    "PPO": lambda: stable_baselines3.PPO,
    "SAC": lambda: stable_baselines3.SAC,
    "TD3": lambda: stable_baselines3.TD3,
    "RecurrentPPO": recurrent_ppo,
}
"""What can be built from a checkpoint alone; how to get the class, which may not be installed."""

CLASSES: dict[str, type] = {
    c.__name__: c
    for c in (
        DictReplayBuffer,
        DictRolloutBuffer,
        NStepReplayBuffer,
        ReplayBuffer,
        RolloutBuffer,
        RMSpropTFLike,
    )
}
"""Classes of Stable-Baselines3 that its own settings refer to."""

# Of this run, not of the algorithm; or, from rms_prop_eps on, what A2C has turned into policy_kwargs.
LEFT_OUT = {"self", "env", "policy", "_init_setup_model", "tensorboard_log", "verbose", "seed", "device"}
LEFT_OUT |= {"stats_window_size", "rms_prop_eps", "use_rms_prop"}


def write_recipe(algorithm: BaseAlgorithm) -> dict[str, Any]:
    """Describe `algorithm`: its class, policy and settings, and the settings that JSON can't hold.

    Returns:
        `algorithm`, `policy`, `settings`, and `unwritten`, the names of settings for which `algorithm` must
        be built by hand.
    """
    settings, unwritten = {}, []
    for name in inspect.signature(type(algorithm).__init__).parameters:
        if name in LEFT_OUT or (name == "replay_buffer_class" and _chosen_by_itself(algorithm)):
            continue
        try:
            settings[name] = _write(getattr(algorithm, name))
        except (AttributeError, TypeError):
            unwritten.append(name)
    name = type(algorithm).__name__
    policy = next((k for k, v in algorithm.policy_aliases.items() if v is algorithm.policy_class), None)
    if name not in ALGORITHMS or ALGORITHMS[name]() is not type(algorithm):
        unwritten.append("algorithm")
    if policy is None:
        unwritten.append("policy")
    return {"algorithm": name, "policy": policy, "settings": settings, "unwritten": unwritten}


def build(recipe: dict[str, Any], env: Env, device: torch.device) -> BaseAlgorithm:
    """Build the algorithm that `recipe` describes, for `env`, on `device`.

    Raises:
        ValueError: if the recipe isn't complete, naming what it lacks.
    """
    if recipe["unwritten"]:
        raise ValueError(
            f"the algorithm's {', '.join(recipe['unwritten'])} can't be kept as JSON; "
            "build it yourself and give it as algorithm=."
        )
    kind = ALGORITHMS[recipe["algorithm"]]()
    odd = sorted(set(recipe["settings"]) - (set(inspect.signature(kind.__init__).parameters) - LEFT_OUT))
    if odd:
        raise ValueError(f"{odd[0]!r} is no setting of {kind.__name__} that a checkpoint may give.")
    settings = {name: _read(value) for name, value in recipe["settings"].items()}
    return kind(recipe["policy"], as_vec_env(env), device=device, **settings)


def _chosen_by_itself(algorithm: Any) -> bool:
    """Say whether SB3 chose the buffer because of `n_steps`: it warns of a class that comes with them."""
    told = {"n_steps": getattr(algorithm, "n_steps", 1), "gamma": algorithm.gamma}
    kwargs: dict[str, Any] = algorithm.replay_buffer_kwargs or {}
    same = {name: kwargs.get(name) for name in told} == told
    return algorithm.replay_buffer_class is NStepReplayBuffer and told["n_steps"] > 1 and same


def _write(value: Any) -> Any:
    """Turn a setting into JSON; TypeError if it can't be."""
    if isinstance(value, FloatSchedule):
        return _write(value.value_schedule)
    if isinstance(value, ConstantSchedule):
        return float(value.val)
    if isinstance(value, LinearSchedule):
        return {"linear": [value.start, value.end, value.end_fraction]}
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise TypeError("only names can be keys in JSON")
        return {key: _write(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return [_write(inner) for inner in value]
    if hasattr(value, "frequency") and hasattr(value, "unit"):  # SB3 has turned train_freq into a named tuple
        return [value.frequency, value.unit.value]
    if value is AttentionWindow:
        return {"rover_cl_agents": value.__name__}
    if isinstance(value, VectorizedActionNoise):  # SB3 has put it around the noise of one environment
        return _write(value.base_noise)
    if type(value) is NormalActionNoise:
        return {"normal_noise": [value._mu.tolist(), value._sigma.tolist()]}
    if isinstance(value, type) and CLASSES.get(value.__name__) is value:
        return {"stable_baselines3": value.__name__}
    if isinstance(value, type) and issubclass(value, torch.nn.Module | torch.optim.Optimizer):
        home, name = "nn" if issubclass(value, torch.nn.Module) else "optim", str(value.__name__)
        if getattr(getattr(torch, home), name, None) is value:
            return {"torch": f"{home}.{name}"}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{value!r} has no place in JSON")


def _read(value: Any) -> Any:
    """Turn JSON back into a setting."""
    if isinstance(value, dict) and set(value) == {"stable_baselines3"}:
        return CLASSES[value["stable_baselines3"]]
    if value == {"rover_cl_agents": AttentionWindow.__name__}:
        return AttentionWindow
    if isinstance(value, dict) and set(value) == {"normal_noise"}:
        mean, spread = (np.array(numbers, dtype=float) for numbers in value["normal_noise"])
        return NormalActionNoise(mean, spread)
    if isinstance(value, dict) and set(value) == {"linear"}:
        return LinearSchedule(*map(float, value["linear"]))
    if isinstance(value, dict) and set(value) == {"torch"}:
        home, _, name = str(value["torch"]).partition(".")
        parents: dict[str, type] = {"nn": torch.nn.Module, "optim": torch.optim.Optimizer}
        found = getattr(getattr(torch, home), name, None) if home in parents else None
        if not (isinstance(found, type) and issubclass(found, parents[home])):
            raise ValueError(f"{value['torch']!r} is no module of torch.nn and no optimiser of torch.optim.")
        return found
    if isinstance(value, dict):
        return {key: _read(inner) for key, inner in value.items()}
    if isinstance(value, list):
        # SB3 takes train_freq as a tuple only; net_arch as either.
        return (
            tuple(value) if len(value) == 2 and value[1] in ("step", "episode") else [_read(v) for v in value]
        )
    return value
