from __future__ import annotations

import numpy as np
import pytest
import torch

from rover_cl_agents.memory.eviction import EVICTIONS
from rover_cl_agents.memory.life_memory import LifeMemory


def live(memory: LifeMemory, numbers: list[int], task: int = 0) -> None:
    arrivals, places = memory.places(len(numbers), task)
    memory.put(places, task, {"number": torch.tensor(numbers)[arrivals]})


def held(memory: LifeMemory) -> list[int]:
    return memory.at(torch.arange(len(memory)))["number"].tolist()


def test_each_moment_of_a_life_is_held_with_the_same_probability() -> None:
    kept = np.zeros(100)
    for seed in range(1000):
        memory = LifeMemory(seed, 10)
        for part in np.split(np.arange(100), [7, 31]):
            live(memory, part.tolist())
        assert len(set(held(memory))) == 10
        kept[held(memory)] += 1
    assert kept[:10].mean() / 1000 == pytest.approx(0.1, abs=0.01)
    assert kept[-10:].mean() / 1000 == pytest.approx(0.1, abs=0.01)
    assert (np.square(kept - 100) / 100).sum() < 140


def test_all_and_fifo_are_the_latest() -> None:
    memory = LifeMemory(0, 5, admission="all", evicting="fifo")
    for start, stop in ((0, 3), (3, 4), (4, 11), (11, 13)):
        live(memory, list(range(start, stop)))
    assert sorted(held(memory)) == [8, 9, 10, 11, 12]
    assert memory.seen == 13


def test_all_and_balanced_keep_the_latest_of_each_task() -> None:
    memory = LifeMemory(0, 12, admission="all", evicting="balanced")
    for task in range(3):
        live(memory, list(range(1000 * task, 1000 * task + 300)), task)
        live(memory, list(range(1000 * task + 300, 1000 * task + 400)), task)
    assert torch.bincount(memory.tasks).tolist() == [4, 4, 4]
    assert sum(number % 1000 >= 300 for number in held(memory)) > 8


@pytest.mark.parametrize("evicting", EVICTIONS)
@pytest.mark.parametrize("admission", ["reservoir", "all"])
def test_capacity_bytes_and_restoring(evicting: str, admission: str) -> None:
    memory = LifeMemory(0, 6, admission=admission, evicting=evicting)
    for start in range(0, 60, 4):
        live(memory, list(range(start, start + 4)), start // 30)
        assert len(memory) == min(6, start + 4)
        memory.note(memory.draw(3), torch.rand(3, generator=torch.Generator().manual_seed(start)))
    extra = 4 if evicting == "loss-aware" else 0
    assert memory.bytes == 6 * (8 + 8 + extra)
    other = LifeMemory(9, 6, admission=admission, evicting=evicting)
    other.load_state_dict(memory.state_dict())
    for each in (memory, other):
        live(each, list(range(60, 90)), 2)
    assert held(memory) == held(other)
    assert torch.equal(memory.draw(4), other.draw(4))
    assert memory.state_dict().keys() == other.state_dict().keys()


def test_a_row_held_badly_stays_longer() -> None:
    stayed = 0
    for seed in range(200):
        memory = LifeMemory(seed, 8, admission="all", evicting="loss-aware")
        live(memory, list(range(8)))
        memory.note(torch.arange(8), torch.tensor([5.0] * 4 + [0.0] * 4))
        live(memory, list(range(8, 12)))
        stayed += sum(number < 4 for number in held(memory)) - sum(4 <= number < 8 for number in held(memory))
    assert stayed > 300


def test_refusals() -> None:
    with pytest.raises(ValueError, match="insertion is 'some'; expected one of reservoir"):
        LifeMemory(0, 1, admission="some")
    with pytest.raises(ValueError, match="empty"):
        LifeMemory(0, 1).draw(1)
    memory = LifeMemory(0, 4)
    live(memory, [1, 2, 3])
    with pytest.raises(ValueError, match="at most 2"):
        LifeMemory(0, 2).load_state_dict(memory.state_dict())
    with pytest.raises(ValueError, match="'seen'"):
        memory.load_state_dict({})
