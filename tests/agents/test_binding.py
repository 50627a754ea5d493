from __future__ import annotations

from typing import Any

import pytest

from rover_cl_agents import EWC, GPM, ContinualLearner, LayerNorm, PPOConfig, Replay
from rover_cl_agents.vec_env import as_vec_env

SMALL = PPOConfig(n_steps=16, batch_size=128, n_epochs=1, net=(8, 8))


def test_a_method_stays_with_its_learner(bandit: Any) -> None:
    replay = Replay(capacity=16, batch_size=8)
    learner = ContinualLearner(SMALL.build(bandit(0, 8), 0), [replay]).learn_task(bandit(0, 8), 128)
    assert len(replay.memory) == 16
    with pytest.raises(
        ValueError, match=r"holds a Replay that a learner has already.*build another: Replay\(\)"
    ):
        ContinualLearner(SMALL.build(bandit(0, 8), 0), [EWC(), replay])
    assert len(replay.memory) == 16 and replay.algorithm is learner.algorithm
    twice = EWC()
    with pytest.raises(ValueError, match="holds a EWC that a learner has already"):
        ContinualLearner(SMALL.build(bandit(0, 8), 0), [twice, twice])


def test_what_was_refused_can_be_used_again(bandit: Any) -> None:
    class Picky(EWC):
        def bind(self, algorithm: Any, seed: int) -> None:
            super().bind(algorithm, seed)
            raise ValueError("not with this one")

    replay, picky = Replay(), Picky()
    model = SMALL.build(bandit(0, 8), 0)
    for _ in range(2):
        with pytest.raises(ValueError, match="not with this one"):
            ContinualLearner(model, [replay, picky])
    assert ContinualLearner(model, [replay]).methods == (replay,)


def test_networks_are_rebuilt_by_one_learner_alone(bandit: Any) -> None:
    model = SMALL.build(as_vec_env(bandit(0, 8)), 0)
    for _ in range(2):
        ContinualLearner(model, [Replay()])  # which leaves the networks as they are
    layers = len(list(model.policy.modules()))
    ContinualLearner(model, [LayerNorm()])
    changed = len(list(model.policy.modules()))
    assert changed > layers
    for methods in ([LayerNorm()], [GPM()]):
        with pytest.raises(
            ValueError, match=r"LayerNorm of another learner has rebuilt; .* build the algorithm"
        ):
            ContinualLearner(model, methods)
    assert len(list(model.policy.modules())) == changed
    assert ContinualLearner(model).learn_task(bandit(0, 8), 128).tasks == [0]
