from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3

from rover_cl_agents import ContextConfig, PPOConfig, Replay, ReplayConfig
from rover_cl_agents.learner import ContinualLearner
from rover_cl_agents.outputs import distance, read
from rover_cl_agents.vec_env import as_vec_env


def learned(bandit: Any, steps: int = 640) -> Replay:
    replay = Replay(capacity=50, batch_size=16, weight=1.0)
    env = bandit(0, 8)
    learner = ContinualLearner(PPOConfig(n_steps=16, batch_size=64, net=(16,)).build(env, 0), [replay])
    learner.learn_task(env, total_timesteps=steps)
    return replay


def test_stores_capacity_states_of_the_latest_rollouts(bandit: Any) -> None:
    replay = learned(bandit)
    assert len(replay.memory) == 50
    assert replay.cost().bytes == 50 * (4 * 4 + 2 * 4 + 2 * 4 + 8)
    assert len(learned(bandit, steps=8).memory) == 50


def test_no_loss_and_no_gradient_right_after_the_snapshot(bandit: Any) -> None:
    replay = learned(bandit)
    loss = replay.auxiliary_loss("policy")
    assert loss is not None
    assert loss.item() == pytest.approx(0, abs=1e-10)
    gradients = torch.autograd.grad(loss, list(replay.algorithm.policy.parameters()), allow_unused=True)
    assert max(float(g.abs().max()) for g in gradients if g is not None) < 1e-5
    assert replay.auxiliary_loss("critic") is None


@pytest.fixture
def double() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("discrete", [False, True])
@pytest.mark.parametrize("echoes", [0, 256])
def test_gradient_equals_finite_differences(
    echoes: int, discrete: bool, bandit: Any, monkeypatch: pytest.MonkeyPatch, double: None
) -> None:
    monkeypatch.setattr(
        "stable_baselines3.common.policies.preprocess_obs", lambda obs, *_a, **_k: obs.double()
    )
    learner, replay = learner_of(bandit, PPO, discrete, echoes=echoes)
    policy: Any = learner.algorithm.policy
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        states = torch.randn(12, 4, generator=generator)
        replay.memory.store(0, states, read(policy, states))
        replay.echoes.store(0, lambda made: read(policy, made))
        for p in policy.parameters():  # away from where the loss has no slope
            p.add_(0.3 * torch.randn(p.shape, generator=generator))

    def loss() -> torch.Tensor:  # the memory is smaller than a batch, and there is one block of echoes
        found = replay.auxiliary_loss("policy")
        assert found is not None and found.dtype == torch.float64
        return found

    weight = policy.mlp_extractor.policy_net[0].weight
    (gradient,) = torch.autograd.grad(loss(), weight)
    for index in [(0, 0), (5, 3)]:
        values = []
        for step in (1e-6, -2e-6, 1e-6):
            with torch.no_grad():
                weight[index] += step
            values.append(loss().item())
        assert (values[0] - values[1]) / 2e-6 == pytest.approx(gradient[index].item(), rel=1e-5)


def test_the_value_network_and_the_spread_are_free(bandit: Any) -> None:
    replay = learned(bandit)
    loss = replay.auxiliary_loss("policy")
    assert loss is not None
    named = dict(replay.algorithm.policy.named_parameters())
    gradients = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
    touched = {name for name, g in zip(named, gradients, strict=True) if g is not None}
    assert touched == {n for n in named if "policy_net" in n or "action_net" in n}


def test_the_next_sample_is_the_same_after_restoring(bandit: Any) -> None:
    replay, other = learned(bandit), Replay(capacity=50, batch_size=16, weight=1.0)
    other.bind(replay.algorithm, 77)
    other.load_state_dict(replay.state_dict())
    assert torch.equal(replay.memory.sample(16)[0], other.memory.sample(16)[0])
    assert replay._reservoir_generator.random() == other._reservoir_generator.random()


