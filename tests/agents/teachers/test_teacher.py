from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3
from torch import Tensor, nn

from rover_cl_agents import SDFT, ContextConfig, ContinualLearner, HeadBank, LoRA, Progressive
from rover_cl_agents.outputs import read
from rover_cl_agents.teachers.teacher import Teacher, acting_parameters, probe
from rover_cl_agents.vec_env import as_vec_env

OFF: dict[str, Any] = {
    "learning_starts": 8,
    "buffer_size": 100,
    "batch_size": 8,
    "policy_kwargs": {"net_arch": [16]},
}
ALGORITHMS: list[tuple[Any, bool, dict[str, Any]]] = [
    (PPO, False, {"n_steps": 16, "batch_size": 32}),
    (PPO, True, {"n_steps": 16, "batch_size": 32}),
    (A2C, True, {"n_steps": 16}),
    (SAC, False, OFF),
    (TD3, False, OFF),
    (DQN, True, OFF),
]


def build(bandit: Any, algorithm: Any = PPO, discrete: bool = False, **settings: Any) -> Any:
    env = as_vec_env(bandit(0, 2, discrete=discrete))
    return algorithm("MlpPolicy", env, seed=0, device="cpu", **copy.deepcopy(settings))


def move(policy: Any, by: float = 0.5) -> None:
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.add_(by)


@pytest.mark.parametrize(("algorithm", "discrete", "settings"), ALGORITHMS)
def test_a_teacher_answers_as_the_student_did(
    algorithm: Any, discrete: bool, settings: Any, bandit: Any
) -> None:
    model = build(bandit, algorithm, discrete, **settings).learn(64)
    observations = torch.linspace(-2, 2, 20).reshape(5, 4)
    before, drawn = read(model.policy, observations).detach(), torch.get_rng_state()
    teacher = Teacher(model.policy)
    teacher.copy()
    assert torch.equal(teacher.answer(observations).location, before.location)
    move(model.policy)
    moved = read(model.policy, observations).detach()
    answer = teacher.answer(observations)
    assert torch.equal(answer.location, before.location)
    assert not answer.location.requires_grad
    if before.log_scale is not None and answer.log_scale is not None:
        assert torch.equal(answer.log_scale, before.log_scale)
    assert not torch.equal(moved.location, before.location)
    assert torch.equal(read(model.policy, observations).location, moved.location)
    assert torch.equal(torch.get_rng_state(), drawn)


def test_an_answer_leaves_shared_features_to_the_student(bandit: Any) -> None:
    """Actor and critic share one extractor, a module of several names: it must not keep the teacher's."""
    context = ContextConfig(kind="attention", steps=2, width=4)
    net: dict[str, Any] = {"net_arch": [8], **context.policy_kwargs()}
    env = context.wrap(bandit(0, 2))
    policy: Any = PPO("MlpPolicy", env, policy_kwargs=net, seed=0, device="cpu").policy
    observations = torch.linspace(-2, 2, 50).reshape(5, 10)
    teacher = Teacher(policy)
    teacher.copy()
    before = read(policy, observations).location
    move(policy)
    moved, own = read(policy, observations).location, list(policy.parameters())
    assert torch.equal(teacher.answer(observations).location, before)
    assert torch.equal(read(policy, observations).location, moved)
    assert all(one is other for one, other in zip(policy.parameters(), own, strict=True))
    torch.autograd.grad(read(policy, observations).location.sum(), policy.features_extractor.embed.weight)


def test_only_the_acting_network_is_held(bandit: Any) -> None:
    ppo, sac, dqn = build(bandit), build(bandit, SAC, **OFF), build(bandit, DQN, True, **OFF)
    for name, parameter in ppo.policy.named_parameters():
        parameter.requires_grad_("bias" in name)  # frozen layers act too
    names = set(dict(ppo.policy.named_parameters()))
    assert set(acting_parameters(ppo.policy)) == {n for n in names if "value" not in n}
    assert {name.partition(".")[0] for name in acting_parameters(sac.policy)} == {"actor"}
    assert {name.partition(".")[0] for name in acting_parameters(dqn.policy)} == {"q_net"}
    teacher = Teacher(dqn.policy)
    assert (teacher.ready, teacher.bytes) == (False, 0)
    teacher.copy()
    assert (teacher.ready, teacher.bytes) == (True, 4 * (4 * 16 + 16 + 16 * 3 + 3))


