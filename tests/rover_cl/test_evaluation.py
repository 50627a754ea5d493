import numpy as np
from numpy.typing import NDArray

from rover_cl.evaluation import Examiner, examination_env, random_policy, rover_seed
from rover_cl_envs.conditions import Conditions
from rover_cl_envs.streams import Task

TASKS = (
    Task(name="nominal", conditions=Conditions()),
    Task(name="biased", conditions=Conditions(steering_bias=0.6)),
)


def forward(observations: NDArray[np.float32]) -> NDArray[np.float32]:
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
    total, over = 0.0, False
    while not over:
        observations, rewards, terminated, truncated, _ = env.step(forward(observations))
        total += float(rewards[0])
        over = bool(terminated[0] or truncated[0])
    assert np.float32(total) == np.float32(whole.returns[1, 3])


def test_the_random_policy_repeats_from_its_seed() -> None:
    env = examination_env([Conditions()] * 3, seed=0, action_type="discrete")
    observations, _ = env.reset(seed=0)
    first = random_policy(env, 7)(observations)
    np.testing.assert_array_equal(first, random_policy(env, 7)(observations))
