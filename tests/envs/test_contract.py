"""What every registered environment promises. Imports installed packages only: it also tries a bare wheel."""

from __future__ import annotations

import copy
import pickle
import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import load_env_creator
from gymnasium.utils.env_checker import check_env as gymnasium_check
from stable_baselines3.common.env_checker import check_env as sb3_check

import rover_cl_envs
from rover_cl_envs.env import MarsRoverEnv
from rover_cl_envs.mission import OUTCOMES

IDS = sorted(name for name in gym.registry if name.startswith("RoverCL/"))
ACTION_TYPES = ("continuous", "discrete")
SHORT = 20  # steps; many episodes end in a short test
WITH_VECTOR = [name for name in IDS if gym.registry[name].vector_entry_point is not None]

each_id = pytest.mark.parametrize("name", IDS)
each_action = pytest.mark.parametrize("action_type", ACTION_TYPES)


def make(name: str, action_type: str = "continuous", **kwargs: Any) -> MarsRoverEnv:
    """The environment itself: `gym.make` would keep `time_limit` for a wrapper of its own."""
    creator = load_env_creator(str(gym.registry[name].entry_point))
    env = creator(action_type=action_type, num_maps=2, time_limit=SHORT, **kwargs)
    assert isinstance(env, MarsRoverEnv)
    return env


def actions_of(env: gym.Env[Any, Any], count: int, seed: int = 0) -> list[Any]:
    env.action_space.seed(seed)
    return [env.action_space.sample() for _ in range(count)]


def wrong_actions(action_type: str) -> list[Any]:
    if action_type == "discrete":
        return [-1, 9, 1.5, float("nan"), np.array([1, 2]), np.array(3.0), "1", None]
    return [
        np.array([np.nan, 0.0]),
        np.array([0.0, np.nan]),
        np.zeros(3),
        np.zeros((1, 2)),
        np.float64(0.5),
        np.zeros(0),
    ]


def wrong_cases() -> list[Any]:
    return [
        pytest.param(name, kind, action, id=f"{name}-{kind}-{action!r}")
        for name in IDS
        for kind in ACTION_TYPES
        for action in wrong_actions(kind)
    ]


def test_ids_are_there() -> None:
    assert {"RoverCL/MarsRover-v0", "RoverCL/MarsDrift-v0"} <= set(IDS)
    assert rover_cl_envs.MarsRoverEnv is MarsRoverEnv


@each_id
def test_make_adds_no_wrapper(name: str) -> None:
    env = gym.make(name, num_maps=2)
    assert env.unwrapped is env
    assert isinstance(env, MarsRoverEnv)


