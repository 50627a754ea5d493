"""What a method says it holds, beside what can be counted: its tensors, and those it adds to the policy."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from stable_baselines3 import PPO, SAC

from rover_cl_agents import AGEM, SDFT, ContinualLearner, Periodic
from rover_cl_agents.importance.holder import WeightHolder
from rover_cl_agents.methods import METHODS, PackNet
from rover_cl_agents.networks import policy_tensors
from rover_cl_agents.state import State
from rover_cl_agents.task_switch import all_optimizers
from rover_cl_agents.vec_env import as_vec_env

SMALL = {
    "capacity": 32,
    "batch_size": 16,
    "samples": 32,
    "gradients": 32,
    "vectors": 8,
    "retrain_steps": 5,
    "tasks": 3,
    "components": 2,
}
GENERATORS = ("generator", "choice", "echo_generator")
"""Names of the states of generators, which are no memory of a task."""
SETTINGS: dict[Any, dict[str, Any]] = {
    PPO: {"n_steps": 16, "batch_size": 32, "n_epochs": 2},
    SAC: {"learning_starts": 16, "buffer_size": 200, "batch_size": 16},
}


def size(tensors: Any) -> int:
    return sum(t.numel() * t.element_size() for t in tensors)


def held(state: State) -> list[torch.Tensor]:
    return [v for n, v in state.items() if isinstance(v, torch.Tensor) and n not in GENERATORS]


@pytest.mark.parametrize("name", METHODS)
def test_the_bytes_are_exact_while_a_task_is_open(name: str, bandit: Any) -> None:
    config: Any
    config, build = METHODS[name]
    small = {key: value for key, value in SMALL.items() if key in config.__dataclass_fields__}
    kwargs = {"net_arch": [16, 16]}
    model = PPO(
        "MlpPolicy", as_vec_env(bandit(0, 4)), seed=0, device="cpu", policy_kwargs=kwargs, **SETTINGS[PPO]
    )
    plain = size(policy_tensors(model).values())
    learner = ContinualLearner(model, [build(config(**small))], boundaries=Periodic(rollouts=1000))
    learner.learn_task(bandit(0, 4), total_timesteps=256)
    method = learner.methods[0]
    gathered = held(method.pause())
    expected = size(held(method.state_dict())) + size(policy_tensors(model).values()) - plain + size(gathered)
    if isinstance(method, SDFT):  # draws from a copy of the latest states in one piece
        expected += size(gathered)
    assert method.cost().bytes == expected
    if name in ("replay", "packnet", "ewc", "agem", "gpm", "generative"):
        assert size(gathered) > 0


def test_the_reward_reference_counts_its_transitions(bandit: Any) -> None:
    method = AGEM(reference="reward", capacity=32)
    model = PPO("MlpPolicy", as_vec_env(bandit(0, 4)), seed=0, device="cpu", **SETTINGS[PPO])
    ContinualLearner(model, [method], boundaries=Periodic(rollouts=1000)).learn_task(bandit(0, 4), 64)
    assert method.cost().bytes == 32 * 4 * (4 + 2 + 1 + 1)  # observation, action, advantage, log probability


@pytest.mark.parametrize("algorithm", [PPO, SAC])
@pytest.mark.parametrize("name", METHODS)
def test_the_bytes_and_parameters_are_exact(name: str, algorithm: Any, bandit: Any) -> None:
    config: Any
    config, build = METHODS[name]
    small = {key: value for key, value in SMALL.items() if key in config.__dataclass_fields__}
    if name == "clear" and algorithm is SAC:
        return  # refused
    env, kwargs = as_vec_env(bandit(0, 4)), {"net_arch": [16, 16]}
    model = algorithm("MlpPolicy", env, seed=0, device="cpu", policy_kwargs=kwargs, **SETTINGS[algorithm])
    plain = size(policy_tensors(model).values())
    learner = ContinualLearner(model, [build(config(**small))])
    for task in range(2):
        learner.learn_task(bandit(task, 4), total_timesteps=64)
    method = learner.methods[0]
    expected = size(held(method.state_dict())) + size(policy_tensors(model).values()) - plain
    if isinstance(method, WeightHolder):  # importances and anchors are held beside their sums
        whole = method.quadratics._gathered()
        expected += size(whole.stiffness) + size(whole.pull)
    assert method.cost().bytes == expected
    assert learner.cost().bytes == expected
    trained = {
        id(p): p.numel()
        for optimizer in all_optimizers(model).values()
        for group in optimizer.param_groups
        for p in group["params"]
        if p.requires_grad
    }
    layers = method.packed if isinstance(method, PackNet) else []
    fixed = sum(int((layer.owner != layer.learning).sum()) for layer in layers)  # whole layers are held
    assert learner.cost().parameters == sum(trained.values()) - fixed
