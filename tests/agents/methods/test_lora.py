from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from rover_cl_agents import ContinualLearner, PPOConfig
from rover_cl_agents.methods.lora import LoRA, LoRAConfig
from rover_cl_agents.outputs import read
from rover_cl_agents.policies.adapted import AdaptedLinear
from rover_cl_agents.policies.selection import Selection

SMALL = PPOConfig(n_steps=16, batch_size=128, n_epochs=4, net=(32, 32))


def adapted(layer: nn.Linear, rank: int, scale: float) -> Any:
    return AdaptedLinear(layer, Selection(), rank=rank, scale=scale, generator=torch.Generator())


def test_the_answer_by_hand() -> None:
    layer = adapted(nn.Linear(2, 1), rank=1, scale=2.0)
    with torch.no_grad():
        layer.layer.weight.copy_(torch.tensor([[1.0, 2.0]]))
        layer.layer.bias.fill_(1.0)
        layer.grow(torch.Generator())
        layer.adapters[1].down.copy_(torch.tensor([[1.0, 0.5]]))
        layer.adapters[1].up.fill_(3.0)
    inputs = torch.tensor([[1.0, 1.0], [2.0, 0.0]])
    assert layer(inputs).tolist() == [[4.0], [3.0]]
    layer.selection.tell(1)
    assert layer(inputs).tolist() == [[4 + 2 * 3 * 1.5], [3 + 2 * 3 * 2]]
    layer.selection.rows = torch.tensor([0, 1])
    assert layer(inputs).tolist() == [[4.0], [15.0]]


def test_the_size_of_an_adapter() -> None:
    layer = adapted(nn.Linear(64, 64), rank=4, scale=1.0)
    assert sum(p.numel() for p in layer.adapters[0].parameters()) == 512
    assert adapted(nn.Linear(64, 2), rank=4, scale=1.0).adapters[0].down.shape == (2, 64)


def test_a_new_task_begins_with_the_first_tasks_policy(bandit: Any) -> None:
    learner = ContinualLearner(SMALL.build(bandit(0, 8), 0), [LoRA(rank=4)])
    learner.learn_task(bandit(0, 8), total_timesteps=256)
    learner.learn_task(bandit(1, 8), total_timesteps=256)
    method: Any = learner.methods[0]
    policy: Any = learner.algorithm.policy
    batch = torch.randn((6, 4), generator=torch.Generator().manual_seed(0))
    layers = [layer.layer for layer in method.layers]
    base = nn.Sequential(layers[0], nn.Tanh(), layers[1], nn.Tanh(), layers[2])
    method.on_task_start(2)
    with torch.no_grad():
        assert torch.equal(read(policy, batch).location, base(batch))
        method.select(1)
        assert not torch.equal(read(policy, batch).location, base(batch))


def test_the_parameters_that_learn(bandit: Any) -> None:
    learner = ContinualLearner(SMALL.build(bandit(0, 8), 0), [LoRA(rank=4)])
    learner.learn_task(bandit(0, 8), total_timesteps=128)
    critic_and_spread = (4 * 32 + 32 + 32 * 32 + 32) + (32 + 1) + 2
    base = (4 * 32 + 32) + (32 * 32 + 32) + (32 * 2 + 2)
    adapter = 4 * (4 + 32) + 4 * (32 + 32) + 2 * (32 + 2)  # the head has two outputs: rank 2
    assert learner.cost().parameters == base + critic_and_spread
    assert learner.cost().bytes == 4 * adapter
    for task, parts in ((1, 2), (0, 2), (5, 3)):
        learner.learn_task(bandit(1, 8), total_timesteps=128, task=task)
        assert learner.cost().parameters == adapter + critic_and_spread
        assert learner.cost().bytes == 4 * adapter * parts


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [("rank", 0, "at least 1"), ("alpha", 0.0, "> 0"), ("alpha", float("nan"), "> 0")],
)
def test_ranges(field: str, value: Any, expected: str) -> None:
    with pytest.raises(ValueError, match=f"{field} is {value}; expected.*{expected}"):
        LoRAConfig(**{field: value})
    with pytest.raises(ValueError, match="not both"):
        LoRA(LoRAConfig(), **{field: value})
