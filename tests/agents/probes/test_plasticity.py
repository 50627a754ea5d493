from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3
from stable_baselines3.common.envs import FakeImageEnv

from rover_cl_agents import ContinualLearner, PPOConfig, probes
from rover_cl_agents.outputs import read
from rover_cl_agents.probes import plasticity
from rover_cl_agents.probes.decodability import (
    decodability,
    held_out_r_squared,
    r_squared,
    relearn_readout,
    ridge,
)
from rover_cl_agents.recurrent import blank_memory
from rover_cl_agents.step_hooks import optimizers
from rover_cl_agents.units.hidden_layers import activations, hidden_layers
from rover_cl_agents.vec_env import as_vec_env


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def build(algorithm: Any, bandit: Any, *, discrete: bool = False, net: int = 16) -> Any:
    env = as_vec_env(bandit(0, 2, discrete=discrete or algorithm is DQN))
    return algorithm("MlpPolicy", env, seed=0, device="cpu", policy_kwargs={"net_arch": [net]})


def test_dormant_units_by_hand() -> None:
    hidden = torch.tensor([[1.0, 0.0, 0.05, 2.0], [-1.0, 0.0, -0.05, 2.0]])
    scores = plasticity.dormancy_scores(hidden, "magnitude")
    torch.testing.assert_close(scores, torch.tensor([1.311475, 0, 0.065574, 2.622951]))
    for threshold, share in ((0.1, 0.5), (0.025, 0.25), (0.0, 0.25)):
        assert plasticity.dormant_share(hidden, threshold=threshold, activity="magnitude") == share
    # By spread the unit stuck at 2 is idle as well.
    assert plasticity.unit_activity(hidden, "spread").tolist() == pytest.approx([1, 0, 0.05, 0])
    assert plasticity.dormant_share(hidden) == 0.5
    assert plasticity.dormant_share(torch.zeros(3, 4), activity="magnitude") == 1.0


def test_a_stuck_tanh_unit_is_dormant_by_spread_alone() -> None:
    hidden = (normal(100, 4) + torch.tensor([0.0, 0.0, 0.0, 50.0])).tanh()
    assert plasticity.dormant_share(hidden, activity="magnitude") == 0.0
    assert plasticity.dormant_share(hidden, activity="spread") == 0.25
    assert plasticity.saturated_share(hidden) == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize(
    ("matrix", "effective", "stable", "threshold"),
    [
        (torch.eye(4), 4.0, 4.0, 4),
        (torch.diag(torch.tensor([1.0, 0.0, 0.0, 0.0])), 1.0, 1.0, 1),
        (torch.diag(torch.tensor([3.0, 1.0])), 1.754765, 10 / 9, 2),
        (torch.zeros(3, 3), 0.0, 0.0, 0),
    ],
)
def test_ranks_by_hand(matrix: torch.Tensor, effective: float, stable: float, threshold: int) -> None:
    assert plasticity.effective_rank(matrix) == pytest.approx(effective, abs=1e-6)
    assert plasticity.stable_rank(matrix) == pytest.approx(stable, abs=1e-6)
    assert plasticity.threshold_rank(matrix) == threshold
    turned = torch.linalg.qr(normal(len(matrix), len(matrix)))[0] @ matrix
    assert plasticity.effective_rank(3 * turned) == pytest.approx(effective, abs=1e-5)


def test_norms_by_hand() -> None:
    before = {"a": torch.tensor([3.0]), "b": torch.tensor([[0.0, 4.0]])}
    assert plasticity.weight_norm(before.values()) == 5.0
    assert plasticity.update_norm(before, {"a": torch.tensor([3.0]), "b": torch.tensor([[2.0, 4.0]])}) == 2.0
    with pytest.raises(ValueError, match="'b'"):
        plasticity.update_norm(before, {"a": torch.zeros(1)})


def test_overlap_by_hand() -> None:
    first, second = torch.tensor([[2.0, 0.0], [1.0, 0.0]]), torch.tensor([[0.0, 7.0], [3.0, 0.0]])
    assert plasticity.activation_overlap(first, first) == pytest.approx(1.0)
    assert plasticity.activation_overlap(first, second) == pytest.approx(0.5)
    assert plasticity.activation_overlap(first, second[:1]) == pytest.approx(0.0)


def test_gradient_cosine_by_hand() -> None:
    w = torch.tensor([1.0, 1.0], requires_grad=True)
    idle = torch.zeros(3, requires_grad=True)
    losses = ((w[0] * 3, w[0] * 2), (w[0], w[1]), (w[0], -w.sum()), (w[0] * 0, w[1]))
    for (a, b), expected in zip(losses, (1.0, 0.0, -math.sqrt(0.5), 0.0), strict=True):
        assert plasticity.gradient_cosine(a, b, [w, idle]) == pytest.approx(expected, abs=1e-6)


