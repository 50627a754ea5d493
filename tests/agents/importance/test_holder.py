from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import gymnasium
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor, nn

from rover_cl_agents import EWC, ContinualLearner, Method
from rover_cl_agents.methods.l2 import L2
from rover_cl_agents.methods.mas import MAS
from rover_cl_agents.methods.online_ewc import OnlineEWC
from rover_cl_agents.methods.si import SI
from rover_cl_agents.vec_env import as_vec_env

OFF = {"learning_starts": 32, "buffer_size": 500, "batch_size": 16, "policy_kwargs": {"net_arch": [16]}}
ON = {"n_steps": 16, "policy_kwargs": {"net_arch": [16]}}
ALGORITHMS: list[tuple[Any, bool, dict[str, Any]]] = [
    (PPO, False, {**ON, "batch_size": 32}),
    (PPO, True, {**ON, "batch_size": 32}),
    (A2C, True, ON),
    (SAC, False, OFF),
    (TD3, False, OFF),
    (DQN, True, OFF),
]
HOLDERS: dict[str, Callable[[float], Method]] = {
    "ewc": lambda weight: EWC(samples=64, weight=weight),
    "ewc sampled": lambda weight: EWC(samples=64, weight=weight, fisher="sampled"),
    "ewc empirical": lambda weight: EWC(samples=64, weight=weight, fisher="empirical"),
    "ewc proximal": lambda weight: EWC(samples=64, weight=weight, proximal=True),
    "online ewc": lambda weight: OnlineEWC(samples=64, weight=weight),
    "l2": lambda weight: L2(weight=weight),
    "mas": lambda weight: MAS(samples=64, weight=weight),
    "si": lambda weight: SI(weight=weight),
}


ON_POLICY_ONLY = {"ewc empirical"}


def every(case: int, weight: float) -> list[Method]:
    """All of them that the algorithm takes."""
    off_policy = ALGORITHMS[case][2] is OFF
    return [make(weight) for name, make in HOLDERS.items() if not (off_policy and name in ON_POLICY_ONLY)]


def weights(learner: ContinualLearner) -> list[Tensor]:
    return [p.detach().clone() for p in learner.algorithm.policy.state_dict().values()]


