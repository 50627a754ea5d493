from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3
from torch import Tensor

from rover_cl_agents import ContinualLearner, PPOConfig
from rover_cl_agents.methods.distill import Distillation, DistillationConfig
from rover_cl_agents.vec_env import as_vec_env

SMALL = PPOConfig(n_steps=16, batch_size=128, n_epochs=4, net=(32, 32))
OFF = {"learning_starts": 32, "buffer_size": 500, "batch_size": 16, "policy_kwargs": {"net_arch": [16]}}
ALGORITHMS: list[tuple[Any, bool, dict[str, Any]]] = [
    (PPO, False, {"n_steps": 16, "batch_size": 32}),
    (A2C, True, {"n_steps": 16}),
    (SAC, False, OFF),
    (TD3, False, OFF),
    (DQN, True, OFF),
]
VARIANTS: list[dict[str, Any]] = [
    {"teacher": "frozen", "states": "stored"},
    {"teacher": "ema", "states": "current"},
]


def build(algorithm: Any, discrete: bool, settings: Any, bandit: Any, remedies: Any) -> ContinualLearner:
    env = as_vec_env(bandit(0, 2, discrete=discrete))
    return ContinualLearner(
        algorithm("MlpPolicy", env, seed=0, device="cpu", **copy.deepcopy(settings)), remedies
    )


def method(**settings: Any) -> Distillation:
    return Distillation(**{"capacity": 64, "batch_size": 32, "weight": 1.0, **settings})


def weights(learner: ContinualLearner) -> list[Tensor]:
    return [p.detach().clone() for p in learner.algorithm.policy.state_dict().values()]


def equal(a: list[Tensor], b: list[Tensor]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def learned(bandit: Any, discrete: bool = False, **settings: Any) -> Distillation:
    distill = method(**settings)
    learner = build(PPO, discrete, {"n_steps": 16, "batch_size": 32}, bandit, [distill])
    learner.learn_task(bandit(0, 2, discrete=discrete), total_timesteps=128)
    return distill


def answer(distill: Distillation, bias: list[float], log_std: float) -> None:
    """Make the policy answer `bias` everywhere."""
    policy: Any = distill.algorithm.policy
    with torch.no_grad():
        policy.action_net.weight.zero_()
        policy.action_net.bias.copy_(torch.tensor(bias))
        policy.log_std.fill_(log_std)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, 2 * 5),
        ({"direction": "reverse"}, 2 * 5),
        ({"spread": True}, 2 * (2 * math.log(2) + (2 + 1 + 9) / 8 - 1)),
        ({"spread": True, "direction": "reverse"}, 2 * (-2 * math.log(2) + (8 + 1 + 9) / 2 - 1)),
    ],
)
def test_the_loss_is_weight_times_the_divergence(bandit: Any, settings: Any, expected: float) -> None:
    distill = learned(bandit, weight=2.0, **settings)
    answer(distill, [1.0, 2.0], 0.0)
    distill.teacher.copy()
    answer(distill, [2.0, 5.0], math.log(2))
    loss = distill.auxiliary_loss("policy")
    assert loss is not None
    assert loss.item() == pytest.approx(expected)
    assert distill.auxiliary_loss("critic") is None


def test_a_running_teacher_steps_once_for_each_loss(bandit: Any) -> None:
    distill = learned(bandit, teacher="ema", decay=0.99)
    answer(distill, [1.0, 2.0], 0.0)
    distill.teacher.copy()
    answer(distill, [2.0, 5.0], 0.0)
    for number in (1, 2):
        loss = distill.auxiliary_loss("policy")
        assert loss is not None
        assert loss.item() == pytest.approx(0.5 * (1 + 9) * 0.99 ** (2 * number), rel=1e-5)


