from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rover_cl_agents import ContinualLearner, PPOConfig
from rover_cl_agents.importance.layer_trace import probe
from rover_cl_agents.importance.subspace import covering, without
from rover_cl_agents.methods.gpm import GPM, GPMConfig, augmented
from rover_cl_agents.outputs import read

SMALL = PPOConfig(n_steps=16, batch_size=128, n_epochs=4, net=(32, 32))
LAYERS = ("mlp_extractor.policy_net.0", "mlp_extractor.policy_net.2", "action_net")


def learned(bandit: Any, method: GPM, steps: int = 1024) -> ContinualLearner:
    return ContinualLearner(SMALL.build(bandit(0), 0), [method]).learn_task(bandit(0), total_timesteps=steps)


def with_bias(learner: ContinualLearner) -> dict[str, Tensor]:
    """[W, b] of each layer, shape (out, in + 1)."""
    layers = probe(learner.algorithm).layers
    return {n: torch.cat([w.weight, w.bias[:, None]], dim=1).detach().clone() for n, w in layers.items()}


@pytest.mark.parametrize("bias_too", [True, False])
def test_inputs_of_rank_3_take_4_of_11_directions_and_their_answers_stay(bias_too: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    old = torch.randn(300, 3, generator=generator) @ torch.randn(3, 10, generator=generator)
    new, target = torch.randn(300, 10, generator=generator), torch.randn(300, 5, generator=generator)
    layer = nn.Linear(10, 5)
    nn.init.normal_(layer.weight, generator=generator)
    nn.init.zeros_(layer.bias)
    basis = covering(augmented(old, layer).double(), torch.zeros(0, 11).double(), 1.0).float()
    assert basis.shape == (4, 11)
    before, elsewhere = layer(old).detach(), layer(new).detach()
    adam = torch.optim.Adam(layer.parameters(), lr=1e-2)
    for _ in range(50):
        start = torch.cat([layer.weight, layer.bias[:, None]], dim=1).detach()
        adam.zero_grad()
        (layer(new) - target).square().mean().backward()
        adam.step()
        with torch.no_grad():
            step = without(torch.cat([layer.weight, layer.bias[:, None]], dim=1) - start, basis)
            layer.weight.copy_((start + step)[:, :-1])
            if bias_too:
                layer.bias.copy_((start + step)[:, -1])
    change = float((layer(old) - before).detach().abs().max())
    assert float((layer(new) - elsewhere).detach().abs().max()) > 0.5
    assert change < 1e-4 if bias_too else change > 0.1


def test_a_learn_run_leaves_each_layers_span_alone(bandit: Any) -> None:
    gpm = GPM(threshold=0.9, samples=500)
    learner = learned(bandit, gpm)
    start, bases = with_bias(learner), dict(gpm.bases)
    learner.learn_task(bandit(1), total_timesteps=4096)
    for name, weights in with_bias(learner).items():
        moved = weights - start[name]
        assert 0 < len(bases[name]) < bases[name].shape[1]
        assert moved.norm() > 0.05
        assert float((moved @ bases[name].T).norm() / moved.norm()) < 1e-5


def test_at_threshold_1_all_old_answers_stay(bandit: Any) -> None:
    gpm = GPM(threshold=1.0)
    learner = learned(bandit, gpm)
    states = torch.as_tensor(bandit(0).draw(100))
    before = read(learner.algorithm.policy, states).detach().location
    policy: Any = learner.algorithm.policy
    value = policy.value_net.weight.detach().clone()
    learner.learn_task(bandit(1), total_timesteps=2048)
    after = read(learner.algorithm.policy, states).detach().location
    assert float((after - before).abs().max()) < 1e-4
    assert not torch.equal(policy.value_net.weight, value)


def test_memory_is_exact_and_cannot_outgrow_the_layers(bandit: Any) -> None:
    gpm = GPM(threshold=0.99, samples=200)
    learner = learned(bandit, gpm, steps=512)
    assert tuple(gpm.bases) == LAYERS
    free = dict(zip(LAYERS, (5, 33, 33), strict=True))
    for task in (1, 0):
        used = {name: free[name] - left for name, left in gpm.free().items()}
        assert used == {name: len(basis) for name, basis in gpm.bases.items()}
        assert gpm.cost().bytes == 4 * sum(used[name] * free[name] for name in LAYERS)
        old = dict(gpm.bases)
        learner.learn_task(bandit(task), total_timesteps=512)
        for name, basis in gpm.bases.items():
            assert torch.equal(basis[: len(old[name])], old[name])
            identity = torch.eye(len(basis))
            torch.testing.assert_close(basis @ basis.T, identity, atol=1e-5, rtol=0)
    assert gpm.cost().bytes <= 4 * sum(width**2 for width in free.values())


def test_other_layers_than_the_bases_are_for_are_refused(bandit: Any) -> None:
    gpm = GPM(threshold=0.9, samples=100)
    learned(bandit, gpm, steps=512)
    other = GPM(threshold=0.9, samples=100)
    other.bind(PPOConfig(net=(8,)).build(bandit(0, 8), 0), 0)
    with pytest.raises(ValueError, match="layers must stay as they are"):
        other.load_state_dict(gpm.state_dict())
    with pytest.raises(ValueError, match=r"not \['foreign'\]"):
        gpm.load_state_dict(gpm.state_dict() | {"foreign": torch.zeros(3)})
    gpm.algorithm = other.algorithm
    with pytest.raises(ValueError, match="layers must stay as they are"):
        gpm.on_task_start(1)


@pytest.mark.parametrize(("field", "value"), [("threshold", 1.1), ("threshold", -0.1), ("samples", 0)])
def test_ranges(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{field} is {value}; expected"):
        GPMConfig(**{field: value})
    with pytest.raises(ValueError, match="not both"):
        GPM(GPMConfig(), **{field: value})


@pytest.mark.parametrize("seed", [0, 1])
def test_it_keeps_what_finetuning_loses(bandit: Any, seed: int) -> None:
    found = []
    for remedies in ([], [GPM(threshold=0.95, samples=500)]):
        learner = ContinualLearner(SMALL.build(bandit(0), seed), remedies)
        for task in range(2):
            learner.learn_task(bandit(task), total_timesteps=6144)
            if task == 0:
                unlearned = bandit(1).score(learner.predict)
        found.append((bandit(0).score(learner.predict), bandit(1).score(learner.predict)))
    (lost, _), (kept, new) = found
    assert lost < -0.8
    assert kept > lost / 3
    assert new > unlearned / 2
