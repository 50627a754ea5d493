from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rover_cl_envs.conditions import RANGES
from rover_cl_envs.fuzz import Finding, fuzz, missions_of, random_actions, random_conditions, reward_bounds
from rover_cl_envs.mission import KINDS, MISSIONS, OUTCOMES, Mission
from rover_cl_envs.sensors import BLOCKS
from rover_cl_envs.world import World


@pytest.mark.parametrize(
    ("observation", "systems"), [("vector", ()), ("pixels", ()), ("vector", tuple(BLOCKS))], ids=str
)
def test_no_world_breaks_a_promise(observation: str, systems: tuple[str, ...]) -> None:
    world = World(observation=observation, systems=systems, num_maps=2, time_limit=40)
    finding = fuzz(20_000, seed=1, count=100, world=world)
    assert finding.steps == 20_000
    assert not finding.violations, finding.examples
    missing = {OUTCOMES[code] for code in range(len(OUTCOMES))} - {OUTCOMES[k] for k in finding.outcomes}
    never = {"success", "wrong_target"}  # nobody drives there by chance
    assert missing <= never | (set() if systems else {"struck", "spent", "power"})


def test_a_broken_promise_is_found() -> None:
    # A mission whose reward for progress is far from what its bounds are worked out for.
    import rover_cl_envs.fuzz as module

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "reward_bounds", lambda mission: (0.0, 1.0))
        finding: Finding = fuzz(2_000, seed=1, count=100, world=World(num_maps=1))
    assert set(finding.violations) == {"reward is in its bounds"}
    assert finding.violations["reward is in its bounds"] > 1000 and finding.examples


def test_worlds_reach_all_of_their_ranges() -> None:
    rng = np.random.default_rng(0)
    drawn = [random_conditions(rng) for _ in range(200)]
    for name, bounds in RANGES.items():
        values = [getattr(each, name) for each in drawn]
        assert (min(values), max(values)) == bounds and len(set(values)) > 30


def test_actions_go_beyond_the_box_but_are_numbers() -> None:
    actions = random_actions(np.random.default_rng(0), 500)
    assert np.isinf(actions).any() and not np.isnan(actions).any()


def test_rewards_are_bounded_by_the_mission() -> None:
    low, high = reward_bounds(Mission(goal=50.0, tipped=-70.0))
    assert -71 < low < -70 and 50 < high < 51
    low, high = reward_bounds(replace(MISSIONS["image"], held=2.0, hold=3))
    assert -12 < low < -11 and 7 < high < 8


def test_missions_are_those_that_a_world_can_have() -> None:
    assert missions_of(World(systems=("power",))) == []
    assert [m.kind for m in missions_of(World(systems=("mission",)))] == [
        "navigate",
        "image",
        "sample",
        "traverse",
    ]
    world = World(systems=("mission", "power"), time_limit=40)
    drawn = missions_of(world)
    assert [m.kind for m in drawn] == list(KINDS)
    for mission in drawn:
        world.check_mission(mission)
    rng = np.random.default_rng(0)
    assert {random_conditions(rng, drawn).mission for _ in range(60)} == set(drawn)
