from typing import Any

import numpy as np
from numpy.typing import NDArray

from rover_cl.catalogue import parse_method
from rover_cl.evaluation import Examiner, examination_env, random_policy, rover_seed
from rover_cl_agents import PPOConfig
from rover_cl_envs.conditions import Conditions
from rover_cl_envs.streams import Task

TASKS = (
    Task(name="nominal", conditions=Conditions()),
    Task(name="biased", conditions=Conditions(steering_bias=0.6)),
)


def forward(observations: NDArray[np.float32], starts: NDArray[np.bool_]) -> NDArray[np.float32]:
    return np.tile(np.array([1.0, 0.0], dtype=np.float32), (len(observations), 1))


def test_the_same_policy_scores_the_same_every_time() -> None:
    examiner = Examiner(TASKS, episodes=4, seed=0)
    first, second = examiner.examine(forward), examiner.examine(forward)
    np.testing.assert_array_equal(first.returns, second.returns)
    assert first.steps == second.steps
    assert first.success.shape == (2, 4)
    assert set(np.unique(first.success)) <= {0.0, 1.0}
    assert not np.array_equal(first.returns[0], first.returns[1])


def test_another_seed_has_other_episodes() -> None:
    one, two = (Examiner(TASKS, episodes=4, seed=seed).examine(forward) for seed in (0, 1))
    assert not np.array_equal(one.returns, two.returns)


def test_a_lone_rover_drives_the_same_episode() -> None:
    whole = Examiner(TASKS, episodes=4, seed=2).examine(forward)
    env = examination_env([TASKS[1].conditions], seed=2, action_type="continuous")
    observations, _ = env.reset(seed=rover_seed(2, 4 + 3))
    starts = np.ones(1, dtype=np.bool_)
    total, over = 0.0, False
    while not over:
        observations, rewards, terminated, truncated, _ = env.step(forward(observations, starts))
        total += float(rewards[0])
        over = bool(terminated[0] or truncated[0])
    assert np.float32(total) == np.float32(whole.returns[1, 3])


def test_a_memory_is_kept_for_each_rover() -> None:
    """A lone rover with windows drives as it does among others."""
    env = examination_env([TASKS[0].conditions] * 4, seed=5, action_type="continuous")
    learner = parse_method("context:steps=3").learner(PPOConfig(n_steps=8), env, 0)
    learner.learn_task(env, total_timesteps=64)
    whole = Examiner(TASKS, episodes=3, seed=2).examine(learner.actor(6).act)
    alone = Examiner(TASKS[:1], episodes=3, seed=2).examine(learner.actor(3).act)
    np.testing.assert_allclose(whole.returns[0], alone.returns[0], rtol=1e-4)
    forgetful = Examiner(TASKS[:1], episodes=3, seed=2).examine(
        lambda o, starts: learner.actor(3).act(o, np.ones_like(starts))
    )
    assert not np.allclose(forgetful.returns, alone.returns, rtol=1e-4)


def test_policies_are_told_where_episodes_start() -> None:
    told: list[NDArray[np.bool_]] = []
    dones: list[NDArray[np.bool_]] = []
    examiner = Examiner(TASKS, episodes=2, seed=0)
    step = examiner.env.step

    def watched(actions: Any) -> Any:
        result = step(actions)
        dones.append(result[2] | result[3])
        return result

    examiner.env.step = watched  # type: ignore[method-assign]

    def policy(observations: NDArray[np.float32], starts: NDArray[np.bool_]) -> NDArray[np.float32]:
        told.append(starts.copy())
        return forward(observations, starts)

    examiner.examine(policy)
    assert told[0].all() and any(starts.any() for starts in told[1:])
    np.testing.assert_array_equal(told[1:], dones[:-1])


def test_the_random_policy_repeats_from_its_seed() -> None:
    env = examination_env([Conditions()] * 3, seed=0, action_type="discrete")
    observations, _ = env.reset(seed=0)
    starts = np.ones(3, dtype=np.bool_)
    first = random_policy(env, 7)(observations, starts)
    np.testing.assert_array_equal(first, random_policy(env, 7)(observations, starts))
