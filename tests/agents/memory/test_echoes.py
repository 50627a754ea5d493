from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces

from rover_cl_agents.memory.echoes import BLOCK, Echoes
from rover_cl_agents.memory.task_memory import Memory
from rover_cl_agents.outputs import Outputs

SPACE = spaces.Box(-5, 5, (3,), np.float32)


def answer(states: torch.Tensor) -> Outputs:
    return Outputs(kind="gaussian", location=states[:, :2] * 2, log_scale=torch.zeros(len(states), 2))


def stored(count: int = 300, noise: float = 0.3, space: Any = SPACE) -> tuple[Memory, Echoes]:
    memory = Memory(0)
    echoes = Echoes(memory, space, 4, count=count, noise=noise)
    for task in (0, 5):
        states = task + torch.rand(6, 3, generator=torch.Generator().manual_seed(task))
        memory.store(task, states, answer(states))
        echoes.store(task, answer)
    return memory, echoes


def test_an_echo_comes_back_with_the_answer_that_was_given_there() -> None:
    _, echoes = stored()
    assert len(echoes) == 2 * 2 * BLOCK
    assert echoes.bytes == len(echoes) * 2 * 4
    before = torch.get_rng_state()
    states, outputs, _ = echoes.sample(4 * BLOCK)
    assert torch.equal(torch.get_rng_state(), before)
    assert states.shape == (4 * BLOCK, 3)
    assert torch.equal(outputs.location, states[:, :2] * 2)
    assert len(np.unique(states.numpy(), axis=0)) > BLOCK


def test_without_noise_echoes_lie_between_states_and_noise_spreads_them() -> None:
    memory, echoes = stored(noise=0.0)
    states = torch.cat([echoes.sample(1)[0] for _ in range(20)])
    near = states[states[:, 0] < 3]
    first, _ = memory.at(torch.arange(6))
    assert bool((near >= first.min(dim=0).values - 1e-6).all())
    assert bool((near <= first.max(dim=0).values + 1e-6).all())
    _, other = stored(noise=2.0)
    noisy = torch.cat([other.sample(1)[0] for _ in range(20)])
    assert noisy[noisy[:, 0] < 3].std() > near.std()
    assert float(noisy.max()) == 5.0  # and stay inside the observation space


def test_restored_echoes_go_on_alike_whatever_their_own_seed() -> None:
    memory, echoes = stored()
    echoes.sample(1)
    other = Echoes(memory, SPACE, 77, count=300, noise=0.3)
    other.load_state_dict(echoes.state_dict())
    for _ in range(3):
        a, b = echoes.sample(1), other.sample(1)
        assert torch.equal(a[0], b[0])
        assert torch.equal(a[1].location, b[1].location)
    with pytest.raises(ValueError, match="echo_seed"):
        other.load_state_dict({})
    with pytest.raises(ValueError, match=r"no entry 'echoes.0'"):
        Echoes(memory, SPACE, 0, count=1, noise=0.3).load_state_dict(echoes.state_dict())


def test_one_state_has_echoes_of_itself() -> None:
    memory = Memory(0)
    echoes = Echoes(memory, SPACE, 4, count=1, noise=0.3)
    with pytest.raises(ValueError, match="no echoes"):
        echoes.sample(1)
    states = torch.ones(1, 3)
    memory.store(0, states, answer(states))
    echoes.store(0, answer)
    assert torch.equal(echoes.sample(1)[0], torch.ones(BLOCK, 3))


def test_observations_that_do_not_mix_are_refused() -> None:
    for space in (spaces.Discrete(3), spaces.Box(0, 255, (3,), np.uint8)):
        with pytest.raises(ValueError, match=r"echoes is 5 .*floating-point"):
            Echoes(Memory(0), space, 0, count=5, noise=0.1)
        Echoes(Memory(0), space, 0, count=0, noise=0.1)
