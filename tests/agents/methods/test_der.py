from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3

from rover_cl_agents import ContinualLearner, PPOConfig
from rover_cl_agents.methods.der import DER, DERConfig, raw_outputs
from rover_cl_agents.vec_env import as_vec_env

OFF = {"learning_starts": 32, "buffer_size": 500, "batch_size": 16, "policy_kwargs": {"net_arch": [16]}}
ALGORITHMS: list[tuple[Any, bool, dict[str, Any]]] = [
    (PPO, False, {"n_steps": 16, "batch_size": 32}),
    (PPO, True, {"n_steps": 16, "batch_size": 32}),
    (A2C, True, {"n_steps": 16}),
    (SAC, False, OFF),
    (TD3, False, OFF),
    (DQN, True, OFF),
]


def build(algorithm: Any, discrete: bool, settings: Any, bandit: Any, remedies: Any) -> ContinualLearner:
    env = as_vec_env(bandit(0, 2, discrete=discrete))
    own = copy.deepcopy(settings)  # SB3 writes into policy_kwargs
    return ContinualLearner(algorithm("MlpPolicy", env, seed=0, device="cpu", **own), remedies)


def weights(learner: ContinualLearner) -> list[torch.Tensor]:
    return [p.detach().clone() for p in learner.algorithm.policy.state_dict().values()]


