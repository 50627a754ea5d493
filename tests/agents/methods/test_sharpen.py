from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3
from torch import nn

from rover_cl_agents import AGEM, CLEAR, DER, GPM, SDFT, ContinualLearner, Distillation, PPOConfig, Replay
from rover_cl_agents.methods.sharpen import Sharpen, SharpenConfig
from rover_cl_agents.outputs import linear_layers, read
from rover_cl_agents.units.hidden_layers import acting_layers, activations
from rover_cl_agents.vec_env import as_vec_env

SMALL = PPOConfig(n_steps=16, batch_size=128, n_epochs=4, net=(32, 32))
STATES = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))


def bound(bandit: Any, algorithm: Any = PPO, activation: Any = None, **settings: Any) -> Sharpen:
    env = as_vec_env(bandit(0, 2, discrete=algorithm in (DQN, A2C)))
    kwargs = {"net_arch": [12, 10]} | ({} if activation is None else {"activation_fn": activation})
    model = algorithm("MlpPolicy", env, seed=0, device="cpu", policy_kwargs=kwargs)
    method = Sharpen(**settings)
    method.bind(model, 0)
    return method


def place(method: Sharpen, weight: list[list[float]]) -> None:
    """Let the last hidden layer be fed by the first one through `weight` alone, the first by nothing."""
    with torch.no_grad():
        policy: Any = method.algorithm.policy
        stack = policy.mlp_extractor.policy_net
        for p in stack.parameters():
            p.zero_()
        stack[2].bias[: len(weight[0])] = torch.tensor(weight[0])


def test_french_loss_by_hand(bandit: Any) -> None:
    method = bound(bandit, weight=0.5, share=0.1, alpha=0.2)
    levels = torch.tensor([0.9, 0.5, 0.1, 0.2])
    place(method, [torch.atanh(2 * levels - 1).tolist()])
    # The other six units are at 0, level 0.5. Moves: 0.02, and alpha times the level for the losers.
    expected = 0.5 * (0.02**2 + 0.1**2 + 0.02**2 + 0.04**2 + 6 * 0.1**2)
    assert method.loss(STATES).item() == pytest.approx(expected, rel=1e-5)


def test_french_loss_of_relu_is_in_units_of_the_largest(bandit: Any) -> None:
    method = bound(bandit, activation=nn.ReLU, weight=1.0, share=0.1, alpha=0.2)
    place(method, [[8.0, 4.0]])
    assert method.loss(STATES).item() == pytest.approx(0.1**2, rel=1e-5)


def test_softmax_loss_by_hand(bandit: Any) -> None:
    method = bound(bandit, variant="softmax", weight=2.0)
    place(method, [[0.0]])
    assert method.loss(STATES).item() == pytest.approx(2.0 * 10 * 0.1**2, rel=1e-5)
    assert activations(method.algorithm.policy, STATES)["mlp_extractor.policy_net.2"][0].tolist() == (
        pytest.approx([0.1] * 10)
    )


@pytest.mark.parametrize("settings", [{"layers": "all"}, {"variant": "softmax", "layers": "all"}])
def test_gradient_equals_finite_differences(settings: dict[str, Any], bandit: Any) -> None:
    method = bound(bandit, weight=1.0, **settings)
    policy: Any = method.algorithm.policy.double()
    states = STATES.double()
    weight = policy.mlp_extractor.policy_net[0].weight
    gradient = torch.autograd.grad(method.loss(states), weight)[0]
    wanted = None if settings.get("variant") else held_targets(method, states)
    values = []
    for step in (1e-6, -2e-6):
        with torch.no_grad():
            weight[3, 2] += step
        values.append(method.loss(states).item() if wanted is None else against(method, states, wanted))
    assert (values[0] - values[1]) / 2e-6 == pytest.approx(gradient[3, 2].item(), rel=1e-5)


@torch.no_grad()
def levels_of(method: Sharpen, states: torch.Tensor) -> list[torch.Tensor]:
    policy: Any = method.algorithm.policy
    first = policy.mlp_extractor.policy_net[:2](states)
    return [(hidden + 1) / 2 for hidden in (first, policy.mlp_extractor.policy_net[2:](first))]


def held_targets(method: Sharpen, states: torch.Tensor) -> list[torch.Tensor]:
    """French's targets don't move with the weights."""
    found = []
    for level in levels_of(method, states):
        k = max(1, round(0.15 * level.shape[1]))
        best = level >= level.topk(k, dim=1).values[:, -1:]
        found.append(torch.where(best, level + 0.2 * (1 - level), 0.8 * level))
    return found


def against(method: Sharpen, states: torch.Tensor, wanted: list[torch.Tensor]) -> float:
    levels = levels_of(method, states)
    return sum(float((a - b).square().sum(1).mean()) for a, b in zip(levels, wanted, strict=True))


@pytest.mark.parametrize("algorithm", [PPO, A2C, SAC, TD3, DQN])
def test_k_units_win(algorithm: Any, bandit: Any) -> None:
    method = bound(bandit, algorithm, variant="kwta", share=0.2, layers="all")
    policy = method.algorithm.policy
    found = activations(policy, STATES)
    for layer, k in zip(acting_layers(policy), (2, 2), strict=True):
        active = (found[layer.name] != 0).sum(dim=1)
        assert (active <= k).all()
        assert active.max() == k
    assert all(len(found[name]) == 50 for name in found)