@pytest.mark.parametrize("variant", [*VARIANTS, {"spread": True}])
@pytest.mark.parametrize("discrete", [False, True])
def test_no_loss_and_no_gradient_right_after_the_snapshot(bandit: Any, variant: Any, discrete: bool) -> None:
    distill = learned(bandit, discrete, **variant)
    if distill.config.states == "current":
        distill._visited._states = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    loss = distill.auxiliary_loss("policy")
    assert loss is not None
    assert loss.item() == pytest.approx(0, abs=1e-6)
    named = dict(distill.algorithm.policy.named_parameters())
    gradients = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
    found = {name: g for name, g in zip(named, gradients, strict=True) if g is not None}
    assert max(float(g.abs().max()) for g in found.values()) < 1e-5
    free = {n for n in named if "value" in n or ("log_std" in n and not distill.config.spread)}
    assert set(found) == set(named) - free


def test_gradient_equals_finite_differences(bandit: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("stable_baselines3.common.policies.preprocess_obs", lambda obs, *_a, **_k: obs)
    for discrete, settings in (
        (False, {"spread": True}),
        (True, {"temperature": 2.0, "direction": "reverse"}),
    ):
        distill = learned_double(bandit, discrete, settings)
        name = "mlp_extractor.policy_net.0.weight"
        parameter = dict(distill.algorithm.policy.named_parameters())[name]
        (gradient,) = torch.autograd.grad(loss_at(distill), parameter)
        for index in [(0, 0), (5, 3)]:
            values = []
            for step in (1e-6, -2e-6, 1e-6):
                with torch.no_grad():
                    parameter[index] += step
                values.append(loss_at(distill).item())
            assert (values[0] - values[1]) / 2e-6 == pytest.approx(gradient[index].item(), rel=1e-5)


def learned_double(bandit: Any, discrete: bool, settings: Any) -> Distillation:
    """A method in float64 whose policy has left its teacher."""
    monkey = PPO("MlpPolicy", as_vec_env(bandit(0, 2, discrete=discrete)), seed=0, device="cpu")
    distill = method(**settings)
    distill.bind(monkey, 0)
    policy = monkey.policy.double()
    noise = torch.Generator().manual_seed(0)
    distill._states = torch.randn(8, 4, generator=noise).double()
    distill._tasks = torch.zeros(8, dtype=torch.int64)
    # The probe is float32: copy by hand.
    names = [n for n, _ in policy.named_parameters() if "value" not in n]
    now = policy.state_dict()
    distill.teacher._weights = {n: now[n].clone() for n in names}
    with torch.no_grad():
        for p in policy.parameters():
            p.add_(0.3 * torch.randn(p.shape, generator=noise))
    return distill


def loss_at(distill: Distillation) -> Tensor:
    distill._generator.manual_seed(1)
    loss = distill.auxiliary_loss("policy")
    assert loss is not None
    return loss


def test_states_and_bytes(bandit: Any) -> None:
    acting = 4 * (4 * 64 + 64 + 64 * 64 + 64 + 64 * 2 + 2 + 2)
    distill = learned(bandit)
    assert distill._tasks.tolist() == [0] * 64
    assert distill.cost().bytes == acting + 64 * (4 * 4 + 8)
    assert learned(bandit, states="current").cost().bytes == acting
    assert learned(bandit, weight=0.0).cost().bytes == 0


def test_a_task_seen_again_replaces_its_states(bandit: Any) -> None:
    distill = method(capacity=20)
    learner = build(PPO, False, {"n_steps": 16, "batch_size": 32}, bandit, [distill])
    kept = []
    for task in (3, 5, 3):
        learner.learn_task(bandit(0, 2), total_timesteps=64, task=task)
        kept.append(distill._states.clone())
    assert torch.bincount(distill._tasks).tolist() == [0, 0, 0, 20, 0, 20]
    assert torch.equal(kept[2][:20], kept[1][20:])
    assert not torch.equal(kept[2][20:], kept[1][:20])


@pytest.mark.parametrize(("algorithm", "discrete", "settings"), ALGORITHMS)
def test_weight_zero_is_finetuning_to_the_bit(
    algorithm: Any, discrete: bool, settings: Any, bandit: Any
) -> None:
    found = []
    for methods in ([], [method(weight=0.0)], [method(weight=1.0)]):
        learner = build(algorithm, discrete, settings, bandit, methods)
        for task in range(2):
            learner.learn_task(bandit(task, 2, discrete=discrete), total_timesteps=96)
        found.append(weights(learner))
    assert equal(found[0], found[1])
    assert not equal(found[0], found[2])


@pytest.mark.parametrize(("algorithm", "discrete", "settings"), ALGORITHMS)
def test_a_restored_learner_goes_on_as_if_never_stopped(
    algorithm: Any, discrete: bool, settings: Any, bandit: Any, tmp_path: Path
) -> None:
    variant = VARIANTS[int(discrete)]
    learner = build(algorithm, discrete, settings, bandit, [method(**variant)])
    learner.learn_task(bandit(0, 2, discrete=discrete), total_timesteps=96).save(tmp_path / "checkpoint")
    other = build(algorithm, discrete, settings, bandit, [method(**variant)])
    other.restore(tmp_path / "checkpoint")
    assert other.cost() == learner.cost()
    for each in (learner, other):
        each.reseed(5)
        each.learn_task(bandit(1, 2, discrete=discrete), total_timesteps=96)
    assert equal(weights(learner), weights(other))


def test_states_that_do_not_fit_are_refused(bandit: Any) -> None:
    distill = learned(bandit)
    state = distill.state_dict()
    with pytest.raises(ValueError, match="needs a tensor 'tasks'"):
        distill.load_state_dict({n: v for n, v in state.items() if n != "tasks"})
    with pytest.raises(ValueError, match=r"'states' has shape \(64, 3\); expected \(64, \*\(4,\)\)"):
        distill.load_state_dict({**state, "states": torch.zeros(64, 3)})
    with pytest.raises(ValueError, match="unknown weight"):
        distill.load_state_dict({**state, "teacher.nowhere": torch.zeros(1)})


def test_what_has_no_softmax_or_no_vector_is_refused(bandit: Any) -> None:
    for algorithm, settings in ((PPO, {}), (SAC, OFF), (TD3, OFF)):
        with pytest.raises(ValueError, match=r"temperature is 2.0; expected 1 for Box actions"):
            build(algorithm, False, settings, bandit, [method(temperature=2.0)])

    class Named(bandit):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(0, 2)
            self.single_observation_space = spaces.Dict({"a": spaces.Box(-5, 5, (4,))})

    model = PPO("MultiInputPolicy", as_vec_env(Named()), device="cpu")
    with pytest.raises(ValueError, match="Dict"):
        method().bind(model, 0)


def scores(bandit: Any, remedies: list[Any], seed: int) -> tuple[float, float]:
    learner = ContinualLearner(SMALL.build(bandit(0), seed), remedies)
    for task in range(2):
        learner.learn_task(bandit(task), total_timesteps=6144)
    return bandit(0).score(learner.predict), bandit(1).score(learner.predict)


@pytest.mark.parametrize("seed", [0, 1])
def test_it_keeps_what_finetuning_loses(bandit: Any, seed: int) -> None:
    lost, _ = scores(bandit, [], seed)
    kept, new = scores(bandit, [Distillation(capacity=500, batch_size=128, weight=0.3)], seed)
    assert lost < -0.7
    assert kept > lost / 3
    assert new > -1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("teacher", "loud"),
        ("states", "none"),
        ("direction", "up"),
        ("capacity", 0),
        ("batch_size", 0),
        ("decay", 1.5),
        ("temperature", 0.0),
        ("weight", -1.0),
        ("weight", float("nan")),
    ],
)
def test_ranges(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{field} is {value!r}; expected"):
        DistillationConfig(**{field: value})
    with pytest.raises(ValueError, match="not both"):
        Distillation(DistillationConfig(), **{field: value})
