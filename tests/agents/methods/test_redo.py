from __future__ import annotations

from typing import Any

import pytest
import torch
from stable_baselines3 import A2C, DQN, PPO, SAC
from stable_baselines3.common.sb2_compat.rmsprop_tf_like import RMSpropTFLike

from rover_cl_agents import ContinualLearner
from rover_cl_agents.methods.redo import ReDo, ReDoConfig
from rover_cl_agents.outputs import read
from rover_cl_agents.probes.plasticity import layer_health
from rover_cl_agents.step_hooks import StepHooks, optimizers
from rover_cl_agents.units.hidden_layers import hidden_layers
from rover_cl_agents.vec_env import as_vec_env

SILENT = 3


def build(algorithm: Any, bandit: Any) -> Any:
    env = as_vec_env(bandit(0, 2, discrete=algorithm is DQN))
    return algorithm("MlpPolicy", env, seed=0, device="cpu", policy_kwargs={"net_arch": [16, 16]})


def enter(model: Any, method: ReDo) -> None:
    """Start a task, and put three units of the first acting layer to sleep: off for ReLU, stuck for tanh."""
    method.bind(model, 0)
    method.on_task_start(0)
    layer = hidden_layers(model.policy)[0]
    with torch.no_grad():
        layer.incoming.weight[:SILENT] = 0.0
        layer.incoming.bias[:SILENT] = -20.0


def step(model: Any, method: ReDo, role: str, states: torch.Tensor, *, gradient: float = 0.0) -> None:
    """Make one optimiser step, after the acting network was run in training mode."""
    hooks = StepHooks(model, [method])
    hooks.attach()
    model.policy.set_training_mode(True)
    read(model.policy, states)
    optimizer = optimizers(model)[role]
    for p in optimizer.param_groups[0]["params"]:
        p.grad = torch.full_like(p, gradient)
    optimizer.step()
    hooks.detach()


@pytest.mark.parametrize(("algorithm", "role"), [(PPO, "policy"), (SAC, "actor"), (DQN, "policy")])
def test_dormant_units_are_renewed_and_the_answers_stay(algorithm: Any, role: str, bandit: Any) -> None:
    model, method = build(algorithm, bandit), ReDo(period=1, threshold=1e-6)
    enter(model, method)
    states = torch.randn(300, 4, generator=torch.Generator().manual_seed(0))
    name = hidden_layers(model.policy)[0].name
    assert layer_health(model.policy, states, threshold=1e-6)[name].dormant == SILENT / 16
    before = read(model.policy, states).detach().location
    step(model, method, role, states)
    assert method.renewed >= SILENT  # deeper ReLU units may be silent by chance
    torch.testing.assert_close(read(model.policy, states).location, before, atol=1e-5, rtol=1e-5)
    assert layer_health(model.policy, states, threshold=1e-6)[name].dormant == 0.0
    layer = hidden_layers(model.policy)[0]
    assert torch.equal(layer.outgoing[0].weight[:, :SILENT], torch.zeros(16, SILENT))


@pytest.mark.parametrize(("algorithm", "starts_at_one"), [(PPO, False), (A2C, False), (A2C, True)])
def test_moments_of_touched_weights_alone_start_again(
    algorithm: Any, starts_at_one: bool, bandit: Any
) -> None:
    models = [build(algorithm, bandit) for _ in range(2)]
    for model in models if starts_at_one else []:
        model.policy.optimizer = RMSpropTFLike(model.policy.parameters(), lr=1e-3)
    states = torch.randn(300, 4, generator=torch.Generator().manual_seed(0))
    method, idle = ReDo(period=1), ReDo(period=2)
    for model, each in zip(models, (method, idle), strict=True):
        enter(model, each)
        step(model, each, "policy", states, gradient=0.1)
    layer, other = (hidden_layers(model.policy)[0] for model in models)
    optimizer: Any = models[0].policy.optimizer
    touched = {
        layer.incoming.weight: (slice(SILENT), slice(None)),
        layer.incoming.bias: (slice(SILENT),),
        layer.outgoing[0].weight: (slice(None), slice(SILENT)),
    }
    key, fresh = ("exp_avg_sq" if algorithm is PPO else "square_avg"), 1.0 if starts_at_one else 0.0
    for parameter, index in touched.items():
        moment = optimizer.state[parameter][key]
        assert (moment[index] == fresh).all()
        assert (moment == fresh).sum() == moment[index].numel()
    # Elsewhere the step is the one that would have been made anyway.
    assert torch.equal(layer.incoming.weight[SILENT:], other.incoming.weight[SILENT:])
    assert torch.equal(layer.outgoing[0].weight[:, SILENT:], other.outgoing[0].weight[:, SILENT:])
    assert (method.renewed, idle.renewed) == (SILENT, 0)


def test_the_period_is_kept_in_training(bandit: Any) -> None:
    found = []
    for period in (1, 10_000):
        env = as_vec_env(bandit(0, 8))
        ppo = PPO("MlpPolicy", env, n_steps=16, batch_size=64, n_epochs=2, seed=0, device="cpu")
        method = ReDo(period=period, threshold=0.8)
        ContinualLearner(ppo, [method]).learn_task(env, total_timesteps=128)
        found.append(method.renewed)
        assert method.state_dict()["steps.policy"] == 4
    assert found[0] > 0
    assert found[1] == 0


def test_refusals(bandit: Any) -> None:
    with pytest.raises(ValueError, match=r"period is -1.*at least 0"):
        ReDoConfig(period=-1)
    with pytest.raises(ValueError, match=r"threshold is -1.*>= 0"):
        ReDoConfig(threshold=-1.0)
    env = as_vec_env(bandit(0, 2))
    with pytest.raises(ValueError, match="no hidden layer"):
        ReDo().bind(PPO("MlpPolicy", env, device="cpu", policy_kwargs={"net_arch": []}), 0)
    method = ReDo()
    method.bind(PPO("MlpPolicy", env, device="cpu"), 0)
    with pytest.raises(ValueError, match="needs 'renewed'"):
        method.load_state_dict({})
    with pytest.raises(ValueError, match=r"no entry 'steps.actor'"):
        method.load_state_dict({**method.state_dict(), "steps.actor": 1})
