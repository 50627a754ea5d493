from __future__ import annotations

from typing import Any

import pytest
import torch
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3
from torch import nn

from rover_cl_agents import HeadBank, LayerNorm, LoRA, Method, PackNet, Progressive, Sharpen
from rover_cl_agents.outputs import read
from rover_cl_agents.probes.decodability import decodability
from rover_cl_agents.units.hidden_layers import Recorder, acting_layers, activations, hidden_layers
from rover_cl_agents.units.reset import replaceable_layers
from rover_cl_agents.vec_env import as_vec_env


def build(algorithm: Any, bandit: Any, **settings: Any) -> Any:
    env = as_vec_env(bandit(0, 2, discrete=algorithm is DQN))
    return algorithm("MlpPolicy", env, seed=0, device="cpu", policy_kwargs={"net_arch": [16, 12]}, **settings)


@pytest.mark.parametrize(
    ("algorithm", "stacks"),
    [
        (PPO, ["mlp_extractor.policy_net", "mlp_extractor.value_net"]),
        (A2C, ["mlp_extractor.policy_net", "mlp_extractor.value_net"]),
        (DQN, ["q_net.q_net"]),
        (SAC, ["actor.latent_pi", "critic.qf0", "critic.qf1"]),
        (TD3, ["actor.mu", "critic.qf0", "critic.qf1"]),
    ],
)
def test_every_hidden_layer_is_found(algorithm: Any, stacks: list[str], bandit: Any) -> None:
    policy = build(algorithm, bandit).policy
    layers = hidden_layers(policy)
    assert [layer.name for layer in layers] == [f"{stack}.{place}" for stack in stacks for place in (0, 2)]
    assert [layer.name for layer in acting_layers(policy)] == [f"{stacks[0]}.0", f"{stacks[0]}.2"]
    for layer in layers:
        assert list(layer.parts) == [int(layer.name[-1]) + 1]
        assert {reader.in_features for reader in layer.outgoing} == {layer.incoming.out_features}
        assert layer.rectified == (algorithm in (DQN, SAC, TD3))
        target = algorithm in (DQN, TD3) or layer.name.startswith("critic")
        assert len(layer.stacks) == 1 + target
    assert len(layers[1].outgoing) == (2 if algorithm is SAC else 1)
    found = activations(policy, torch.zeros(5, 4))
    assert [tuple(h.shape) for h in found.values()] == [(5, 16), (5, 12)] * len(stacks)


def test_activations_are_what_the_next_layer_reads(bandit: Any) -> None:
    policy = build(PPO, bandit).policy
    observations = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    found = activations(policy, observations)["mlp_extractor.policy_net.0"]
    weight, bias = list(policy.mlp_extractor.policy_net[0].parameters())
    torch.testing.assert_close(found, (observations @ weight.T + bias).tanh())


def test_a_policy_without_hidden_layers_is_refused(bandit: Any) -> None:
    model = PPO("MlpPolicy", as_vec_env(bandit(0, 2)), policy_kwargs={"net_arch": []}, device="cpu")
    with pytest.raises(ValueError, match="at least one hidden layer"):
        acting_layers(model.policy)


@pytest.mark.parametrize("algorithm", [PPO, DQN, SAC, TD3])
def test_heads_of_the_tasks_read_the_last_hidden_layer(algorithm: Any, bandit: Any) -> None:
    model = build(algorithm, bandit)
    plain = [layer.name for layer in hidden_layers(model.policy)]
    bank = HeadBank()
    bank.bind(model, 0)
    for task in range(2):
        bank.on_task_start(task)
    assert [layer.name for layer in hidden_layers(model.policy)] == plain
    last = acting_layers(model.policy)[-1]
    assert len(last.outgoing) == (4 if algorithm is SAC else 2)
    states = torch.randn(200, 4, generator=torch.Generator().manual_seed(0))
    assert activations(model.policy, states)[last.name].shape == (200, 12)
    old = read(model.policy, states).detach()
    assert decodability(model.policy, states, old) > 0.99
    with torch.no_grad():
        last.incoming.weight.zero_()  # with this layer goes what is known
    assert decodability(model.policy, states, old) < 0.1


def test_units_that_old_heads_read_are_renewed_in_the_first_task_alone(bandit: Any) -> None:
    model, bank = build(PPO, bandit), HeadBank()
    bank.bind(model, 0)
    found = []
    for task in range(2):
        bank.on_task_start(task)
        found.append([layer.name for layer in replaceable_layers(model)["policy"] if layer.acting])
    first, second = (f"mlp_extractor.policy_net.{place}" for place in (0, 2))
    assert found == [[first, second], [first]]


@pytest.mark.parametrize(
    "method", [LayerNorm(), Sharpen(variant="kwta", layers="last")], ids=lambda method: method.name
)
def test_activations_behind_a_head_for_each_task_are_exchanged_too(method: Method, bandit: Any) -> None:
    model = build(PPO, bandit)
    for each in (HeadBank(), method):
        each.bind(model, 0)
    policy: Any = model.policy
    assert isinstance(policy.mlp_extractor.policy_net[3], nn.Sequential)


@pytest.mark.parametrize("make", [Progressive, PackNet, LoRA])
def test_divided_layers_are_refused_as_such(make: Any, bandit: Any) -> None:
    model = build(PPO, bandit)
    make().bind(model, 0)
    with pytest.raises(ValueError, match="divided among the tasks"):
        acting_layers(model.policy)


def test_a_recorder_keeps_training_alone() -> None:
    layer, recorder = nn.Linear(2, 1), Recorder()
    layer.register_forward_pre_hook(recorder)
    with torch.no_grad():
        layer(torch.zeros(1, 2))
    layer.eval()
    layer(torch.zeros(2, 2))
    assert recorder.take() == []
    layer.train()
    layer(torch.zeros(3, 2))
    assert [len(batch) for batch in recorder.take()] == [3]
    assert recorder.take() == []
