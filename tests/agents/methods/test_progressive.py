from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from rover_cl_agents import ContinualLearner, PPOConfig
from rover_cl_agents.methods.progressive import Progressive, ProgressiveConfig
from rover_cl_agents.outputs import read
from rover_cl_agents.policies.columns import ColumnLinear, column_parameters
from rover_cl_agents.policies.selection import Selection, TaskGuess

SMALL = PPOConfig(n_steps=16, batch_size=128, n_epochs=4, net=(32, 32))
GENERATOR = torch.Generator().manual_seed(0)
COLUMNS = [1282, 2370, 3458]
"""Numbers in the columns of a network 4-32-32-2."""


def columns(own: list[float], laterals: list[float], selection: Selection, **place: bool) -> Any:
    """One unit for each column."""
    layer: Any = ColumnLinear(nn.Linear(1, 1), selection, gain=1.0, **place)
    while len(layer) < len(own):
        layer.grow(GENERATOR)
    with torch.no_grad():
        for column, weight in zip(layer.columns, own, strict=True):
            column.weight.fill_(weight)
            column.bias.zero_()
        for lateral, weight in zip(layer.laterals, laterals, strict=True):
            lateral.weight.fill_(weight)
    return layer


def test_the_answer_by_hand() -> None:
    selection = Selection()
    network = nn.Sequential(
        columns([2, 3, 4], [], selection, first=True),
        columns([1, 5, 1], [7, 0.5, 0.25], selection),
        columns([10, 1, 0], [10, 1, 100], selection, head=True),
    )
    # Hidden layers: 2, 3, 4; then 2, 5·3 + 7·2 = 29, 4 + 2/2 + 3/4 = 5.75.
    expected = [10 * 2, 29 + 10 * 2, 0 + 2 + 100 * 29]
    for part, value in enumerate(expected):
        selection.tell(part)
        assert network(torch.ones(1, 1)).tolist() == [[value]]
    selection.rows = torch.tensor([2, 0, 1])
    assert network(torch.ones(3, 1)).flatten().tolist() == [expected[2], expected[0], expected[1]]


def test_the_parameters_of_three_columns(bandit: Any) -> None:
    assert [column_parameters([4, 32, 32, 2], part) for part in range(3)] == COLUMNS
    method = Progressive()
    learner = ContinualLearner(SMALL.build(bandit(0, 8), 0), [method])
    critic_and_spread = (4 * 32 + 32 + 32 * 32 + 32) + (32 + 1) + 2
    for task in range(3):
        learner.learn_task(bandit(task % 2, 8), total_timesteps=128)
        assert learner.cost().parameters == COLUMNS[task] + critic_and_spread
        assert learner.cost().bytes == 4 * sum(COLUMNS[1 : task + 1])
        assert sum(p.numel() for layer in method.layers for p in layer.parameters()) == sum(
            COLUMNS[: task + 1]
        )
    learner.learn_task(bandit(0, 8), total_timesteps=128, task=0)
    assert learner.cost().parameters == (32 * 2 + 2) + critic_and_spread, "the head of an old column"


def test_a_new_column_is_a_fresh_network(bandit: Any) -> None:
    learner = ContinualLearner(SMALL.build(bandit(0, 8), 0), [Progressive()])
    learner.learn_task(bandit(0, 8), total_timesteps=128)
    method: Any = learner.methods[0]
    method.on_task_start(1)
    column = [layer.columns[1] for layer in method.layers]
    for layer, gain in zip(column, [2**0.5, 2**0.5, 0.01], strict=True):
        rows = layer.weight if layer.out_features <= layer.in_features else layer.weight.T
        assert torch.allclose(rows @ rows.T, gain**2 * torch.eye(len(rows)), atol=1e-5)
        assert not layer.bias.any()
    batch = torch.randn((6, 4), generator=GENERATOR)
    plain = nn.Sequential(column[0], nn.Tanh(), column[1], nn.Tanh(), column[2])
    with torch.no_grad():
        assert torch.allclose(read(learner.algorithm.policy, batch).location, plain(batch), atol=1e-7)
    before = [lateral.weight.clone() for layer in method.layers for lateral in layer.laterals]
    assert len(before) == 2
    assert not any(weight.any() for weight in before)
    learner.learn_task(bandit(1, 8), total_timesteps=256, task=1)
    assert all(lateral.weight.all() for layer in method.layers for lateral in layer.laterals), "they learn"


def test_gaussians_tell_tasks_apart() -> None:
    guess = TaskGuess()
    guess.learn(0, torch.tensor([[-1.0, 3.0], [1.0, 3.0]]))  # mean 0, spread 1; constant
    guess.learn(1, torch.tensor([[6.0, 3.0], [14.0, 3.0]]))  # mean 10, spread 4; constant
    # At 3: 3² / 2 = 4.5 against (7/4)² / 2 + log 4 = 2.92; they are equal at 2.1998.
    edge = (-10 + math.sqrt(100 + 15 * (100 + 32 * math.log(4)))) / 15
    rows = torch.tensor([[edge - 1e-3, 3.0], [edge + 1e-3, 3.0], [3.0, 3.0], [-9.0, 3.0]])
    assert guess.most_likely(rows).tolist() == [0, 1, 1, 1]
    other = TaskGuess()
    other.load_state_dict(guess.state_dict())
    assert other.most_likely(rows).tolist() == [0, 1, 1, 1]
    assert other.bytes == guess.bytes == 2 * 2 * 2 * 4
    with pytest.raises(ValueError, match=r"'mean\.x'"):
        other.load_state_dict({"mean.x": torch.zeros(2)})
    with pytest.raises(ValueError, match="needs its spread"):
        other.load_state_dict({"mean.0": torch.zeros(2)})


def test_settings() -> None:
    assert Progressive(infer=True).describe() == {"infer": True}
    with pytest.raises(ValueError, match="not both"):
        Progressive(ProgressiveConfig(), infer=True)
