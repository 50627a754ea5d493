"""Folders may come from anybody, and grow."""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from rover_cl.configuration import RunConfig, read_config
from rover_cl.plan import find_configs, write_plan
from rover_cl.publication import publish
from rover_cl.records import run_path
from rover_cl_envs.streams import lookalike

TRAP = "trap_of_a_folder:stream"


@pytest.fixture
def trap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a module where it can be imported, whose import leaves a file; give that file."""
    mark = tmp_path / "imported"
    code = f"from pathlib import Path\nPath({str(mark)!r}).touch()\n"
    code += "from rover_cl_envs.streams import lookalike as stream\n"
    (tmp_path / "trap_of_a_folder.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    return mark


def write_config(out: Path, description: dict[str, Any]) -> None:
    config = description["config"]
    path = run_path(out, config["stream"], config["method"], config["seed"])
    path.mkdir(parents=True)
    (path / "config.json").write_text(json.dumps(description))


def described(stream: str) -> dict[str, Any]:
    description = RunConfig(stream="lookalike").describe()
    description["config"]["stream"] = stream
    return description


@pytest.mark.parametrize("planned", [False, True])
@pytest.mark.parametrize("recorded", [False, True])
@pytest.mark.parametrize("stream", [TRAP, "os:getcwd"])
def test_a_report_imports_nothing_that_the_folder_names(
    tmp_path: Path, trap: Path, stream: str, recorded: bool, planned: bool
) -> None:
    description = described(stream)
    if not recorded:
        del description["stream"]
    out = tmp_path / "out"
    write_config(out, description)
    if planned:
        (out / "plan.json").write_text(json.dumps({"runs": [description["config"]]}))
    with pytest.raises(ValueError, match="is not finished" if recorded else "not recorded"):
        publish(out, as_json=True)
    assert not trap.exists()
    assert "trap_of_a_folder" not in sys.modules


def test_a_stream_of_ones_own_is_read_from_its_description() -> None:
    config = read_config(described("mine:stream"))
    assert config.stream == "mine:stream"
    assert config.build_stream() == lookalike()


@pytest.mark.parametrize("name", ["../up:x", "..", "/abs:x", "a:b/c", "a:../b"])
def test_a_stream_cannot_be_named_out_of_its_folder(name: str) -> None:
    with pytest.raises(ValueError, match="stream"):
        read_config(described(name))


def test_a_folder_of_an_older_version_is_read() -> None:
    description = RunConfig(stream="lookalike", first_segments=2).describe()
    old = {"config": description["config"], "stream": {"unknown": "layout"}}
    assert len(read_config(old).build_stream().segments) == 2


def plan_of(methods: str = "finetune,ewc", seeds: int = 2, **values: Any) -> list[RunConfig]:
    pairs = [(method, seed) for seed in range(seeds) for method in methods.split(",")]
    return [RunConfig(**{"stream": "lookalike", "method": m, "seed": s, **values}) for m, s in pairs]


def test_a_comparison_is_extended_by_seeds_and_methods(tmp_path: Path) -> None:
    write_plan(tmp_path, plan_of(), "first")
    stamp = (tmp_path / "plan.json").read_bytes()
    write_plan(tmp_path, plan_of(), "again")
    assert (tmp_path / "plan.json").read_bytes() == stamp
    larger = plan_of("finetune,ewc,replay", 3)
    write_plan(tmp_path, larger, "second")
    assert find_configs(tmp_path) == [larger]
    assert json.loads((tmp_path / "plan.json").read_text())["command"] == "second"


@pytest.mark.parametrize(
    ("configs", "field"),
    [
        (plan_of(seeds=1), "seeds"),
        (plan_of("finetune,replay,joint"), "methods"),
        (plan_of("finetune"), "methods"),
        (plan_of(seeds=3, steps_per_segment=9), "steps_per_segment"),
        (plan_of(first_segments=1), "first_segments"),
        (
            [
                dataclasses.replace(c, recorded=dataclasses.replace(lookalike(), description="edited"))
                for c in plan_of()
            ],
            r"stream\.description",
        ),
    ],
)
def test_another_or_a_smaller_comparison_is_refused(
    tmp_path: Path, configs: list[RunConfig], field: str
) -> None:
    write_plan(tmp_path, plan_of(), "first")
    with pytest.raises(ValueError, match=f"another configuration: {field} is"):
        write_plan(tmp_path, configs, "second")