def test_the_reservoir_goes_on_in_the_midst_of_a_random_number(bandit: Any) -> None:
    replay, other = learned(bandit), Replay(capacity=50, batch_size=16, weight=1.0)
    while not replay._reservoir_generator.bit_generator.state["has_uint32"]:
        replay._reservoir_generator.permutation(4)
    other.bind(replay.algorithm, 77)
    state = replay.state_dict()
    other.load_state_dict(state)
    orders = [each._reservoir_generator.permutation(50).tolist() for each in (replay, other)]
    assert orders[0] == orders[1]
    other.load_state_dict({name: v for name, v in state.items() if not name.endswith("half")})  # an older one
    assert other._reservoir_generator.bit_generator.state["has_uint32"] == 0


@pytest.mark.parametrize(("field", "value"), [("capacity", 0), ("batch_size", 0), ("weight", -0.1)])
def test_ranges(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{field} is {value}; expected"):
        ReplayConfig(**{field: value})


def learner_of(
    bandit: Any, algorithm: Any, discrete: bool, **settings: Any
) -> tuple[ContinualLearner, Replay]:
    env = as_vec_env(bandit(0, 4, discrete=discrete))
    own: dict[str, Any] = {"policy_kwargs": {"net_arch": [16]}}
    own |= (
        {"n_steps": 16}
        if algorithm in (PPO, A2C)
        else {"learning_starts": 16, "batch_size": 8, "buffer_size": 500}
    )
    if algorithm is PPO:
        own["batch_size"] = 32
    replay = Replay(capacity=12, batch_size=16, weight=1.0, **settings)
    return ContinualLearner(algorithm("MlpPolicy", env, seed=0, device="cpu", **own), [replay]), replay


OPTIONS: list[dict[str, Any]] = [
    {"insertion": "all", "eviction": "fifo", "total": 20},
    {"insertion": "return-gated", "gate": 0.3, "precision": "float16"},
    {"insertion": "difficulty", "eviction": "loss-aware", "total": 20},
    {"insertion": "episodes", "eviction": "balanced", "total": 20},
    {"insertion": "diversity", "pool": 100, "echoes": 300},
    {"insertion": "diversity", "kernel": "observations", "echoes": 1, "precision": "float16"},
]
ALGORITHMS = [(PPO, False), (A2C, True), (SAC, False), (TD3, False), (DQN, True)]


@pytest.mark.parametrize(
    ("algorithm", "discrete", "settings"),
    [(*ALGORITHMS[i % 5], settings) for i, settings in enumerate([*OPTIONS, *OPTIONS[1:5]])],
)
def test_every_option_goes_on_after_restoring(
    algorithm: Any, discrete: bool, settings: dict[str, Any], bandit: Any, tmp_path: Path
) -> None:
    learner, replay = learner_of(bandit, algorithm, discrete, **settings)
    learner.learn_task(bandit(0, 4, discrete=discrete), total_timesteps=128)
    loss = replay.auxiliary_loss(replay._role)
    assert loss is not None
    assert loss.item() == pytest.approx(0, abs=1e-6)  # of answers just given, in any precision
    learner.learn_task(bandit(1, 4, discrete=discrete), total_timesteps=64)
    assert len(replay.memory) == (20 if replay.config.total else 24)
    learner.save(tmp_path / "checkpoint")
    other = ContinualLearner.load(tmp_path / "checkpoint", bandit(0, 4, discrete=discrete))
    assert other.cost() == learner.cost()
    for each in (learner, other):
        each.reseed(5)
        each.learn_task(bandit(0, 4, discrete=discrete), total_timesteps=64, task=2)
    for a, b in zip(
        learner.algorithm.policy.state_dict().values(),
        other.algorithm.policy.state_dict().values(),
        strict=True,
    ):
        assert torch.equal(a, b)


class Watched(Replay):
    def _choose(self, observations: Any) -> Any:
        self.chosen = super()._choose(observations)
        self.marks = self._recent.marks()
        return self.chosen


def test_the_best_episodes_are_those_kept(bandit: Any) -> None:
    env, replay = bandit(0, 4), Watched(capacity=12, insertion="return-gated", gate=0.05, pool=200)
    config = PPOConfig(n_steps=16, batch_size=64, net=(16,))
    ContinualLearner(config.build(env, 0), [replay]).learn_task(env, total_timesteps=256)
    # One-step episodes: each state has its own return, and a twentieth of 256 states is one more than 12.
    best = np.argsort(replay.marks.returns)[-13:]
    assert len(set(replay.chosen)) == 12
    assert set(replay.chosen) <= set(best)


def test_echoes_weigh_as_much_as_states(bandit: Any) -> None:
    learner, replay = learner_of(bandit, PPO, False, echoes=256)
    learner.learn_task(bandit(0, 4), total_timesteps=128)
    assert replay.cost().bytes == 12 * (4 * 4 + 2 * 4 + 2 * 4 + 8) + 256 * 2 * 4
    policy: Any = learner.algorithm.policy
    with torch.no_grad():
        policy.action_net.bias.add_(0.1)
        loss = replay.auxiliary_loss("policy")
        assert loss is not None
        states, cached = replay.memory.sample(12)
        echoes, answers, _ = replay.echoes.sample(1)
        parts = [distance(read(policy, x), y) for x, y in ((states, cached), (echoes, answers))]
    assert loss.item() == pytest.approx(sum(part.item() for part in parts) / 2, rel=1e-6)


@pytest.mark.parametrize("seed", [0, 1])
def test_echoes_make_much_of_few_states(bandit: Any, seed: int) -> None:
    drift = []
    for echoes in (0, 512):
        env = bandit(0, 8)
        replay = Replay(capacity=5, batch_size=256, weight=1.0, echoes=echoes)
        config = PPOConfig(n_steps=16, batch_size=64, net=(32, 32))
        learner = ContinualLearner(config.build(env, seed), [replay])
        learner.learn_task(env, total_timesteps=256)
        policy = learner.algorithm.policy
        old, new = (torch.as_tensor(bandit(task).draw(200)) for task in range(2))
        with torch.no_grad():
            before = read(policy, old).detach()
        optimizer = torch.optim.Adam(policy.parameters(), 0.01)
        for _ in range(300):  # another task pulls all answers elsewhere
            loss = replay.auxiliary_loss("policy")
            assert loss is not None
            optimizer.zero_grad()
            (loss + (read(policy, new).location - 1).square().mean()).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        with torch.no_grad():
            drift.append(distance(read(policy, old), before).item())
    assert drift[1] < 0.7 * drift[0]


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("total", -1, "at least 0"),
        ("pool", -1, "at least 0"),
        ("echoes", -1, "at least 0"),
        ("noise", -0.1, ">= 0"),
        ("gate", 0.0, "0, 1"),
        ("kernel", "rbf", "gradients or observations"),
        ("insertion", "best", "one of all"),
        ("eviction", "lru", "one of uniform"),
        ("precision", "int8", "one of float32"),
    ],
)
def test_more_ranges(field: str, value: Any, expected: str) -> None:
    with pytest.raises(ValueError, match=f"{field} is {value!r}; expected.*{expected}"):
        ReplayConfig(**{field: value})


def test_echoes_and_a_total_do_not_go_together() -> None:
    with pytest.raises(ValueError, match="total is 9 with echoes; expected 0"):
        ReplayConfig(total=9, echoes=1)


def test_an_eviction_without_a_limit_would_do_nothing() -> None:
    with pytest.raises(ValueError, match="eviction is 'fifo' with total 0, where nobody ever leaves"):
        Replay(eviction="fifo")
    assert Replay(eviction="fifo", total=100).config.total == 100


def test_gradients_that_nobody_knows_are_refused_at_once(bandit: Any) -> None:
    context = ContextConfig(steps=2, kind="attention")
    env = context.wrap(as_vec_env(bandit(0, 2)))
    kwargs = {"net_arch": [8], **context.policy_kwargs()}
    model = PPO("MlpPolicy", env, n_steps=16, batch_size=32, device="cpu", policy_kwargs=kwargs)
    with pytest.raises(ValueError, match=r"kernel is 'gradients'.*AttentionWindow.*kernel='observations'"):
        Replay(insertion="diversity").bind(model, 0)
    Replay(insertion="diversity", kernel="observations").bind(model, 0)
    Replay(insertion="diversity", weight=0.0).bind(model, 0)
