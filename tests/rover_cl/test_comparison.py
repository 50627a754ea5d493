from pathlib import Path

import numpy as np
import pytest

from rover_cl.comparison import Result, build_rows, load_comparison
from rover_cl.configuration import RunConfig
from rover_cl.metrics import Scores
from rover_cl.records import Finished, SegmentCost


def results(method: str, level: float) -> list[Result]:
    """Four seeds of a method that scores `level` at the end, less where the seed is high."""
    made = []
    for seed in range(4):
        success = np.full((4, 2, 3), level - 0.01 * seed)
        scores = Scores(
            steps=np.arange(4) * 10,
            segment=np.arange(4) - 1,
            success=success,
            returns=success,
            task_of_segment=np.array([0, 1, 0]),
        )
        config = RunConfig(stream="lookalike", method=method, seed=seed)
        finished = Finished(scores=scores, costs=(SegmentCost(),) * 3)
        made.append(Result(config=config, path=Path("nowhere"), finished=finished))
    return made


def test_only_remedies_are_corrected_for_their_number() -> None:
    levels = {"finetune": 0.2, "joint": 0.9, "random": 0.1, "scratch": 0.8, "replay": 0.6, "replay+ewc": 0.7}
    rows = build_rows({method: results(method, level) for method, level in levels.items()})
    factors = {row.method: row.difference.p_holm / row.difference.p for row in rows if row.difference}
    assert factors == {"joint": 1, "random": 1, "scratch": 1, "replay": 2, "replay+ewc": 2}


def test_differences_are_to_the_row_that_is_named() -> None:
    rows = build_rows({"joint": results("joint", 0.9), "replay": results("replay", 0.6)}, baseline="joint")
    joint, replay = rows
    assert joint.difference is None
    assert replay.difference is not None
    assert replay.difference.estimate.value == pytest.approx(-0.3)


def test_a_row_that_is_not_there_cannot_be_held_against(tmp_path: Path) -> None:
    configs = [RunConfig(stream="lookalike", method="replay")]
    with pytest.raises(ValueError, match="unknown row 'joint'"):
        load_comparison(configs, tmp_path, baseline="joint")
