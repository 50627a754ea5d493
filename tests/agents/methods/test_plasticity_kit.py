"""What every method of the plasticity kit owes: nothing at strength 0, nothing lost in a checkpoint."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3
from torch import Tensor

from rover_cl_agents import ContinualLearner, Method
from rover_cl_agents.methods.cbp import CBP
from rover_cl_agents.methods.l2_init import L2Init
from rover_cl_agents.methods.layer_norm import LayerNorm
from rover_cl_agents.methods.redo import ReDo
from rover_cl_agents.methods.sharpen import Sharpen
from rover_cl_agents.methods.shrink_perturb import ShrinkPerturb
from rover_cl_agents.methods.slow_layers import SlowLayers
from rover_cl_agents.methods.weight_decay import WeightDecay
from rover_cl_agents.vec_env import as_vec_env

OFF = {"learning_starts": 16, "buffer_size": 500, "batch_size": 16}
ALGORITHMS: dict[str, tuple[Any, bool, dict[str, Any]]] = {
    "ppo": (PPO, False, {"n_steps": 16, "batch_size": 32, "n_epochs": 3}),
    "a2c": (A2C, True, {"n_steps": 16}),
    "sac": (SAC, False, OFF),
    "td3": (TD3, False, OFF),
    "dqn": (DQN, True, OFF | {"train_freq": 1, "target_update_interval": 20}),
}
OFF_AND_ON: dict[str, tuple[Method, Method]] = {
    "layernorm": (LayerNorm(layers="none"), LayerNorm()),
    "weight-decay": (WeightDecay(weight=0.0), WeightDecay(weight=1.0)),
    "l2-init": (L2Init(weight=0.0), L2Init(weight=1.0)),
    "shrink-perturb": (ShrinkPerturb(amount=0.0), ShrinkPerturb()),
    "shrink-perturb soft": (
        ShrinkPerturb(variant="soft", amount=0.0),
        ShrinkPerturb(variant="soft", amount=1e-2),
    ),
    "redo": (ReDo(period=0), ReDo(period=3, threshold=0.9)),
    "cbp": (CBP(replacement_rate=0.0), CBP(replacement_rate=0.02, maturity=2)),
    "slow-layers": (SlowLayers(factor=1.0), SlowLayers()),
    "sharpen french": (Sharpen(weight=0.0), Sharpen(layers="all")),
    "sharpen softmax": (Sharpen(variant="softmax", weight=0.0), Sharpen(variant="softmax")),
    "sharpen kwta": (Sharpen(variant="kwta", weight=0.0), Sharpen(variant="kwta")),
    "sharpen fta": (Sharpen(variant="fta", weight=0.0), Sharpen(variant="fta")),
}


def build(name: str, bandit: Any, *methods: Method) -> ContinualLearner:
    algorithm, discrete, settings = ALGORITHMS[name]
    env = as_vec_env(bandit(0, 2, discrete=discrete))
    own = copy.deepcopy(settings) | {"policy_kwargs": {"net_arch": [8, 8]}}
    return ContinualLearner(algorithm("MlpPolicy", env, seed=0, device="cpu", **own), methods)


def learn(learner: ContinualLearner, name: str, bandit: Any, *tasks: int) -> dict[str, Tensor]:
    for task in tasks:
        learner.learn_task(bandit(task, 2, discrete=ALGORITHMS[name][1]), total_timesteps=32)
    return {key: value.clone() for key, value in learner.algorithm.policy.state_dict().items()}


@pytest.fixture(scope="module")
def plain() -> dict[str, dict[str, Tensor]]:
    return {}


def fresh(method: Method) -> Method:
    kind: Any = type(method)
    return kind(**method.describe())  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", ALGORITHMS)
@pytest.mark.parametrize("method", OFF_AND_ON)
def test_off_is_finetuning_to_the_bit_and_on_goes_on_from_a_checkpoint(
    name: str, method: str, bandit: Any, plain: dict[str, dict[str, Tensor]], tmp_path: Path
) -> None:
    if name not in plain:
        plain[name] = learn(build(name, bandit), name, bandit, 0, 1)
    off, on = OFF_AND_ON[method]
    found = learn(build(name, bandit, fresh(off)), name, bandit, 0, 1)
    assert list(found) == list(plain[name])
    assert all(torch.equal(found[key], value) for key, value in plain[name].items())

    learner = build(name, bandit, fresh(on))
    learn(learner, name, bandit, 0)
    learner.save(tmp_path / "checkpoint")
    other = ContinualLearner.load(
        tmp_path / "checkpoint", bandit(0, 2, discrete=ALGORITHMS[name][1]), methods=[fresh(on)]
    )
    assert other.cost() == learner.cost()
    results = []
    for each in (learner, other):
        each.reseed(5)
        results.append(learn(each, name, bandit, 1))
    assert all(torch.equal(results[0][key], results[1][key]) for key in results[0])
    changed = [
        key
        for key in set(results[0]) & set(plain[name])
        if results[0][key].shape != plain[name][key].shape
        or not torch.equal(results[0][key], plain[name][key])
    ]
    assert changed


@pytest.mark.parametrize("method", OFF_AND_ON)
def test_binding_and_switching_draw_nothing_from_the_global_generator(method: str, bandit: Any) -> None:
    own, model = fresh(OFF_AND_ON[method][1]), build("ppo", bandit).algorithm
    before = torch.random.get_rng_state()
    own.bind(model, 3)
    for task in range(2):
        own.on_task_start(task)
        own.on_task_end()
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("method", OFF_AND_ON)
def test_config_or_settings_but_not_both(method: str) -> None:
    on: Any = OFF_AND_ON[method][1]
    with pytest.raises(ValueError, match="not both"):
        type(on)(on.config, **on.describe())
