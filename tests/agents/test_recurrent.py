"""RecurrentPPO of sb3-contrib under the learner."""

from __future__ import annotations

import builtins
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rover_cl_agents import L2, ContinualLearner, Detected, Periodic, RecurrentPPOConfig, Replay
from rover_cl_agents.methods import METHODS
from rover_cl_agents.outputs import read, to_tensor
from rover_cl_agents.recurrent import recurrent_ppo
from rover_cl_agents.vec_env import as_vec_env

TINY = RecurrentPPOConfig(n_steps=8, batch_size=32, n_epochs=1, net=(8,), lstm=6)


def learner_of(cue: Any, name: str | None = None, seed: int = 0) -> ContinualLearner:
    remedies = [] if name is None else [METHODS[name][1](METHODS[name][0]())]
    return ContinualLearner(TINY.build(as_vec_env(cue(8)), seed), remedies, seed=seed)


def weights(learner: ContinualLearner) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in learner.algorithm.policy.state_dict().items()}


@pytest.mark.parametrize("name", METHODS)
def test_methods_learn_two_tasks_and_resume_or_say_why_not(name: str, cue: Any, tmp_path: Path) -> None:
    try:
        first = learner_of(cue, name)
    except ValueError as refusal:
        assert "LSTM" in str(refusal)
        return
    first.learn_task(cue(8), total_timesteps=64).save(tmp_path / "c")
    resumed = learner_of(cue, name, seed=1).restore(tmp_path / "c")
    found = []
    for learner in (first, resumed):
        learner.reseed(5)
        found.append(weights(learner.learn_task(cue(8), total_timesteps=128)))
    assert all(torch.equal(found[0][key], found[1][key]) for key in found[0])
    assert any(not torch.equal(w, weights(learner_of(cue, name))[key]) for key, w in found[0].items())


def test_no_memory_crosses_a_task_switch(cue: Any) -> None:
    found = []
    for poison in (0.0, 3.0):
        learner = learner_of(cue).learn_task(cue(8), total_timesteps=64)
        model: Any = learner.algorithm
        for state in (*model._last_lstm_states.pi, *model._last_lstm_states.vf):
            state.fill_(poison)
        learner.reseed(5)
        found.append(weights(learner.learn_task(cue(8), total_timesteps=64)))
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


def test_a_checkpoint_builds_it_again(cue: Any, tmp_path: Path) -> None:
    learner = learner_of(cue, "l2").learn_task(cue(8), total_timesteps=64)
    learner.save(tmp_path / "c")
    loaded = ContinualLearner.load(tmp_path / "c", cue(8))
    assert type(loaded.algorithm) is recurrent_ppo()
    before = weights(learner)
    assert all(torch.equal(tensor, before[name]) for name, tensor in weights(loaded).items())


def test_outputs_are_those_of_an_episodes_first_step(cue: Any) -> None:
    model: Any = TINY.build(as_vec_env(cue(8)), 0)
    observations = np.random.default_rng(0).standard_normal((5, 2)).astype(np.float32)
    actions, _ = model.predict(observations, episode_start=np.ones(5, dtype=np.bool_), deterministic=True)
    outputs = read(model.policy, to_tensor(model.policy, observations))
    assert outputs.kind == "categorical"
    np.testing.assert_array_equal(outputs.location.argmax(dim=1).numpy(), actions)


def test_stored_observations_are_no_memory_of_an_lstm(cue: Any) -> None:
    with pytest.raises(
        ValueError, match=r"RecurrentPPO acts by what its LSTM remembers.*Use PPO with windows"
    ):
        ContinualLearner(TINY.build(as_vec_env(cue(8)), 0), [Replay()])


def test_where_sb3_contrib_is_missing_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, cue: Any
) -> None:
    real = builtins.__import__

    def missing(name: str, *arguments: Any, **more: Any) -> Any:
        if name.startswith("sb3_contrib"):
            raise ModuleNotFoundError(name)
        return real(name, *arguments, **more)

    monkeypatch.delitem(sys.modules, "sb3_contrib", raising=False)
    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ValueError, match=r'pip install "rover-cl\[recurrent\]"'):
        TINY.build(as_vec_env(cue(8)), 0)


def test_its_own_setting_is_checked() -> None:
    with pytest.raises(ValueError, match="lstm is 0"):
        RecurrentPPOConfig(lstm=0)
    with pytest.raises(ValueError, match="gamma is 2"):
        RecurrentPPOConfig(gamma=2)


def test_boundaries_that_look_at_rollouts_are_refused(cue: Any) -> None:
    with pytest.raises(
        ValueError, match=r"'detected' look at .*LSTM of RecurrentPPO remembers; expected Periodic\(\)"
    ):
        ContinualLearner(TINY.build(as_vec_env(cue(8)), 0), [], boundaries=Detected())


def test_periodic_boundaries_need_no_memory_of_rollouts(cue: Any, tmp_path: Path) -> None:
    def periodic(seed: int) -> ContinualLearner:
        boundaries = Periodic(rollouts=2, rollout_steps=64)
        return ContinualLearner(TINY.build(as_vec_env(cue(8)), seed), [L2()], boundaries=boundaries)

    first = periodic(0).learn_task(cue(8), total_timesteps=5 * 64)
    assert (first.tasks, len(first.found)) == ([0, 1], 2)
    first.save(tmp_path / "c")
    resumed = periodic(1).restore(tmp_path / "c")
    found = []
    for learner in (first, resumed):
        learner.reseed(5)
        found.append(weights(learner.learn_task(cue(8), total_timesteps=4 * 64)))
        assert learner.tasks == [0, 1, 2, 3]
    assert all(torch.equal(found[0][key], found[1][key]) for key in found[0])
