from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from stable_baselines3 import SAC
from torch import Tensor

from rover_cl_agents import (
    AGEM,
    CLEAR,
    DER,
    ContinualLearner,
    Distillation,
    EchoReplay,
    Freeze,
    Method,
    PPOConfig,
    Replay,
)
from rover_cl_agents.methods.headbank import HeadBank, HeadBankConfig
from rover_cl_agents.policies.heads import TaskHeads
from rover_cl_agents.vec_env import as_vec_env

SMALL = PPOConfig(n_steps=16, batch_size=128, n_epochs=4, net=(32, 32))


def learned(bandit: Any, methods: list[Any], tasks: list[int]) -> ContinualLearner:
    learner = ContinualLearner(SMALL.build(bandit(0, 8), 0), methods)
    for task in tasks:
        learner.learn_task(bandit(task, 8), total_timesteps=256, task=task)
    return learner


def trained(learner: ContinualLearner) -> list[Tensor]:
    held = learner.algorithm.policy.optimizer.param_groups[0]["params"]
    return [p.detach().clone() for p in held]


def heads(learner: ContinualLearner) -> TaskHeads:
    policy: Any = learner.algorithm.policy
    assert isinstance(policy.action_net, TaskHeads)
    return policy.action_net


@pytest.mark.parametrize("tasks", [[0, 0], [0, 1]])
def test_with_warm_heads_training_is_finetuning_to_the_bit(tasks: list[int], bandit: Any) -> None:
    plain, bank = (learned(bandit, methods, tasks) for methods in ([], [HeadBank()]))
    assert all(torch.equal(a, b) for a, b in zip(trained(plain), trained(bank), strict=True))
    assert len(heads(bank)) == len(set(tasks))
    fresh = learned(bandit, [HeadBank(warm=False)], tasks)
    same = [torch.equal(a, b) for a, b in zip(trained(plain), trained(fresh), strict=True)]
    assert all(same) == (tasks == [0, 0])


def test_only_the_head_of_the_task_learns(bandit: Any) -> None:
    learner = learned(bandit, [HeadBank()], [0])
    known = [heads(learner).head(0).weight.clone()]
    for task in (1, 0):
        learner.learn_task(bandit(task, 8), total_timesteps=256, task=task)
        known.append(heads(learner).head(0).weight.clone())
    assert torch.equal(known[0], known[1])
    assert not torch.equal(known[1], known[2])


def test_a_task_is_answered_by_its_own_head(bandit: Any) -> None:
    learner = learned(bandit, [HeadBank()], [3, 7])
    with torch.no_grad():
        for head, value in enumerate([0.25, 0.75]):
            heads(learner).head(head).weight.zero_()
            heads(learner).head(head).bias.fill_(value)
    observations = bandit(0).draw(4)
    assert (learner.predict(observations, task=3) == 0.25).all()
    assert (learner.predict(observations, task=7) == 0.75).all()
    assert (learner.predict(observations) == 0.75).all(), "the latest"
    learner.learn_task(bandit(0, 8), total_timesteps=128, task=3)
    assert (learner.predict(observations) != 0.75).any(), "the latest is task 3 now"


def test_a_head_costs_its_layer(bandit: Any) -> None:
    learner = learned(bandit, [HeadBank()], [0])
    one = learner.cost()
    learner = learned(bandit, [HeadBank()], [0, 1, 2, 1])
    assert one.bytes == 0
    assert learner.cost().bytes == 2 * 4 * (32 * 2 + 2)
    assert learner.cost().parameters == one.parameters


def test_sac_has_a_mean_and_a_spread_for_each_task(bandit: Any) -> None:
    model = SAC("MlpPolicy", as_vec_env(bandit(0, 2)), policy_kwargs={"net_arch": [8]}, seed=0, device="cpu")
    HeadBank().bind(model, 0)
    actor: Any = model.policy.actor
    assert isinstance(actor.mu, TaskHeads)
    assert isinstance(actor.log_std, TaskHeads)
    assert not isinstance(actor.latent_pi[0], TaskHeads)


def test_settings() -> None:
    assert HeadBank(warm=False).describe() == {"warm": False}
    with pytest.raises(ValueError, match="not both"):
        HeadBank(HeadBankConfig(), warm=False)


MEMORIES: dict[str, Callable[[], Method]] = {
    "replay": lambda: Replay(capacity=20, weight=1e4),
    "echo-replay": lambda: EchoReplay(capacity=20, pool=64, echoes=256, weight=1e4),
    "der": lambda: DER(capacity=20, label_weight=0.5),
    "clear": lambda: CLEAR(capacity=20, replay_weight=0.5, unroll=4),
    "distill": lambda: Distillation(capacity=1, batch_size=2, weight=1e4),
}


@pytest.mark.parametrize("name", MEMORIES)
def test_a_memory_asks_the_head_of_the_task_that_its_states_are_of(name: str, bandit: Any) -> None:
    bank, memory = HeadBank(warm=False), MEMORIES[name]()
    learner = learned(bandit, [bank, memory], [0])
    policy: Any = learner.algorithm.policy
    with torch.no_grad():
        policy.mlp_extractor.policy_net[0].bias.add_(1.0)  # something is lost
    before = memory.auxiliary_loss("policy")
    bank.on_task_start(1)  # its head is a fresh one, and answers otherwise
    after = memory.auxiliary_loss("policy")
    assert before is not None and after is not None
    torch.testing.assert_close(after, before)
    assert bank.selection.part == 1 and bank.selection.rows is None
    assert after.requires_grad, "what all heads read is held"
    assert before.abs() > 1e-3
    assert learner.learn_task(bandit(1, 8), total_timesteps=256, task=1).tasks == [0, 1]


@pytest.mark.parametrize("reference", ["answers", "reward"])
def test_agem_turns_steps_aside_for_the_head_of_the_old_task(reference: str, bandit: Any) -> None:
    bank, agem = HeadBank(warm=False), AGEM(capacity=20, reference=reference)
    learner = learned(bandit, [bank, agem], [0])
    trunk = [p for n, p in learner.algorithm.policy.named_parameters() if "policy_net" in n]
    found = []
    for task in (0, 1):
        bank.on_task_start(task)
        loss = agem._distance() if reference == "answers" else agem._old_loss()
        found.append([loss, *torch.autograd.grad(loss, trunk)])
    for old, new in zip(*found, strict=True):
        torch.testing.assert_close(new, old)
    frozen = learned(bandit, [Freeze(layers=2), HeadBank(), AGEM(capacity=20, reference=reference)], [0, 1])
    assert frozen.tasks == [0, 1], "where nothing can be lost, steps go where they like"
