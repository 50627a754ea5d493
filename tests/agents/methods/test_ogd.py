from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import Parameter

from rover_cl_agents import ContinualLearner, PPOConfig
from rover_cl_agents.importance.layer_trace import probe
from rover_cl_agents.methods.ogd import OGD, OGDConfig

SMALL = PPOConfig(n_steps=16, batch_size=128, n_epochs=4, net=(32, 32))
PARAMETERS = (4 * 32 + 32) + (32 * 32 + 32) + (32 * 2 + 2)


class GradientOnly(OGD):
    """What the method would be without the door after the step: a negative control."""

    def auxiliary_gradient(self, role: str) -> Mapping[Parameter, Tensor] | None:
        if not len(self.basis):
            return None
        parameters = [p for p in probe(self.algorithm).parameters if p.grad is not None]
        gradient = torch.cat([p.grad.flatten() for p in parameters if p.grad is not None])
        inside = (self.basis.directions @ gradient) @ self.basis.directions
        parts = torch.split(inside, [p.numel() for p in parameters])
        return {p: -part.view_as(p) for p, part in zip(parameters, parts, strict=True)}

    def adjust_update(self, role: str, delta: Tensor) -> Tensor:
        return delta


def acting_weights(learner: ContinualLearner) -> Tensor:
    return torch.cat([p.detach().flatten() for p in probe(learner.algorithm).parameters])


def learned(bandit: Any, method: OGD, steps: int = 1024) -> ContinualLearner:
    return ContinualLearner(SMALL.build(bandit(0), 0), [method]).learn_task(bandit(0), total_timesteps=steps)


@pytest.mark.parametrize(("method", "low", "high"), [(OGD, 0.0, 1e-5), (GradientOnly, 0.1, 1.0)])
def test_a_learn_run_leaves_the_protected_span_alone(
    method: type[OGD], low: float, high: float, bandit: Any
) -> None:
    ogd = method(vectors=200, gradients=400)
    learner = learned(bandit, ogd)
    start, protected = acting_weights(learner), ogd.basis.directions
    learner.learn_task(bandit(1), total_timesteps=4096)
    moved = acting_weights(learner) - start
    assert 100 < len(protected) <= 200
    assert protected.shape[1] == PARAMETERS
    assert moved.norm() > 0.1
    assert low <= float((protected @ moved).norm() / moved.norm()) <= high


def test_small_steps_leak_no_more_than_their_rounding(bandit: Any) -> None:
    ogd = OGD(vectors=200, gradients=400)
    learner = learned(bandit, ogd)
    start, protected = acting_weights(learner), ogd.basis.directions
    learner.algorithm.lr_schedule = lambda _progress: 1e-6
    updates = learner.algorithm._n_updates
    learner.learn_task(bandit(1), total_timesteps=512)
    steps = 4 * (learner.algorithm._n_updates - updates)  # 4 minibatches an epoch
    moved = acting_weights(learner) - start
    leak = float((protected @ moved).norm())
    assert leak / float(moved.norm()) > 1e-5
    rounding = torch.finfo(torch.float32).eps / 2 * start.norm()
    assert leak < float(rounding) * steps**0.5


def test_a_step_inside_the_span_is_undone_and_one_across_it_is_kept(bandit: Any) -> None:
    ogd = OGD(vectors=10, gradients=20)
    learner = learned(bandit, ogd)
    parameters = list(learner.algorithm.policy.parameters())
    by_place = torch.zeros(sum(p.numel() for p in parameters))
    sizes = torch.tensor([p.numel() for p in parameters]).cumsum(0)
    inside = 3 * ogd.basis.directions[4]
    acting, start = {id(p) for p in probe(learner.algorithm).parameters}, 0
    for end, parameter in zip(sizes, parameters, strict=True):
        if id(parameter) in acting:
            by_place[end - parameter.numel() : end] = inside[start : start + parameter.numel()]
            start += parameter.numel()
    assert float(ogd.adjust_update("policy", by_place).norm()) < 1e-5
    free = ogd.adjust_update("policy", torch.ones_like(by_place))
    torch.testing.assert_close(ogd.adjust_update("policy", free), free)
    assert ogd.adjust_update("critic", by_place) is by_place


def test_memory_is_capped_and_counted(bandit: Any) -> None:
    ogd = OGD(vectors=30, gradients=60, max_vectors=50)
    learner = learned(bandit, ogd, steps=512)
    assert learner.methods[0].cost().bytes == 4 * 30 * (PARAMETERS + 1)
    for task in (1, 0):
        learner.learn_task(bandit(task), total_timesteps=512)
        assert ogd.cost().bytes == 4 * 50 * (PARAMETERS + 1)
    # The strongest are kept, and they are orthonormal still.
    assert torch.equal(ogd.basis.strengths, ogd.basis.strengths.sort(descending=True).values)
    found = ogd.basis.directions @ ogd.basis.directions.T
    torch.testing.assert_close(found, torch.eye(50), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("directions", "rows"), [("all", 21), ("sampled", 21)])
def test_as_many_gradients_as_asked_for(directions: Any, rows: int, bandit: Any) -> None:
    ogd = OGD(vectors=5, gradients=21, directions=directions)
    learned(bandit, ogd, steps=512)
    states = torch.as_tensor(bandit(0).draw(100))
    assert ogd.output_gradients(states).shape == (rows, PARAMETERS)


def test_other_layers_than_the_basis_is_for_are_refused(bandit: Any) -> None:
    ogd = OGD(vectors=10, gradients=20)
    learned(bandit, ogd, steps=512)
    other = OGD(vectors=10, gradients=20)
    other.bind(PPOConfig(net=(8,)).build(bandit(0, 8), 0), 0)
    with pytest.raises(ValueError, match=f"entries; expected {4 * 8 + 8 + 8 * 2 + 2}"):
        other.load_state_dict(ogd.state_dict())
    with pytest.raises(ValueError, match="needs 'generator'"):
        ogd.load_state_dict({})
    with pytest.raises(ValueError, match="'strengths' has 3 entries; expected 10"):
        ogd.load_state_dict(ogd.state_dict() | {"strengths": torch.zeros(3)})
    ogd.algorithm = other.algorithm
    with pytest.raises(ValueError, match="must stay as they are"):
        ogd.on_task_start(1)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("vectors", -1, "at least 0"),
        ("gradients", 100, "at least vectors"),
        ("directions", "some", "one of all, sampled"),
        ("max_vectors", 199, "at least vectors, 200"),
    ],
)
def test_ranges(field: str, value: Any, expected: str) -> None:
    with pytest.raises(ValueError, match=f"{field} is {value!r}; expected .*{expected}"):
        OGDConfig(**{field: value})
    with pytest.raises(ValueError, match="not both"):
        OGD(OGDConfig(), **{field: value})


@pytest.mark.parametrize("seed", [0, 1])
def test_it_keeps_what_finetuning_loses(bandit: Any, seed: int) -> None:
    found = []
    for remedies in ([], [OGD(vectors=400)]):
        learner = ContinualLearner(SMALL.build(bandit(0), seed), remedies)
        for task in range(2):
            learner.learn_task(bandit(task), total_timesteps=6144)
            if task == 0:
                unlearned = bandit(1).score(learner.predict)
        found.append((bandit(0).score(learner.predict), bandit(1).score(learner.predict)))
    (lost, _), (kept, new) = found
    assert lost < -0.8
    assert kept > lost / 3
    assert new > unlearned + 0.5
