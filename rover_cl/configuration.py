"""What a run is: every choice that changes its numbers, in one frozen value."""

import dataclasses
import importlib.metadata
import json
import platform
import re
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter, ValidationError

from rover_cl.catalogue import find_stream, parse_algorithm, parse_method
from rover_cl.evaluation import EVALUATION_SEED, NUM_MAPS
from rover_cl.stream_file import SUFFIX
from rover_cl_envs.compiled import kernel_digest
from rover_cl_envs.streams import STREAMS, Stream

PACKAGES = ("rover-cl", "gymnasium", "numba", "numpy", "sb3-contrib", "stable-baselines3", "torch")


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """One run: one method, one stream, one seed.

    Raises:
        ValueError: an unknown name or a number out of its range; the message names the field.
    """

    stream: str
    """name of the stream, or of your own a TOML file or module:attribute"""
    method: str = "finetune"
    """as in `replay:weight=0.1+ewc`, or `replay@detected` where nobody tells the boundaries"""
    algorithm: str = "ppo"
    """as in `ppo:learning_rate=1e-3`"""
    seed: int = 0
    """of everything random; also picks the maps. In [0, 1000000)"""
    steps_per_segment: int | None = None
    """environment steps of each segment, >= 1; None: the stream's own"""
    first_segments: int | None = None
    """run only so many segments from the start, >= 1; None: all"""
    only_segment: int | None = None
    """run only this segment, but examine all tasks (an expert of the gate); None: all"""
    shuffle: bool = False
    """order of the segments drawn from the seed, the same for every method"""
    num_envs: int = 256
    """rovers that train side by side, in [1, 65536]"""
    eval_episodes: int = 100
    """episodes of each task in an examination, in [1, 100000]"""
    evals_per_segment: int = 4
    """examinations in each segment, the one at its end included, in [1, 1000]"""
    recorded: Stream | None = field(default=None, compare=False, repr=False)
    """the stream as a folder describes it, in place of the one that the name makes; None: look the name up"""

    def __post_init__(self) -> None:
        """Check names and ranges."""
        parse_method(self.method)
        parse_algorithm(self.algorithm)
        self._in_range("seed", 0, EVALUATION_SEED - 1)
        self._in_range("steps_per_segment", 1, 10**12)
        self._in_range("num_envs", 1, 65536)
        self._in_range("eval_episodes", 1, 100_000)
        self._in_range("evals_per_segment", 1, 1000)
        if self.recorded is not None:
            return  # the run was made from it
        segments = len(find_stream(self.stream).segments)
        self._in_range("first_segments", 1, segments)
        self._in_range("only_segment", 0, segments - 1)
        if parse_method(self.method).protocol == "joint":
            tasks = len({segment.task for segment in self.build_stream().segments})
            if self.num_envs < tasks:
                raise ValueError(
                    f"num_envs is {self.num_envs}, expected at least {tasks} for joint: a rover for each task"
                )

    def _in_range(self, name: str, low: int, high: int) -> None:
        value = getattr(self, name)
        if value is not None and not low <= value <= high:
            raise ValueError(f"{name} is {value}, expected an integer from {low} to {high}")

    @property
    def label(self) -> str:
        """Short name of the run, for people."""
        segment = "" if self.only_segment is None else f" (segment {self.only_segment})"
        return f"{self.method}{segment}, seed {self.seed}"

    def build_stream(self) -> Stream:
        """Make the stream as this run trains on it."""
        if self.recorded is not None:
            return self.recorded
        stream = find_stream(self.stream)
        if self.first_segments is not None:
            stream = stream.first(self.first_segments)
        if self.steps_per_segment is not None:
            stream = stream.with_steps(self.steps_per_segment)
        if self.only_segment is not None:
            stream = dataclasses.replace(stream, segments=(stream.segments[self.only_segment],))
        return stream.shuffled(self.seed) if self.shuffle else stream

    def settings(self) -> dict[str, Any]:
        """Give what was chosen, by name; these values make an equal configuration."""
        return {name: value for name, value in vars(self).items() if name != "recorded"}

    def describe(self) -> dict[str, Any]:
        """Give all that `config.json` records: the choices, and what they and the defaults come to."""
        versions = {name: importlib.metadata.version(name) for name in PACKAGES if _installed(name)}
        description: dict[str, Any] = {
            "config": self.settings(),
            "stream": dataclasses.asdict(self.build_stream()),
            "algorithm": dataclasses.asdict(parse_algorithm(self.algorithm)[1]()),
            "methods": _described_methods(self.method),
            "environment": {"num_maps": NUM_MAPS, "evaluation_seed": EVALUATION_SEED},
            "kernels": kernel_digest(),
            "made_with": {"python": platform.python_version(), **versions},
        }
        boundaries = parse_method(self.method).build_boundaries()
        if boundaries is not None:
            description["boundaries"] = {boundaries.name: boundaries.describe()}
        result: dict[str, Any] = json.loads(json.dumps(description))
        return result


def _described_methods(spec: str) -> dict[str, Any]:
    """Give the settings of each remedy, what is left at its default included."""
    method = parse_method(spec)
    context = method.context()
    described = {} if context is None else {"context": dataclasses.asdict(context)}
    return {**described, **{remedy.name: remedy.describe() for remedy in method.build()}}


def checked_config(**values: Any) -> RunConfig:
    """Build a configuration and all that it names, so that a mistake is told before anything runs."""
    config = RunConfig(**values)
    _described_methods(config.method)
    parse_method(config.method).build_boundaries()
    parse_algorithm(config.algorithm)[1]()
    return config


def read_config(description: dict[str, Any]) -> RunConfig:
    """Read back a configuration from its description, with the stream that is recorded there.

    A folder may come from anybody: nothing that it names is imported.

    Raises:
        ValueError: the description does not fit; one line.
    """
    values = description.get("config")
    if not isinstance(values, dict):
        raise ValueError("config.json has no 'config'; it was not written by rover-cl")
    name = str(values.get("stream"))
    stream = _read_stream(description.get("stream"))
    # The name becomes a folder's, so it must be one that find_stream takes.
    own = name not in STREAMS and (":" in name or name.endswith(SUFFIX))
    if own and not (stream and re.fullmatch(r"\w[\w.]*:\w+|(.*/)?\w[\w-]*\.toml", name)):
        raise ValueError(
            f"config.json: stream {name!r} is none of {', '.join(STREAMS)}, and its tasks and segments are "
            "not recorded; run it again"
        )
    known = stream if name in STREAMS or own else None
    try:
        return TypeAdapter(RunConfig).validate_python({**values, "recorded": known})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"config.json: {where} {first['msg']}".replace("  ", " ")) from error


def _read_stream(description: Any) -> Stream | None:
    """Rebuild a stream from what was recorded; None if nothing was, or an older version wrote it."""
    try:
        return TypeAdapter(Stream).validate_python(description)
    except ValidationError:
        return None


def _installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
