from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from numpy.typing import NDArray

from rover_cl_envs.batch import SERIAL_BELOW
from rover_cl_envs.conditions import Conditions
from rover_cl_envs.drift import Drift
from rover_cl_envs.env import MarsRoverEnv
from rover_cl_envs.mission import OUTCOMES
from rover_cl_envs.vector_env import MarsRoverVectorEnv

MAPS: dict[str, Any] = {"num_maps": 2}
LIMIT = 7  # steps; many episodes end in a short test
# So soft and rocky that rovers embed, so that episodes end in more than one way.
HARD = Conditions(ground_fluffiness=0.95, relief=0.1, outcrop_cover=0.5, rock_abundance=0.05)
MODES = [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP, AutoresetMode.DISABLED]


def commands(steps: int, count: int, seed: int = 0) -> NDArray[np.float32]:
    """Actions (steps, count, 2) that drive ahead more often than not."""
    rng = np.random.default_rng(seed)
    return np.clip(rng.normal((0.6, 0.0), 0.6, (steps, count, 2)), -1, 1).astype(np.float32)


def history(envs: MarsRoverVectorEnv, seed: int, actions: NDArray[np.float32]) -> list[NDArray[Any]]:
    """Everything that `envs` says, each (steps, count, ...)."""
    told: list[tuple[NDArray[Any], ...]] = [
        (envs.reset(seed=seed)[0], np.zeros(envs.num_envs), *[np.zeros(envs.num_envs, np.bool_)] * 2)
    ]
    told += [envs.step(a)[:4] for a in actions]
    return [np.stack([step[k] for step in told]) for k in range(4)]


def assert_same(one: list[NDArray[Any]], two: list[NDArray[Any]]) -> None:
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_rover_of_a_large_batch_drives_as_alone(mode: AutoresetMode) -> None:
    keywords: dict[str, Any] = {**MAPS, "conditions": HARD, "time_limit": 9, "autoreset_mode": mode}
    actions = commands(30, 1024)
    many = history(MarsRoverVectorEnv(1024, **keywords), 50, actions)
    assert many[2].sum() > 50 and many[3].sum() > 1000
    for i in (0, 1, 63, 500, 1023):
        alone = history(MarsRoverVectorEnv(1, **keywords), 50 + i, actions[:, i : i + 1])
        assert_same([a[:, i : i + 1] for a in many], alone)


def test_number_of_threads_changes_nothing() -> None:
    count = 4 * SERIAL_BELOW
    actions = commands(30, count)
    runs = [
        history(MarsRoverVectorEnv(count, **MAPS, time_limit=9, threads=t), 3, actions) for t in (1, 2, None)
    ]
    assert_same(runs[0], runs[1])
    assert_same(runs[0], runs[2])


@pytest.mark.parametrize("action_type", ["continuous", "discrete"])
def test_one_rover_is_the_ordinary_environment(action_type: str) -> None:
    lone = MarsRoverEnv(num_maps=2, action_type=action_type, time_limit=LIMIT)
    envs = MarsRoverVectorEnv(
        1, num_maps=2, action_type=action_type, time_limit=LIMIT, autoreset_mode="SameStep"
    )
    observation, info = lone.reset(seed=11)
    observations, infos = envs.reset(seed=11)
    np.testing.assert_array_equal(observations[0], observation)
    assert infos["outcome"][0] == info["outcome"]
    lone.action_space.seed(0)
    for _ in range(40):
        action = lone.action_space.sample()
        observation, reward, terminated, truncated, info = lone.step(action)
        observations, rewards, ends, cuts, infos = envs.step(np.array([action]))
        assert (rewards[0], ends[0], cuts[0]) == (reward, terminated, truncated)
        assert (infos["outcome"][0], infos["success"][0]) == (info["outcome"], info["success"])
        if terminated or truncated:
            np.testing.assert_array_equal(infos["final_obs"][0], observation)
            observation = lone.reset()[0]
        np.testing.assert_array_equal(observations[0], observation)


def both(mode: AutoresetMode, count: int = 6) -> tuple[MarsRoverVectorEnv, Any]:
    """Our vector environment, and Gymnasium's of single ones."""
    keywords: dict[str, Any] = {**MAPS, "conditions": HARD, "time_limit": LIMIT}
    ours = MarsRoverVectorEnv(count, **keywords, autoreset_mode=mode)
    theirs = SyncVectorEnv([lambda: MarsRoverEnv(**keywords)] * count, autoreset_mode=mode)
    return ours, theirs