@pytest.mark.parametrize("algorithm", [PPO, A2C, SAC, TD3, DQN])
def test_tiles_are_read_by_wider_layers(algorithm: Any, bandit: Any) -> None:
    method = bound(bandit, algorithm, variant="fta", tiles=4)
    policy: Any = method.algorithm.policy
    last = acting_layers(policy)[-1]
    assert {reader.in_features for reader in last.outgoing} == {40}
    tiles = activations(policy, STATES)[last.name].reshape(50, 10, 4)
    assert ((tiles == 1).sum(dim=2) == 1).all()
    trained = {id(p) for group in _optimizer(policy).param_groups for p in group["params"]}
    assert all(id(p) in trained for reader in last.outgoing for p in reader.parameters())
    for online, target in (("actor", "actor_target"), ("q_net", "q_net_target")):
        if hasattr(policy, target):
            pairs = zip(
                getattr(policy, online).parameters(), getattr(policy, target).parameters(), strict=True
            )
            assert all(torch.equal(p, q) for p, q in pairs)
    assert len(linear_layers(policy, STATES)) >= 3
    assert read(policy, STATES).location.isfinite().all()


def _optimizer(policy: Any) -> torch.optim.Optimizer:
    found: torch.optim.Optimizer = policy.actor.optimizer if hasattr(policy, "actor") else policy.optimizer
    return found


BESIDE: list[Any] = [
    lambda: Replay(batch_size=48),
    lambda: DER(batch_size=48),
    lambda: CLEAR(batch_size=48),
    lambda: Distillation(batch_size=48),
    lambda: SDFT(batch_size=48),
    lambda: AGEM(batch_size=48),
    lambda: GPM(samples=48),
]


class Counted(Sharpen):
    """Notes the size of each batch that the loss is taken on."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[int] = []

    def loss(self, features: torch.Tensor) -> torch.Tensor:
        self.rows.append(len(features))
        return super().loss(features)


def beside(bandit: Any, other: Any, first: bool, seed: int = 0) -> tuple[ContinualLearner, Counted]:
    sharpen, settings = Counted(), PPOConfig(n_steps=16, batch_size=32, n_epochs=2, net=(16, 16))
    methods = [sharpen, other()] if first else [other(), sharpen]
    return ContinualLearner(settings.build(bandit(0, 4), seed), methods), sharpen


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("other", BESIDE)
def test_the_loss_is_on_the_algorithms_minibatch_whoever_asks_beside(
    other: Any, first: bool, bandit: Any
) -> None:
    learner, sharpen = beside(bandit, other, first)
    for task in range(2):
        learner.learn_task(bandit(task, 4), total_timesteps=128)
    assert sharpen.rows == [32] * 16


@pytest.mark.parametrize("other", BESIDE)
def test_pairs_go_on_after_loading_as_if_never_stopped(other: Any, bandit: Any, tmp_path: Path) -> None:
    for first in (True, False):
        learner, _ = beside(bandit, other, first)
        for task in range(2):
            learner.learn_task(bandit(task, 4), total_timesteps=64)
        learner.save(tmp_path / "c")
        again = beside(bandit, other, first, seed=1)[0].restore(tmp_path / "c")
        for each in (learner, again):
            each.reseed(5)
            each.learn_task(bandit(0, 4), total_timesteps=64)
        weights = (each.algorithm.policy.state_dict() for each in (learner, again))
        assert all(torch.equal(a, b) for a, b in zip(*(w.values() for w in weights), strict=True))


def score(bandit: Any, seed: int, *methods: Sharpen) -> tuple[float, float]:
    learner = ContinualLearner(SMALL.build(bandit(0), seed), methods)
    for task in range(2):
        learner.learn_task(bandit(task), total_timesteps=6144)
    return bandit(0).score(learner.predict), bandit(1).score(learner.predict)


@pytest.mark.parametrize("seed", [0, 1])
def test_sharp_nodes_keep_what_finetuning_loses(seed: int, bandit: Any) -> None:
    lost, _ = score(bandit, seed)
    assert lost < -0.9
    for variant in ("kwta", "softmax", "fta"):  # French's loss alone keeps little or nothing here
        kept, new = score(bandit, seed, Sharpen(variant=variant))
        assert kept > lost / 2
        assert new > -0.5


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("variant", "blunt"),
        ("weight", -1.0),
        ("layers", "first"),
        ("share", 0.0),
        ("alpha", 2.0),
        ("sharpness", 0.0),
        ("tiles", 1),
    ],
)
def test_ranges(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{field} is '?{value}"):
        SharpenConfig(**{field: value})


def test_refusals(bandit: Any) -> None:
    with pytest.raises(ValueError, match="layers is 'all'"):
        SharpenConfig(variant="fta", layers="all")
    with pytest.raises(ValueError, match="activation_fn is ELU"):
        bound(bandit, activation=nn.ELU)
    env = as_vec_env(bandit(0, 2))
    with pytest.raises(ValueError, match="hidden layer"):
        Sharpen().bind(PPO("MlpPolicy", env, device="cpu", policy_kwargs={"net_arch": []}), 0)
