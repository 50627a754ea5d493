from __future__ import annotations

from typing import Any

import pytest
import torch
from stable_baselines3 import DQN, PPO, SAC

from rover_cl_agents.methods.layer_norm import LayerNorm, LayerNormConfig
from rover_cl_agents.outputs import linear_layers, read
from rover_cl_agents.units.hidden_layers import hidden_layers
from rover_cl_agents.vec_env import as_vec_env


def build(algorithm: Any, bandit: Any, net: list[int]) -> Any:
    env = as_vec_env(bandit(0, 2, discrete=algorithm is DQN))
    return algorithm("MlpPolicy", env, seed=0, device="cpu", policy_kwargs={"net_arch": net})


@pytest.mark.parametrize("algorithm", [PPO, SAC, DQN])
def test_hidden_values_are_normal_and_the_size_of_weights_is_free(algorithm: Any, bandit: Any) -> None:
    model = build(algorithm, bandit, [16, 16])
    names = list(model.policy.state_dict())
    LayerNorm().bind(model, 0)
    assert list(model.policy.state_dict()) == names
    states = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    linear_layers(model.policy, states)
    layer = hidden_layers(model.policy)[1]
    stack: Any
    for stack in layer.stacks:
        seen: list[torch.Tensor] = []
        stack[3][1].register_forward_pre_hook(lambda _m, inputs, seen=seen: seen.append(inputs[0]))
        stack(torch.randn(50, stack[0].in_features, generator=torch.Generator().manual_seed(1)))
        torch.testing.assert_close(seen[0].mean(dim=1), torch.zeros(50), atol=1e-5, rtol=0)
        torch.testing.assert_close(seen[0].var(dim=1, correction=0), torch.ones(50), atol=1e-3, rtol=0)
    with torch.no_grad():
        before = read(model.policy, states).location
        for place in (0, 2):
            for parameter in layer.stacks[0][place].parameters():
                parameter.mul_(100.0)
        torch.testing.assert_close(read(model.policy, states).location, before, atol=1e-2, rtol=1e-2)


@pytest.mark.parametrize(
    ("layers", "expected"),
    [("all", [1, 1, 1]), ("first", [1, 0, 0]), ("last", [0, 0, 1]), ("none", [0, 0, 0])],
)
def test_which_layers(layers: str, expected: list[int], bandit: Any) -> None:
    model = build(SAC, bandit, [8, 8, 8])
    LayerNorm(layers=layers).bind(model, 0)
    policy = model.policy
    for stack in (policy.actor.latent_pi, policy.critic.qf0, policy.critic.qf1, policy.critic_target.qf1):
        normal = [any(isinstance(m, torch.nn.LayerNorm) for m in stack[i].modules()) for i in (1, 3, 5)]
        assert normal == [bool(each) for each in expected]


def test_refusals(bandit: Any) -> None:
    with pytest.raises(ValueError, match=r"layers is 'some'.*all, first, last, none"):
        LayerNormConfig(layers="some")
    with pytest.raises(ValueError, match="hidden layer"):
        LayerNorm().bind(build(PPO, bandit, []), 0)
