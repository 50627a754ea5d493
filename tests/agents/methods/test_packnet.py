from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from rover_cl_agents import ContinualLearner, PPOConfig
from rover_cl_agents.methods.packnet import PackNet, PackNetConfig
from rover_cl_agents.outputs import Outputs, distance, read
from rover_cl_agents.policies.packed import FREE, PackedLinear
from rover_cl_agents.policies.selection import Selection

SMALL = PPOConfig(n_steps=16, batch_size=128, n_epochs=4, net=(32, 32))
GENERATOR = torch.Generator().manual_seed(0)


def test_pruning_by_hand() -> None:
    layer = PackedLinear(nn.Linear(4, 1), Selection())
    inputs = torch.ones(1, 4)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[3.0, -1.0, 0.5, -4.0]]))
        layer.bias.fill_(10.0)
    assert layer(inputs).item() == 8.5
    layer.prune(0, 2)
    assert layer.owner.tolist() == [[0, FREE, FREE, 0]]
    assert layer.weight.tolist() == [[3.0, 0.0, 0.0, -4.0]]
    assert layer(inputs).item() == 9
    layer.grow(GENERATOR)
    layer.open(1, begun=True)
    assert layer.owner.tolist() == [[0, 1, 1, 0]]
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[77.0, 2.0, 1.0, 77.0]]))  # whatever an optimiser does to others'
    assert layer(inputs).item() == 9
    layer.selection.tell(1)
    assert layer(inputs).item() == 12
    layer(inputs).sum().backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.tolist() == [[0.0, 1.0, 1.0, 0.0]]
    assert layer.bias.grad is None, "biases are the first task's"
    layer.prune(1, 1)
    assert layer.kept.tolist() == [[3.0, 2.0, 0.0, -4.0]]
    layer.open(0, begun=True)
    layer.selection.tell(0)
    assert layer(inputs).item() == 9
    assert not layer.weight.requires_grad


def test_five_tasks_have_equal_shares() -> None:
    layer = PackedLinear(nn.Linear(5, 4), Selection())
    for part in range(5):
        if part:
            layer.grow(GENERATOR)
            layer.open(part, begun=True)
            assert int((layer.owner == part).sum()) == 20 - 4 * part
        with torch.no_grad():
            layer.weight.copy_(torch.randn((4, 5), generator=GENERATOR))
        layer.prune(part, 20 // 5)
    assert torch.bincount(layer.owner.flatten().int()).tolist() == [4] * 5


def learned(bandit: Any, tasks: list[int], **settings: Any) -> ContinualLearner:
    settings = {"tasks": 3, "retrain_steps": 100, "batch_size": 64, **settings}
    learner = ContinualLearner(SMALL.build(bandit(0, 8), 0), [PackNet(**settings)])
    for task in tasks:
        learner.learn_task(bandit(task % 2, 8), total_timesteps=256, task=task)
    return learner


def owners(learner: ContinualLearner) -> list[list[int]]:
    method: Any = learner.methods[0]
    counts = [torch.bincount(layer.owner.flatten().int(), minlength=FREE + 1) for layer in method.packed]
    return [[*c[:3].tolist(), int(c[FREE])] for c in counts]


def test_the_shares_task_by_task(bandit: Any) -> None:
    first, second = 4 * 32, 32 * 32
    assert owners(learned(bandit, [5])) == [[42, 0, 0, first - 42], [341, 0, 0, second - 341]]
    assert owners(learned(bandit, [5, 5, 2])) == [[42, 42, 0, first - 84], [341, 341, 0, second - 682]]
    assert owners(learned(bandit, [5, 2, 5, 0])) == [[42, 42, first - 84, 0], [341, 341, second - 682, 0]]


def test_the_costs(bandit: Any) -> None:
    critic_and_spread = (4 * 32 + 32 + 32 * 32 + 32) + (32 + 1) + 2
    head, weights = 32 * 2 + 2, 4 * 32 + 32 * 32
    for tasks, hidden in [([0], 42 + 341 + 64), ([0, 1], 42 + 341), ([0, 1, 2], 44 + 342), ([0, 1, 0], 0)]:
        cost = learned(bandit, tasks).cost()
        assert cost.parameters == hidden + head + critic_and_spread
        assert cost.bytes == weights * (4 + 1) + 4 * head * (len(set(tasks)) - 1)


def test_retraining_brings_the_answers_back(bandit: Any) -> None:
    lost = []
    for steps in (0, 300):
        learner = ContinualLearner(SMALL.build(bandit(0, 8), 0), [PackNet(tasks=8, retrain_steps=steps)])
        method: Any = learner.methods[0]
        prune = method._prune
        seen: dict[str, Outputs] = {}
        batch = torch.tensor(bandit(0).draw(200))

        def look(prune: Any = prune, seen: Any = seen, learner: Any = learner, batch: Any = batch) -> Any:
            with torch.no_grad():
                seen["before"] = read(learner.algorithm.policy, batch)
            return prune()

        method._prune = look
        learner.learn_task(bandit(0, 8), total_timesteps=1024)
        assert learner.steps == 1024, "no further steps of the environment"
        with torch.no_grad():
            lost.append(distance(read(learner.algorithm.policy, batch), seen["before"]).item())
    assert lost[0] > 1e-3
    assert lost[1] < lost[0] / 20


def test_one_task_more_than_there_are_shares(bandit: Any) -> None:
    learner = learned(bandit, [0, 1, 2, 1])
    with pytest.raises(ValueError, match="task 3 is one more than tasks=3"):
        learner.learn_task(bandit(0, 8), total_timesteps=64, task=3)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("tasks", 0, "in \\[1, 126\\]"),
        ("tasks", 127, "in \\[1, 126\\]"),
        ("samples", 0, "at least 1"),
        ("batch_size", 0, "at least 1"),
        ("retrain_steps", -1, "at least 0"),
        ("learning_rate", 0.0, "> 0"),
    ],
)
def test_ranges(field: str, value: Any, expected: str) -> None:
    with pytest.raises(ValueError, match=f"{field} is {value}; expected.*{expected}"):
        PackNetConfig(**{field: value})
    with pytest.raises(ValueError, match="not both"):
        PackNet(PackNetConfig(), **{field: value})
