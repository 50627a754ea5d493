from __future__ import annotations

import copy
import csv
import random
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import configure
from stable_baselines3.common.vec_env import VecNormalize
from torch import Tensor

from rover_cl_agents import DER, EWC, L2, SI, ContinualLearner, Distillation, L2Init, PPOConfig, Replay
from rover_cl_agents.method import Method
from rover_cl_agents.state import State
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


def weights(learner: ContinualLearner) -> list[Tensor]:
    return [p.detach().clone() for p in learner.algorithm.policy.state_dict().values()]


def equal(a: list[Tensor], b: list[Tensor]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def methods(weight: float = 1.0) -> list[Any]:
    return [Replay(capacity=64, batch_size=32, weight=weight), EWC(samples=64, weight=weight)]


def build(algorithm: Any, discrete: bool, settings: Any, bandit: Any, remedies: Any) -> ContinualLearner:
    env = as_vec_env(bandit(0, 2, discrete=discrete))
    own = copy.deepcopy(settings)  # SB3 writes into policy_kwargs
    return ContinualLearner(algorithm("MlpPolicy", env, seed=0, device="cpu", **own), remedies)


def test_the_first_task_is_plain_sb3_to_the_bit() -> None:
    def make() -> tuple[Any, PPO]:
        env = gymnasium.make("CartPole-v1")
        return env, PPO("MlpPolicy", env, seed=4, n_steps=64, batch_size=32, device="cpu")

    _, plain = make()
    plain.learn(256)
    env, model = make()
    learner = ContinualLearner(model, methods()).learn_task(env, total_timesteps=256)
    assert equal(list(plain.policy.state_dict().values()), weights(learner))


@pytest.mark.parametrize(("algorithm", "discrete", "settings"), ALGORITHMS)
def test_weight_zero_is_finetuning_to_the_bit(
    algorithm: Any, discrete: bool, settings: Any, bandit: Any
) -> None:
    found = []
    for remedies in ([], methods(0.0), methods(1.0)):
        learner = build(algorithm, discrete, settings, bandit, remedies)
        for task in range(2):
            learner.learn_task(bandit(task, 2, discrete=discrete), total_timesteps=128)
        found.append(weights(learner))
    assert equal(found[0], found[1])
    assert not equal(found[0], found[2])


@pytest.mark.parametrize(("algorithm", "discrete", "settings"), ALGORITHMS)
def test_a_restored_learner_goes_on_as_if_never_stopped(
    algorithm: Any, discrete: bool, settings: Any, bandit: Any, tmp_path: Path
) -> None:
    learner = build(algorithm, discrete, settings, bandit, methods())
    learner.learn_task(bandit(0, 2, discrete=discrete), total_timesteps=128)
    learner.save(tmp_path / "checkpoint")
    other = ContinualLearner.load(tmp_path / "checkpoint", bandit(0, 2, discrete=discrete))
    assert (other.tasks, other.steps) == (learner.tasks, learner.steps)
    assert other.cost() == learner.cost()
    for each in (learner, other):
        each.reseed(5)
        each.learn_task(bandit(1, 2, discrete=discrete), total_timesteps=128)
    assert equal(weights(learner), weights(other))
    observations = np.ones((3, 4), dtype=np.float32)
    np.testing.assert_array_equal(learner.predict(observations), other.predict(observations))


@pytest.mark.parametrize(("algorithm", "discrete", "settings"), ALGORITHMS)
def test_a_checkpoint_holds_the_generators_and_a_buffer_that_is_kept(
    algorithm: Any, discrete: bool, settings: Any, bandit: Any, tmp_path: Path
) -> None:
    env = as_vec_env(bandit(0, 2, discrete=discrete))
    model = algorithm("MlpPolicy", env, seed=0, device="cpu", **copy.deepcopy(settings))
    learner = ContinualLearner(model, methods(), reset_buffer=False)
    learner.learn_task(env, 128).save(tmp_path / "checkpoint")
    learner.learn_task(bandit(1, 2, discrete=discrete), 128)
    found = []
    for put_back in (True, False):
        other = ContinualLearner.load(tmp_path / "checkpoint", bandit(0, 2, discrete=discrete))
        if not put_back:
            other.algorithm.set_random_seed(7)
        other.learn_task(bandit(1, 2, discrete=discrete), 128)
        found.append(equal(weights(learner), weights(other)))
    assert found == [True, False]
    assert (tmp_path / "checkpoint" / "replay.safetensors").exists() == (algorithm in (SAC, TD3, DQN))


def test_pythons_numpys_and_the_action_spaces_numbers_go_on(bandit: Any, tmp_path: Path) -> None:
    learner = ContinualLearner(SMALL.build(bandit(0, 8), 0))

    def draw() -> list[float]:
        space = learner.algorithm.action_space
        return [random.random(), np.random.standard_normal(), torch.rand(1).item(), *space.sample().tolist()]

    draw()
    learner.save(tmp_path / "checkpoint")
    expected = [draw(), draw()]
    learner.restore(tmp_path / "checkpoint")
    assert [draw(), draw()] == expected


def test_the_switch_puts_exploration_and_optimisers_back(bandit: Any) -> None:
    class Look(BaseCallback):
        def _on_training_start(self) -> None:
            policy: Any = self.model.policy
            self.log_std = policy.log_std.detach().clone()
            self.moments = len(policy.optimizer.state)

        def _on_step(self) -> bool:
            return True

    for put_back in (True, False):
        env = bandit(0, 8)
        learner = ContinualLearner(
            SMALL.build(env, 0), reset_exploration=put_back, reset_optimizer=put_back
        ).learn_task(env, total_timesteps=512)
        look = Look()
        learner.learn_task(bandit(1, 8), total_timesteps=128, callback=look)
        assert bool((look.log_std == SMALL.log_std_init).all()) == put_back
        assert (look.moments == 0) == put_back
        assert learner.steps == 512 + 128
        assert learner.tasks == [0, 1]


def test_sac_temperature_goes_back(bandit: Any) -> None:
    learner = build(SAC, False, {**OFF, "ent_coef": "auto_0.5"}, bandit, [])
    learner.learn_task(bandit(0, 2), total_timesteps=128)
    model: Any = learner.algorithm
    assert model.log_ent_coef.exp().item() != pytest.approx(0.5)
    learner.switch.put_back(model)
    assert model.log_ent_coef.exp().item() == pytest.approx(0.5)
    assert not model.ent_coef_optimizer.state
    assert model.replay_buffer.size() == 0


def scores(bandit: Any, remedies: list[Any], seed: int) -> tuple[float, float]:
    learner = ContinualLearner(SMALL.build(bandit(0), seed), remedies)
    for task in range(2):
        learner.learn_task(bandit(task), total_timesteps=12_288)
    return bandit(0).score(learner.predict), bandit(1).score(learner.predict)


@pytest.mark.parametrize("seed", [0, 1])
def test_replay_and_ewc_keep_what_finetuning_loses(bandit: Any, seed: int) -> None:
    lost, new = scores(bandit, [], seed)
    kept, new_with_replay = scores(bandit, [Replay(capacity=500, batch_size=128, weight=0.3)], seed)
    held, new_with_ewc = scores(bandit, [EWC(weight=3.0)], seed)
    assert lost < -1
    assert min(kept, held) > lost / 4
    assert new_with_replay > max(new - 0.3, new_with_ewc)


def test_five_lines_on_an_environment_of_ones_own() -> None:
    env = gymnasium.make("CartPole-v1")
    learner = ContinualLearner(DQN("MlpPolicy", env), [Distillation(), EWC()])
    learner.learn_task(env, 150)
    learner.learn_task(gymnasium.make("CartPole-v1"), total_timesteps=150)
    assert learner.tasks == [0, 1]
    assert env.action_space.contains(learner.predict(np.zeros((1, 4), dtype=np.float32))[0])


def test_a_task_known_again_keeps_its_number(bandit: Any) -> None:
    replay = Replay(capacity=20, batch_size=8)
    learner = ContinualLearner(SMALL.build(bandit(0, 8), 0), [replay])
    for task in (3, None, 3):
        learner.learn_task(bandit(0, 8), total_timesteps=128, task=task)
    assert learner.tasks == [3, 4, 3]
    assert torch.bincount(replay.memory.tasks).tolist() == [0, 0, 0, 20, 20]


def test_errors_say_what_was_expected(bandit: Any) -> None:
    learner = ContinualLearner(SMALL.build(bandit(0, 8), 0))
    with pytest.raises(ValueError, match="total_timesteps is 0"):
        learner.learn_task(bandit(0, 8), total_timesteps=0)
    with pytest.raises(ValueError, match="task is -1"):
        learner.learn_task(bandit(0, 8), total_timesteps=1, task=-1)
    with pytest.raises(ValueError, match="num_envs 4; expected 8"):
        learner.learn_task(bandit(0, 4), total_timesteps=1)
    with pytest.raises(ValueError, match="action_space Discrete"):
        learner.learn_task(bandit(0, 8, discrete=True), total_timesteps=1)
    wrong: Any = [Replay]
    with pytest.raises(ValueError, match="expected Method objects"):
        ContinualLearner(learner.algorithm, wrong)


def test_cost_counts_trained_parameters(bandit: Any) -> None:
    learner = ContinualLearner(SMALL.build(bandit(0, 8), 0))
    assert learner.cost().bytes == 0
    assert learner.cost().parameters == 2 * (4 * 32 + 32 + 32 * 32 + 32) + (32 * 2 + 2) + (32 + 1) + 2


class Count(Method):
    """Counts the steps that it is asked about."""

    name = "count"
    steps = 0

    def adjust_update(self, role: str, delta: Tensor) -> Tensor:
        self.steps += 1
        return delta


def test_the_hooks_are_there_again_after_loading(bandit: Any, tmp_path: Path) -> None:
    learner = ContinualLearner(SMALL.build(bandit(0, 8), 0), [Count()])
    learner.learn_task(bandit(0, 8), 128).save(tmp_path / "c")
    other = ContinualLearner.load(tmp_path / "c", bandit(0, 8), methods=[Count()])
    other.learn_task(bandit(1, 8), 128)
    found: Any = [method for each in (learner, other) for method in each.methods]
    assert [method.steps for method in found] == [4, 4]  # one minibatch of 128, four epochs
    assert not other.algorithm.policy.optimizer._optimizer_step_post_hooks


def test_a_frozen_normaliser_stays_over_the_second_task(bandit: Any) -> None:
    first, second = (VecNormalize(as_vec_env(bandit(task, 8)), norm_reward=False) for task in range(2))
    learner = ContinualLearner(SMALL.build(first, 0), methods())
    learner.learn_task(first, 512)
    statistics: Any = first.obs_rms
    moving = statistics.mean.copy()
    assert abs(moving[0] - 1.5) < 0.2, "it has followed the first task"
    second.obs_rms, second.training = first.obs_rms, False
    learner.learn_task(second, 256)
    np.testing.assert_array_equal(statistics.mean, moving)
    second.training = True
    learner.learn_task(second, 256)
    assert abs(statistics.mean[0] - moving[0]) > 0.5, "one that runs forgets by itself"


class Told(Method):
    """Remembers which task the networks were turned to."""

    name = "told"

    def __init__(self) -> None:
        self.selected: list[int | None] = []
        self.reshaped = 0

    def select(self, task: int | None) -> None:
        self.selected.append(task)

    def reshape(self, state: State) -> None:
        self.reshaped += 1


def test_the_networks_are_turned_to_each_task_and_back(bandit: Any, tmp_path: Path) -> None:
    told = Told()
    learner = ContinualLearner(SMALL.build(bandit(0, 8), 0), [told])
    for task in (0, 1):
        learner.learn_task(bandit(task, 8), total_timesteps=128)
    observations = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)
    told.selected.clear()
    actions = learner.predict(observations, task=np.array([1, 0, 7, 0, 1, 1]))
    assert told.selected == [None, 0, 1, 1]  # nobody learned 7; at last back to the task being learned
    np.testing.assert_allclose(actions, learner.predict(observations), atol=1e-6)
    learner.save(tmp_path / "c")
    assert told.reshaped == 0
    other = ContinualLearner(SMALL.build(bandit(0, 8), 1), [Told()]).restore(tmp_path / "c")
    again = other.methods[0]
    assert isinstance(again, Told) and (again.reshaped, again.selected) == (1, [1])


