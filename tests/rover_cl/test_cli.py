"""The command line as a user meets it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

import rover_cl
from rover_cl.cli import app, main
from rover_cl.console import orderly
from rover_cl_envs.streams import lookalike

MICRO = (
    "--stream lookalike --steps 256 --episodes 3 --num-envs 8 --algo ppo:n_steps=8,batch_size=64,n_epochs=1"
)


def call(*arguments: str) -> Result:
    return CliRunner().invoke(app, [word for argument in arguments for word in argument.split()])


def test_version_and_help() -> None:
    assert call("--version").output.strip() == f"rover-cl {rover_cl.__version__}"
    for command in (
        "train",
        "compare",
        "report",
        "envs",
        "streams",
        "methods",
        "algorithms",
        "check-stream",
        "bench",
        "verify",
    ):
        result = call(command, "--help")
        assert result.exit_code == 0
        assert "Example:" in result.output


def test_listing_names_needs_no_torch() -> None:
    code = "import sys; from rover_cl.cli import app; app(['streams'], standalone_mode=False); "
    code += "sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60).returncode == 0


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("streamz", "Did you mean 'streams'"),
        ("train --segments 3", "No such option: --segments"),
        ("compare --seeds 1.5", "Invalid value for '--seeds'"),
        ("train --stream", "requires an argument"),
    ],
)
def test_a_word_that_is_unknown_is_one_line_too(
    command: str, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["rover-cl", *command.split()])
    with pytest.raises(SystemExit) as exited:
        main()
    error = capsys.readouterr().err
    assert exited.value.code == 2
    assert error.startswith("rover-cl: error: ")
    assert message in error
    assert error.count("\n") == 1


def test_one_name_tells_all_that_is_to_it() -> None:
    rows = call("streams mars3").output.splitlines()
    assert [row.split()[1] for row in rows] == ["nominal", "target-b", "target-b-steer-bias"]
    assert "target_b=1" in rows[1] and "steps  still" in rows[1]
    assert "weight=0.3   (float)" in call("methods ewc").output
    assert json.loads(call("methods @periodic --json").output)["settings"][0]["name"] == "horizon"
    assert "clip_range=0.2   (float)" in call("algorithms ppo").output
    assert {row["name"] for row in json.loads(call("algorithms --json").output)} >= {"ppo", "a2c", "td3"}
    for command in ("streams mars33", "methods eewc", "algorithms pppo"):
        result = call(command)
        assert result.exit_code == 2
        assert result.output.startswith("rover-cl: error: unknown") and result.output.count("\n") == 1


@pytest.mark.parametrize(
    ("command", "name"), [("envs", "RoverCL/MarsRover-v0"), ("streams", "lookalike"), ("methods", "ewc")]
)
def test_lists(command: str, name: str) -> None:
    assert name in call(command).output
    assert name in [row["name"] for row in json.loads(call(command, "--json").output)]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("train --stream lokalike", "unknown stream 'lokalike'. Did you mean 'lookalike'?"),
        ("train --method rplay", "unknown method 'rplay'. Did you mean 'replay'?"),
        ("train --method replay:weigth=1", "Did you mean 'weight'?"),
        ("train --method replay:capacity=-5", "capacity is -5"),
        ("train --algo ppo:gamma=2", "gamma is 2.0"),
        ("train --seed -1", "seed is -1"),
        ("train --steps 0", "steps_per_segment is 0"),
        ("train --episodes 0", "eval_episodes is 0"),
        ("check-stream mars6 --episodes 0", "eval_episodes is 0"),
        ("compare --tier smol", "unknown tier 'smol'. Did you mean"),
        ("compare --seeds 0", "seeds is 0"),
        ("compare --methods ewc,ewc", "twice"),
        ("check-stream mars66", "Did you mean 'mars6'?"),
        ("check-stream mars6 --seeds 0", "seeds is 0"),
        ("report /no/such/folder", "holds no run folder"),
        ("bench --seconds 0", "seconds is 0.0"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    command: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = call(command)
    assert result.exit_code == 2
    assert result.stderr.startswith("rover-cl: error: ")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_an_interrupt_says_how_to_resume(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as error, orderly("rover-cl compare --out x"):
        raise KeyboardInterrupt
    assert error.value.exit_code == 130
    assert "resume with: rover-cl compare --out x" in capsys.readouterr().err


def test_a_full_or_forbidden_disk_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(typer.Exit) as error, orderly():
        (tmp_path / "no" / "folder").write_text("")
    assert error.value.exit_code == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_train_leaves_a_run_that_report_reads(tmp_path: Path) -> None:
    result = call("train", MICRO, "--method finetune --json", f"--out {tmp_path}")
    assert result.exit_code == 0, result.output
    values = json.loads(result.stdout)
    assert set(values["final"]) == {task.name for task in lookalike().tasks}
    assert 0 <= values["performance"] <= 1
    result = call("report", str(tmp_path))
    assert result.exit_code == 0, result.output
    assert "(n=1)" in result.stdout


def test_a_comparison_runs_reports_resumes_and_refuses(tmp_path: Path) -> None:
    words = ("compare", MICRO, f"--seeds 2 --jobs 1 --out {tmp_path}")
    result = call(*words, "--methods finetune,scratch,replay:capacity=32,random")
    assert result.exit_code == 0, result.output
    page = (tmp_path / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 4
    assert page.count("data:image/gif;base64,") == 1
    assert "://" not in page  # nothing is fetched; a colon never stands in base64
    rows = json.loads((tmp_path / "table.json").read_text())
    assert [row["method"] for row in rows] == ["finetune", "scratch", "replay:capacity=32", "random"]
    assert rows[2]["forward_transfer"] is not None
    assert rows[0]["performance_low"] <= rows[0]["performance"] <= rows[0]["performance_high"]
    assert (tmp_path / "table.csv").read_text().startswith("method,")

    result = call(*words, "--methods finetune,ewc")
    assert result.exit_code == 2
    assert "another configuration: methods" in result.stderr

    scores = tmp_path / "lookalike" / "random" / "seed-1" / "scores.npz"
    expected = scores.read_bytes()
    scores.unlink()
    result = call("report", str(tmp_path))
    assert result.exit_code == 2
    assert "random/seed-1 is not finished" in result.stderr
    assert "random" not in [row["method"] for row in json.loads((tmp_path / "table.json").read_text())]

    assert call(*words, "--methods finetune,scratch,replay:capacity=32,random").exit_code == 0
    assert scores.read_bytes() == expected


def test_a_failed_run_is_reported_and_fails_the_command(tmp_path: Path) -> None:
    folder = tmp_path / "lookalike" / "random" / "seed-0"
    folder.mkdir(parents=True)
    (folder / "notes.txt").write_text("not a run")
    result = call("compare", MICRO, f"--methods finetune,random --seeds 1 --jobs 1 --out {tmp_path}")
    assert result.exit_code != 0
    assert "random, seed 0 failed" in result.stderr
    assert "finetune" in result.stdout


@pytest.mark.slow
def test_processes_give_the_same_scores_as_one(tmp_path: Path) -> None:
    for jobs in (1, 2):
        words = (
            "compare",
            MICRO,
            f"--methods finetune,ewc --seeds 1 --jobs {jobs} --out {tmp_path / str(jobs)}",
        )
        assert call(*words).exit_code == 0
    for method in ("finetune", "ewc"):
        one, two = (tmp_path / n / "lookalike" / method / "seed-0" / "scores.npz" for n in ("1", "2"))
        assert one.read_bytes() == two.read_bytes()


@pytest.mark.slow
def test_the_gate_writes_its_verdict(tmp_path: Path) -> None:
    words = MICRO.removeprefix("--stream ").replace("lookalike", "check-stream lookalike", 1)
    result = call(words, f"--jobs 1 --out {tmp_path}")
    assert result.exit_code == 1, result.output  # nothing is learned in 256 steps
    assert "lookalike: FAIL" in result.stdout
    assert json.loads((tmp_path / "lookalike.json").read_text())["passed"] is False
    assert (tmp_path / "lookalike.txt").read_text().strip() in result.stdout


def test_a_deliberate_exit_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as error, orderly():
        raise typer.Exit(1)
    assert error.value.exit_code == 1
    assert capsys.readouterr().err == ""
