from __future__ import annotations

import hashlib
import io
import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import gymnasium
import pytest
import torch
from stable_baselines3 import A2C, DDPG, DQN, PPO, SAC
from stable_baselines3.common.buffers import NStepReplayBuffer

from rover_cl_agents import EWC, CheckpointError, ContinualLearner, PPOConfig, Replay
from rover_cl_agents.methods import Method
from rover_cl_agents.vec_env import as_vec_env

SMALL = PPOConfig(n_steps=16, batch_size=128, n_epochs=4, net=(32, 32))


def methods(weight: float = 1.0) -> list[Any]:
    return [Replay(capacity=64, batch_size=32, weight=weight), EWC(samples=64, weight=weight)]


@pytest.fixture
def saved(bandit: Any, tmp_path: Path) -> Path:
    learner = ContinualLearner(SMALL.build(bandit(0, 8), 0), methods())
    learner.learn_task(bandit(0, 8), total_timesteps=128).save(tmp_path / "checkpoint")
    return tmp_path / "checkpoint"


@pytest.mark.parametrize("name", ["policy", "optimizers", "methods"])
def test_a_damaged_file_is_named(bandit: Any, saved: Path, name: str) -> None:
    path = saved / f"{name}.safetensors"
    data = path.read_bytes()
    for damaged in (data[: len(data) // 2], data[:-1] + bytes([data[-1] ^ 1]), b""):
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match=f"{name}.safetensors is damaged"):
            ContinualLearner.load(saved, bandit(0, 8))
    path.unlink()
    with pytest.raises(CheckpointError, match=f"{name}.safetensors can't be read"):
        ContinualLearner.load(saved, bandit(0, 8))


def test_a_damaged_index_is_named(bandit: Any, saved: Path) -> None:
    path = saved / "learner.json"
    text = path.read_text()
    for damaged in (text[: len(text) // 2], "[]", "{}", '{"format": 1, "digests": {}}'):
        path.write_text(damaged)
        with pytest.raises(CheckpointError, match=r"learner.json") as caught:
            ContinualLearner.load(saved, bandit(0, 8))
        assert "\n" not in str(caught.value)
    index = json.loads(text)
    for key in ("algorithm", "methods", "tasks", "counters", "spaces"):
        path.write_text(json.dumps({k: v for k, v in index.items() if k != key}))
        with pytest.raises(CheckpointError, match=f"'{key}' is missing"):
            ContinualLearner.load(saved, bandit(0, 8))
    shutil.rmtree(saved)
    with pytest.raises(CheckpointError, match="can't be read"):
        ContinualLearner.load(saved, bandit(0, 8))


class Malice:
    """Touches a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", ["policy", "optimizers", "methods", "generators"])
def test_a_pickle_in_a_files_place_runs_nothing(bandit: Any, saved: Path, name: str) -> None:
    mark = saved.parent / "mark"
    pickled = pickle.dumps(Malice(mark))
    pickle.loads(pickled)
    assert mark.exists(), "a pickle that does nothing shows nothing"
    mark.unlink()
    archive = io.BytesIO()
    torch.save(Malice(mark), archive)
    index = json.loads((saved / "learner.json").read_text())
    for data in (pickled, archive.getvalue()):
        (saved / f"{name}.safetensors").write_bytes(data)
        index["digests"][name] = hashlib.sha256(data).hexdigest()
        (saved / "learner.json").write_text(json.dumps(index))
        with pytest.raises(CheckpointError, match=f"{name}.safetensors is no safetensors file"):
            ContinualLearner.load(saved, bandit(0, 8))
    assert not mark.exists()


@pytest.mark.parametrize(
    ("place", "value", "expected"),
    [
        (("algorithm", "algorithm"), "os.system", "os.system"),
        (("algorithm", "policy"), "os.system", "os.system"),
        (("algorithm", "settings", "policy_kwargs", "activation_fn"), {"torch": "nn.os"}, "no module"),
        (("algorithm", "settings", "policy_kwargs", "activation_fn"), {"torch": "nn.init"}, "no module"),
        (("algorithm", "settings", "policy_kwargs", "activation_fn"), {"torch": "os.system"}, "no module"),
        (("algorithm", "settings", "rollout_buffer_class"), {"stable_baselines3": "os"}, "'os'"),
        (("algorithm", "settings", "tensorboard_log"), "/nowhere", "'tensorboard_log' is no setting of PPO"),
        (("algorithm", "settings", "verbose"), 2, "'verbose' is no setting of PPO"),
        (("algorithm", "settings", "n_steps"), -5, "n_steps|rollout|greater|negative"),
        (("methods", 0, "name"), "os.system", "'os.system' isn't this package's"),
        (("methods", 0, "settings", "weight"), "os.system", "weight|str"),
        (("digests", "../policy"), "0", "names a file '../policy'"),
        (("generators", "action_space", "bit_generator"), "os", "PCG64"),
    ],
)
def test_an_index_that_names_something_else_is_refused(
    bandit: Any, saved: Path, place: tuple[Any, ...], value: Any, expected: str
) -> None:
    index = json.loads((saved / "learner.json").read_text())
    entry = index
    for key in place[:-1]:
        entry = entry[key]
    entry[place[-1]] = value
    (saved / "learner.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match=expected) as caught:
        ContinualLearner.load(saved, bandit(0, 8))
    assert "\n" not in str(caught.value)


def test_a_checkpoint_without_generators_leaves_them_alone(bandit: Any, saved: Path) -> None:
    index = json.loads((saved / "learner.json").read_text())
    del index["generators"], index["digests"]["generators"]
    (saved / "learner.json").write_text(json.dumps(index))
    learner = ContinualLearner(SMALL.build(bandit(0, 8), 0), methods())
    before = torch.get_rng_state()
    learner.restore(saved)
    assert torch.equal(before, torch.get_rng_state())


def test_a_checkpoint_of_another_learner_is_refused(bandit: Any, saved: Path) -> None:
    def load(algorithm: Any, remedies: Any) -> None:
        ContinualLearner.load(saved, bandit(0, 8), algorithm=algorithm, methods=remedies)

    small = SMALL.build(bandit(0, 8), 0)
    with pytest.raises(CheckpointError, match="algorithm was PPO, here it is A2C"):
        load(A2C("MlpPolicy", as_vec_env(bandit(0, 8)), device="cpu"), methods())
    with pytest.raises(CheckpointError, match=r"shape \(32, 4\), here \(16, 4\)"):
        load(PPOConfig(net=(16, 32)).build(bandit(0, 8), 0), methods())
    with pytest.raises(CheckpointError, match="lacks tensor"):
        load(PPOConfig(net=(32, 32, 32)).build(bandit(0, 8), 0), methods())
    with pytest.raises(CheckpointError, match=r"methods was \['replay', 'ewc'\]"):
        load(small, [])
    with pytest.raises(CheckpointError, match=r"'weight': 1.0.*same settings"):
        load(small, methods(2.0))


def test_saving_replaces_a_checkpoint_and_nothing_else(bandit: Any, saved: Path) -> None:
    learner = ContinualLearner.load(saved, bandit(0, 8))
    learner.save(saved)
    assert sorted(path.name for path in saved.parent.iterdir()) == ["checkpoint"]
    (saved.parent / "thesis").mkdir()
    (saved.parent / "thesis" / "chapter").touch()
    with pytest.raises(ValueError, match="is no checkpoint"):
        learner.save(saved.parent / "thesis")


def test_what_json_cannot_hold_is_asked_for(bandit: Any, tmp_path: Path) -> None:
    def make() -> PPO:
        env = as_vec_env(bandit(0, 8))
        return PPO("MlpPolicy", env, learning_rate=lambda _: 1e-3, n_steps=16, batch_size=128, device="cpu")

    learner = ContinualLearner(make()).learn_task(bandit(0, 8), total_timesteps=128)
    learner.save(tmp_path / "checkpoint")
    with pytest.raises(CheckpointError, match=r"learning_rate can't be kept.*algorithm="):
        ContinualLearner.load(tmp_path / "checkpoint", bandit(0, 8))
    other = ContinualLearner.load(tmp_path / "checkpoint", bandit(0, 8), algorithm=make())
    mine, theirs = (each.algorithm.policy.state_dict().values() for each in (learner, other))
    assert all(torch.equal(a, b) for a, b in zip(mine, theirs, strict=True))


def test_a_method_of_your_own_is_asked_for(bandit: Any, tmp_path: Path) -> None:
    class Nothing(Method):
        name = "nothing"

    learner = ContinualLearner(SMALL.build(bandit(0, 8), 0), [Nothing()])
    learner.save(tmp_path / "checkpoint")
    with pytest.raises(CheckpointError, match=r"'nothing' isn't this package's.*methods="):
        ContinualLearner.load(tmp_path / "checkpoint", bandit(0, 8))
    other = ContinualLearner.load(tmp_path / "checkpoint", bandit(0, 8), methods=[Nothing()])
    assert [method.name for method in other.methods] == ["nothing"]


@pytest.mark.parametrize(
    ("build", "more"),
    [
        (DDPG, {}),
        (SAC, {"n_steps": 3}),
        (
            SAC,
            {"replay_buffer_class": NStepReplayBuffer, "replay_buffer_kwargs": {"n_steps": 2, "gamma": 0.9}},
        ),
    ],
)
def test_off_policy_algorithms_are_built_again(build: Any, more: Any, bandit: Any, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"learning_starts": 16, "buffer_size": 200, "batch_size": 8}
    model = build("MlpPolicy", as_vec_env(bandit(0, 2)), device="cpu", seed=0, **settings, **more)
    learner = ContinualLearner(model, methods()).learn_task(bandit(0, 2), 64)
    learner.save(tmp_path / "c")
    loaded = ContinualLearner.load(tmp_path / "c", bandit(0, 2))
    kept: Any = loaded.algorithm
    assert type(kept) is build
    assert type(kept.replay_buffer) is type(model.replay_buffer)
    assert getattr(kept.replay_buffer, "n_steps", 1) == getattr(model.replay_buffer, "n_steps", 1)
    found = []
    for each in (learner, loaded):
        each.reseed(3)
        each.learn_task(bandit(1, 2), 64)
        found.append(list(each.algorithm.policy.state_dict().values()))
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_an_environment_of_another_kind_is_refused_in_one_line(countdown: Any, tmp_path: Path) -> None:
    model = DQN("MlpPolicy", countdown(3), device="cpu", buffer_size=50)
    ContinualLearner(model).save(tmp_path / "c")
    with pytest.raises(CheckpointError, match=r"learner\.json: The algorithm only supports .*Discrete"):
        ContinualLearner.load(tmp_path / "c", gymnasium.make("Pendulum-v1"))