@pytest.mark.parametrize("seeds", [4, [9, 3, 7, 1, 2, 8]], ids=["one seed", "six seeds"])
@pytest.mark.parametrize("mode", MODES)
def test_autoreset_is_gymnasiums(mode: AutoresetMode, seeds: int | list[int | None]) -> None:
    ours, theirs = both(mode)
    np.testing.assert_array_equal(ours.reset(seed=seeds)[0], theirs.reset(seed=seeds)[0])
    outcomes = set()
    for actions in commands(80, 6, seed=1):
        mine: Any = ours.step(actions)
        other = theirs.step(actions)
        for k in range(4):
            np.testing.assert_array_equal(mine[k], other[k])
            assert mine[k].dtype == other[k].dtype
        done = mine[2] | mine[3]
        outcomes |= {OUTCOMES[code] for code in mine[4]["outcome"][done]}
        assert ("final_obs" in mine[4]) == ("final_obs" in other[4]) == (mode is MODES[1] and done.any())
        if "final_obs" in other[4]:
            np.testing.assert_array_equal(mine[4]["_final_obs"], other[4]["_final_obs"])
            for i in np.flatnonzero(done):
                np.testing.assert_array_equal(mine[4]["final_obs"][i], other[4]["final_obs"][i])
                assert mine[4]["final_info"]["outcome"][i] == other[4]["final_info"]["outcome"][i]
                assert mine[4]["final_info"]["success"][i] == other[4]["final_info"]["success"][i]
            assert [o is None for o in mine[4]["final_obs"]] == list(~done)
        elif mode is AutoresetMode.DISABLED and done.any():
            again = [e.reset(options={"reset_mask": done.copy()})[0] for e in (ours, theirs)]
            np.testing.assert_array_equal(again[0], again[1])
        if mode is not AutoresetMode.SAME_STEP:
            np.testing.assert_array_equal(mine[4]["outcome"], other[4]["outcome"])
    assert "time_limit" in outcomes and len(outcomes) > 1


def test_outcome_is_that_of_the_step_just_taken() -> None:
    for mode in MODES[:2]:
        envs, _ = both(mode)
        envs.reset(seed=0)
        for actions in commands(30, 6):
            _, _, terminated, truncated, infos = envs.step(actions)
            np.testing.assert_array_equal(infos["outcome"] != 0, terminated | truncated)
            np.testing.assert_array_equal(infos["success"], infos["outcome"] == OUTCOMES.index("success"))


def test_step_after_the_end_is_refused_where_resets_are_the_callers() -> None:
    envs, _ = both(AutoresetMode.DISABLED)
    envs.reset(seed=0)
    for _ in range(LIMIT):
        done = np.logical_or(*envs.step(np.zeros((6, 2), dtype=np.float32))[2:4])
    assert done.all()
    with pytest.raises(ValueError, match="reset_mask"):
        envs.step(np.zeros((6, 2), dtype=np.float32))


def test_reset_mask_begins_only_those_anew() -> None:
    envs = MarsRoverVectorEnv(4, **MAPS, autoreset_mode="Disabled")
    envs.reset(seed=0)
    before = envs.step(np.ones((4, 2), dtype=np.float32))[0]
    mask = np.array([True, False, False, True])
    after = envs.reset(options={"reset_mask": mask})[0]
    np.testing.assert_array_equal((before == after).all(axis=1), ~mask)
    assert [envs.scene(i).step for i in range(4)] == [0, 1, 1, 0]


@pytest.mark.parametrize("mask", [np.ones(3, np.bool_), np.ones(4, np.int64), [1, 0, 0, 0]], ids=str)
def test_wrong_reset_mask_is_refused(mask: Any) -> None:
    with pytest.raises(ValueError, match="reset_mask"):
        MarsRoverVectorEnv(4, **MAPS).reset(options={"reset_mask": mask})


def test_each_rover_has_its_own_conditions() -> None:
    worlds = [Conditions(gravity=g) for g in (1.62, 3.72, 9.81)]
    envs = MarsRoverVectorEnv(3, **MAPS, conditions=worlds)
    observations = envs.reset(seed=0)[0]
    for i, world in enumerate(worlds):
        alone = MarsRoverVectorEnv(1, **MAPS, conditions=world)
        np.testing.assert_array_equal(alone.reset(seed=i)[0][0], observations[i])
    envs.set_conditions(worlds[0])
    assert len(np.unique(envs.step(np.zeros((3, 2)))[0][:, 29])) == 1
    envs.set_conditions(worlds[::-1])
    assert (np.diff(envs.step(np.zeros((3, 2)))[0][:, 29]) < 0).all()


