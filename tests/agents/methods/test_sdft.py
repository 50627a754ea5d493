from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3
from torch import Tensor

from rover_cl_agents import ContinualLearner, PPOConfig
from rover_cl_agents.methods.sdft import SDFT, SDFTConfig
from rover_cl_agents.outputs import read
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


def build(algorithm: Any, discrete: bool, settings: Any, bandit: Any, remedies: Any) -> ContinualLearner:
    env = as_vec_env(bandit(0, 2, discrete=discrete))
    return ContinualLearner(
        algorithm("MlpPolicy", env, seed=0, device="cpu", **copy.deepcopy(settings)), remedies
    )


def method(**settings: Any) -> SDFT:
    return SDFT(**{"batch_size": 32, "weight": 1.0, **settings})


def weights(learner: ContinualLearner) -> list[Tensor]:
    return [p.detach().clone() for p in learner.algorithm.policy.state_dict().values()]


def equal(a: list[Tensor], b: list[Tensor]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def placed(bandit: Any, *, discrete: bool = False, **settings: Any) -> SDFT:
    """A bound method that believes it has just visited eight states."""
    sdft = method(**settings)
    sdft.bind(PPO("MlpPolicy", as_vec_env(bandit(0, 2, discrete=discrete)), seed=0, device="cpu"), 0)
    sdft._visited._states = torch.randn(8, 4, generator=torch.Generator().manual_seed(0))
    return sdft


def loss_of(sdft: SDFT) -> Tensor:
    loss = sdft.auxiliary_loss("policy")
    assert loss is not None
    return loss


def answer(sdft: SDFT, bias: list[float], log_std: float) -> None:
    """Make the policy answer `bias` everywhere."""
    policy: Any = sdft.algorithm.policy
    with torch.no_grad():
        policy.action_net.weight.zero_()
        policy.action_net.bias.copy_(torch.tensor(bias))
        policy.log_std.fill_(log_std)


@pytest.mark.parametrize("spread", [False, True])
def test_the_loss_is_the_reverse_divergence(bandit: Any, spread: bool) -> None:
    sdft = placed(bandit, teacher="frozen", weight=2.0, spread=spread)
    answer(sdft, [1.0, 2.0], 0.0)
    sdft.teacher.copy()
    answer(sdft, [2.0, 5.0], math.log(2))
    expected = -2 * math.log(2) + (8 + 1 + 9) / 2 - 1 if spread else 5
    assert loss_of(sdft).item() == pytest.approx(2 * expected)
    assert sdft.auxiliary_loss("critic") is None


def test_the_divergence_of_discrete_actions_is_reversed(bandit: Any) -> None:
    sdft = placed(bandit, discrete=True, teacher="frozen")
    policy: Any = sdft.algorithm.policy
    for logits in ([2.0, 0.0, -1.0], [0.0, 1.0, 0.0]):
        if logits[0] == 0:
            sdft.teacher.copy()
        with torch.no_grad():
            policy.action_net.weight.zero_()
            policy.action_net.bias.copy_(torch.tensor(logits))
    p, q = (torch.softmax(torch.tensor(v), dim=0) for v in ([2.0, 0.0, -1.0], [0.0, 1.0, 0.0]))
    assert loss_of(sdft).item() == pytest.approx(float((q * (q / p).log()).sum()), rel=1e-5)


def test_a_running_teacher_begins_as_the_student_and_follows(bandit: Any) -> None:
    sdft = placed(bandit, decay=0.99)
    answer(sdft, [1.0, 2.0], 0.0)
    assert loss_of(sdft).item() == pytest.approx(0, abs=1e-10)
    answer(sdft, [2.0, 5.0], 0.0)
    for number in (1, 2):
        assert loss_of(sdft).item() == pytest.approx(5 * 0.99 ** (2 * number), rel=1e-5)


def test_without_a_context_the_student_agrees_with_itself(bandit: Any) -> None:
    for size, agrees in ((0, True), (2, False)):
        sdft = placed(bandit, context_start=1, context_size=size)
        with torch.no_grad():
            sdft.algorithm.policy.get_parameter("action_net.weight").mul_(100)
        loss = loss_of(sdft)
        gradients = torch.autograd.grad(loss, list(sdft.algorithm.policy.parameters()), allow_unused=True)
        largest = max(float(g.abs().max()) for g in gradients if g is not None)
        assert (loss.item() < 1e-9, largest < 1e-5) == (agrees, agrees)


def test_only_the_teacher_sees_the_context(bandit: Any) -> None:
    sdft = placed(bandit, context_start=1, context_size=2)
    states = torch.arange(8.0).reshape(2, 4) + 1
    assert sdft.without_context(states).tolist() == [[1, 0, 0, 4], [5, 0, 0, 8]]
    assert states[0].tolist() == [1, 2, 3, 4]
    visited = sdft._visited._states
    assert visited is not None
    expected = read(sdft.algorithm.policy, sdft.without_context(visited)).location.detach()
    sdft.teacher.copy()
    shift = expected - sdft.teacher.answer(visited).location
    assert loss_of(sdft).item() == pytest.approx(0.5 * float(shift.square().sum(dim=1).mean()), rel=1e-4)


def test_gradient_equals_finite_differences(bandit: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("stable_baselines3.common.policies.preprocess_obs", lambda obs, *_a, **_k: obs)
    sdft = placed(bandit, teacher="frozen", spread=True, context_start=0, context_size=1)
    assert sdft._visited._states is not None
    sdft._visited._states = sdft._visited._states.double()
    sdft.teacher.copy()
    sdft.teacher._weights = {name: tensor.double() for name, tensor in sdft.teacher._weights.items()}
    noise, policy = torch.Generator().manual_seed(0), sdft.algorithm.policy.double()
    with torch.no_grad():
        for p in policy.parameters():
            p.add_(0.3 * torch.randn(p.shape, generator=noise))
    for name, index in (("mlp_extractor.policy_net.0.weight", (5, 3)), ("log_std", (1,))):
        parameter = policy.get_parameter(name)
        (gradient,) = torch.autograd.grad(loss_of(sdft), parameter)
        values = []
        for step in (1e-6, -2e-6, 1e-6):
            with torch.no_grad():
                parameter[index] += step
            values.append(loss_of(sdft).item())
        assert (values[0] - values[1]) / 2e-6 == pytest.approx(gradient[index].item(), rel=1e-5)


@pytest.mark.parametrize(("algorithm", "discrete", "settings"), ALGORITHMS)
def test_weight_zero_is_plain_to_the_bit(algorithm: Any, discrete: bool, settings: Any, bandit: Any) -> None:
    found = []
    for remedies in ([], [method(weight=0.0, context_size=1)], [method(context_size=1)]):
        learner = build(algorithm, discrete, settings, bandit, remedies)
        for task in range(2):
            learner.learn_task(bandit(task, 2, discrete=discrete), total_timesteps=96)
        found.append(weights(learner))
    assert equal(found[0], found[1])
    assert not equal(found[0], found[2])


def test_the_first_task_has_no_frozen_teacher(bandit: Any) -> None:
    sdft = placed(bandit, teacher="frozen")
    assert sdft.auxiliary_loss("policy") is None
    assert sdft.teacher.bytes == 0
    sdft.on_task_end()
    assert sdft.auxiliary_loss("policy") is None  # no state visited
    assert sdft.cost().bytes == 4 * (4 * 64 + 64 + 64 * 64 + 64 + 64 * 2 + 2 + 2)


def test_refusals(bandit: Any) -> None:
    with pytest.raises(ValueError, match=r"context_start \+ context_size is 5; expected at most 4"):
        placed(bandit, context_start=3, context_size=2)

    class Square(bandit):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(0, 2)
            self.single_observation_space = spaces.Box(-5, 5, (2, 2))

    model = PPO("MlpPolicy", as_vec_env(Square()), device="cpu")
    with pytest.raises(ValueError, match="context_size is 1; expected 0"):
        method(context_size=1).bind(model, 0)
    method().bind(model, 0)
    with pytest.raises(ValueError, match="needs a tensor 'generator'"):
        placed(bandit).load_state_dict({})


@pytest.mark.parametrize("seed", [0, 1])
def test_what_the_context_tells_is_learned(bandit: Any, seed: int) -> None:
    """The second half of the observation is the right action, which the first half gives too."""

    class Told(bandit):  # type: ignore[misc]
        def draw(self, n: int) -> Any:
            found = 0.5 * self.generator.standard_normal((n, 4), dtype=np.float32)
            found[:, 2:] = np.stack(
                [found[:, 0] + 0.5 * found[:, 1], found[:, 1] - 0.5 * found[:, 0]], axis=1
            )
            return found

        def reward(self, observations: Any, actions: Any) -> Any:
            return -np.square(actions - observations[:, 2:]).sum(axis=1)

    settings = PPOConfig(
        n_steps=16,
        batch_size=128,
        n_epochs=4,
        net=(32, 32),
        log_std_init=-1.5,
        learning_rate=5e-3,
        final_learning_rate=5e-4,
    )
    found = []
    for remedies in ([], [SDFT(context_start=2, context_size=2, batch_size=128)]):
        env = Told(0)
        learner = ContinualLearner(settings.build(env, seed), remedies).learn_task(
            env, total_timesteps=12_288
        )
        told = Told(0).draw(500)
        untold = told.copy()
        untold[:, 2:] = 0
        found.append([env.reward(told, learner.predict(seen)).mean() for seen in (told, untold)])
    (told_plain, untold_plain), (told_sdft, untold_sdft) = found
    assert untold_plain < -0.1
    assert untold_sdft > untold_plain / 4
    assert min(told_plain, told_sdft) > -0.03


def scores(bandit: Any, remedies: list[Any], seed: int) -> tuple[float, float]:
    learner = ContinualLearner(SMALL.build(bandit(0), seed), remedies)
    for task in range(2):
        learner.learn_task(bandit(task), total_timesteps=6144)
    return bandit(0).score(learner.predict), bandit(1).score(learner.predict)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_frozen_teacher_keeps_the_old_task_at_the_cost_of_the_new(bandit: Any, seed: int) -> None:
    lost, new = scores(bandit, [], seed)
    kept, paid = scores(bandit, [SDFT(batch_size=128, teacher="frozen", weight=0.1)], seed)
    assert kept > lost / 2
    assert paid < new - 0.2


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("teacher", "loud"),
        ("decay", -0.1),
        ("context_start", -1),
        ("context_size", -1),
        ("batch_size", 0),
        ("weight", float("inf")),
    ],
)
def test_ranges(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{field} is {value!r}; expected"):
        SDFTConfig(**{field: value})
    with pytest.raises(ValueError, match="not both"):
        SDFT(SDFTConfig(), **{field: value})