@each_action
@each_id
def test_gymnasium_finds_nothing_wrong(name: str, action_type: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gymnasium_check(gym.make(name, action_type=action_type, num_maps=2, render_mode="rgb_array"))


@each_action
@each_id
def test_stable_baselines3_finds_nothing_wrong(name: str, action_type: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sb3_check(gym.make(name, action_type=action_type, num_maps=2), warn=True)


@each_action
@each_id
def test_two_copies_agree_to_the_last_bit(name: str, action_type: str) -> None:
    one, two = make(name, action_type), make(name, action_type)
    (a, info_a), (b, info_b) = one.reset(seed=7), two.reset(seed=7)
    np.testing.assert_array_equal(a, b)
    assert info_a == info_b
    episodes = 0
    for action in actions_of(one, 90):
        out_one, out_two = one.step(action), two.step(action)
        np.testing.assert_array_equal(out_one[0], out_two[0])
        assert out_one[1:] == out_two[1:]
        if out_one[2] or out_one[3]:
            episodes += 1
            np.testing.assert_array_equal(one.reset()[0], two.reset()[0])
    assert episodes >= 4


@each_id
def test_time_limit_wrapper_shortens_an_episode(name: str) -> None:
    env = gym.make(name, num_maps=2, time_limit=3)
    env.reset(seed=0)
    ends = [env.step(np.zeros(2))[2:4] for _ in range(3)]
    assert ends == [(False, False), (False, False), (False, True)]


@each_id
def test_seeds_differ_and_unseeded_resets_go_on(name: str) -> None:
    env = make(name)
    first = env.reset(seed=3)[0]
    again = env.reset()[0]
    assert not np.array_equal(first, again)
    assert not np.array_equal(first, env.reset(seed=4)[0])
    np.testing.assert_array_equal(first, env.reset(seed=3)[0])
    np.testing.assert_array_equal(again, env.reset()[0])


@each_id
def test_a_first_reset_needs_no_seed(name: str) -> None:
    assert not np.array_equal(make(name).reset()[0], make(name).reset()[0])


@each_action
@each_id
def test_step_returns_what_the_spaces_say(name: str, action_type: str) -> None:
    env = make(name, action_type)
    observation, info = env.reset(seed=0)
    assert info["outcome"] == 0 and info["success"] is False
    steps = ends = 0
    for action in actions_of(env, 120, seed=1):
        assert observation in env.observation_space
        observation, reward, terminated, truncated, info = env.step(action)
        steps += 1
        assert type(reward) is float and np.isfinite(reward)
        assert type(terminated) is bool and type(truncated) is bool
        assert not (terminated and truncated)
        assert OUTCOMES[info["outcome"]] != "running" or not (terminated or truncated)
        assert info["success"] == (OUTCOMES[info["outcome"]] == "success")
        assert truncated == (OUTCOMES[info["outcome"]] == "time_limit")
        assert steps <= SHORT and (steps < SHORT or terminated or truncated)
        if terminated or truncated:
            assert observation in env.observation_space
            observation, info = env.reset()
            steps, ends = 0, ends + 1
    assert ends >= 5


@each_id
def test_observations_are_the_callers_own(name: str) -> None:
    env = make(name)
    first = env.reset(seed=0)[0]
    kept = first.copy()
    second = env.step(np.array([1.0, 0.3]))[0]
    np.testing.assert_array_equal(first, kept)
    second[:] = 9.0
    twin = make(name)
    twin.reset(seed=0)
    twin.step(np.array([1.0, 0.3]))
    np.testing.assert_array_equal(env.step(np.zeros(2))[0], twin.step(np.zeros(2))[0])


@pytest.mark.parametrize(("name", "action_type", "action"), wrong_cases())
def test_wrong_action_is_refused_and_moves_nothing(name: str, action_type: str, action: Any) -> None:
    env, twin = make(name, action_type), make(name, action_type)
    good = actions_of(env, 6)
    for each in (env, twin):
        each.reset(seed=5)
        each.step(good[0])
    with pytest.raises(ValueError, match="action"):
        env.step(action)
    for each_good in good:
        out, expected = env.step(each_good), twin.step(each_good)
        np.testing.assert_array_equal(out[0], expected[0])
        assert out[1:] == expected[1:]


@each_id
@pytest.mark.parametrize("action", [(4.0, -3.0), (-np.inf, np.inf), (1.5, 0.2)])
def test_action_beyond_the_box_is_clipped(name: str, action: tuple[float, float]) -> None:
    env, twin = make(name), make(name)
    env.reset(seed=1)
    twin.reset(seed=1)
    for _ in range(3):
        out, expected = env.step(np.array(action)), twin.step(np.clip(action, -1, 1))
        np.testing.assert_array_equal(out[0], expected[0])
        assert out[1:] == expected[1:]


@each_id
def test_discrete_actions_are_their_continuous_ones(name: str) -> None:
    from rover_cl_envs.spaces import DISCRETE_ACTIONS

    for index, command in enumerate(DISCRETE_ACTIONS):
        env, twin = make(name, "discrete"), make(name)
        env.reset(seed=1)
        twin.reset(seed=1)
        np.testing.assert_array_equal(env.step(index)[0], twin.step(command)[0])


@each_id
def test_step_before_reset_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="reset"):
        make(name).step(np.zeros(2))


@each_id
def test_step_after_the_end_is_refused(name: str) -> None:
    env = gym.make(name, num_maps=2).unwrapped
    env.reset(seed=0)
    for _ in range(200):
        if any(env.step(np.zeros(2))[2:4]):
            break
    with pytest.raises(ValueError, match="ended"):
        env.step(np.zeros(2))


@each_id
def test_picture(name: str) -> None:
    env = make(name, render_mode="rgb_array", render_size=(320, 240))
    env.reset(seed=0)
    env.step(np.array([1.0, 0.0]))
    picture: Any = env.render()
    assert picture.shape == (240, 320, 3) and picture.dtype == np.uint8
    assert picture.std() > 5
    env.close()
    env.close()


@each_id
@pytest.mark.parametrize(
    ("kwargs", "named"),
    [
        ({"render_mode": "humane"}, "rgb_array"),
        ({"render_size": (320, 8)}, "render_size"),
        ({"rover": "merr"}, "'mer'"),
        ({"action_type": "discret"}, "'discrete'"),
        ({"time_limit": 0}, "time_limit"),
        ({"map_seed": -1}, "map_seed"),
        ({"num_maps": 0}, "num_maps"),
        ({"time_limt": 9}, "unknown argument 'time_limt'. Did you mean 'time_limit'"),
        ({"render_sise": (64, 64)}, "unknown argument 'render_sise'. Did you mean 'render_size'"),
        ({"terrain": "a.tif"}, "terrain is 'a.tif', expected maps"),
        ({"action_type": None}, "unknown action_type None. Valid: continuous"),
    ],
    ids=str,
)
def test_wrong_argument_is_named(name: str, kwargs: dict[str, Any], named: str) -> None:
    creator = load_env_creator(str(gym.registry[name].entry_point))
    with pytest.raises(ValueError, match=named):
        creator(**kwargs)


@each_id
@pytest.mark.parametrize("way", ["deepcopy", "pickle"])
def test_a_copy_in_the_middle_goes_on_alike(name: str, way: str) -> None:
    env = make(name)
    env.reset(seed=2)
    actions = actions_of(env, 40)
    for action in actions[:10]:
        env.step(action)
    twin = copy.deepcopy(env) if way == "deepcopy" else pickle.loads(pickle.dumps(env))
    for action in actions[10:]:
        out, expected = twin.step(action), env.step(action)
        np.testing.assert_array_equal(out[0], expected[0])
        assert out[1:] == expected[1:]
        if out[2] or out[3]:
            np.testing.assert_array_equal(twin.reset()[0], env.reset()[0])


@pytest.mark.parametrize("name", WITH_VECTOR)
@each_action
def test_make_vec_is_native(name: str, action_type: str) -> None:
    envs = gym.make_vec(name, num_envs=3, action_type=action_type, num_maps=2, time_limit=SHORT)
    assert isinstance(envs.unwrapped, rover_cl_envs.MarsRoverVectorEnv)
    observations, _ = envs.reset(seed=0)
    lone = make(name, action_type)
    np.testing.assert_array_equal(observations[0], lone.reset(seed=0)[0])
    envs.action_space.seed(0)
    for _ in range(30):
        observations, rewards, terminated, truncated, infos = envs.step(envs.action_space.sample())
        assert observations in envs.observation_space
        assert rewards.shape == terminated.shape == truncated.shape == (3,)
        assert not (terminated & truncated).any()
        assert infos["outcome"].shape == infos["success"].shape == (3,)
    envs.close()


@each_id
def test_make_vec_sync_works_too(name: str) -> None:
    envs = gym.make_vec(name, num_envs=2, vectorization_mode="sync", num_maps=2)
    envs.reset(seed=0)
    for _ in range(SHORT + 2):
        observations = envs.step(np.zeros((2, 2), dtype=np.float32))[0]
    assert observations in envs.observation_space
    envs.close()
