from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from rover_cl_agents import PPOConfig, Replay
from rover_cl_agents.boundaries.snapshot_ring import SnapshotRing
from rover_cl_agents.state import State

SMALL = PPOConfig(n_steps=16, batch_size=128, n_epochs=1, net=(8,))


def a_ring(bandit: Any, capacity: int) -> tuple[Any, Replay, SnapshotRing]:
    model, replay = SMALL.build(bandit(0, 8), 0), Replay(capacity=64)
    replay.bind(model, 0)
    replay.on_task_start(0)
    return model, replay, SnapshotRing(model, [replay], capacity)


def fill(model: Any, replay: Replay, ring: SnapshotRing, rollouts: int) -> None:
    """Rollout number k begins with all weights k, and k rollouts of k states each have been seen."""
    for rollout in range(rollouts):
        with torch.no_grad():
            for parameter in model.policy.parameters():
                parameter.fill_(rollout)
        ring.take(rollout)
        model.rollout_buffer.observations[:] = rollout
        replay.on_rollout_end()


def test_it_goes_back_to_the_date_or_as_far_as_it_reaches(bandit: Any) -> None:
    for date, reached in ((4, 4), (1, 3), (6, None)):
        model, replay, ring = a_ring(bandit, 3)
        fill(model, replay, ring, 6)
        found = ring.rewind(date, 0)
        assert (None if found is None else found.rollout) == reached
        weight = 5 if reached is None else reached
        assert all(bool((p == weight).all()) for p in model.policy.parameters())
        # What was gathered before the rollout: the newest of it is of the one before.
        assert replay._recent.observations().max() == weight - (reached is not None)


def test_arrays_that_snapshots_share_are_written_once(bandit: Any) -> None:
    model, replay, ring = a_ring(bandit, 4)
    fill(model, replay, ring, 4)
    state = ring.state_dict()
    rollouts = [name for name in state if ".methods.0.rollout." in name]
    assert len(rollouts) == 1 + 2 + 2  # 128 states a rollout, of which a pool of 256 keeps two
    assert sum(isinstance(state[name], Tensor) for name in rollouts) == 3
    weights = sum(p.numel() for p in model.policy.state_dict().values()) * 4
    # Rollouts 0 to 2 are in the ring; 2 and 3 are the method's, which counts them.
    assert (ring.bytes, replay.cost().bytes) == (4 * weights + 2 * 128 * 4 * 4, 2 * 128 * 4 * 4)
    _, other_replay, other = a_ring(bandit, 4)
    other.load_state_dict(state)
    assert (len(other), other.bytes) == (4, 4 * weights + 3 * 128 * 4 * 4)
    read_apart: State = {name: v.clone() for name, v in replay.pause().items() if isinstance(v, Tensor)}
    other_replay.resume(0, other.sharing(read_apart))
    assert (other.bytes, other_replay.cost()) == (ring.bytes, replay.cost())
    for each, method in ((ring, replay), (other, other_replay)):
        each.rewind(2, 0)
        assert [rollout[0, 0] for rollout in method._recent._rollouts] == [0.0, 1.0]


def test_a_ring_without_room_keeps_nothing(bandit: Any) -> None:
    model, replay, ring = a_ring(bandit, 0)
    fill(model, replay, ring, 2)
    assert (len(ring), ring.bytes, ring.rewind(0, 0)) == (0, 0, None)
