"""Run folders: what a run leaves on disk, and how it is taken up again.

    <out>/<stream>/<method>/seed-<k>/
        config.json               what was run; another configuration is refused, never overwritten
        scores.npz                the score tensor of the finished segments (no pickle)
        cost.json                 what each segment cost
        checkpoint/segment-00/    the agent after the segment

Every write goes to a temporary name first and is moved into place, so a kill leaves the last finished
segment.
"""

import dataclasses
import io
import json
import os
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from rover_cl.metrics import Scores

Json = dict[str, Any]
UNREADABLE = (
    *(OSError, EOFError, KeyError, IndexError, TypeError, ValueError, NotImplementedError),
    *(zipfile.BadZipFile, zlib.error),
)
"""What numpy raises over a file of scores that is damaged, or is something else."""


@dataclass(frozen=True, kw_only=True)
class SegmentCost:
    """What a stretch of a run cost. Times are wall-clock."""

    training_s: float = 0.0
    """time in `learn_task` without evaluations, simulator included [s]"""
    evaluation_s: float = 0.0
    """time spent evaluating [s]"""
    simulator_s: float = 0.0
    """part of the training time spent inside `env.step` [s]"""
    env_steps: int = 0
    """environment steps trained on"""
    evaluation_steps: int = 0
    """environment steps spent evaluating"""
    method_bytes: int = 0
    """memory held besides one network, at most [B]: what methods keep, and the agents of other tasks"""
    parameters: int = 0
    """trainable parameters of all agents that are kept, at most"""

    def __add__(self, other: "SegmentCost") -> "SegmentCost":
        """Sum of times and steps, maximum of the sizes."""
        sizes = {"method_bytes", "parameters"}
        merged: Json = {}
        for field in dataclasses.fields(self):
            a, b = getattr(self, field.name), getattr(other, field.name)
            merged[field.name] = max(a, b) if field.name in sizes else a + b
        return SegmentCost(**merged)

    @property
    def wall_s(self) -> float:
        """Training and evaluation together [s]."""
        return self.training_s + self.evaluation_s


@dataclass(frozen=True, kw_only=True)
class Finished:
    """The finished part of a run."""

    scores: Scores
    """evaluations so far"""
    costs: tuple[SegmentCost, ...]
    """cost of each finished stretch: a segment, or all of them for joint"""

    @property
    def segments(self) -> int:
        """Number of finished segments."""
        return int(self.scores.segment[-1]) + 1

    @property
    def complete(self) -> bool:
        """Whether the whole stream has been run."""
        return self.segments == self.scores.num_segments

    @property
    def cost(self) -> SegmentCost:
        """Cost of all finished segments."""
        return sum(self.costs, SegmentCost())