def test_wrong_number_of_conditions_is_refused() -> None:
    with pytest.raises(ValueError, match=r"2 entries.*3 rovers"):
        MarsRoverVectorEnv(3, **MAPS, conditions=[Conditions()] * 2)
    envs = MarsRoverVectorEnv(3, **MAPS)
    with pytest.raises(ValueError, match=r"4 entries.*3 rovers"):
        envs.set_conditions([Conditions()] * 4)


def test_followed_drift_moves_with_the_steps_of_all_rovers() -> None:
    drift = Drift(kind="linear", start=Conditions(gravity=4.0), end=Conditions(gravity=8.0), period=40)
    envs = MarsRoverVectorEnv(4, **MAPS)
    envs.reset(seed=0)
    envs.follow(drift)
    seen = [envs.step(np.zeros((4, 2)))[0][:, 29] for _ in range(14)]
    expected = [drift.at(4 * step).gravity / 3.72 - 1 for step in range(14)]
    np.testing.assert_allclose(seen, np.repeat(expected, 4).reshape(-1, 4), atol=1e-5)
    envs.set_conditions(Conditions(gravity=2.0))
    assert envs.step(np.zeros((4, 2)))[0][0, 29] < 0


def test_what_goes_beside_a_followed_drift_moves_too() -> None:
    dead = Conditions(wheel_health=(0, 1, 1, 1, 1, 1))
    fault = Drift(kind="abrupt", start=Conditions(), end=dead, period=16)
    envs = MarsRoverVectorEnv(4, **MAPS)
    envs.reset(seed=0)
    envs.follow(Drift(kind="abrupt", start=Conditions(), end=Conditions(), beside=(fault,)))
    seen = [envs.step(np.zeros((4, 2)))[0][0, 21] for _ in range(6)]
    assert seen == [1, 1, 1, 1, -1, -1]


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((3, 2)),
        np.zeros(4),
        np.zeros((4, 3)),
        np.array([[0, 0], [0, np.nan], [0, 0], [0, 0]]),
    ],
    ids=["few", "flat", "wide", "nan"],
)
@pytest.mark.parametrize("count", [4, SERIAL_BELOW])
def test_wrong_actions_are_refused_and_move_nobody(wrong: NDArray[np.float64], count: int) -> None:
    wrong = np.concatenate([wrong, np.zeros((count - 4, *wrong.shape[1:]))])
    envs, twin = (MarsRoverVectorEnv(count, **MAPS) for _ in range(2))
    envs.reset(seed=0)
    twin.reset(seed=0)
    good = np.full((count, 2), 0.5, dtype=np.float32)
    with pytest.raises(ValueError, match="action"):
        envs.step(wrong)
    np.testing.assert_array_equal(envs.step(good)[0], twin.step(good)[0])


@pytest.mark.parametrize("wrong", [[0, 9], [-1, 0], [0.0, 1.0], [0], [[0], [1]]], ids=str)
def test_wrong_discrete_actions_are_refused(wrong: list[Any]) -> None:
    envs = MarsRoverVectorEnv(2, **MAPS, action_type="discrete")
    envs.reset(seed=0)
    with pytest.raises(ValueError, match="actions"):
        envs.step(np.array(wrong))


