"""From names to what they mean: methods, algorithms, streams. Nothing registers itself elsewhere.

The learners load torch, so they are imported only when something is built: listing names stays quick.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rover_cl.options import build_config, split_spec
from rover_cl.remedies import BOUNDARIES, METHODS, Protocol
from rover_cl.stream_file import SUFFIX, read_stream
from rover_cl_envs.errors import unknown_name
from rover_cl_envs.streams import STREAMS, Stream, get_stream

if TYPE_CHECKING:
    from rover_cl_agents import Boundaries, ContextConfig, ContinualLearner, Method
    from rover_cl_agents.vec_env import Env


@dataclass(frozen=True, kw_only=True)
class AlgorithmEntry:
    """A name that `--algo` takes."""

    description: str
    """one line"""
    config: str
    """name of its config in `rover_cl_agents`"""
    action_type: Literal["continuous", "discrete"]
    """which actions of the rover it can drive"""


ALGORITHMS: dict[str, AlgorithmEntry] = {
    "ppo": AlgorithmEntry(
        description="proximal policy optimisation", config="PPOConfig", action_type="continuous"
    ),
    "recurrent-ppo": AlgorithmEntry(
        description="PPO with an LSTM (sb3-contrib)", config="RecurrentPPOConfig", action_type="continuous"
    ),
    "a2c": AlgorithmEntry(description="advantage actor-critic", config="A2CConfig", action_type="continuous"),
    "sac": AlgorithmEntry(description="soft actor-critic", config="SACConfig", action_type="continuous"),
    "td3": AlgorithmEntry(
        description="twin delayed deep deterministic policy gradient",
        config="TD3Config",
        action_type="continuous",
    ),
    "dqn": AlgorithmEntry(description="deep Q-learning", config="DQNConfig", action_type="discrete"),
}


@dataclass(frozen=True)
class MethodSpec:
    """A parsed `--method`."""

    protocol: Protocol
    """how the stream is trained on"""
    remedies: tuple[tuple[str, dict[str, str]], ...]
    """name and options of each method to compose"""
    boundaries: tuple[str, dict[str, str]] | None = None
    """name and options of what says where a task ends; None: the learner is told"""

    def build_boundaries(self) -> "Boundaries | None":
        """Make what says where a task ends; None: the learner is told.

        Raises:
            ValueError: an unknown option, or a value out of range.
        """
        if self.boundaries is None:
            return None
        name, options = self.boundaries
        agents = importlib.import_module("rover_cl_agents")
        config_name, policy_name = BOUNDARIES[name].classes
        boundaries: Boundaries = getattr(agents, policy_name)(
            build_config(getattr(agents, config_name), f"@{name}", options)
        )
        return boundaries

    def build(self) -> "list[Method]":
        """Make the methods.

        Raises:
            ValueError: an unknown option, or a value out of range.
        """
        agents = importlib.import_module("rover_cl_agents")
        built = []
        for name, options in self.remedies:
            classes = METHODS[name].classes
            if classes is None:
                continue  # decided when environment and algorithm are built: see `learner`
            config_name, method_name = classes
            config = build_config(getattr(agents, config_name), name, options)
            built.append(getattr(agents, method_name)(config))
        return built

    def context(self) -> "ContextConfig | None":
        """Give what the policy sees of the past, if that was chosen; decided when a learner is built.

        Raises:
            ValueError: an unknown option, or a value out of range.
        """
        for name, options in self.remedies:
            config = METHODS[name].config
            if config is not None:
                agents = importlib.import_module("rover_cl_agents")
                context: ContextConfig = build_config(getattr(agents, config), name, options)
                return context
        return None

    def learner(self, algorithm: Any, env: "Env", seed: int, **settings: Any) -> "ContinualLearner":
        """Build the learner: environment, algorithm and methods.

        Args:
            algorithm: config of the algorithm, as `parse_algorithm` builds it.
            env: where it learns first.
            seed: of networks, environment and methods.
            settings: of `ContinualLearner`.

        Raises:
            ValueError: a value is out of range, or the parts don't fit together.
        """
        context = self.context()
        if context is None:
            model = algorithm.build(env, seed)
        else:
            model = algorithm.build(context.wrap(env), seed, context.policy_kwargs())
        learner: ContinualLearner = importlib.import_module("rover_cl_agents").ContinualLearner(
            model, self.build(), boundaries=self.build_boundaries(), seed=seed, **settings
        )
        return learner


def parse_method(spec: str) -> MethodSpec:
    """Read `finetune`, `replay:weight=0.1`, `replay+ewc`, or `replay@detected`: nobody tells the boundaries.

    Raises:
        ValueError: an unknown name (with the nearest one), or names that do not compose.
    """
    what, at, where = spec.partition("@")
    parts = split_spec(what)
    for name, options in parts:
        if name not in METHODS:
            raise unknown_name("method", name, METHODS)
        if not METHODS[name].composes and (options or len(parts) > 1):
            composable = ", ".join(key for key, entry in METHODS.items() if entry.composes)
            raise ValueError(
                f"{name!r} in {spec!r} takes no options and does not compose; those that do: {composable}"
            )
    names = [name for name, _ in parts]
    if len(set(names)) < len(names):
        raise ValueError(f"{spec!r} names a method twice")
    remedies = tuple(part for part in parts if METHODS[part[0]].composes)
    protocol = METHODS[parts[0][0]].protocol
    return MethodSpec(protocol, remedies, _parse_boundaries(spec, where, protocol) if at else None)


def _parse_boundaries(spec: str, where: str, protocol: Protocol) -> tuple[str, dict[str, str]]:
    """Read what follows the @ of a method."""
    if protocol != "sequential":
        raise ValueError(
            f"{spec!r}: {protocol} has no boundaries to find; @ follows finetune or a remedy, "
            "as in replay@detected"
        )
    parts = split_spec(where)
    if len(parts) > 1:
        raise ValueError(f"{spec!r}: {where!r} names {len(parts)}; expected one of {', '.join(BOUNDARIES)}")
    if parts[0][0] not in BOUNDARIES:
        raise unknown_name("boundaries", parts[0][0], BOUNDARIES)
    return parts[0]


def parse_algorithm(spec: str) -> tuple[AlgorithmEntry, Callable[[], Any]]:
    """Read `ppo` or `ppo:learning_rate=1e-3`; give its entry and what builds its config.

    Raises:
        ValueError: an unknown name, with the nearest one.
    """
    parts = split_spec(spec)
    (name, options) = parts[0]
    if len(parts) > 1:
        raise ValueError(f"algorithm {spec!r} names {len(parts)}; expected one of {', '.join(ALGORITHMS)}")
    if name not in ALGORITHMS:
        raise unknown_name("algorithm", name, ALGORITHMS)
    entry = ALGORITHMS[name]

    def build() -> Any:
        return build_config(getattr(importlib.import_module("rover_cl_agents"), entry.config), name, options)

    return entry, build


def find_stream(name: str) -> Stream:
    """Find a shipped stream by its name, your own by its TOML file, or by `module:attribute`: a Stream, or
    what makes one.

    With `@pixels` behind it, the same stream seen by a camera: `lookalike@pixels`.

    Raises:
        ValueError: nothing has that name; the message gives the nearest.
    """
    plain, at, observation = name.partition("@")
    if at:
        stream = find_stream(plain)
        return replace(stream, name=name, world=replace(stream.world, observation=observation))
    if name.endswith(SUFFIX):
        return read_stream(Path(name))
    module_name, colon, attribute = name.partition(":")
    if not colon:
        return get_stream(name)
    try:
        found = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise ValueError(
            f"stream {name!r} cannot be imported ({error}); expected module:attribute on PYTHONPATH, "
            f"a file that ends in {SUFFIX}, or one of {', '.join(STREAMS)}"
        ) from error
    stream = found() if callable(found) else found
    if not isinstance(stream, Stream):
        raise ValueError(f"stream {name!r} is a {type(stream).__name__}, expected a rover_cl_envs.Stream")
    return stream