@dataclass(frozen=True)
class RunFolder:
    """One run's folder. Make it with `open_run` to write, or directly to read."""

    path: Path
    """where it lies"""

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep every other process from writing here; a killed one's lock is gone with it.

        Raises:
            ValueError: another process writes here.
        """
        lock = FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise ValueError(
                f"{self.path} is being written by another process; wait for it, or choose another --out"
            ) from error
        try:
            yield
        finally:
            lock.release()

    def config(self) -> Json:
        """Read what was run."""
        return read_json(self.path / "config.json")

    def finished(self) -> Finished | None:
        """Read the finished segments; None before the first one.

        Raises:
            ValueError: a file is damaged; the message is one line and says what to do.
        """
        path = self.path / "scores.npz"
        if not path.exists():
            return None
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            scores = Scores(
                steps=arrays["steps"].astype(np.int64),
                segment=arrays["segment"].astype(np.int64),
                success=arrays["success"].astype(np.float64),
                returns=arrays["returns"].astype(np.float64),
                task_of_segment=arrays["task_of_segment"].astype(np.int64),
            )
            segments = int(scores.segment[-1]) + 1
        except UNREADABLE as error:
            # NumPy takes what it can't read for a pickle, and advises to load it as one.
            odd = ValueError("not a file of scores") if "pickle" in str(error) else error
            raise _damaged(path, odd) from error
        try:
            costs = tuple(SegmentCost(**cost) for cost in read_json(self.path / "cost.json")["segments"])
        except (KeyError, TypeError) as error:
            raise _damaged(self.path / "cost.json", error) from error
        # A kill between the two files leaves the cost of a segment that has no scores: it will be run again.
        return Finished(scores=scores, costs=costs[:segments])

    def checkpoint(self, segment: int) -> Path:
        """Folder of the agent after `segment`."""
        return self.path / "checkpoint" / f"segment-{segment:02d}"

    def save_checkpoint(self, segment: int, save: Callable[[Path], None], *, keep: bool) -> None:
        """Write the agent after `segment`; `keep` retains all earlier ones, else the first and the latest.

        The previous one stays until the scores of this segment are on disk: a resumed run starts from it.
        """
        target = self.checkpoint(segment)
        partial = target.with_name(f".partial-{target.name}")
        shutil.rmtree(partial, ignore_errors=True)
        partial.parent.mkdir(parents=True, exist_ok=True)
        save(partial)
        shutil.rmtree(target, ignore_errors=True)
        os.replace(partial, target)
        if not keep:
            for old in range(1, segment - 1):
                shutil.rmtree(self.checkpoint(old), ignore_errors=True)

    def save(self, finished: Finished) -> None:
        """Write costs, then scores: the scores say which segments are finished."""
        write_json(
            self.path / "cost.json", {"segments": [dataclasses.asdict(cost) for cost in finished.costs]}
        )
        scores = finished.scores
        path = self.path / "scores.npz"
        partial = self.path / ".partial-scores.npz"
        np.savez_compressed(
            partial,
            allow_pickle=False,
            steps=scores.steps,
            segment=scores.segment,
            success=scores.success.astype(np.float32),
            returns=scores.returns.astype(np.float32),
            task_of_segment=scores.task_of_segment,
        )
        os.replace(partial, path)


def folder_name(spec: str) -> str:
    """Give the folder of a method or stream: `replay:weight=0.1` -> `replay@weight=0.1` (for Windows).

    No two methods share one: after an @ of theirs comes a name, after a colon a setting. A stream's file
    gives its name without folder and ending; two files of one name are told apart by what they hold.
    """
    name, at, rest = spec.partition("@")
    if name.endswith(".toml"):
        name = Path(name).stem
    return (name + at + rest).replace(":", "@")


def run_path(out: Path, stream: str, method: str, seed: int) -> Path:
    """Folder of a run below `out`."""
    return out / folder_name(stream) / folder_name(method) / f"seed-{seed}"


def open_run(path: Path, description: Mapping[str, Any]) -> RunFolder:
    """Open a run folder for writing: make it, or check that it belongs to the same configuration.

    Args:
        path: the folder.
        description: what is to be run, JSON values; the part under "made_with" is recorded, not compared.

    Raises:
        ValueError: the folder belongs to another configuration, or holds other files.
    """
    wanted: Json = json.loads(json.dumps(description))
    config = path / "config.json"
    if config.exists():
        refuse_difference(path, read_json(config), wanted)
    elif path.exists() and any(not inner.name.startswith(".partial-") for inner in path.iterdir()):
        raise ValueError(
            f"{path} holds files but no config.json, so it is no run folder; choose another --out"
        )
    else:
        path.mkdir(parents=True, exist_ok=True)
        write_json(config, wanted)
    return RunFolder(path)


def refuse_difference(path: Path, found: Json, wanted: Json) -> None:
    """Raise ValueError naming the first field in which a folder's configuration is not the wanted one."""
    difference = difference_between(found, wanted)
    if difference:
        raise ValueError(
            f"{path} belongs to another configuration: {difference}; "
            "choose another --out, or give the same options to resume"
        )


def difference_between(found: Json, wanted: Json) -> str | None:
    """Name the first field in which two configurations differ, and both values; "made_with" doesn't count."""
    difference = _first_difference(
        {key: value for key, value in found.items() if key != "made_with"},
        {key: value for key, value in wanted.items() if key != "made_with"},
    )
    if difference is None:
        return None
    name, old, new = difference
    return f"{name} is {_short(old)} there and {_short(new)} here"


def read_json(path: Path) -> Json:
    """Read a JSON object; ValueError in one line if the file is missing or damaged."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ValueError(f"{path} does not exist") from error
    except (OSError, ValueError) as error:
        raise _damaged(path, error) from error
    if not isinstance(value, dict):
        raise _damaged(path, TypeError("not a JSON object"))
    return value


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON object in one move."""
    partial = path.with_name(f".partial-{path.name}")
    partial.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    os.replace(partial, path)


def _damaged(path: Path, error: Exception) -> ValueError:
    reason = " ".join(str(error).split())[:160] or type(error).__name__
    if path.name == "plan.json":  # the runs beside it are sound
        return ValueError(f"{path} is damaged ({reason}); delete it and compare again")
    return ValueError(f"{path} is damaged ({reason}); delete {path.parent} to run it again")


def _first_difference(found: Any, wanted: Any, name: str = "") -> tuple[str, Any, Any] | None:
    if isinstance(found, dict) and isinstance(wanted, dict):
        for key in [*wanted, *(key for key in found if key not in wanted)]:
            if (key not in found and wanted[key] == []) or (key not in wanted and found[key] == []):
                continue  # a list that came later, and holds nothing: an older description lacks it
            inner = _first_difference(found.get(key), wanted.get(key), f"{name}.{key}" if name else key)
            if inner:
                return inner
        return None
    if isinstance(found, list) and isinstance(wanted, list) and len(found) == len(wanted):
        pairs = enumerate(zip(found, wanted, strict=True))
        return next((d for i, pair in pairs if (d := _first_difference(*pair, f"{name}[{i}]"))), None)
    return None if found == wanted else (name, found, wanted)


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