PENALTIES: list[Any] = [
    Replay(capacity=20, batch_size=8),
    EWC(samples=20),
    EWC(samples=20, proximal=True),
    SI(),
    L2Init(),
    DER(capacity=20, batch_size=8),
]


@pytest.mark.parametrize("algorithm", ["ppo", "sac"])
def test_penalties_are_logged(algorithm: str, bandit: Any, tmp_path: Path) -> None:
    remedies = [type(method)(**method.describe()) for method in PENALTIES]
    remedies[2].name = "proximal"
    env = as_vec_env(bandit(0, 8))
    sac: dict[str, Any] = {
        "learning_starts": 16,
        "buffer_size": 500,
        "batch_size": 8,
        "policy_kwargs": {"net_arch": [8]},
    }
    model: Any = SMALL.build(env, 0) if algorithm == "ppo" else SAC("MlpPolicy", env, device="cpu", **sac)
    learner = ContinualLearner(model, remedies)
    model.set_logger(configure(str(tmp_path), ["csv"]))
    for task in (0, 1):
        learner.learn_task(bandit(task, 8), total_timesteps=384)
    model.logger.close()
    with (tmp_path / "progress.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for method in remedies:
        values = [float(row[f"methods/{method.name}"] or "nan") for row in rows]
        assert [value for value in values if value == value][-1] > 0, method.name


class Noted(Replay):
    """Notes its latest loss."""

    last = 0.0

    def auxiliary_loss(self, role: str) -> Tensor | None:
        loss = super().auxiliary_loss(role)
        self.last = 0.0 if loss is None else loss.item()
        return loss


class AtTheEnd(BaseCallback):
    """Notes a penalty when the training is over, before the methods consolidate."""

    def __init__(self, method: L2) -> None:
        super().__init__()
        self.method, self.penalty = method, 0.0

    def _on_step(self) -> bool:
        return True

    def _on_training_end(self) -> None:
        self.penalty = self.method.penalty().item()


def test_one_rollout_is_enough_for_the_log(bandit: Any, tmp_path: Path) -> None:
    replays, l2 = [Noted(capacity=20, batch_size=8, weight=weight) for weight in (0.1, 1.0)], L2()
    learner = ContinualLearner(SMALL.build(bandit(0, 8), 0), [*replays, l2])
    learner.learn_task(bandit(0, 8), total_timesteps=128)
    learner.algorithm.set_logger(configure(str(tmp_path), ["csv"]))
    end = AtTheEnd(l2)
    learner.learn_task(bandit(1, 8), total_timesteps=128, callback=end)
    learner.algorithm.logger.close()
    with (tmp_path / "progress.csv").open(encoding="utf-8", newline="") as file:
        row = list(csv.DictReader(file))[-1]
    logged = [float(row[f"methods/{name}"]) for name in ("replay.1", "replay.2", "l2")]
    assert logged == pytest.approx([*(replay.last for replay in replays), end.penalty])
    assert min(logged) > 0


def test_a_loaded_learner_logs_where_it_is_told(bandit: Any, tmp_path: Path) -> None:
    pytest.importorskip("torch.utils.tensorboard")
    model = SMALL.build(bandit(0, 8), 0)
    model.tensorboard_log = str(tmp_path / "old")
    ContinualLearner(model, [L2()]).learn_task(bandit(0, 8), total_timesteps=128).save(tmp_path / "c")
    learner = ContinualLearner.load(tmp_path / "c", bandit(0, 8))
    assert learner.algorithm.tensorboard_log is None
    learner.algorithm.tensorboard_log = str(tmp_path / "new")
    learner.learn_task(bandit(1, 8), total_timesteps=128)
    assert len(list(tmp_path.glob("old/*"))) == len(list(tmp_path.glob("new/*"))) == 1


def test_the_logged_penalty_is_what_its_gradient_belongs_to(bandit: Any, tmp_path: Path) -> None:
    l2 = L2(weight=2.0)
    learner = ContinualLearner(SMALL.build(bandit(0, 8), 0), [l2])
    learner.learn_task(bandit(0, 8), total_timesteps=128)
    learner.algorithm.set_logger(configure(str(tmp_path), ["csv"]))
    policy: Any = learner.algorithm.policy
    with torch.no_grad():
        policy.action_net.bias.add_(3.0)
    end = AtTheEnd(l2)
    learner.learn_task(
        bandit(1, 8), total_timesteps=128, callback=end
    )  # one rollout; logged before, after it
    learner.algorithm.logger.close()
    with (tmp_path / "progress.csv").open(encoding="utf-8", newline="") as file:
        row, last = csv.DictReader(file)
    assert float(row["methods/l2"]) == pytest.approx(2.0 / 2 * 2 * 3.0**2)
    assert float(last["methods/l2"]) == pytest.approx(end.penalty) != float(row["methods/l2"])
