import json
from pathlib import Path

import numpy as np
import pytest

from rover_cl.metrics import Scores
from rover_cl.records import (
    Finished,
    Json,
    RunFolder,
    SegmentCost,
    difference_between,
    open_run,
    read_json,
    run_path,
)

DESCRIPTION = {"config": {"method": "replay", "seed": 1}, "made_with": {"numpy": "2"}}


def finished(segments: int = 1) -> Finished:
    success = np.random.default_rng(0).integers(0, 2, size=(segments + 1, 2, 3)).astype(float)
    scores = Scores(
        steps=np.arange(segments + 1) * 10,
        segment=np.arange(segments + 1) - 1,
        success=success,
        returns=success,
        task_of_segment=np.array([0, 1, 0]),
    )
    return Finished(
        scores=scores, costs=(SegmentCost(training_s=1.5, env_steps=10, method_bytes=7),) * segments
    )


def save_text(text: str) -> object:
    def save(folder: Path) -> None:
        folder.mkdir()
        (folder / "agent").write_text(text)

    return save


def test_what_is_saved_is_read_back(tmp_path: Path) -> None:
    folder = open_run(tmp_path / "run", DESCRIPTION)
    assert folder.finished() is None
    folder.save(finished(2))
    found = folder.finished()
    assert found is not None
    assert found.segments == 2
    assert not found.complete
    np.testing.assert_array_equal(found.scores.success, finished(2).scores.success)
    assert found.cost == SegmentCost(training_s=3.0, env_steps=20, method_bytes=7)


def test_saving_leaves_no_partial_file(tmp_path: Path) -> None:
    folder = open_run(tmp_path, DESCRIPTION)
    folder.save(finished())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "cost.json", "scores.npz"]


def test_the_same_configuration_is_taken_up_under_other_versions(tmp_path: Path) -> None:
    open_run(tmp_path, DESCRIPTION)
    assert open_run(tmp_path, {**DESCRIPTION, "made_with": {"numpy": "3"}}).config()["made_with"] == {
        "numpy": "2"
    }


def test_another_configuration_is_refused_naming_the_field(tmp_path: Path) -> None:
    open_run(tmp_path, DESCRIPTION).save(finished())
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ValueError, match=r"config\.seed is 1 there and 2 here") as error:
        open_run(tmp_path, {"config": {"method": "replay", "seed": 2}})
    assert "\n" not in str(error.value)
    assert before == {path: path.read_bytes() for path in tmp_path.iterdir()}


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(ValueError, match="no run folder"):
        open_run(tmp_path, DESCRIPTION)


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 not a zip", None])
@pytest.mark.parametrize("name", ["scores.npz", "cost.json", "config.json"])
def test_a_damaged_file_is_a_one_line_error(tmp_path: Path, name: str, damage: bytes | None) -> None:
    folder = open_run(tmp_path, DESCRIPTION)
    folder.save(finished())
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2] if damage is None else damage)
    with pytest.raises(ValueError, match=f"{name} is damaged .*delete") as error:
        folder.config() if name == "config.json" else folder.finished()
    assert "\n" not in str(error.value)


def test_a_flipped_byte_in_the_scores_is_a_one_line_error(tmp_path: Path) -> None:
    folder = open_run(tmp_path, DESCRIPTION)
    folder.save(finished())
    path = tmp_path / "scores.npz"
    content = path.read_bytes()
    for place in range(0, len(content), 7):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        try:
            folder.finished()
        except ValueError as error:
            assert "\n" not in str(error)
    np.save(tmp_path / "array.npy", np.zeros(3))
    path.write_bytes((tmp_path / "array.npy").read_bytes())
    with pytest.raises(ValueError, match="damaged"):
        folder.finished()


def test_a_kill_while_the_folder_was_made_does_not_block_it(tmp_path: Path) -> None:
    (tmp_path / ".partial-config.json").write_text("{")
    assert open_run(tmp_path, DESCRIPTION).config() == DESCRIPTION


def test_a_damaged_plan_does_not_cost_the_runs(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text("{")
    with pytest.raises(ValueError, match="delete it and compare again"):
        read_json(tmp_path / "plan.json")


def test_a_pickle_in_the_scores_is_not_loaded(tmp_path: Path) -> None:
    folder = open_run(tmp_path, DESCRIPTION)
    np.savez(tmp_path / "scores.npz", steps=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match="damaged"):
        folder.finished()


def test_a_kill_between_cost_and_scores_counts_the_segment_once(tmp_path: Path) -> None:
    folder = open_run(tmp_path, DESCRIPTION)
    folder.save(finished(1))
    cost = json.loads((tmp_path / "cost.json").read_text())
    (tmp_path / "cost.json").write_text(json.dumps({"segments": cost["segments"] * 2}))
    found = folder.finished()
    assert found is not None
    assert len(found.costs) == 1


def test_checkpoints_keep_the_first_and_those_a_resume_needs(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    for segment in range(5):
        folder.save_checkpoint(segment, save_text(str(segment)), keep=False)  # type: ignore[arg-type]
    kept = sorted(path.name for path in (tmp_path / "checkpoint").iterdir())
    # 03 goes with the next one: until the scores of segment 4 are on disk, a resume starts from it.
    assert kept == ["segment-00", "segment-03", "segment-04"]
    folder.save_checkpoint(4, save_text("again"), keep=False)  # type: ignore[arg-type]
    assert (folder.checkpoint(4) / "agent").read_text() == "again"


def test_folders_have_names_that_any_system_takes(tmp_path: Path) -> None:
    path = run_path(tmp_path, "mine:stream", "replay:weight=0.1,capacity=9+ewc", 3)
    assert path == tmp_path / "mine@stream" / "replay@weight=0.1,capacity=9+ewc" / "seed-3"


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not exist"):
        read_json(tmp_path / "plan.json")


@pytest.mark.parametrize(
    ("found", "wanted", "told"),
    [
        ({"a": 1, "made_with": 1}, {"a": 1, "made_with": 2}, None),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, "a.b is 1 there and 2 here"),
        ({"a": [{"b": 1}, {"b": 1}]}, {"a": [{"b": 1}, {"b": 2}]}, "a[1].b is 1 there and 2 here"),
        ({"a": [1]}, {"a": [1, 2]}, "a is [1] there and [1, 2] here"),
        ({"a": 1, "b": 2}, {"a": 1}, "b is 2 there and null here"),
    ],
)
def test_the_first_difference_is_named(found: Json, wanted: Json, told: str | None) -> None:
    assert difference_between(found, wanted) == told
