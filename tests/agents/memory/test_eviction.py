from __future__ import annotations

import pytest
import torch

from rover_cl_agents.memory.eviction import EVICTIONS, evict, loss_aware_probabilities, survivors


def test_probabilities_of_the_loss_aware_balanced_reservoir() -> None:
    found = loss_aware_probabilities(torch.tensor([0.1, 1, 0.1, 1]), torch.tensor([0, 0, 0, 1]))
    assert found.tolist() == pytest.approx([0.3632, 0.2736, 0.3632, 0], abs=5e-5)


@pytest.mark.parametrize("losses", [[0.0, 0, 0], [2.0, 2, 2]])
def test_states_alike_leave_alike(losses: list[float]) -> None:
    found = loss_aware_probabilities(torch.tensor(losses), torch.tensor([5, 5, 5]))
    assert found.tolist() == pytest.approx([1 / 3] * 3)


def test_balanced_takes_from_the_largest_task_until_all_are_level() -> None:
    tasks = torch.tensor([3] * 20 + [10**12] * 6 + [4] * 2)
    generator = torch.Generator().manual_seed(0)
    for _ in range(50):
        assert evict("balanced", tasks, torch.zeros(28), generator) < 20
    stay = survivors("balanced", 14, tasks, torch.zeros(28), generator)
    assert torch.unique(tasks[stay], return_counts=True)[1].tolist() == [6, 2, 6]


def test_a_task_with_its_full_share_replaces_its_own() -> None:
    tasks, generator = torch.tensor([0, 0, 1, 1]), torch.Generator().manual_seed(0)
    chosen = {evict("balanced", tasks, torch.zeros(4), generator, arriving=1) for _ in range(40)}
    assert chosen == {2, 3}
    chosen = {evict("balanced", tasks, torch.zeros(4), generator, arriving=-1) for _ in range(40)}
    assert chosen == {0, 1, 2, 3}


@pytest.mark.parametrize("eviction", EVICTIONS)
def test_survivors_keep_their_order_and_number(eviction: str) -> None:
    tasks, generator = torch.arange(30) // 10, torch.Generator().manual_seed(1)
    stay = survivors(eviction, 7, tasks, torch.rand(30, generator=generator), generator)
    assert len(stay) == 7
    assert bool((stay[1:] > stay[:-1]).all())
    assert len(survivors(eviction, 99, tasks, torch.zeros(30), generator)) == 30
    if eviction == "fifo":
        assert stay.tolist() == list(range(23, 30))
