from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from rover_cl_agents import ContinualLearner, DQNConfig, PPOConfig
from rover_cl_agents.methods.agem import AGEM, AGEMConfig, turned_aside
from rover_cl_agents.outputs import distance, read
from rover_cl_agents.step_hooks import trained_parameters

SMALL = PPOConfig(n_steps=16, batch_size=128, n_epochs=4, net=(32, 32))


def learned(bandit: Any, steps: int = 640) -> AGEM:
    agem = AGEM(capacity=50, batch_size=64)
    ContinualLearner(SMALL.build(bandit(0, 8), 0), [agem]).learn_task(bandit(0, 8), total_timesteps=steps)
    return agem


def shift(agem: AGEM, step: Tensor) -> None:
    """Move the policy's weights by `step`, flat."""
    parameters = trained_parameters(agem.algorithm.policy.optimizer)
    parts = torch.split(step, [p.numel() for p in parameters])
    with torch.no_grad():
        for parameter, part in zip(parameters, parts, strict=True):
            parameter.add_(part.view_as(parameter))


def noise(agem: AGEM) -> Tensor:
    size = sum(p.numel() for p in agem.algorithm.policy.parameters())
    return torch.randn(size, generator=torch.Generator().manual_seed(4), dtype=torch.float64)


@pytest.fixture(params=[False, True], ids=["continuous", "discrete"])
def moved(request: Any, bandit: Any, monkeypatch: pytest.MonkeyPatch) -> AGEM:
    """In float64, some way from where its one batch was stored."""
    agem = AGEM()
    agem.bind(SMALL.build(bandit(0, 8, discrete=request.param), 0), 0)
    policy: Any = agem.algorithm.policy.double()
    # SB3 turns observations into float32 first.
    policy.mlp_extractor.policy_net.register_forward_pre_hook(lambda _, inputs: (inputs[0].double(),))
    states = torch.as_tensor(bandit(0).draw(40)).double()
    cached = read(policy, states).detach()
    agem.memory.store(0, states, cached)
    monkeypatch.setattr(agem.memory, "sample", lambda _: (states, cached))
    shift(agem, 0.05 * noise(agem))
    return agem


def distance_now(agem: AGEM) -> float:
    states, cached = agem.memory.sample(1)
    with torch.no_grad():
        return distance(read(agem.algorithm.policy, states), cached).item()


def test_numbers_by_hand() -> None:
    # A gradient [1, -2] with reference [0, 1] becomes [1, 0]; its step is its negative.
    step, reference = torch.tensor([-1.0, 2.0]), torch.tensor([0.0, 1.0])
    assert turned_aside(step, reference).tolist() == [-1.0, 0.0]
    assert turned_aside(step, 5 * reference).tolist() == [-1.0, 0.0]
    assert turned_aside(step, reference, strength=0.5).tolist() == [-1.0, 1.0]
    assert turned_aside(step, reference, strength=2.0).tolist() == [-1.0, -2.0]
    harmless = torch.tensor([-1.0, -2.0])
    assert turned_aside(harmless, reference) is harmless
    assert turned_aside(step, torch.zeros(2)) is step


def test_the_reference_equals_finite_differences(moved: AGEM) -> None:
    reference, direction = moved.reference_gradient(), noise(moved).sign()
    values = []
    for step in (1e-6, -2e-6):
        shift(moved, step * direction)
        values.append(distance_now(moved))
    assert (values[0] - values[1]) / 2e-6 == pytest.approx(float(reference @ direction), rel=1e-6)


def test_a_projected_step_leaves_the_distance_and_a_falling_one_is_kept(moved: AGEM) -> None:
    start, harmful = distance_now(moved), 1e-5 * noise(moved)
    moved.auxiliary_gradient("policy")
    reference = moved._reference
    assert reference is not None
    harmful = harmful if harmful @ reference > 0 else -harmful
    rises = []
    for step in (harmful, turned_aside(harmful, reference)):
        shift(moved, step)
        rises.append(distance_now(moved) - start)
        shift(moved, -step)
    assert rises[0] > 0
    assert abs(rises[1]) < 0.05 * rises[0]
    moved.auxiliary_gradient("policy")
    falling = -harmful
    assert moved.adjust_update("policy", falling) is falling
    assert moved.adjust_update("policy", harmful) is harmful, "each step needs a reference of its own"


def test_the_projected_step_is_orthogonal(moved: AGEM) -> None:
    reference, step = moved.reference_gradient(), noise(moved)
    for each in (step, -step):
        moved._reference = reference
        edited = moved.adjust_update("policy", each)
        assert float(edited @ reference) <= 1e-9
    assert moved.adjust_update("critic", step) is step


