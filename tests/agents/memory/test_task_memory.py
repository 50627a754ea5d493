from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from rover_cl_agents.memory.insertion import Reservoir
from rover_cl_agents.memory.task_memory import Memory, drifts
from rover_cl_agents.outputs import Outputs, distance


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


def outputs_of(n: int) -> Outputs:
    return Outputs(kind="gaussian", location=torch.zeros(n, 2), log_scale=torch.zeros(n, 2))


@pytest.mark.parametrize(("evicting", "counts"), [("fifo", [0, 2, 4]), ("balanced", [2, 2, 2])])
def test_a_total_is_kept_by_eviction(evicting: str, counts: list[int]) -> None:
    memory = Memory(0, capacity=6, evicting=evicting)
    for task in range(3):
        memory.store(task, torch.full((4, 1), float(task)), outputs_of(4))
        assert len(memory) == min(6, 4 * (task + 1))
    assert torch.bincount(memory.tasks, minlength=3).tolist() == counts
    observations, _ = memory.sample(6)
    assert torch.equal(observations.flatten().long(), memory.tasks)


def test_uniform_eviction_keeps_each_state_alike() -> None:
    kept = torch.zeros(20)
    for seed in range(2000):
        memory = Memory(seed, capacity=10)
        memory.store(0, torch.arange(20.0)[:, None], outputs_of(20))
        kept[memory.sample(10)[0].flatten().long()] += 1
    assert float((kept / 2000 - 0.5).abs().max()) < 0.05


def test_loss_aware_eviction_spares_what_is_held_badly() -> None:
    stayed = torch.zeros(2)
    for seed in range(300):
        memory = Memory(seed, capacity=4, evicting="loss-aware")
        memory.store(0, torch.arange(4.0)[:, None], outputs_of(4))
        index = torch.arange(4)
        _, cached = memory.at(index)
        wrong = Outputs(kind="gaussian", location=torch.tensor([[0.0, 0], [0, 0], [3, 0], [3, 0]]))
        memory.note(index, wrong, cached)
        memory.store(1, torch.full((1, 1), 9.0), outputs_of(1))
        held = memory.at(torch.arange(4))[0].flatten()
        assert 9.0 in held  # one state of its task against four: it has the probability 0
        stayed += torch.stack([(held < 2).sum(), ((held >= 2) & (held < 9)).sum()])
    assert stayed[1] > stayed[0] + 40


def test_half_precision_is_as_exact_as_it_says_and_answers_for_what_it_returns() -> None:
    memory, observations = Memory(0, precision="float16"), 5 * torch.rand(500, 6) - 2.5
    rounded = memory.rounded(observations)
    memory.store(0, rounded, outputs_of(500))
    given, _ = memory.at(torch.arange(500))
    assert given.dtype == torch.float32
    assert torch.equal(given, rounded)
    error = (given - observations).abs() / observations.abs().clamp_min(2**-14)
    assert 0 < float(error.max()) <= 2**-11
    assert memory.bytes == 500 * (6 * 2 + 2 * 4 + 2 * 4 + 8)
    with pytest.raises(ValueError, match="65504"):
        memory.rounded(torch.tensor([[1e6]]))
    integers = torch.tensor([[70000]])
    assert torch.equal(memory.rounded(integers), integers)


def test_a_batch_as_large_as_the_memory_is_the_memory() -> None:
    memory = filled()
    assert torch.equal(memory.draw(15), torch.arange(15))
    assert len(memory.draw(14)) == 14


@pytest.mark.parametrize("kind", ["gaussian", "categorical"])
def test_drifts_average_to_the_distance(kind: Any) -> None:
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(7, 3, generator=generator).log_softmax(-1) for _ in range(2))
    scale = torch.full((7, 3), -0.3) if kind == "gaussian" else None
    now, then = (Outputs(kind=kind, location=x, log_scale=scale) for x in (a, b))
    assert drifts(now, then).mean().item() == pytest.approx(distance(now, then).item(), rel=1e-6)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match="eviction is 'lru'; expected one of uniform"):
        Memory(0, evicting="lru")
    with pytest.raises(ValueError, match="precision is 'int4'; expected one of float32"):
        Memory(0, precision="int4")