def test_opposite_wishes_are_in_conflict(bandit: Any) -> None:
    policy = build(PPO, bandit).policy
    states = normal(64, 4)
    now = read(policy, states).detach()
    wishes = []
    for shift in (1.0, -1.0):
        wish = copy.deepcopy(now)
        wish.location.add_(shift)
        wishes.append((states, wish))
    assert plasticity.gradient_conflict(policy, wishes[0], wishes[1]) == pytest.approx(-1.0, abs=1e-5)
    assert plasticity.gradient_conflict(policy, wishes[0], wishes[0]) == pytest.approx(1.0, abs=1e-5)
    assert plasticity.gradient_conflict(policy, wishes[0], (states, now)) == 0.0
    assert all(p.grad is None for p in policy.parameters())


@pytest.mark.parametrize("algorithm", [PPO, SAC, TD3, DQN])
def test_health_of_every_layer(algorithm: Any, bandit: Any) -> None:
    policy = build(algorithm, bandit).policy
    first = hidden_layers(policy)[0].incoming
    with torch.no_grad():  # four units never speak: off for ReLU, stuck for tanh
        first.weight[:4] = 0.0
        first.bias[:4] = -30.0
    before = torch.random.get_rng_state()
    health = plasticity.layer_health(policy, normal(200, 4))
    assert torch.equal(before, torch.random.get_rng_state())
    assert [name for name, layer in health.items() if layer.dormant == 0.25] == [next(iter(health))]
    layer = health[next(iter(health))]
    assert layer.effective_rank < 14
    assert layer.weight_norm == pytest.approx(plasticity.weight_norm([first.weight, first.bias]))


def test_ridge_by_hand() -> None:
    x = torch.tensor([[-1.0], [1.0]])
    readout = ridge(x, 2 * x + 5, strength=1.0)
    assert readout.weight.item() == pytest.approx(1.0)  # 2 · 1 / (1 + 1)
    assert readout.bias.item() == pytest.approx(5.0)
    assert ridge(x, 2 * x + 5, strength=0.0).weight.item() == pytest.approx(2.0)
    assert r_squared(torch.tensor([[1.0], [3.0]]), torch.tensor([[1.0], [2.0]])) == -1.0
    assert r_squared(torch.ones(2, 1), torch.ones(2, 1)) == 0.0


def test_planted_and_shuffled_answers() -> None:
    features, planted = normal(2000, 32), normal(2000, 32) @ normal(32, 2, seed=1) + 3.0
    assert held_out_r_squared(features, planted) >= 0.999
    shuffled = planted[torch.randperm(2000, generator=torch.Generator().manual_seed(2))]
    assert held_out_r_squared(features, shuffled) < 0.05
    with pytest.raises(ValueError, match="held_out is 1"):
        held_out_r_squared(features, planted, held_out=1.0)
    with pytest.raises(ValueError, match="too few"):
        held_out_r_squared(features[:2], planted[:2])


@pytest.mark.parametrize(
    ("algorithm", "discrete"), [(PPO, False), (A2C, True), (SAC, False), (TD3, False), (DQN, True)]
)
def test_a_lost_readout_is_relearned_and_lost_features_are_not(
    algorithm: Any, discrete: bool, bandit: Any
) -> None:
    policy = build(algorithm, bandit, discrete=discrete).policy
    heads = hidden_layers(policy)[0].outgoing
    states = normal(1000, 4)
    with torch.no_grad():
        heads[0].weight.normal_(0.0, 0.1, generator=torch.Generator().manual_seed(3))
    old = read(policy, states).detach()
    assert math.isnan(relearn_readout(policy, states, old).share)
    with torch.no_grad():
        heads[0].weight.neg_()
    assert decodability(policy, states, old) > 0.999
    again = relearn_readout(policy, states, old)
    assert again.before > 0.001
    assert again.share > 0.999
    with torch.no_grad():  # now the features tell nothing of the state
        first = hidden_layers(policy)[0].incoming
        first.weight.zero_()
    assert decodability(policy, states, old) < 0.05
    assert relearn_readout(policy, states, old).after > 100 * again.after


def test_a_user_probes_a_learner_before_and_after_a_task(bandit: Any) -> None:
    config = PPOConfig(n_steps=16, batch_size=128, n_epochs=4, net=(16, 16))
    learner = ContinualLearner(config.build(bandit(0), 0)).learn_task(bandit(0), 2048)
    policy, states, others = (
        learner.algorithm.policy,
        *(torch.as_tensor(bandit(t).draw(512)) for t in (0, 1)),
    )
    old = read(policy, states).detach()
    before = probes.learned_weights(policy)
    assert probes.update_norm(before, probes.learned_weights(policy)) == 0.0
    learner.learn_task(bandit(1), 2048)
    moved, generator = probes.update_norm(before, probes.learned_weights(policy)), torch.get_rng_state()
    health = probes.layer_health(policy, states)
    assert moved > 0.1 and len(health) == 4
    known, again = probes.decodability(policy, states, old), probes.relearn_readout(policy, states, old)
    assert known > 0.9 and again.before > 10 * again.after and again.share > 0.9
    hidden = [activations(policy, each)["mlp_extractor.policy_net.2"] for each in (states, others)]
    assert probes.activation_overlap(*hidden) < probes.activation_overlap(hidden[0], hidden[0]) <= 1.0
    assert torch.equal(generator, torch.get_rng_state())


