"""Publications of a few updates, run again."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from rover_cl.cli import app
from rover_cl.statistics import Estimate
from rover_cl.verification import Check, choose_rows

MICRO = (
    "--stream lookalike --steps 256 --episodes 3 --num-envs 8 --jobs 1 --seeds 3 --methods finetune,random "
    "--algo ppo:n_steps=8,batch_size=64,n_epochs=1"
)


def call(arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, arguments.split())
    return result.exit_code, result.output


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published")
    assert call(f"compare {MICRO} --out {folder}")[0] == 0
    return folder


def test_the_same_code_confirms_to_the_bit(published: Path, tmp_path: Path) -> None:
    before = sorted(path for path in published.rglob("*") if path.is_file())
    code, output = call(f"verify {published} --methods finetune --seeds 2 --jobs 1 --out {tmp_path}")
    assert code == 0
    assert "2 of 2 runs came out the same to the bit" in output
    assert output.count("inside") == 2, "performance and forgetting"
    assert "different code" not in output
    assert sorted(path for path in published.rglob("*") if path.is_file()) == before


def test_a_forged_table_is_found_out(published: Path, tmp_path: Path) -> None:
    for path in (published / "lookalike/random").glob("seed-*/scores.npz"):
        with np.load(path) as file:
            arrays = dict(file)
        np.savez_compressed(path, **{**arrays, "success": np.ones_like(arrays["success"])})
    code, output = call(f"verify {published} --methods random --json --jobs 1 --out {tmp_path}")
    assert code == 1
    found = json.loads(output)
    assert (found["runs"], found["identical"]) == (3, 0)
    (performance, _) = found["checks"]
    assert (performance["value"], performance["again"], performance["inside"]) == (1.0, 0.0, False)


def test_other_settings_are_told(published: Path, tmp_path: Path) -> None:
    for path in (published / "lookalike/finetune").glob("seed-*/config.json"):
        description = json.loads(path.read_text())
        path.write_text(json.dumps({**description, "kernels": "of old"}))
    code, output = call(f"verify {published} --methods finetune --seeds 2 --jobs 1 --out {tmp_path}")
    assert code == 0
    assert 'made by different code: finetune: kernels is "of old" there and ' in output


@pytest.mark.parametrize(
    ("methods", "seeds", "message"),
    [
        (["fintune"], None, "unknown row 'fintune'. Did you mean 'finetune'?"),
        (None, 1, "seeds is 1, expected an integer from 2 to 3"),
        (None, 4, "seeds is 4, expected an integer from 2 to 3"),
    ],
)
def test_what_is_not_published_is_refused(
    published: Path, methods: list[str] | None, seeds: int | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        choose_rows(published, methods, seeds)


def test_a_run_that_is_missing_is_an_error(published: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no run folder"):
        choose_rows(tmp_path, None, None)


@pytest.mark.parametrize(("again", "inside"), [(0.2, True), (0.4, True), (0.41, False), (0.19, False)])
def test_the_ends_of_an_interval_belong_to_it(again: float, inside: bool) -> None:
    estimate = Estimate(value=0.3, low=0.2, high=0.4, n=5)
    assert Check(method="ewc", measure="performance", published=estimate, again=again).inside is inside
