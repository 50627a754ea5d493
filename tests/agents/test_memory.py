from __future__ import annotations

import numpy as np
import pytest
import torch

from rover_cl_agents.insertion import Reservoir
from rover_cl_agents.memory import Memory
from rover_cl_agents.outputs import Outputs


def filled(seed: int = 0) -> Memory:
    memory = Memory(seed)
    for task in range(3):
        outputs = Outputs(
            kind="gaussian", location=torch.full((5, 2), float(task)), log_scale=torch.zeros(5, 2)
        )
        memory.store(task, torch.full((5, 4), float(task)), outputs)
    return memory


def test_reservoir_keeps_each_item_with_the_same_probability() -> None:
    generator, kept = np.random.default_rng(0), np.zeros(100)
    for _ in range(3000):
        reservoir = Reservoir(10, generator)
        for part in np.split(np.arange(100), [7, 30, 31]):
            reservoir.add(part)
        assert len(set(reservoir.items)) == 10
        kept[reservoir.items] += 1
    assert kept[:10].mean() / 3000 == pytest.approx(0.1, abs=0.01)
    assert kept[-10:].mean() / 3000 == pytest.approx(0.1, abs=0.01)
    assert (np.square(kept - 300) / 300).sum() < 140


def test_reservoir_in_parts_equals_reservoir_at_once() -> None:
    whole, parts = Reservoir(8, np.random.default_rng(5)), Reservoir(8, np.random.default_rng(5))
    whole.add(np.arange(200))
    for part in np.array_split(np.arange(200), 9):
        parts.add(part)
    np.testing.assert_array_equal(whole.items, parts.items)


def test_reservoir_holds_no_more_than_it_has_seen() -> None:
    reservoir = Reservoir(10, np.random.default_rng(0))
    reservoir.add(np.arange(4))
    assert reservoir.items.tolist() == [0, 1, 2, 3]


def test_errors_name_the_field() -> None:
    with pytest.raises(ValueError, match="capacity is 0"):
        Reservoir(0, np.random.default_rng(0))
    with pytest.raises(ValueError, match="empty"):
        Reservoir(1, np.random.default_rng(0)).items  # noqa: B018
    with pytest.raises(ValueError, match="empty"):
        Memory(0).sample(1)


def test_memory_bytes_are_exact() -> None:
    assert filled().bytes == 15 * (4 * 4 + 2 * 4 + 2 * 4 + 8)


def test_a_task_seen_again_replaces_its_states() -> None:
    memory = filled()
    memory.store(
        1,
        torch.zeros(2, 4),
        Outputs(kind="gaussian", location=torch.zeros(2, 2), log_scale=torch.zeros(2, 2)),
    )
    assert torch.bincount(memory.tasks).tolist() == [5, 2, 5]


def test_states_come_with_their_own_outputs() -> None:
    observations, outputs = filled().sample(64)
    assert torch.equal(observations[:, :2], outputs.location)
    assert set(observations[:, 0].tolist()) == {0.0, 1.0, 2.0}


def test_sampling_leaves_the_global_generator_alone_and_goes_on_after_restoring() -> None:
    memory, other = filled(), Memory(9)
    memory.sample(3)
    before = torch.get_rng_state()
    other.load_state_dict(memory.state_dict())
    assert torch.equal(memory.sample(8)[0], other.sample(8)[0])
    assert torch.equal(torch.get_rng_state(), before)


def test_a_foreign_state_is_refused() -> None:
    with pytest.raises(ValueError, match="generator"):
        Memory(0).load_state_dict({"kind": "gaussian"})