def test_no_reference_before_the_second_task_and_zero_right_after_the_snapshot(bandit: Any) -> None:
    agem = learned(bandit)
    assert float(agem.reference_gradient().norm()) < 1e-5
    fresh = AGEM()
    fresh.bind(agem.algorithm, 0)
    fresh.auxiliary_gradient("policy")
    step = torch.ones(5)
    assert fresh.adjust_update("policy", step) is step


@pytest.mark.parametrize("discrete", [False, True])
def test_the_paper_s_reference_is_the_policy_gradient_of_old_transitions(bandit: Any, discrete: bool) -> None:
    agem = AGEM(reference="reward", capacity=200, batch_size=200)
    learner = ContinualLearner(SMALL.build(bandit(0, 8, discrete=discrete), 0), [agem])
    learner.learn_task(bandit(0, 8, discrete=discrete), total_timesteps=256)
    assert torch.bincount(agem.memory.tasks).tolist() == [128]  # the last rollout has no more
    everything, policy = torch.arange(128), agem.algorithm.policy
    advantages = agem.memory.beside("advantages", everything)
    assert advantages.mean().item() == pytest.approx(0, abs=1e-6)
    reference = agem.reference_gradient()
    parameters = trained_parameters(policy.optimizer)
    states, _ = agem.memory.at(everything)
    actions = agem.memory.beside("actions", everything)
    policy_any: Any = policy
    _, log_probs, _ = policy_any.evaluate_actions(states, actions.flatten() if discrete else actions)
    ratios = torch.exp(log_probs - agem.memory.beside("log_probs", everything)).detach()
    loss = -(torch.minimum(ratios, torch.ones(128)) * advantages * log_probs).sum() / 128
    found = torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)
    torch.testing.assert_close(reference, torch.cat([g.flatten() for g in found]))
    assert reference.norm() > 1e-3


def test_only_on_policy_algorithms_have_a_reward_to_keep(bandit: Any) -> None:
    with pytest.raises(ValueError, match="reference is 'reward' with DQN; expected 'answers'"):
        AGEM(reference="reward").bind(DQNConfig().build(bandit(0, 8, discrete=True), 0), 0)
    with pytest.raises(ValueError, match="reference is 'loss'; expected answers or reward"):
        AGEMConfig(reference="loss")


def test_memory_is_capped_for_each_task_and_counted(bandit: Any) -> None:
    agem = AGEM(capacity=50, batch_size=16)
    learner = ContinualLearner(SMALL.build(bandit(0, 8), 0), [agem])
    for task in (0, 1, 0):
        learner.learn_task(bandit(task, 8), total_timesteps=256, task=task)
    assert torch.bincount(agem.memory.tasks).tolist() == [50, 50]
    assert agem.cost().bytes == 100 * (4 * 4 + 2 * 4 + 2 * 4 + 8)


def test_the_next_sample_is_the_same_after_restoring(bandit: Any) -> None:
    agem, other = learned(bandit), AGEM(capacity=50, batch_size=64)
    other.bind(agem.algorithm, 77)
    other.load_state_dict(agem.state_dict())
    assert torch.equal(agem.reference_gradient(), other.reference_gradient())
    assert torch.equal(agem._generator.get_state(), other._generator.get_state())
    with pytest.raises(ValueError, match="needs the tensor 'choice'"):
        other.load_state_dict({})


@pytest.mark.parametrize(
    ("field", "value"), [("strength", -0.1), ("strength", 2.1), ("capacity", 0), ("batch_size", 0)]
)
def test_ranges(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{field} is {value}; expected"):
        AGEMConfig(**{field: value})
    with pytest.raises(ValueError, match="not both"):
        AGEM(AGEMConfig(), **{field: value})


@pytest.mark.parametrize("seed", [0, 1])
def test_it_keeps_what_finetuning_loses(bandit: Any, seed: int) -> None:
    found = []
    for remedies in ([], [AGEM(capacity=500, batch_size=128)]):
        learner = ContinualLearner(SMALL.build(bandit(0), seed), remedies)
        for task in range(2):
            learner.learn_task(bandit(task), total_timesteps=6144)
            if task == 0:
                unlearned = bandit(1).score(learner.predict)
        found.append((bandit(0).score(learner.predict), bandit(1).score(learner.predict)))
    (lost, _), (kept, new) = found
    assert lost < -0.8
    assert kept > lost / 3
    assert new > unlearned / 2
