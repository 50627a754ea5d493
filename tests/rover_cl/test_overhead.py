"""The bench of methods says who it timed; how long anything took is no test's business."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rover_cl import overhead
from rover_cl.cli import app
from rover_cl.overhead import overheads


def test_each_method_is_timed_beside_finetuning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overhead, "ROVERS", 32)
    told: list[str] = []
    found = overheads(
        ["replay:capacity=64", "ewc:samples=64"], rollouts=1, pairs=1, tell=lambda o: told.append(str(o))
    )
    assert [o.method for o in found] == ["replay:capacity=64", "ewc:samples=64"]
    assert len(told) == 2 and told[0].startswith("replay:capacity=64")
    for one in found:
        assert one.ratio > 0 and one.switch_s > 0 and one.bytes > 0 and one.parameters > 0
    # Two tasks of 64 states: 80 observed numbers, two answers, two spreads, and the task's number.
    assert found[0].bytes == 2 * 64 * (4 * (80 + 2 + 2) + 8)


def test_context_is_timed_with_the_weights_it_adds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overhead, "ROVERS", 32)
    found = overheads(
        ["context:steps=1", "context:steps=4", "context:kind=attention,steps=4"], tasks=0, rollouts=1, pairs=1
    )
    plain, stack, attention = (o.parameters for o in found)
    # Three more observations of 80 numbers, into the first 128 units of policy and value.
    assert stack - plain == 2 * 3 * 80 * 128
    # 32 more features; the tokens' layer, the query's, and the positions.
    assert attention - plain == 2 * 32 * 128 + (80 + 1) * 32 + (32 + 1) * 32 + 4 * 32


def test_the_command_prints_json_and_writes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overhead, "ROVERS", 32)
    monkeypatch.setattr(overhead, "_overhead", lambda *_: _one())
    file = tmp_path / "new" / "methods.json"
    result = CliRunner().invoke(app, ["bench", "methods", "--methods", "ewc", "--json", "--out", str(file)])
    assert result.exit_code == 0
    assert json.loads(result.stdout) == json.loads(file.read_text(encoding="utf-8"))
    assert json.loads(result.stdout)[0]["ratio"] == 1.5


def test_an_unknown_subject_names_the_nearest() -> None:
    result = CliRunner().invoke(app, ["bench", "method"])
    assert result.exit_code == 2
    assert "Did you mean 'methods'?" in result.output


def _one() -> overhead.Overhead:
    return overhead.Overhead(method="ewc", tasks=1, ratio=1.5, switch_s=0.1, bytes=8, parameters=2)