def pictures(discrete: bool) -> Any:
    return FakeImageEnv(screen_height=36, screen_width=36, discrete=discrete)


def bare() -> dict[str, Any]:
    return {"seed": 0, "device": "cpu", "policy_kwargs": {"net_arch": []}}


PICTURED: list[Any] = [
    lambda: PPO("CnnPolicy", pictures(True), n_steps=8, batch_size=8, **bare()),
    lambda: DQN("CnnPolicy", pictures(True), buffer_size=10, **bare()),
    lambda: SAC("CnnPolicy", pictures(False), buffer_size=10, **bare()),
    lambda: TD3("CnnPolicy", pictures(False), buffer_size=10, **bare()),
]


@pytest.mark.parametrize("build", PICTURED)
def test_a_network_without_hidden_layers_is_probed_by_its_extractors_features(build: Any) -> None:
    policy, generator = build().policy, torch.Generator().manual_seed(0)
    states = torch.randint(0, 256, (700, 1, 36, 36), generator=generator, dtype=torch.uint8)
    with torch.no_grad():
        old = read(policy, states)
    assert decodability(policy, states, old) > 0.5  # more features than states to fit them on would tell less
    assert math.isnan(relearn_readout(policy, states, old).share)  # nothing was lost
    wishes, few = [], torch.arange(32)
    for shift in (1.0, -1.0):
        wish = copy.deepcopy(old[few])
        wish.location[:, 0].add_(shift)
        wishes.append((states[few], wish))
    assert plasticity.gradient_conflict(policy, wishes[0], wishes[0]) == pytest.approx(1.0, abs=1e-5)
    assert plasticity.gradient_conflict(policy, wishes[0], wishes[1]) < 0.0


def test_a_move_is_counted_once_and_without_targets(bandit: Any) -> None:
    shared = PPO("CnnPolicy", pictures(True), n_steps=8, batch_size=8, device="cpu")
    for model in (shared, *(build(algorithm, bandit) for algorithm in (SAC, TD3, DQN))):
        policy: Any = model.policy
        before = probes.learned_weights(policy)
        moved = [p for optimizer in optimizers(model).values() for p in optimizer.param_groups[0]["params"]]
        with torch.no_grad():
            for parameter in policy.parameters():  # the targets too
                parameter.add_(1.0)
        squared = plasticity.update_norm(before, probes.learned_weights(policy)) ** 2
        assert squared == pytest.approx(sum(p.numel() for p in moved), rel=1e-4)


def test_frozen_weights_are_not_pulled_at(bandit: Any) -> None:
    policy = build(PPO, bandit).policy
    states = normal(64, 4)
    now = read(policy, states).detach()
    wish = copy.deepcopy(now)
    wish.location.add_(1.0)
    policy.mlp_extractor.policy_net.requires_grad_(False)
    assert plasticity.gradient_conflict(policy, (states, wish), (states, wish)) == pytest.approx(1.0)
    policy.action_net.requires_grad_(False)
    with pytest.raises(ValueError, match=r"every weight of the acting network .* is frozen; expected one"):
        plasticity.gradient_conflict(policy, (states, wish), (states, wish))


@pytest.mark.parametrize("kwargs", [{}, {"enable_critic_lstm": False}, {"n_lstm_layers": 2}])
def test_a_recurrent_policy_is_probed_at_an_episodes_first_step(kwargs: dict[str, Any], bandit: Any) -> None:
    contrib = pytest.importorskip("sb3_contrib")
    kwargs = {"net_arch": [16], "lstm_hidden_size": 8, **kwargs}
    model = contrib.RecurrentPPO(
        "MlpLstmPolicy", as_vec_env(bandit(0, 2)), device="cpu", policy_kwargs=kwargs
    )
    states = normal(200, 4)
    health = plasticity.layer_health(model.policy, states)
    assert list(health) == ["mlp_extractor.policy_net.0", "mlp_extractor.value_net.0"]
    hidden = activations(model.policy, states)["mlp_extractor.value_net.0"]
    memory = blank_memory(model.policy, len(states))
    with torch.no_grad():
        expected = model.policy.predict_values(states, *memory)
        torch.testing.assert_close(model.policy.value_net(hidden), expected)
    assert decodability(model.policy, states, read(model.policy, states).detach()) > 0.99
