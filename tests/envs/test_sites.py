from __future__ import annotations

import math
from dataclasses import fields
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

from rover_cl_envs import Conditions, MarsRoverVectorEnv, get_site
from rover_cl_envs.sites import SITES, Site

PAGE = Path(__file__).parents[2] / "docs/simulator.md"

# Rms slope over 1 m and over 10 m with its error [deg]: Shepard et al. (2001).
VIKING1_SLOPES = {1: (4.8, 1.0), 10: (3.0, 1.0)}


@pytest.mark.parametrize("name", SITES)
def test_a_site_is_a_world_to_drive_in(name: str) -> None:
    env = gym.make("RoverCL/MarsRover-v0", conditions=get_site(name).conditions)
    observation, _ = env.reset(seed=0)
    assert observation in env.observation_space
    for _ in range(5):
        observation, *_, ended, _, _ = env.step(np.array([1.0, 0.0], dtype=np.float32))
        assert observation in env.observation_space
        if ended:
            break


@pytest.mark.parametrize("name", SITES)
def test_every_number_of_a_site_has_a_source(name: str) -> None:
    site = get_site(name)
    changed = {f.name for f in fields(Conditions) if getattr(site.conditions, f.name) != f.default}
    assert changed <= set(site.sources)
    assert all(site.sources.values())


def test_a_number_without_a_source_is_refused() -> None:
    with pytest.raises(ValueError, match="Site mine changes relief, expected its source"):
        Site(name="mine", description="", conditions=Conditions(relief=0.1))
    with pytest.raises(ValueError, match="relieff"):
        Site(name="mine", description="", conditions=Conditions(), sources={"relieff": "me"})


def test_an_unknown_site_is_named_with_its_nearest() -> None:
    with pytest.raises(ValueError, match=r"jezera.*jezero"):
        get_site("jezera")


def test_viking_1_is_as_rough_as_viking_1() -> None:
    envs = MarsRoverVectorEnv(16, num_maps=8, conditions=get_site("viking1").conditions)
    envs.reset(seed=0)
    for metres, (slope, error) in VIKING1_SLOPES.items():
        heights = np.stack([envs.scene(i).ground.heights for i in range(16)])
        lag = round(metres / 0.25)
        rises = [heights - np.roll(heights, lag, axis=axis) for axis in (1, 2)]
        found = math.degrees(math.atan(math.sqrt(np.mean(np.square(rises))) / metres))
        assert found == pytest.approx(slope, abs=error)


def test_the_page_has_the_sites_as_they_are() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for site in SITES.values():
        c = site.conditions
        crust = f"{c.crust_cover:g} of {c.crust_strength:g}" if c.crust_cover else "–"
        row = (
            f"| `{site.name}` | {c.relief:g} | {c.rock_abundance:g} | {c.crater_freshness:g} "
            f"| {c.ripple_height:g} | {c.tar_height:g} | {crust} |"
        )
        assert row in page
