import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rover_cl.configuration import RunConfig, read_config
from rover_cl.gate import Evidence, gate_configs, judge, refuse_fewer_seeds, verdict
from rover_cl_envs.mixtures import SOLVED
from rover_cl_envs.streams import STREAMS, get_stream, gravity, lookalike

RESULTS = Path(__file__).parents[2] / "results/streams"
UNGATED = {"mars100"}  # no experts: the planner drives each task instead (benchmarks/solvable.py)
GOOD = Evidence(
    experts=np.array([[0.8, 0.2], [0.1, 0.5]]),
    joint=np.array([0.75, 0.5]),
    finetune=np.array([0.8, 0.45]),
    random=np.array([0.0, 0.05]),
)


def test_every_criterion_by_hand() -> None:
    figures = [(round(c.figure, 4), c.limit, c.passed) for c in judge(lookalike(), GOOD)]
    assert figures == [
        (0.8, 0.5, True),
        (0.5, 0.5, True),
        (0.4, 0.3, False),  # expert 0 on task 1: 0.2 of 0.5
        (0.125, 0.3, True),  # expert 1 on task 0: 0.1 of 0.8
        (0.9375, 0.9, True),
        (1.0, 0.9, True),
        (1.0, 0.8, True),
        (0.9, 0.8, True),
        (0.05, 0.1, True),
    ]


def test_the_verdict_shows_the_matrix_and_fails_as_a_whole() -> None:
    text = verdict(lookalike(), GOOD, judge(lookalike(), GOOD))
    first, second = (task.name for task in lookalike().tasks)
    assert f"FAIL  expert of {first} on {second}, share of its expert: 0.40 <= 0.30" in text
    assert text.endswith("lookalike: FAIL")
    assert f"expert of {second}" in text


def test_a_stream_without_conflicts_is_called_a_control() -> None:
    three = Evidence(
        experts=np.full((3, 3), 0.8), joint=np.full(3, 0.8), finetune=np.full(3, 0.8), random=np.zeros(3)
    )
    text = verdict(gravity(), three, judge(gravity(), three))
    assert "control" in text
    assert text.endswith("gravity: PASS")


def test_a_revisited_task_has_one_expert() -> None:
    kinds = gate_configs(RunConfig(stream="lookalike"), [0, 1])
    assert sorted(kinds) == ["expert-0", "expert-1", "finetune", "joint", "random"]
    assert [config.only_segment for config in kinds["expert-1"]] == [1, 1]


def test_an_expert_must_be_good_at_its_own_task() -> None:
    poor = replace(GOOD, experts=np.array([[0.8, 0.0], [0.0, 0.1]]), joint=np.array([0.8, 0.1]))
    poor = replace(poor, finetune=np.array([0.8, 0.1]))
    failed = [criterion.name for criterion in judge(lookalike(), poor) if not criterion.passed]
    assert failed == [f"expert of {lookalike().tasks[1].name} on its own task"]


def test_evidence_of_more_seeds_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "lookalike.json"
    refuse_fewer_seeds(path, [0])
    path.write_text(json.dumps({"seeds": [0, 1]}))
    refuse_fewer_seeds(path, [0, 1])
    with pytest.raises(ValueError, match=r"lookalike\.json holds evidence of 2 seeds.*--out"):
        refuse_fewer_seeds(path, [0])
    path.write_text("{")
    with pytest.raises(ValueError, match="delete it"):
        refuse_fewer_seeds(path, [0])


@pytest.mark.parametrize("name", STREAMS)
def test_every_shipped_stream_has_passed_and_is_still_the_one_that_did(name: str) -> None:
    found, stream = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8")), get_stream(name)
    assert found["passed"] is True and found["stream"] == name
    assert found["tasks"] == [task.name for task in stream.tasks]
    if name in UNGATED:
        assert (
            len(found["planner"]) == len(stream.tasks) and min(found["planner"]) >= found["bound"] >= SOLVED
        )
        return
    assert found["criteria"] and all(criterion["passed"] for criterion in found["criteria"])
    recorded = read_config(found["description"]).recorded
    assert recorded is not None
    assert (recorded.tasks, recorded.segments) == (stream.tasks, stream.segments)
    assert (recorded.conflicts, recorded.world) == (stream.conflicts, stream.world)
    values = {key: np.array(matrix) for key, matrix in found["evidence"].items()}
    assert all(criterion.passed for criterion in judge(stream, Evidence(**values)))
