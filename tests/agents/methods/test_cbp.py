from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from stable_baselines3 import PPO

from rover_cl_agents import GPM, OGD, ContinualLearner
from rover_cl_agents.methods.cbp import CBP, CBPConfig, Record
from rover_cl_agents.vec_env import as_vec_env


def record(units: int) -> Record:
    return Record(torch.zeros(units), torch.zeros(units).long())


def test_utility_and_maturity_by_hand() -> None:
    found = record(3)
    found.note(torch.tensor([1.0, 4.0, 2.0]), 0.5)
    found.note(torch.tensor([3.0, 0.0, 2.0]), 0.5)
    assert found.utility.tolist() == [1.75, 1.0, 1.5]
    assert found.age.tolist() == [2, 2, 2]
    assert found.pick(1.0, 2, 0.5).tolist() == []  # older than two steps is mature
    assert found.pick(0.25, 1, 0.5).tolist() == []
    assert found.due == 0.75
    assert found.pick(0.25, 1, 0.5).tolist() == [1]
    assert found.due == 0.5
    assert found.utility.tolist() == [1.75, 0.0, 1.5]
    assert found.age.tolist() == [2, 0, 2]
    assert found.pick(1.0, 1, 0.5).tolist() == [2, 0]  # the newborn is safe
    assert found.due == 0.5


def test_the_utility_of_the_young_is_not_underrated() -> None:
    found = Record(torch.tensor([0.19, 0.5]), torch.tensor([2, 1000]))
    # 0.19 after two steps of decay 0.9 stands for a mean of 1.
    assert found.pick(0.5, 1, 0.9).tolist() == [1]


def built(bandit: Any, *methods: Any) -> ContinualLearner:
    env = as_vec_env(bandit(0, 8))
    kwargs = {"net_arch": [16, 16]}
    model = PPO(
        "MlpPolicy", env, n_steps=16, batch_size=32, n_epochs=5, seed=0, device="cpu", policy_kwargs=kwargs
    )
    return ContinualLearner(model, methods)


def test_units_are_replaced_at_the_rate_in_training(bandit: Any) -> None:
    method = CBP(replacement_rate=0.01, maturity=9)
    learner = built(bandit, method).learn_task(bandit(0, 8), total_timesteps=128)
    # 20 steps, 11 of them with mature units: 4 layers of 16 units, 0.16 a step, or a bit less.
    assert method.replaced == 4
    assert method.cost().bytes == 4 * 16 * (4 + 8)
    policy: Any = learner.algorithm.policy
    for name, held in method._records.items():
        assert name.startswith("mlp_extractor")
        assert (held.age < 20).sum() == 1
        assert (held.age == 20).sum() == 15
    assert all(bool(p.isfinite().all()) for p in policy.parameters())
    for handles in (m._forward_pre_hooks for m in policy.modules()):
        assert not handles  # nothing is watched between two tasks


def test_maturity_protects(bandit: Any) -> None:
    method = CBP(replacement_rate=1.0, maturity=20)
    built(bandit, method).learn_task(bandit(0, 8), total_timesteps=128)
    assert method.replaced == 0


@pytest.mark.parametrize("other", [lambda: OGD(vectors=4, gradients=8), lambda: GPM(samples=20)])
def test_it_goes_on_after_loading_whoever_asks_the_network_beside(
    other: Any, bandit: Any, tmp_path: Path
) -> None:
    learners = [built(bandit, CBP(replacement_rate=0.2, maturity=1), other()) for _ in range(2)]
    for task in range(2):
        learners[0].learn_task(bandit(task, 8), total_timesteps=128)
    learners[0].save(tmp_path / "c")
    learners[1].restore(tmp_path / "c")
    for each in learners:
        each.reseed(5)
        each.learn_task(bandit(0, 8), total_timesteps=128)
    weights = (each.algorithm.policy.state_dict() for each in learners)
    assert all(torch.equal(a, b) for a, b in zip(*(w.values() for w in weights), strict=True))


def test_refusals(bandit: Any) -> None:
    for field, value in (("replacement_rate", 2.0), ("maturity", -1), ("decay", 1.0)):
        with pytest.raises(ValueError, match=f"{field} is {value}"):
            CBPConfig(**{field: value})  # type: ignore[arg-type]
    method = CBP()
    built(bandit, method)
    method.on_task_start(0)
    state = method.state_dict()
    with pytest.raises(ValueError, match="needs 'replaced'"):
        method.load_state_dict({})
    with pytest.raises(ValueError, match=r"no entry 'age.nowhere'"):
        method.load_state_dict({**state, "age.nowhere": torch.zeros(1)})
    name = "mlp_extractor.policy_net.0"
    with pytest.raises(ValueError, match=r"shape \(2,\); expected \(16,\)"):
        method.load_state_dict({**state, f"utility.{name}": torch.zeros(2)})
    with pytest.raises(ValueError, match="lacks the utility"):
        method.load_state_dict({k: v for k, v in state.items() if k != f"age.{name}"})