def equal(a: list[torch.Tensor], b: list[torch.Tensor]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def bound(bandit: Any, discrete: bool = False, **settings: Any) -> DER:
    method = DER(**settings)
    env = as_vec_env(bandit(0, 2, discrete=discrete))
    method.bind(PPO("MlpPolicy", env, seed=0, n_steps=16, batch_size=32, device="cpu"), 0)
    return method


def answer(method: DER, values: list[float]) -> None:
    """Make the policy say `values` everywhere."""
    policy: Any = method.algorithm.policy
    with torch.no_grad():
        policy.action_net.weight.zero_()
        policy.action_net.bias.copy_(torch.tensor(values))


def in_double(policy: Any) -> None:
    """Let a policy work in float64, though Stable-Baselines3 turns observations into float32."""
    policy.double()
    for module in policy.modules():
        if isinstance(module, torch.nn.Linear):
            module.register_forward_pre_hook(lambda _, inputs: (inputs[0].double(),))


def put(method: DER, **columns: Any) -> None:
    rows = {"observations": torch.zeros(1, 4), **{k: torch.tensor([v]) for k, v in columns.items()}}
    method.memory.put(torch.arange(1), 0, rows)


def test_the_squared_distance(bandit: Any) -> None:
    method = bound(bandit, weight=0.5)
    assert method.auxiliary_loss("policy") is None
    answer(method, [1.0, 2.0])
    put(method, outputs=[0.0, 4.0])
    loss = method.auxiliary_loss("policy")
    assert loss is not None
    assert loss.item() == pytest.approx(1.25)
    assert method.auxiliary_loss("critic") is None


def test_the_actions_of_a_gaussian_policy(bandit: Any) -> None:
    method = bound(bandit, weight=0.0, label_weight=2.0)
    answer(method, [1.0, 2.0])
    put(method, outputs=[9.0, 9.0], actions=[2.0, 0.0], log_scale=[0.0, 0.6931472])
    loss = method.auxiliary_loss("policy")
    assert loss is not None
    assert loss.item() == pytest.approx(2 * 0.5 * (1 + 1))


def test_the_actions_of_a_categorical_policy(bandit: Any) -> None:
    method = bound(bandit, discrete=True, weight=0.0, label_weight=2.0)
    answer(method, [1.0, 2.0, 3.0])
    put(method, outputs=[0.0, 0.0, 0.0], actions=[1.0])
    loss = method.auxiliary_loss("policy")
    assert loss is not None
    assert loss.item() == pytest.approx(2 * 1.4076059)


def test_logits_are_taken_less_their_mean_and_action_values_as_they_are(bandit: Any) -> None:
    method = bound(bandit, discrete=True)
    answer(method, [1.0, 2.0, 6.0])
    outputs = raw_outputs(method.algorithm.policy, torch.zeros(1, 4))
    assert outputs[0].tolist() == pytest.approx([-2, -1, 3])
    policy: Any = DQN("MlpPolicy", as_vec_env(bandit(0, 2, discrete=True)), device="cpu").policy
    states = torch.ones(2, 4)
    assert torch.equal(raw_outputs(policy, states), policy.q_net(states))


@pytest.mark.parametrize("discrete", [False, True])
def test_gradient_equals_finite_differences(discrete: bool, bandit: Any) -> None:
    method = bound(bandit, discrete=discrete, weight=0.5, label_weight=0.3)
    policy = method.algorithm.policy
    in_double(policy)
    generator = torch.Generator().manual_seed(0)
    size = 3 if discrete else 2
    rows = {
        "observations": torch.randn(5, 4, generator=generator, dtype=torch.float64),
        "outputs": torch.randn(5, size, generator=generator, dtype=torch.float64),
        "actions": torch.ones(5, 1 if discrete else 2, dtype=torch.float64),
    }
    if not discrete:
        rows["log_scale"] = torch.full((5, 2), -0.5, dtype=torch.float64)
    method.memory.put(torch.arange(5), 0, rows)

    def loss() -> torch.Tensor:
        found = method.auxiliary_loss("policy")
        assert found is not None
        return found

    parameter = dict(policy.named_parameters())["mlp_extractor.policy_net.0.weight"]
    gradient = torch.autograd.grad(loss(), parameter)[0]
    for index in [(0, 0), (5, 3)]:
        values = []
        for step in (1e-6, -2e-6):
            with torch.no_grad():
                parameter[index] += step
            values.append(loss().item())
        with torch.no_grad():
            parameter[index] += 1e-6
        assert (values[0] - values[1]) / 2e-6 == pytest.approx(gradient[index].item(), rel=1e-5)


@pytest.mark.parametrize(("algorithm", "discrete", "settings"), ALGORITHMS)
def test_outputs_are_those_of_the_moment(algorithm: Any, discrete: bool, settings: Any, bandit: Any) -> None:
    method = DER(capacity=1000, batch_size=8)
    learner = build(algorithm, discrete, settings, bandit, [method])
    before = copy.deepcopy(learner.algorithm.policy.state_dict())
    learner.learn_task(bandit(0, 2, discrete=discrete), total_timesteps=32)  # the first rollout, or no update
    rows = method.memory.at(torch.arange(32))
    learner.algorithm.policy.load_state_dict(before)
    with torch.no_grad():
        expected = raw_outputs(learner.algorithm.policy, rows["observations"])
    torch.testing.assert_close(rows["outputs"], expected, rtol=1e-5, atol=1e-6)
    assert len(method.memory) == method.memory.seen == 32
    assert len(torch.unique(rows["observations"], dim=0)) == 32
    assert method.cost().bytes == 32 * (4 * 4 + expected.shape[1] * 4 + 8)


@pytest.mark.parametrize(("algorithm", "discrete", "settings"), ALGORITHMS)
def test_without_weight_it_is_finetuning_to_the_bit(
    algorithm: Any, discrete: bool, settings: Any, bandit: Any
) -> None:
    found = []
    for remedies in ([], [DER(weight=0.0)], [DER(capacity=64, batch_size=16)]):
        learner = build(algorithm, discrete, settings, bandit, remedies)
        for task in range(2):
            learner.learn_task(bandit(task, 2, discrete=discrete), total_timesteps=96)
        found.append(weights(learner))
    assert equal(found[0], found[1])
    assert not equal(found[0], found[2])


@pytest.mark.parametrize(
    ("case", "options"),
    [
        (0, {"label_weight": 0.2, "eviction": "balanced"}),
        (1, {"label_weight": 0.2, "eviction": "loss-aware", "precision": "float16"}),
        (3, {"insertion": "all", "eviction": "fifo"}),
        (5, {}),
    ],
)
def test_a_restored_learner_goes_on_as_if_never_stopped(
    case: int, options: dict[str, Any], bandit: Any, tmp_path: Path
) -> None:
    algorithm, discrete, settings = ALGORITHMS[case]

    def make() -> ContinualLearner:
        return build(algorithm, discrete, settings, bandit, [DER(capacity=50, batch_size=16, **options)])

    learner = make()
    learner.learn_task(bandit(0, 2, discrete=discrete), total_timesteps=96)
    learner.save(tmp_path / "checkpoint")
    other = make().restore(tmp_path / "checkpoint")
    for each in (learner, other):
        each.reseed(5)
        each.learn_task(bandit(1, 2, discrete=discrete), total_timesteps=96)
    assert equal(weights(learner), weights(other))
    assert learner.cost() == other.cost()


def score(bandit: Any, remedies: list[Any], seed: int) -> float:
    config = PPOConfig(n_steps=16, batch_size=128, n_epochs=4, learning_rate=3e-3, net=(32,))
    learner = ContinualLearner(config.build(bandit(0), seed), remedies)
    for task in range(2):
        learner.learn_task(bandit(task), total_timesteps=5120)
    return float(bandit(0).score(learner.predict))


@pytest.mark.parametrize("seed", [0, 1])
def test_it_keeps_what_finetuning_loses(bandit: Any, seed: int) -> None:
    lost = score(bandit, [], seed)
    assert lost < -1
    assert score(bandit, [DER(weight=1.0, capacity=2000, batch_size=128)], seed) > lost / 3


def test_refusals(bandit: Any) -> None:
    with pytest.raises(ValueError, match=r"label_weight is 1.0 with SAC; expected 0"):
        build(SAC, False, OFF, bandit, [DER(label_weight=1.0)])
    for field, value in (
        ("weight", -1.0),
        ("label_weight", -1.0),
        ("capacity", 0),
        ("batch_size", 0),
        ("insertion", "diversity"),
        ("eviction", "lru"),
        ("precision", "int8"),
    ):
        settings: dict[str, Any] = {field: value}
        with pytest.raises(ValueError, match=f"{field} is {value!r}; expected"):
            DERConfig(**settings)
    with pytest.raises(ValueError, match="not both"):
        DER(DERConfig(), weight=1.0)
