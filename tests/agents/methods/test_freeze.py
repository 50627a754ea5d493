from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3
from torch import Tensor

from rover_cl_agents import (
    CBP,
    EWC,
    GPM,
    MAS,
    OGD,
    ContinualLearner,
    EchoReplay,
    L2Init,
    Method,
    OnlineEWC,
    PPOConfig,
    ReDo,
    ShrinkPerturb,
    SlowLayers,
    WeightDecay,
)
from rover_cl_agents.methods.freeze import Freeze, FreezeConfig
from rover_cl_agents.methods.headbank import HeadBank
from rover_cl_agents.vec_env import as_vec_env

SMALL = PPOConfig(n_steps=16, batch_size=128, n_epochs=4, net=(32, 32))
OFF: dict[str, Any] = {"learning_starts": 32, "buffer_size": 500, "batch_size": 16}


def state(learner: ContinualLearner) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in learner.algorithm.policy.state_dict().items()}


def changed(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    return {name.rpartition(".")[0] for name in before if not torch.equal(before[name], after[name])}


@pytest.mark.parametrize(
    ("algorithm", "settings", "frozen"),
    [
        (PPO, {"n_steps": 16, "batch_size": 32}, "mlp_extractor.policy_net.0"),
        (A2C, {"n_steps": 16}, "mlp_extractor.policy_net.0"),
        (SAC, OFF, "actor.latent_pi.0"),
        (TD3, OFF, "actor.mu.0"),
        (DQN, OFF, "q_net.q_net.0"),
    ],
)
def test_the_first_layer_stays_to_the_bit(algorithm: Any, settings: Any, frozen: str, bandit: Any) -> None:
    def make(task: int) -> Any:
        return as_vec_env(bandit(task, 2, discrete=algorithm is DQN))

    kwargs = {"net_arch": [8, 8]}
    model = algorithm("MlpPolicy", make(0), seed=0, device="cpu", policy_kwargs=kwargs, **settings)
    learner = ContinualLearner(model, [Freeze(layers=1)])
    states = [state(learner)]
    for task in range(2):
        states.append(state(learner.learn_task(make(task), total_timesteps=128)))
    assert frozen in changed(states[0], states[1])
    layers = {name for name in changed(states[1], states[2]) if name.startswith(frozen.rpartition(".")[0])}
    assert frozen not in layers
    assert frozen.replace(".0", ".2") in layers, "the next layer learns"


@pytest.mark.parametrize("kind", [torch.optim.AdamW, torch.optim.SGD])
def test_it_stays_under_weight_decay_and_momentum(kind: Any, bandit: Any) -> None:
    settings = {"weight_decay": 0.1} | ({"momentum": 0.9} if kind is torch.optim.SGD else {})
    policy = {"optimizer_class": kind, "optimizer_kwargs": settings, "net_arch": [8, 8]}
    env = as_vec_env(bandit(0, 2))
    model = PPO("MlpPolicy", env, n_steps=16, batch_size=32, seed=0, device="cpu", policy_kwargs=policy)
    learner = ContinualLearner(model, [Freeze(layers=2)], reset_optimizer=False)
    learner.learn_task(env, total_timesteps=128)
    before = state(learner)
    learner.learn_task(bandit(1, 2), total_timesteps=128)
    names = {name for name in changed(before, state(learner)) if name}  # the spread has no module
    assert names == {"mlp_extractor.value_net.0", "mlp_extractor.value_net.2", "action_net", "value_net"}


def test_no_layer_is_finetuning_to_the_bit(bandit: Any) -> None:
    found = []
    for methods in ([], [Freeze(layers=0)], [Freeze(layers=1)]):
        learner = ContinualLearner(SMALL.build(bandit(0, 8), 0), methods)
        for task in range(2):
            learner.learn_task(bandit(task, 8), total_timesteps=256)
        found.append(state(learner))
    assert not changed(found[0], found[1])
    assert changed(found[0], found[2])


def test_the_optimiser_holds_less(bandit: Any) -> None:
    learner = ContinualLearner(SMALL.build(bandit(0, 8), 0), [Freeze(layers=2)])
    learner.learn_task(bandit(0, 8), total_timesteps=128)
    whole = learner.cost()
    learner.learn_task(bandit(1, 8), total_timesteps=128)
    assert whole.parameters - learner.cost().parameters == (4 * 32 + 32) + (32 * 32 + 32)
    assert learner.cost().bytes == 0


def test_with_a_head_for_each_task_the_first_is_kept_to_the_bit(bandit: Any) -> None:
    learner = ContinualLearner(SMALL.build(bandit(0, 8), 0), [Freeze(layers=2), HeadBank()])
    observations = bandit(0).draw(5)
    first = learner.learn_task(bandit(0, 8), total_timesteps=256).predict(observations, task=0)
    learner.learn_task(bandit(1, 8), total_timesteps=256)
    assert (learner.predict(observations, task=0) == first).all()
    assert (learner.predict(observations, task=1) != first).any()


OTHERS: dict[str, Callable[[], Method]] = {
    "ewc": lambda: EWC(samples=64),
    "online-ewc": lambda: OnlineEWC(samples=64),
    "mas": lambda: MAS(samples=64),
    "echo-replay": lambda: EchoReplay(capacity=20, batch_size=32, echoes=256, pool=64),
    "ogd": lambda: OGD(vectors=10, gradients=20),
    "gpm": lambda: GPM(threshold=0.5, samples=50),
    "weight-decay": lambda: WeightDecay(weight=1.0),
    "slow-layers": lambda: SlowLayers(layers=2, factor=0.5),
    "l2-init": lambda: L2Init(weight=0.1),
}
"""What looks at single layers, or sizes something by them."""


@pytest.mark.parametrize("first", [True, False], ids=["before", "behind"])
@pytest.mark.parametrize("name", OTHERS)
def test_others_go_on_with_the_layers_that_learn(name: str, first: bool, bandit: Any, tmp_path: Path) -> None:
    other, freeze = OTHERS[name](), Freeze(layers=1)
    model = PPOConfig(n_steps=16, batch_size=64, n_epochs=1, net=(8, 8)).build(bandit(0, 4), 0)
    learner = ContinualLearner(model, [freeze, other] if first else [other, freeze])
    learner.learn_task(bandit(0, 4), total_timesteps=64)
    before = state(learner)
    for task in (1, 0):
        learner.learn_task(bandit(task, 4), total_timesteps=64)
    layers = changed(before, state(learner))
    assert "mlp_extractor.policy_net.0" not in layers
    assert "mlp_extractor.policy_net.2" in layers
    assert all(p.grad is None for layer in freeze.frozen for p in layer.parameters())
    learner.save(tmp_path / "checkpoint")
    again = ContinualLearner.load(tmp_path / "checkpoint", bandit(0, 4))
    for each in (learner, again):
        each.reseed(3)
        each.learn_task(bandit(1, 4), total_timesteps=64)
    assert not changed(state(learner), state(again))
    assert learner.cost() == again.cost()


KEEPERS: dict[str, Callable[[], Method]] = {
    "cbp": lambda: CBP(replacement_rate=0.2, maturity=1),
    "redo": lambda: ReDo(period=2, threshold=0.9),
    "shrink-perturb": lambda: ShrinkPerturb(amount=0.2),
}
"""What remembers units or weights from before they were frozen."""


@pytest.mark.parametrize(
    ("name", "first"), [(name, first) for name in KEEPERS for first in (True, False)][:-1]
)  # but shrink-perturb before freeze, which is refused
def test_what_is_known_of_a_frozen_layer_comes_back_from_a_checkpoint(
    name: str, first: bool, bandit: Any, tmp_path: Path
) -> None:
    def make(task: int) -> Any:
        return as_vec_env(bandit(task, 2, discrete=True))

    other, freeze = KEEPERS[name](), Freeze(layers=2)
    net = {"net_arch": [8, 8]}
    model = DQN("MlpPolicy", make(0), seed=0, device="cpu", policy_kwargs=net, **OFF)
    learner = ContinualLearner(model, [freeze, other] if first else [other, freeze])
    for task in range(2):  # in the second no hidden layer is left to learn
        learner.learn_task(make(task), total_timesteps=96)
    learner.save(tmp_path / "checkpoint")
    again = ContinualLearner.load(tmp_path / "checkpoint", make(0))
    for each in (learner, again):
        each.reseed(3)
        each.learn_task(make(0), total_timesteps=96)
    assert not changed(state(learner), state(again))


def test_errors_say_what_was_expected(bandit: Any) -> None:
    with pytest.raises(ValueError, match="layers is -1; expected at least 0"):
        FreezeConfig(layers=-1)
    with pytest.raises(ValueError, match="not both"):
        Freeze(FreezeConfig(), layers=1)
    with pytest.raises(ValueError, match="layers is 3; expected at most 2"):
        Freeze(layers=3).bind(SMALL.build(bandit(0, 8), 0), 0)
    method = Freeze()
    method.bind(SMALL.build(bandit(0, 8), 0), 0)
    with pytest.raises(ValueError, match="needs 'begun' and 'frozen'"):
        method.load_state_dict({"begun": True})
