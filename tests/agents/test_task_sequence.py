from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
import sb3_contrib
from gymnasium import spaces
from stable_baselines3 import A2C, DDPG, DQN, PPO, SAC, TD3
from stable_baselines3.common.envs import FakeImageEnv

from rover_cl_agents import ContinualLearner, HeadBank, Method, Replay
from rover_cl_agents.task_sequence import TaskSequence, batched
from rover_cl_agents.vec_env import as_vec_env


class Diary(Method):
    """Notes what it is told."""

    name = "diary"

    def __init__(self) -> None:
        self.lines: list[Any] = []

    def on_task_start(self, task: int) -> None:
        self.lines.append(f"start {task}")

    def on_task_end(self) -> None:
        self.lines.append("end")

    def select(self, task: int | None) -> None:
        self.lines.append(task)


class Echo:
    """Answers with the task that its diary names last; refuses task 1 if it is told to."""

    def __init__(self, diary: Diary, refuse: bool = False) -> None:
        self.diary, self.refuse = diary, refuse

    def predict(self, observations: Any, deterministic: bool) -> tuple[Any, None]:
        task = self.diary.lines[-1]
        if self.refuse and task == 1:
            raise RuntimeError("refused")
        return np.full(len(observations), -1 if task is None else task), None


def test_doors_open_in_order_and_nothing_is_put_back_before_the_first_task() -> None:
    diary = Diary()
    tasks = TaskSequence(None, [diary], lambda: diary.lines.append("switch"))  # type: ignore[arg-type]
    for task in (0, 3):
        tasks.begin(task)
        tasks.end()
    assert diary.lines == ["start 0", 0, "end", "switch", "start 3", 3, "end"]
    assert (tasks.learned, tasks.current) == ([0, 3], 3)


@pytest.mark.parametrize("refuse", [False, True])
def test_each_row_is_answered_by_its_task_and_the_task_at_hand_comes_back(refuse: bool) -> None:
    diary = Diary()
    tasks = TaskSequence(Echo(diary, refuse), [diary], lambda: None)  # type: ignore[arg-type]
    tasks.restore([0, 1], 1)
    rows, wanted = np.zeros((5, 2)), np.array([1, 0, 7, 1, -1])
    if refuse:
        with pytest.raises(RuntimeError, match="refused"):
            tasks.act(rows, False, wanted)
    else:
        assert tasks.act(rows, False, wanted).tolist() == [1, 0, -1, 1, -1]
    assert diary.lines == [1, None, 0, 1, 1]


def test_a_task_for_each_row_or_one_for_all() -> None:
    diary = Diary()
    tasks = TaskSequence(Echo(diary), [diary], lambda: None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"task has shape \(3,\); expected .* each of the 5 observations"):
        tasks.act(np.zeros((5, 2)), False, np.zeros(3, dtype=np.int64))


class Anything(gymnasium.Env[Any, Any]):
    """Draws what it shows, and takes whatever it is told."""

    def __init__(self, action: Any, observation: Any = None) -> None:
        self.action_space = action
        self.observation_space = observation or spaces.Box(-1, 1, (4,))

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.steps = 0
        return self.observation_space.sample(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        return self.observation_space.sample(), 0.0, False, self.steps > 8, {}


BOX = spaces.Box(-2, 1, (2,))
SEEN = spaces.Dict({"a": spaces.Box(-1, 1, (2,)), "b": spaces.Discrete(3)})
CASES: dict[str, tuple[Any, Any, Any, dict[str, Any]]] = {
    "ppo": (PPO, BOX, None, {}),
    "sac": (SAC, BOX, None, {}),
    "td3": (TD3, BOX, None, {}),
    "ddpg": (DDPG, BOX, None, {}),
    "dqn": (DQN, spaces.Discrete(3), None, {}),
    "numbers": (DQN, spaces.Discrete(3), spaces.Discrete(5), {}),
    "multi-discrete": (PPO, spaces.MultiDiscrete([2, 3]), None, {}),
    "multi-binary": (A2C, spaces.MultiBinary(3), None, {}),
    "dict": (PPO, BOX, SEEN, {}),
    "dict, off-policy": (DQN, spaces.Discrete(3), SEEN, {}),
    "sde": (PPO, BOX, None, {"use_sde": True}),
    "sde, off-policy": (SAC, BOX, None, {"use_sde": True}),
    "tqc": (sb3_contrib.TQC, BOX, None, {}),
    "qrdqn": (sb3_contrib.QRDQN, spaces.Discrete(3), None, {}),
}


@pytest.mark.parametrize("deterministic", [True, False])
@pytest.mark.parametrize("case", CASES)
def test_finetuning_acts_as_its_algorithm_wherever_that_does(case: str, deterministic: bool) -> None:
    build, action, seen, settings = CASES[case]
    own = {"learning_starts": 4, "buffer_size": 50, "batch_size": 4}
    if issubclass(build, PPO | A2C):
        own = {"n_steps": 16} | ({"batch_size": 8} if build is PPO else {})
    policy = "MultiInputPolicy" if isinstance(seen, spaces.Dict) else "MlpPolicy"
    env = as_vec_env(Anything(action, seen))
    learner = ContinualLearner(build(policy, env, device="cpu", seed=0, **own, **settings))
    learner.learn_task(env, 16)
    space = learner.algorithm.observation_space
    space.seed(0)
    one = space.sample()
    rows, single = batched(one, space)
    assert single and not batched(rows, space)[1]
    for observations in (one, rows):
        learner.reseed(1)
        ours = learner.predict(observations, deterministic)
        learner.reseed(1)
        theirs, _ = learner.algorithm.predict(observations, deterministic=deterministic)
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
        assert ours.shape == theirs.shape
    assert action.contains(learner.predict(one, deterministic))


def test_methods_with_parts_act_on_one_observation_too(bandit: Any) -> None:
    model = SAC("MlpPolicy", as_vec_env(bandit(0, 2)), device="cpu", learning_starts=4, buffer_size=50)
    learner = ContinualLearner(model, [HeadBank(), Replay()])
    for task in range(2):
        learner.learn_task(bandit(task, 2), 16)
    one = np.ones(4, dtype=np.float32)
    for task in (0, 1):
        assert learner.predict(one, task=task).tolist() == learner.predict(one[None], task=task)[0].tolist()


def test_pictures_are_seen_with_their_channels_last_too() -> None:
    env = FakeImageEnv(screen_height=36, screen_width=36, n_channels=3, channel_first=False)
    learner = ContinualLearner(PPO("CnnPolicy", env, n_steps=16, batch_size=16, device="cpu"))
    picture, _ = env.reset()
    assert learner.predict(picture) == learner.predict(picture[None])[0]
    assert learner.predict(picture) == learner.predict(picture.transpose(2, 0, 1))