def equal(a: list[Tensor], b: list[Tensor]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def build(case: int, bandit: Any, methods: list[Method]) -> ContinualLearner:
    algorithm, discrete, settings = ALGORITHMS[case]
    env = as_vec_env(bandit(0, 2, discrete=discrete))
    own = copy.deepcopy(settings)  # SB3 writes into policy_kwargs
    return ContinualLearner(algorithm("MlpPolicy", env, seed=0, device="cpu", **own), methods)


def learned(case: int, bandit: Any, methods: list[Method], tasks: int = 2) -> ContinualLearner:
    learner = build(case, bandit, methods)
    for task in range(tasks):
        learner.learn_task(bandit(task, 2, discrete=ALGORITHMS[case][1]), total_timesteps=96)
    return learner


@cache
def finetuned(case: int, bandit: Any, tasks: int) -> tuple[list[Tensor], Tensor]:
    """The weights without any method, and the global generator's state afterwards."""
    found = weights(learned(case, bandit, [], tasks))
    return found, torch.get_rng_state()


@pytest.mark.parametrize("case", range(len(ALGORITHMS)))
def test_weight_zero_is_finetuning_to_the_bit(case: int, bandit: Any) -> None:
    plain, generator = finetuned(case, bandit, 2)
    off = learned(case, bandit, every(case, 0.0))
    assert equal(plain, weights(off))
    assert torch.equal(torch.get_rng_state(), generator)
    assert off.cost().bytes == 0
    assert not equal(plain, weights(learned(case, bandit, [L2(weight=1.0)])))


@pytest.mark.parametrize("holder", list(HOLDERS))
def test_each_acts_from_the_second_task_on(holder: str, bandit: Any) -> None:
    for tasks in (1, 2):
        plain, _ = finetuned(0, bandit, tasks)
        assert equal(plain, weights(learned(0, bandit, [HOLDERS[holder](1.0)], tasks))) == (tasks == 1)


@pytest.mark.parametrize("case", range(len(ALGORITHMS)))
def test_the_first_task_and_the_global_generator_are_plain_sb3s(case: int, bandit: Any) -> None:
    plain, generator = finetuned(case, bandit, 1)
    assert equal(plain, weights(learned(case, bandit, every(case, 1.0), 1)))
    assert torch.equal(torch.get_rng_state(), generator)


@pytest.mark.parametrize("case", range(len(ALGORITHMS)))
def test_a_restored_learner_goes_on_as_if_never_stopped(case: int, bandit: Any, tmp_path: Path) -> None:
    discrete = ALGORITHMS[case][1]
    learner = learned(case, bandit, every(case, 1.0))
    learner.save(tmp_path / "checkpoint")
    other = ContinualLearner.load(
        tmp_path / "checkpoint",
        bandit(0, 2, discrete=discrete),
        methods=every(case, 1.0),
    )
    assert other.cost() == learner.cost()
    for each in (learner, other):
        each.reseed(5)
        for task in (1, 2):  # one that comes again, one that is new
            each.learn_task(bandit(task % 2, 2, discrete=discrete), total_timesteps=96, task=task)
    assert equal(weights(learner), weights(other))
    for mine, theirs in zip(learner.methods, other.methods, strict=True):
        states = mine.state_dict(), theirs.state_dict()
        assert states[0].keys() == states[1].keys()
        assert all(
            torch.equal(torch.as_tensor(v), torch.as_tensor(states[1][k])) for k, v in states[0].items()
        )


@pytest.mark.parametrize("case", range(len(ALGORITHMS)))
@pytest.mark.parametrize("holder", ["ewc", "mas", "si", "l2"])
def test_the_acting_network_alone_is_held(case: int, holder: str, bandit: Any) -> None:
    learner = learned(case, bandit, [HOLDERS[holder](1.0)], 1)
    (method,) = learner.methods
    policy = learner.algorithm.policy
    found = {
        role: set(method.auxiliary_gradient(role) or {}) for role in ("policy", "actor", "critic") if role
    }
    held = found["policy"] | found["actor"]
    names = {name for name, p in policy.named_parameters() if p in held}
    assert not found["critic"]
    assert any(name.endswith("weight") for name in names)
    for word in ("value", "critic", "log_std", "target"):
        assert not any(word in name for name in names)
    if ALGORITHMS[case][0] is PPO:
        assert names == {n for n, _ in policy.named_parameters() if "policy_net" in n or "action_net" in n}


def test_penalties_add_up(bandit: Any) -> None:
    ewc, l2 = EWC(samples=64, weight=2.0), L2(weight=3.0)
    learned(0, bandit, [ewc, l2])
    policy = ewc.algorithm.policy
    both = torch.autograd.grad(ewc.penalty() + l2.penalty(), list(policy.parameters()), allow_unused=True)
    one, other = ewc.auxiliary_gradient("policy"), l2.auxiliary_gradient("policy")
    assert one is not None
    assert other is not None
    for parameter, gradient in zip(policy.parameters(), both, strict=True):
        assert (gradient is None) == (parameter not in one) == (parameter not in other)
        if gradient is not None:
            torch.testing.assert_close(one[parameter] + other[parameter], gradient, atol=1e-6, rtol=1e-4)


class Normed(BaseFeaturesExtractor):
    def __init__(self, space: spaces.Box) -> None:
        super().__init__(space, 4)
        self.norm = nn.LayerNorm(4)

    def forward(self, observations: Tensor) -> Tensor:
        answer: Tensor = self.norm(observations)
        return answer


def test_layers_that_are_not_linear(bandit: Any) -> None:
    def make(*methods: Method) -> ContinualLearner:
        env = as_vec_env(bandit(0, 2))
        model = PPO(
            "MlpPolicy", env, n_steps=16, batch_size=32, policy_kwargs={"features_extractor_class": Normed}
        )
        return ContinualLearner(model, methods)

    for kind in (EWC, OnlineEWC, MAS):
        with pytest.raises(ValueError, match=rf"{kind.__name__} measures .*LayerNorm.* Use L2 or SI"):
            make(kind())
    learner = make(L2(), SI()).learn_task(bandit(0, 2), total_timesteps=64)
    for method in learner.methods:
        assert any("norm.weight" in name for name in method.state_dict())


class DictEnv(gymnasium.Env[Any, Any]):
    observation_space = spaces.Dict({"a": spaces.Box(-1, 1, (2,))})
    action_space = spaces.Discrete(2)


def test_dict_observations_are_refused() -> None:
    for make in HOLDERS.values():
        with pytest.raises(ValueError, match=r"is a Dict.*FlattenObservation"):
            ContinualLearner(PPO("MultiInputPolicy", DictEnv()), [make(1.0)])


@pytest.mark.parametrize("kind", [EWC, OnlineEWC, L2, MAS, SI])
def test_settings_are_given_once(kind: Any) -> None:
    config = kind(weight=0.5).config
    assert kind(config).describe() == kind(weight=0.5).describe()
    with pytest.raises(ValueError, match="not both"):
        kind(config, weight=0.5)
    for weight in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=f"weight is {weight}; expected a finite number >= 0"):
            kind(weight=weight)
