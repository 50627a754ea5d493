from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rover_cl.cli import app
from rover_cl.drive import Drive
from rover_cl.drivers import find_driver
from rover_cl.references import DRIVERS, TASKS, find_tasks, success
from rover_cl_envs.mission import MISSIONS
from rover_cl_envs.sites import get_site
from rover_cl_envs.streams import get_stream
from rover_cl_envs.world import World


def test_tasks_are_found_once_each() -> None:
    names = [task.name for task, _ in find_tasks(TASKS)]
    assert len(names) == len(set(names)) == 7
    found = find_tasks(["lookalike", "lookalike:dark-trap"])
    assert [task.name for task, _ in found] == ["bright-trap", "dark-trap"]
    with pytest.raises(ValueError, match="'target-b'"):
        find_tasks(["mars6:target-bb"])
    for near, name in (("gusv", "gusev"), ("imge", "image"), ("lokalike", "lookalike")):
        with pytest.raises(ValueError, match=f"unknown task '{near}'.*Did you mean '{name}'"):
            find_tasks([near])


def test_tasks_keep_the_world_of_their_stream() -> None:
    assert [world.systems for _, world in find_tasks(["event:martian", "storm"])] == [
        ("bodies",),
        ("power", "mission"),
        ("power", "mission"),
    ]


def test_tasks_of_a_file_and_of_a_module(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    both = "".join(f'[[tasks]]\nname = "{name}"\n[[segments]]\ntask = "{name}"\n' for name in "ab")
    file.write_text(f'name = "mine"\n{both}')
    assert [task.name for task, _ in find_tasks([str(file)])] == ["a", "b"]
    assert [task.name for task, _ in find_tasks([f"{file}:b"])] == ["b"]
    module = "rover_cl_envs.mixtures:mars10"
    assert len(find_tasks([module])) == 10
    assert [task.name for task, _ in find_tasks([f"{module}:martian"])] == ["martian"]


def test_sites_are_driven_too() -> None:
    ((task, world),) = find_tasks(["gale"])
    assert (task.name, task.conditions, world) == ("gale", get_site("gale").conditions, World())


def test_every_kind_of_mission_has_a_floor_and_a_ceiling() -> None:
    rows = success(list(MISSIONS), episodes=24)
    assert [row["task"] for row in rows] == list(MISSIONS)
    for row in rows:
        assert float(row["random"]) <= 0.1 and float(row["planner"]) >= 0.85, row


def test_planner_is_the_ceiling_and_random_the_floor() -> None:
    rows = success(["lookalike:bright-trap"], episodes=20)
    assert [list(row) for row in rows] == [["task", *DRIVERS]]
    floor, autopilot, ceiling = (float(rows[0][name]) for name in DRIVERS)
    assert floor < autopilot < ceiling and floor < 0.2 and ceiling > 0.85


def test_drivers_on_the_command_line() -> None:
    result = CliRunner().invoke(app, ["drivers", "lookalike:dark-trap", "--episodes", "2", "--json"])
    assert result.exit_code == 0
    row = json.loads(result.stdout)[0]
    assert row["task"] == "dark-trap" and all(0 <= row[name] <= 1 for name in DRIVERS)
    assert CliRunner().invoke(app, ["drivers", "lokalike"]).exit_code != 0


def test_planner_drives_a_lone_rover() -> None:
    drive = Drive(find_driver("planner"), get_stream("lookalike"), 0)
    while not drive.ended:
        drive.step()
    assert drive._last.outcome == "success" or drive._now.outcome == "success"
    drive.close()