def test_layers_of_any_kind_are_found(bandit: Any) -> None:
    policy = build(bandit).policy
    policy.mlp_extractor.policy_net.append(nn.LayerNorm(64))
    assert "mlp_extractor.policy_net.4.weight" in acting_parameters(policy)


def test_following_is_a_running_average(bandit: Any) -> None:
    policy = build(bandit).policy
    with torch.no_grad():
        policy.action_net.bias.copy_(torch.tensor([1.0, 2.0]))
    teacher = Teacher(policy)
    teacher.copy()
    first = teacher.state_dict()["teacher.action_net.bias"].clone()
    teacher.follow(0.99)
    assert torch.equal(teacher.state_dict()["teacher.action_net.bias"], first)
    with torch.no_grad():
        policy.action_net.bias.copy_(torch.tensor([3.0, -2.0]))
    teacher.follow(1.0)
    assert torch.equal(teacher.state_dict()["teacher.action_net.bias"], first)
    teacher.follow(0.99)
    found = teacher.state_dict()["teacher.action_net.bias"]
    torch.testing.assert_close(found, torch.tensor([0.99 * 1 + 0.01 * 3, 0.99 * 2 - 0.01 * 2]))
    teacher.follow(0.0)
    observations = torch.ones(2, 4)
    assert torch.equal(teacher.answer(observations).location, read(policy, observations).location)


def test_state_round_trip_and_refusals(bandit: Any) -> None:
    model = build(bandit)
    teacher, other = Teacher(model.policy), Teacher(model.policy)
    with pytest.raises(ValueError, match="copy the student first"):
        teacher.answer(torch.ones(1, 4))
    other.load_state_dict(teacher.state_dict())
    assert not other.ready
    teacher.copy()
    state = {name: tensor.clone() for name, tensor in teacher.state_dict().items()}
    answer = teacher.answer(torch.ones(1, 4)).location
    move(model.policy)
    other.load_state_dict(state)
    other.follow(0.5)  # must not reach the tensors that were given
    other.load_state_dict(state)
    assert torch.equal(other.answer(torch.ones(1, 4)).location, answer)
    with pytest.raises(ValueError, match="unknown weight 'nowhere'"):
        other.load_state_dict({**state, "teacher.nowhere": torch.zeros(1)})
    with pytest.raises(ValueError, match="lacks weight 'log_std'"):
        other.load_state_dict({n: t for n, t in state.items() if "log_std" not in n})
    with pytest.raises(ValueError, match=r"'log_std' has shape \(3,\); expected \(2,\)"):
        other.load_state_dict({**state, "teacher.log_std": torch.zeros(3)})


@pytest.mark.parametrize("make", [HeadBank, Progressive, LoRA])
def test_a_teacher_from_before_the_latest_part_comes_back(make: Any, bandit: Any, tmp_path: Path) -> None:
    learner = ContinualLearner(build(bandit, n_steps=16, batch_size=32), [make(), SDFT(batch_size=16)])
    for task in range(2):
        learner.learn_task(bandit(task, 2), total_timesteps=64)
    learner.save(tmp_path / "checkpoint")
    again = ContinualLearner.load(tmp_path / "checkpoint", bandit(0, 2))
    ours, theirs = (each.methods[1].state_dict() for each in (learner, again))
    assert ours.keys() == theirs.keys() and len(ours) > 1
    for name, tensor in ours.items():
        assert isinstance(tensor, Tensor) and tensor.equal(torch.as_tensor(theirs[name]))


def test_the_probe_is_one_observation(bandit: Any) -> None:
    assert torch.equal(probe(build(bandit).policy), torch.zeros(1, 4))