@pytest.mark.parametrize(
    ("keywords", "named"),
    [
        ({"num_envs": 0}, "num_envs is 0"),
        ({"time_limit": 0}, "time_limit is 0"),
        ({"threads": 0}, "threads is 0"),
        ({"rover": "mre"}, "Did you mean 'mer'"),
        ({"action_type": "box"}, "continuous, discrete"),
        ({"autoreset_mode": "SameStp"}, "Did you mean 'SameStep'"),
        ({"render_mode": "human"}, "render_mode is 'human'"),
        ({"conditions": []}, "conditions has 0 entries"),
        ({"conditions": "gale"}, "conditions is 'gale', expected a Conditions"),
        ({"conditions": [Conditions(), None]}, "conditions is None, expected a Conditions"),
        ({"autoreset_mod": "SameStep"}, "Did you mean 'autoreset_mode'"),
    ],
    ids=str,
)
def test_wrong_argument_is_named(keywords: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        MarsRoverVectorEnv(**{"num_envs": 2, **keywords})


def test_step_before_reset_and_wrong_seeds_are_refused() -> None:
    envs = MarsRoverVectorEnv(2, **MAPS)
    with pytest.raises(ValueError, match="reset"):
        envs.step(np.zeros((2, 2)))
    with pytest.raises(ValueError, match=r"3 entries.*2 rovers"):
        envs.reset(seed=[1, 2, 3])


def test_first_reset_begins_everyone() -> None:
    envs = MarsRoverVectorEnv(2, **MAPS, autoreset_mode=AutoresetMode.DISABLED)
    with pytest.raises(ValueError, match="never began"):
        envs.reset(seed=0, options={"reset_mask": np.array([True, False])})


@pytest.mark.parametrize("seed", [9, [9, 10]], ids=str)
def test_seed_counts_for_those_of_the_mask(seed: int | list[int | None]) -> None:
    envs, twin = (MarsRoverVectorEnv(2, **MAPS, autoreset_mode=AutoresetMode.DISABLED) for _ in range(2))
    envs.reset(seed=0)
    twin.reset(seed=0)
    envs.reset(seed=seed, options={"reset_mask": np.array([True, False])})
    np.testing.assert_array_equal(envs.reset()[0][1], twin.reset()[0][1])


def test_seed_none_in_a_list_leaves_that_rover_alone() -> None:
    envs, twin = (MarsRoverVectorEnv(2, **MAPS) for _ in range(2))
    envs.reset(seed=0)
    twin.reset(seed=0)
    mixed, on = envs.reset(seed=[5, None])[0], twin.reset()[0]
    np.testing.assert_array_equal(mixed[1], on[1])
    np.testing.assert_array_equal(mixed[0], MarsRoverVectorEnv(1, **MAPS).reset(seed=5)[0][0])


@pytest.mark.parametrize("mode", MODES[:2])
def test_results_are_the_callers_own(mode: AutoresetMode) -> None:
    envs, _ = both(mode)
    twin, _ = both(mode)
    kept: list[Any] = [envs.reset(seed=0)[0]]
    told: list[Any] = [twin.reset(seed=0)[0].copy()]
    for actions in commands(12, 6):
        mine, other = envs.step(actions), twin.step(actions)
        kept += [*mine[:4], mine[4]["outcome"]]
        told += [np.array(a) for a in (*other[:4], other[4]["outcome"])]
        other[0][:] = 9.0  # whoever writes into a result changes no rover
    for one, two in zip(kept, told, strict=True):
        np.testing.assert_array_equal(one, two)


def test_cues_can_be_hidden() -> None:
    shown, hidden = (MarsRoverVectorEnv(2, **MAPS, cues=cues).reset(seed=0)[0] for cues in (True, False))
    assert list(np.flatnonzero((shown != hidden).any(axis=0))) == [30, 31]


def test_pictures() -> None:
    envs = MarsRoverVectorEnv(2, **MAPS, render_mode="rgb_array", render_size=(96, 64))
    envs.reset(seed=0)
    pictures = envs.render()
    assert pictures is not None and [p.shape for p in pictures] == [(64, 96, 3)] * 2
    assert MarsRoverVectorEnv(1, **MAPS).render() is None


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda envs: pickle.loads(pickle.dumps(envs))])
@pytest.mark.parametrize("crust", [0.0, 0.3])
def test_a_copy_goes_its_own_way(
    copied: Callable[[MarsRoverVectorEnv], MarsRoverVectorEnv], crust: float
) -> None:
    envs = MarsRoverVectorEnv(
        3, num_maps=1, autoreset_mode="SameStep", conditions=Conditions(crust_cover=crust)
    )
    envs.reset(seed=0)
    other = copied(envs)
    bank = other._batch._bank
    assert other._batch.setting.words is (bank.formed_words if crust else bank.words)
    np.testing.assert_array_equal(other._batch.setting.words, envs._batch.setting.words)
    assert not bank.ground.flags.writeable
    ahead, back = np.ones((3, 2)), -np.ones((3, 2))
    first = [envs.step(ahead)[0] for _ in range(5)]
    other.step(back)
    others = other.step(back)[0]
    assert (envs.step(back)[0] != others).any()
    envs.reset(seed=0)
    np.testing.assert_array_equal([envs.step(ahead)[0] for _ in range(5)], first)
