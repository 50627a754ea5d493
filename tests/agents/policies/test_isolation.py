"""What holds for every method that gives each task a part of the acting network."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor, nn

from rover_cl_agents import ContinualLearner, PPOConfig
from rover_cl_agents.methods.freeze import Freeze
from rover_cl_agents.methods.headbank import HeadBank
from rover_cl_agents.methods.lora import LoRA
from rover_cl_agents.methods.packnet import PackNet
from rover_cl_agents.methods.progressive import Progressive
from rover_cl_agents.outputs import read
from rover_cl_agents.policies.isolation import Isolation
from rover_cl_agents.policies.parted import PartedLinear
from rover_cl_agents.task_switch import all_optimizers
from rover_cl_agents.vec_env import as_vec_env

SMALL = PPOConfig(n_steps=16, batch_size=128, n_epochs=4, net=(32, 32))
OFF = {"learning_starts": 32, "buffer_size": 500, "batch_size": 16, "policy_kwargs": {"net_arch": [8, 8]}}
ON = {"n_steps": 16, "policy_kwargs": {"net_arch": [8, 8]}}
ALGORITHMS: dict[str, tuple[Any, bool, dict[str, Any]]] = {
    "ppo": (PPO, False, {**ON, "batch_size": 32, "n_epochs": 2}),
    "a2c": (A2C, True, ON),
    "sac": (SAC, False, OFF),
    "td3": (TD3, False, OFF),
    "dqn": (DQN, True, {**OFF, "target_update_interval": 20}),
}
PACK = {"tasks": 3, "retrain_steps": 20, "batch_size": 16}
SEPARATE: dict[str, Any] = {
    "progressive": lambda **more: Progressive(**more),
    "lora": lambda **more: LoRA(rank=2, **more),
    "packnet": lambda **more: PackNet(**{**PACK, **more}),
}
METHODS: dict[str, Any] = {"headbank": lambda **more: HeadBank(warm=False, **more), **SEPARATE}
BATCH = torch.randn((9, 4), generator=torch.Generator().manual_seed(3))


def build(kind: str, bandit: Any, methods: list[Any]) -> ContinualLearner:
    algorithm, discrete, settings = ALGORITHMS[kind]
    env = as_vec_env(bandit(0, 2, discrete=discrete))
    own = copy.deepcopy(settings)  # SB3 writes into policy_kwargs
    return ContinualLearner(algorithm("MlpPolicy", env, seed=0, device="cpu", **own), methods)


def learn(learner: ContinualLearner, bandit: Any, task: int, steps: int = 96) -> None:
    discrete = isinstance(learner.algorithm.action_space, spaces.Discrete)
    learner.learn_task(bandit(task % 2, 2, discrete=discrete), total_timesteps=steps, task=task)


def answers(learner: ContinualLearner, task: int | None) -> Tensor:
    method: Any = learner.methods[0]
    method.select(task)
    with torch.no_grad():
        found = read(learner.algorithm.policy, BATCH).location.clone()
    method.select(learner.tasks[-1])
    return found


def trained(learner: ContinualLearner) -> list[Tensor]:
    optimizers = all_optimizers(learner.algorithm).values()
    held = [p for optimizer in optimizers for group in optimizer.param_groups for p in group["params"]]
    return [p.detach().clone() for p in held if p.requires_grad]


def weights(learner: ContinualLearner) -> list[Tensor]:
    return [tensor.clone() for tensor in learner.algorithm.policy.state_dict().values()]


def equal(a: list[Tensor], b: list[Tensor]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("kind", ALGORITHMS)
def test_the_first_task_is_plain_sb3_to_the_bit(kind: str, bandit: Any) -> None:
    plain = build(kind, bandit, [])
    learn(plain, bandit, 0)
    for name, make in METHODS.items():
        divided = build(kind, bandit, [make(tasks=1) if name == "packnet" else make()])
        learn(divided, bandit, 0)
        assert equal(trained(plain), trained(divided)), name


@pytest.mark.parametrize("kind", ALGORITHMS)
@pytest.mark.parametrize("name", SEPARATE)
def test_no_task_changes_the_answers_of_another(kind: str, name: str, bandit: Any) -> None:
    learner = build(kind, bandit, [SEPARATE[name]()])
    after: dict[int, Tensor] = {}
    for task in (0, 1, 2, 0):
        known = answers(learner, task) if task in after else None
        learn(learner, bandit, task)
        assert all(torch.equal(answers(learner, t), a) for t, a in after.items() if t != task)
        after[task] = answers(learner, task)
        assert known is None or not torch.equal(known, after[task]), "a task that comes back learns on"
    assert not torch.equal(after[0], after[1])
    assert torch.equal(answers(learner, None), after[0]), "the latest part"
    assert torch.equal(answers(learner, 99), after[0])


@pytest.mark.parametrize("kind", ALGORITHMS)
@pytest.mark.parametrize("name", METHODS)
def test_a_restored_learner_goes_on_as_if_never_stopped(
    kind: str, name: str, bandit: Any, tmp_path: Path
) -> None:
    more = {} if name == "headbank" else {"infer": True}
    learner = build(kind, bandit, [METHODS[name](**more)])
    for task in (4, 1):
        learn(learner, bandit, task, 64)
    learner.save(tmp_path / "checkpoint")
    saved, guess = weights(learner), answers(learner, None)
    other = build(kind, bandit, [METHODS[name](**more)]).restore(tmp_path / "checkpoint")
    assert other.cost() == learner.cost()
    assert equal(saved, weights(other))
    assert torch.equal(guess, answers(other, None))
    for each in (learner, other):
        each.reseed(5)
        learn(each, bandit, 2, 64)
    assert equal(weights(learner), weights(other))
    # Back to the checkpoint with one part fewer.
    assert equal(saved, weights(learner.restore(tmp_path / "checkpoint")))
    learner.reseed(5)
    learn(learner, bandit, 2, 64)
    assert equal(weights(learner), weights(other))


@pytest.mark.parametrize("kind", ["td3", "dqn"])
@pytest.mark.parametrize("name", METHODS)
def test_the_target_network_is_divided_alike(kind: str, name: str, bandit: Any) -> None:
    learner = build(kind, bandit, [METHODS[name]()])
    learn(learner, bandit, 0, 64)
    method: Any = learner.methods[0]
    method.on_task_start(1)
    policy: Any = learner.algorithm.policy
    online = policy.q_net if kind == "dqn" else policy.actor
    target = policy.q_net_target if kind == "dqn" else policy.actor_target
    state, copied = online.state_dict(), target.state_dict()
    assert list(state) == list(copied)
    divided = [n for n, module in online.named_modules() if isinstance(module, PartedLinear)]
    own = [n for n in state if any(n.startswith(f"{d}.") for d in divided)]
    assert own
    assert all(torch.equal(state[n], copied[n]) for n in own)
    assert not {p.data_ptr() for p in online.parameters()} & {p.data_ptr() for p in target.parameters()}


def random_numbers() -> Any:
    state: Any = np.random.get_state()
    return state[1]


@pytest.mark.parametrize("name", METHODS)
def test_the_global_generators_are_left_alone(name: str, bandit: Any) -> None:
    algorithm = SMALL.build(bandit(0, 2), 0)
    before = torch.get_rng_state(), random_numbers().copy()
    method: Isolation = METHODS[name]()
    method.bind(algorithm, 3)
    for task in range(3):
        method.on_task_start(task)
        method.on_task_end()
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], random_numbers())


@pytest.mark.parametrize("name", SEPARATE)
def test_an_unknown_task_is_guessed_row_by_row(name: str, bandit: Any) -> None:
    learner = build("ppo", bandit, [SEPARATE[name](infer=True)])
    for task in range(2):
        learn(learner, bandit, task)
    method: Any = learner.methods[0]
    rows = np.concatenate([bandit(0).draw(20)[:20], bandit(1).draw(20)[:20]])[::-1].copy()
    rows = rows[np.abs(rows[:, 0]) > 0.5]  # the tasks' means are 1.5 and -1.5
    told = learner.predict(rows, task=(rows[:, 0] < 0).astype(np.int64))
    np.testing.assert_allclose(learner.predict(rows), told, rtol=1e-4, atol=1e-6)
    assert np.abs(learner.predict(rows, task=0) - told).max() > 1e-4
    assert method.selection.rows is None, "training is told its task"
    assert method.guess.bytes == 2 * 2 * 4 * 4


@cache
def score(bandit: Any, name: str, seed: int) -> tuple[float, float]:
    methods: list[Any] = [METHODS[name]()] if name in METHODS else []
    if name == "freeze":
        methods = [Freeze(layers=2), HeadBank()]  # frozen features alone keep no answers
    if name == "packnet":
        methods = [PackNet(tasks=2, retrain_steps=200, batch_size=128)]
    learner = ContinualLearner(SMALL.build(bandit(0), seed), methods)
    for task in range(2):
        learner.learn_task(bandit(task), total_timesteps=8192)
    old, new = (bandit(t).score(lambda o, t=t: learner.predict(o, task=t)) for t in range(2))
    return old, new


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", [*METHODS, "freeze"])
def test_it_keeps_what_finetuning_loses(name: str, seed: int, bandit: Any) -> None:
    lost, new = score(bandit, "finetune", seed)
    kept, learned = score(bandit, name, seed)
    assert lost < -1
    assert kept > lost / 3
    assert learned > new - 0.3


class Learned(BaseFeaturesExtractor):
    def __init__(self, observation_space: Any) -> None:
        super().__init__(observation_space, 5)
        self.layer = nn.Linear(4, 5)

    def forward(self, observations: Tensor) -> Tensor:
        features: Tensor = self.layer(observations)
        return features


def test_refusals(bandit: Any) -> None:
    algorithm = SMALL.build(bandit(0, 2), 0)
    LoRA().bind(algorithm, 0)
    with pytest.raises(ValueError, match="another method has divided"):
        HeadBank().bind(algorithm, 0)
    env = as_vec_env(bandit(0, 2))
    cases: list[tuple[dict[str, Any], str]] = [
        ({"features_extractor_class": Learned}, "features are learned"),
        ({"net_arch": []}, "hidden layer"),
    ]
    for kwargs, expected in cases:
        with pytest.raises(ValueError, match=expected):
            Progressive().bind(PPO("MlpPolicy", env, device="cpu", policy_kwargs=kwargs), 0)
    method = Progressive()
    method.bind(SMALL.build(bandit(0, 2), 0), 0)
    with pytest.raises(ValueError, match="lacks 'tasks'"):
        method.reshape({})
    with pytest.raises(ValueError, match="latest 3"):
        method.reshape({"tasks": "0", "visits": 1, "latest": 3})
    with pytest.raises(ValueError, match="needs its 'generator'"):
        method.load_state_dict({})
