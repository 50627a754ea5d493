from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from rover_cl.cli import app
from rover_cl.drive import Drive
from rover_cl.drivers import find_driver
from rover_cl.references import DRIVERS, TASKS, find_tasks, success
from rover_cl_envs.streams import get_stream


def test_tasks_are_found_once_each() -> None:
    names = [task.name for task in find_tasks(TASKS)]
    assert len(names) == len(set(names)) == 7
    assert [t.name for t in find_tasks(["lookalike", "lookalike:dark-trap"])] == ["bright-trap", "dark-trap"]
    with pytest.raises(ValueError, match="'target-b'"):
        find_tasks(["mars6:target-bb"])


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
