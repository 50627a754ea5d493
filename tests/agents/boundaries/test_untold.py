"""Learning where nobody tells the boundaries: every method, every algorithm, and what is known of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3 import DQN, PPO, SAC, TD3
from stable_baselines3.common.callbacks import BaseCallback
from torch import Tensor

from rover_cl_agents import (
    EWC,
    SI,
    Boundaries,
    ContinualLearner,
    Detected,
    Method,
    PackNet,
    Periodic,
    PPOConfig,
    Replay,
)
from rover_cl_agents.checkpoints.checkpoint import CheckpointError
from rover_cl_agents.method import overrides
from rover_cl_agents.methods import METHODS
from rover_cl_agents.vec_env import as_vec_env

SMALL = PPOConfig(n_steps=16, batch_size=128, n_epochs=4, net=(32, 32))
OFF = {"learning_starts": 16, "buffer_size": 400, "batch_size": 16}
ALGORITHMS: dict[str, tuple[Any, bool, dict[str, Any]]] = {
    "ppo": (PPO, False, {"n_steps": 16, "batch_size": 32, "n_epochs": 2}),
    "sac": (SAC, False, OFF),
    "td3": (TD3, False, OFF),
    "dqn": (DQN, True, OFF),
}
POLICIES: dict[str, Any] = {
    "periodic": lambda: Periodic(rollouts=2, rollout_steps=64, horizon=4),
    "detected": lambda: Detected(minimum=2, threshold=1.0, delta=0.1, ring=3, rollout_steps=64),
}
SHORT: dict[str, dict[str, Any]] = {
    "packnet": {"retrain_steps": 50},
    "redo": {"period": 2, "threshold": 0.9},
    "cbp": {"replacement_rate": 0.2, "maturity": 1},
}


def learner_of(name: str, algorithm: str, boundaries: str, bandit: Any, seed: int = 0) -> ContinualLearner:
    """A tiny learner."""
    build, discrete, settings = ALGORITHMS[algorithm]
    env = as_vec_env(bandit(0, 4, discrete=discrete))
    config, method = METHODS[name]
    model = build("MlpPolicy", env, seed=seed, device="cpu", policy_kwargs={"net_arch": [16, 16]}, **settings)
    remedy = method(config(**SHORT.get(name, {})))
    return ContinualLearner(model, [remedy], boundaries=POLICIES[boundaries](), seed=seed)


def tensors(learner: ContinualLearner) -> list[Tensor]:
    held = list(learner.algorithm.policy.state_dict().values())
    for method in learner.methods:
        state = method.state_dict()
        held += [value for name in sorted(state) if isinstance(value := state[name], Tensor)]
    return held


# A snapshot holds what `pause` gives: for methods that gather nothing of a task, detection adds no case.
CASES = [(name, "ppo", "periodic") for name in METHODS]
CASES += [
    (n, "ppo", "detected") for n, (config, kind) in METHODS.items() if overrides(kind(config()), "pause")
]
CASES += [(name, other, "detected") for name in ("replay", "si", "lora", "der") for other in ("sac", "dqn")]
CASES += [(name, other, "detected") for name in ("redo", "cbp") for other in ("sac", "td3")]
STEPS = {"periodic": (128, 64, 192), "detected": (320, 320, 320)}
"""In the first environment, in the second, and in the first again, from a checkpoint."""


@pytest.mark.parametrize(("name", "algorithm", "boundaries"), CASES)
def test_a_method_goes_on_from_a_checkpoint_in_the_midst_of_a_task(
    name: str, algorithm: str, boundaries: str, bandit: Any, tmp_path: Path
) -> None:
    discrete = ALGORITHMS[algorithm][1]
    learner = learner_of(name, algorithm, boundaries, bandit)
    *before, after = STEPS[boundaries]
    for task, steps in enumerate(before):
        learner.learn_task(as_vec_env(bandit(task, 4, discrete=discrete)), total_timesteps=steps)
    learner.save(tmp_path / "c")
    other = learner_of(name, algorithm, boundaries, bandit, seed=1).restore(tmp_path / "c")
    assert (other.tasks, other.steps, other.found) == (learner.tasks, learner.steps, learner.found)
    for each in (learner, other):
        each.reseed(5)
        each.learn_task(as_vec_env(bandit(0, 4, discrete=discrete)), total_timesteps=after)
    assert learner.tasks == other.tasks and len(learner.tasks) > 0
    assert learner.tasks == list(range(len(learner.tasks)))
    assert all(torch.equal(a, b) for a, b in zip(tensors(learner), tensors(other), strict=True))
    assert learner.cost() == other.cost()
    if boundaries == "periodic":
        assert len(learner.tasks) == 2  # of 6 rollouts, the last of which ends a period when one more begins


@pytest.mark.parametrize("seed", [0, 1])
def test_replay_with_detected_boundaries_keeps_what_finetuning_loses(bandit: Any, seed: int) -> None:
    replay = Replay(capacity=500, batch_size=128, weight=0.3)
    found = ContinualLearner(SMALL.build(bandit(0), seed), [replay], boundaries=Detected(rollout_steps=512))
    found.learn([(bandit(0), 12_288), (bandit(1), 12_288)])
    assert found.tasks == [0]  # one boundary, and none before or after it
    ((dated, declared),) = found.found
    assert 12_288 - 2 * 512 <= dated <= 12_288 < declared <= 12_288 + 3 * 512
    assert bandit(0).score(found.predict) > -0.6  # finetuning ends below -1, as the learner's own tests say
    assert bandit(1).score(found.predict) > -0.6
    # Nothing of the second task was taken for the first: their observations lie on two sides of zero.
    states, _ = replay.memory.at(torch.arange(len(replay.memory)))
    assert bool((states[:, 0] > -1.0).all())


class Diary(Method):
    """Notes what happens to it."""

    name = "diary"

    def __init__(self) -> None:
        self.lines: list[tuple[str, Any]] = []

    def weight(self) -> float:
        policy: Any = self.algorithm.policy
        return float(policy.action_net.weight.detach().double().sum())

    def on_task_start(self, task: int) -> None:
        self.lines.append(("start", task))

    def on_rollout_end(self) -> None:
        self.lines.append(("rollout", self.weight()))

    def on_task_end(self) -> None:
        self.lines.append(("end", self.weight()))


class Dated(Periodic):
    """Declares a boundary after so many rollouts, and dates it two before."""

    ring = 4

    def note(self, seen: Any) -> int | None:
        date = super().note(seen)
        return None if date is None else date - 2


def test_the_learner_goes_back_to_the_date_of_the_boundary(bandit: Any) -> None:
    diary, si, packnet = Diary(), SI(), PackNet()
    for remedies in ([diary], [si], [packnet]):
        learner = ContinualLearner(
            SMALL.build(bandit(0, 8), 0), remedies, boundaries=Dated(rollouts=6, rollout_steps=128)
        )
        learner.learn_task(bandit(0, 8), total_timesteps=128 * 7)
        assert (learner.tasks, learner.found) == ([0], [(128 * 4, 128 * 6)])
    words = [word for word, _ in diary.lines]
    assert words == ["start", *["rollout"] * 6, "end", "start", "rollout"]
    met = [value for word, value in diary.lines if word == "rollout"]
    # Rollout 4 was gathered with the snapshot's weights: there the task ends, and the next begins.
    assert diary.lines[7] == ("end", met[4]) and met[6] == met[4] != met[5]


def test_si_forgets_the_way_that_was_taken_back(bandit: Any) -> None:
    def importance(boundaries: Boundaries, rollouts: int) -> list[Tensor]:
        si = SI()
        learner = ContinualLearner(SMALL.build(bandit(0, 8), 0), [si], boundaries=boundaries)
        learner.learn_task(bandit(0, 8), total_timesteps=128 * rollouts)
        return [value for value in si.state_dict().values() if isinstance(value, Tensor)]

    dated = importance(Dated(rollouts=6, rollout_steps=128), 7)
    told = importance(Periodic(rollouts=4, rollout_steps=128), 5)
    assert dated and all(torch.equal(a, b) for a, b in zip(dated, told, strict=True))


def test_off_policy_experience_ends_at_the_date(bandit: Any) -> None:
    replay = Replay(capacity=64, insertion="all")
    model = SAC(
        "MlpPolicy", as_vec_env(bandit(0, 4)), buffer_size=400, learning_starts=16, device="cpu", seed=0
    )
    learner = ContinualLearner(model, [replay], boundaries=Dated(rollouts=6, rollout_steps=64))
    learner.learn([(bandit(0, 4), 256), (bandit(1, 4), 128 + 4)])
    assert learner.tasks == [0] and len(replay.memory) == 64
    states, _ = replay.memory.at(torch.arange(64))
    assert bool((states[:, 0] > -1.0).all())
    assert model.replay_buffer is not None and model.replay_buffer.size() == 1


class Rates(BaseCallback):
    """Notes the learning rate before each rollout."""

    def __init__(self) -> None:
        super().__init__()
        self.rates: list[float] = []

    def _on_rollout_start(self) -> None:
        self.rates.append(self.model.policy.optimizer.param_groups[0]["lr"])

    def _on_step(self) -> bool:
        return True


def test_the_learning_rate_tells_nothing_of_a_call(bandit: Any) -> None:
    def rates(parts: list[int]) -> list[float]:
        model = SMALL.build(bandit(0, 8), 0)
        learner = ContinualLearner(model, boundaries=Periodic(rollouts=6, rollout_steps=128, horizon=4))
        look, own = Rates(), model.lr_schedule
        env = bandit(0, 8)
        for part in parts:
            learner.learn_task(env, total_timesteps=128 * part, callback=look)
        assert model.lr_schedule is own
        return look.rates

    expected = [1e-3 - 9e-4 * part for part in (0, 0.25, 0.5, 0.75, 1, 1, 1, 0.25, 0.5)]
    assert rates([9]) == pytest.approx(expected)
    assert rates([2, 3, 4]) == pytest.approx(expected)


def test_an_environment_that_is_kept_is_not_reset(bandit: Any) -> None:
    found = []
    for parts in ([8], [3, 5]):
        env = as_vec_env(bandit(0, 8))
        learner = ContinualLearner(
            SMALL.build(env, 0), [Replay(capacity=50)], boundaries=Periodic(rollouts=3, rollout_steps=128)
        )
        for part in parts:
            learner.learn_task(env, total_timesteps=128 * part)
        found.append(tensors(learner))
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_told_tasks_are_ignored_and_unknown_ones_answered(bandit: Any) -> None:
    learner = learner_of("lora", "ppo", "periodic", bandit)
    learner.learn_task(as_vec_env(bandit(0, 4)), total_timesteps=640, task=7)
    assert learner.tasks == [0, 1, 2, 3]
    observations = np.ones((3, 4), dtype=np.float32)
    np.testing.assert_array_equal(learner.predict(observations, task=0), learner.predict(observations))


def test_a_checkpoint_knows_its_boundaries(bandit: Any, tmp_path: Path) -> None:
    learner = ContinualLearner(SMALL.build(bandit(0, 8), 0), [EWC()], boundaries=Detected(rollout_steps=128))
    learner.learn_task(bandit(0, 8), total_timesteps=512).save(tmp_path / "c")
    other = ContinualLearner.load(tmp_path / "c", bandit(0, 8))
    for each in (learner, other):
        each.reseed(1)
        each.learn_task(bandit(1, 8), total_timesteps=512)
    assert all(torch.equal(a, b) for a, b in zip(tensors(learner), tensors(other), strict=True))
    for wrong in (None, Periodic(), Detected(rollout_steps=64)):
        told = ContinualLearner(SMALL.build(bandit(0, 8), 0), [EWC()], boundaries=wrong)
        with pytest.raises(CheckpointError, match="boundaries was detected with"):
            told.restore(tmp_path / "c")
