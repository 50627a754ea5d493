"""Micro runs: what is learned does not matter here, only that every number is where it belongs."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rover_cl.configuration import RunConfig, read_config
from rover_cl.experiment import Progress, derived_seed, run
from rover_cl.records import Finished, RunFolder, open_run
from rover_cl_envs import Conditions, Drift, Mission, Segment, Stream, Task
from rover_cl_envs.world import World


def micro(**values: Any) -> RunConfig:
    settings: dict[str, Any] = {
        "stream": "lookalike",
        "algorithm": "ppo:n_steps=8,batch_size=64,n_epochs=1",
        "steps_per_segment": 256,
        "num_envs": 8,
        "eval_episodes": 3,
        "evals_per_segment": 2,
    }
    return RunConfig(**{**settings, **values})


def test_the_scores_of_a_run_are_where_they_belong(tmp_path: Path) -> None:
    events: list[Progress] = []
    finished = run(micro(method="finetune"), tmp_path, events.append)
    scores = finished.scores
    assert finished.complete
    assert scores.segment.tolist() == [-1, 0, 0, 1, 1, 2, 2]
    assert scores.steps.tolist() == [0, 128, 256, 384, 512, 640, 768]
    assert scores.success.shape == scores.returns.shape == (7, 2, 3)
    assert scores.task_of_segment.tolist() == [0, 1, 0]
    assert finished.cost.env_steps == 768
    assert finished.cost.evaluation_steps > 0
    assert finished.cost.method_bytes == 0
    assert 0 < finished.cost.simulator_s < finished.cost.training_s
    assert events[-1].share == 1.0
    shares = [event.share for event in events]
    assert shares == sorted(shares)


class _Killed(Exception):
    pass


DETECTED = "replay:capacity=32@detected:rollout_steps=64,minimum=2,threshold=1,delta=0.1"


@pytest.mark.parametrize(
    ("method", "algorithm"),
    [
        ("replay:capacity=32+ewc:samples=32", "ppo"),
        ("scratch", "ppo"),
        (DETECTED, "ppo"),
        ("ewc:samples=32+context:steps=2", "ppo"),
        ("replay:capacity=32+context:kind=attention,steps=3,width=8", "ppo"),
        ("l2", "recurrent-ppo"),
    ],
)
def test_a_run_killed_between_and_within_segments_ends_as_if_never_stopped(
    tmp_path: Path, method: str, algorithm: str
) -> None:
    small = {"recurrent-ppo": ",lstm=8"}.get(algorithm, "")
    config = micro(method=method, algorithm=f"{algorithm}:n_steps=8,batch_size=64,n_epochs=1{small}")
    run(config, tmp_path / "whole")

    for stop in (1, 2):

        def kill(progress: Progress, stop: int = stop) -> None:
            if progress.share > stop / 3 + 0.1:
                raise _Killed

        with pytest.raises(_Killed):
            run(config, tmp_path / "stopped", kill)
        finished = RunFolder(tmp_path / "stopped").finished()
        assert finished is not None and finished.segments == stop
    run(config, tmp_path / "stopped")
    whole, stopped = (tmp_path / name / "scores.npz" for name in ("whole", "stopped"))
    assert whole.read_bytes() == stopped.read_bytes()


def test_boundaries_that_nobody_tells_are_part_of_a_run(tmp_path: Path) -> None:
    finished = run(micro(method="finetune@periodic:rollouts=5,rollout_steps=64"), tmp_path)
    assert finished.scores.steps.tolist() == [0, 128, 256, 384, 512, 640, 768]
    assert [cost.env_steps for cost in finished.costs] == [256, 256, 256]
    index = json.loads((tmp_path / "checkpoint" / "segment-02" / "learner.json").read_text())
    assert index["tasks"] == [0, 1]  # of 12 rollouts, not the stream's three tasks
    described = micro(method="replay@detected:ring=3").describe()
    assert described["boundaries"]["detected"]["ring"] == 3
    assert "boundaries" not in micro(method="replay").describe()


def test_joint_training_is_one_stretch_examined_where_segments_would_end(tmp_path: Path) -> None:
    config = micro(method="joint")
    whole = run(config, tmp_path / "whole")
    assert whole.scores.segment.tolist() == [-1, 0, 0, 1, 1, 2, 2]
    assert whole.scores.steps.tolist() == [0, 128, 256, 384, 512, 640, 768]
    assert len(whole.costs) == 1 and whole.cost.env_steps == 768

    def kill(progress: Progress) -> None:
        if progress.share > 0.5:
            raise _Killed

    with pytest.raises(_Killed):
        run(config, tmp_path / "stopped", kill)
    assert RunFolder(tmp_path / "stopped").finished() is None
    run(config, tmp_path / "stopped")
    assert (tmp_path / "whole/scores.npz").read_bytes() == (tmp_path / "stopped/scores.npz").read_bytes()


def test_a_segment_shorter_than_a_rollout_is_examined_all_the_same(tmp_path: Path) -> None:
    scores = run(micro(method="joint", steps_per_segment=32), tmp_path).scores
    assert sorted(set(scores.segment.tolist())) == [-1, 0, 1, 2]
    assert scores.steps[-1] == 128  # two rollouts of 64


def test_a_finished_run_is_not_run_again(tmp_path: Path) -> None:
    first = run(micro(), tmp_path)
    stamp = (tmp_path / "scores.npz").stat().st_mtime_ns
    again = run(micro(), tmp_path)
    assert (tmp_path / "scores.npz").stat().st_mtime_ns == stamp
    assert again.costs == first.costs


def test_a_run_that_another_process_writes_is_refused(tmp_path: Path) -> None:
    folder = open_run(tmp_path, micro().describe())
    with folder.alone(), pytest.raises(ValueError, match="being written by another process"):
        run(micro(), tmp_path)
    assert run(micro(), tmp_path).complete


def test_another_configuration_is_refused(tmp_path: Path) -> None:
    run(micro(), tmp_path)
    with pytest.raises(ValueError, match=r"config\.seed is 0 there and 1 here"):
        run(micro(seed=1), tmp_path)


def test_methods_that_do_not_learn_stand_still(tmp_path: Path) -> None:
    random = run(micro(method="random"), tmp_path / "random")
    frozen = run(micro(method="frozen"), tmp_path / "frozen")
    finetune = run(micro(method="finetune"), tmp_path / "finetune")
    assert random.cost.env_steps == 0
    assert frozen.cost.env_steps == 256
    assert (random.scores.returns == random.scores.returns[0]).all()
    assert random.scores.steps.tolist() == [0, 256, 512, 768]
    after = _after_segment(frozen)
    assert (after == after[0]).all()
    np.testing.assert_array_equal(after[0], _after_segment(finetune)[0])


def _after_segment(finished: Finished) -> np.ndarray[Any, Any]:
    scores = finished.scores
    return np.array([scores.returns[scores.segment == s][-1] for s in range(scores.num_segments)])


def test_scratch_examines_each_task_with_its_own_agent(tmp_path: Path) -> None:
    finished = run(micro(method="scratch"), tmp_path)
    returns = _after_segment(finished)
    np.testing.assert_array_equal(
        returns[0][0], returns[1][0]
    )  # task 0 keeps its agent while task 1 is learned
    np.testing.assert_array_equal(returns[1][1], returns[2][1])
    assert not np.array_equal(returns[1][0], returns[2][0])  # the second visit has a new agent
    assert (RunFolder(tmp_path).checkpoint(1)).exists()
    sizes = [cost.parameters for cost in finished.costs]
    assert sizes == [sizes[0], 2 * sizes[0], 2 * sizes[0]]  # one agent for each task met


def test_methods_start_alike_and_are_examined_alike(tmp_path: Path) -> None:
    finetune = run(micro(method="finetune"), tmp_path / "a")
    replay = run(micro(method="replay:capacity=32"), tmp_path / "b")
    first = finetune.scores.segment <= 0
    np.testing.assert_array_equal(finetune.scores.returns[first], replay.scores.returns[first])
    assert not np.array_equal(finetune.scores.returns[-1], replay.scores.returns[-1])
    assert replay.cost.method_bytes > 0


def test_a_window_of_one_observation_is_finetuning(tmp_path: Path) -> None:
    one, two = (
        run(micro(method=method), tmp_path / str(i)).scores
        for i, method in enumerate(("finetune", "context:steps=1"))
    )
    np.testing.assert_array_equal(one.returns, two.returns)
    assert not np.array_equal(one.returns[0], one.returns[-1])


def test_discrete_actions_run(tmp_path: Path) -> None:
    algorithm = "dqn:buffer_size=512,learning_starts=16,batch_size=16"
    assert run(micro(algorithm=algorithm, first_segments=1), tmp_path).complete


def test_an_expert_learns_one_segment_and_is_examined_on_all_tasks(tmp_path: Path) -> None:
    finished = run(micro(method="scratch", only_segment=1), tmp_path)
    assert finished.scores.task_of_segment.tolist() == [1]
    assert finished.scores.success.shape[1] == 2


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"stream": "lokalike"}, "unknown stream 'lokalike'.*lookalike"),
        ({"method": "rplay"}, "unknown method"),
        ({"algorithm": "pppo"}, "unknown algorithm"),
        ({"seed": -1}, "seed is -1, expected an integer from 0 to 999999"),
        ({"steps_per_segment": 0}, "steps_per_segment is 0"),
        ({"num_envs": 0}, "num_envs is 0"),
        ({"num_envs": 1, "method": "joint"}, "num_envs is 1, expected at least 2 for joint"),
        ({"eval_episodes": 0}, "eval_episodes is 0"),
        ({"first_segments": 4}, "first_segments is 4, expected an integer from 1 to 3"),
    ],
)
def test_a_bad_configuration_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        micro(**values)


def test_a_configuration_is_read_back_from_its_description() -> None:
    config = micro(shuffle=True, seed=5)
    assert read_config(config.describe()) == config
    with pytest.raises(ValueError, match=r"config\.json"):
        read_config({"config": {"stream": "lookalike", "seed": "five"}})


def test_missions_of_a_stream_are_read_back() -> None:
    missions = (None, Mission(kind="image", hold=7), Mission(kind="traverse", energy_budget=900.0))
    tasks = tuple(Task(name=str(i), conditions=Conditions(mission=m)) for i, m in enumerate(missions))
    segments = tuple(Segment(task=i, drift=Drift.none(t.conditions)) for i, t in enumerate(tasks))
    world = World(systems=("mission",))
    stream = Stream(name="lookalike", description="", tasks=tasks, segments=segments, world=world)
    description = micro().describe() | {"stream": json.loads(json.dumps(dataclasses.asdict(stream)))}
    assert read_config(description).recorded == stream


def test_a_description_holds_what_defaults_come_to() -> None:
    description = micro(method="replay:capacity=32+ewc").describe()
    assert description["algorithm"]["n_steps"] == 8 and description["algorithm"]["gamma"] == 0.98
    assert description["methods"]["replay"]["capacity"] == 32
    assert set(description["methods"]) == {"replay", "ewc"}
    world = description["stream"]["world"]
    assert world["mission"]["reach"] == 1.0 and world["rover"] == "mer"
    assert len(description["kernels"]) == 64
    assert "recorded" not in description["config"]


@pytest.mark.parametrize(
    ("part", "name"),
    [("algorithm", "gamma"), ("environment", "num_maps"), ("kernels", "")],
)
def test_a_changed_default_is_refused(tmp_path: Path, part: str, name: str) -> None:
    description = micro().describe()
    if name:
        description[part][name] = 7
    else:
        description[part] = "7"
    open_run(tmp_path, description)
    with pytest.raises(ValueError, match=rf"{part}{name and '.'}{name} is \"?7\"? there"):
        run(micro(), tmp_path)


def test_shuffled_orders_are_the_same_for_every_method() -> None:
    orders = {m: micro(method=m, shuffle=True, seed=3).build_stream().segments for m in ("ewc", "replay")}
    assert orders["ewc"] == orders["replay"]


def test_seeds_of_neighbours_differ() -> None:
    assert len({derived_seed(seed, segment) for seed in range(50) for segment in range(20)}) == 1000
