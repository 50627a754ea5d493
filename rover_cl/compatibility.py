"""Which remedy works with which algorithm: found by trying, written into docs/methods.md."""

import inspect
from collections.abc import Callable
from typing import Any

import gymnasium
from gymnasium import spaces
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.envs import FakeImageEnv

from rover_cl.remedies import METHODS
from rover_cl_agents import ContextConfig, ContinualLearner, Method
from rover_cl_agents.methods import METHODS as CLASSES
from rover_cl_agents.recurrent import recurrent_ppo


class _Blank(gymnasium.Env[Any, Any]):
    """Spaces, and nothing else."""

    def __init__(self, *, discrete: bool) -> None:
        self.observation_space = spaces.Box(-1, 1, (4,))
        self.action_space = spaces.Discrete(3) if discrete else spaces.Box(-1, 1, (2,))


Build = Callable[[ContextConfig], BaseAlgorithm]
PLAIN, STACK, ATTENTION = (
    ContextConfig(steps=1),
    ContextConfig(steps=2),
    ContextConfig(steps=2, kind="attention"),
)
ROLLOUT: dict[str, Any] = {"n_steps": 8, "batch_size": 8}


def _on_vectors(
    algorithm: Callable[[], Callable[..., BaseAlgorithm]],
    *,
    discrete: bool = False,
    policy: str = "MlpPolicy",
    **more: Any,
) -> Build:
    def build(context: ContextConfig) -> BaseAlgorithm:
        # A new dictionary each time: Stable-Baselines3 writes into it.
        net: dict[str, Any] = {"net_arch": [8, 8], **context.policy_kwargs()}
        env = context.wrap(_Blank(discrete=discrete))
        return algorithm()(policy, env, policy_kwargs=net, device="cpu", **more)

    return build


def _on_images(context: ContextConfig) -> BaseAlgorithm:
    env = FakeImageEnv(screen_height=36, screen_width=36)
    seen = env if context == PLAIN else context.wrap(env)
    return PPO("CnnPolicy", seen, policy_kwargs=context.policy_kwargs(), device="cpu", **ROLLOUT)


ALGORITHMS: dict[str, Build] = {
    "PPO, Box": _on_vectors(lambda: PPO, **ROLLOUT),
    "PPO, Discrete": _on_vectors(lambda: PPO, discrete=True, **ROLLOUT),
    "PPO, images": _on_images,
    "A2C": _on_vectors(lambda: A2C),
    "SAC": _on_vectors(lambda: SAC, buffer_size=16),
    "TD3": _on_vectors(lambda: TD3, buffer_size=16),
    "DQN": _on_vectors(lambda: DQN, discrete=True, buffer_size=16),
    "RecurrentPPO": _on_vectors(recurrent_ppo, policy="MlpLstmPolicy", **ROLLOUT),
}
COMPOSED = "PPO, `context:kind=attention`"
"""The column of what composes with attention; what takes PPO takes windows side by side as well."""
ONE_WINDOW = "a policy sees one window: context is named once, with one kind."


def _refusal(build: Build, context: ContextConfig, methods: Callable[[], list[Method]]) -> str:
    """Give why a learner is refused, or an empty text."""
    try:
        ContinualLearner(build(context), methods())
    except ValueError as error:
        return " ".join(str(error).split())
    return ""


def refusals() -> dict[str, dict[str, str]]:
    """Give for each remedy and algorithm why the pair is refused; an empty text where it works."""
    found: dict[str, dict[str, str]] = {}
    for name, (config, method) in CLASSES.items():

        def make(config: type = config, method: Callable[[Any], Method] = method) -> list[Method]:
            return [method(config())]

        found[name] = {a: _refusal(build, PLAIN, make) for a, build in ALGORITHMS.items()}
        found[name][COMPOSED] = _refusal(ALGORITHMS["PPO, Box"], ATTENTION, make)
    for context in (STACK, ATTENTION):
        pairs = {a: _refusal(build, context, list) for a, build in ALGORITHMS.items()}
        found[f"context:kind={context.kind}"] = {**pairs, COMPOSED: ONE_WINDOW}
    return found


def source_of(name: str) -> str:
    """Give the papers that a remedy's docstring names."""
    text = inspect.getdoc(CLASSES[name][1] if name in CLASSES else ContextConfig) or ""
    _, _, source = text.partition("Source:")
    return " ".join(source.split("\n\n")[0].split())


def tables() -> str:
    """Lay out both tables of the page: what each remedy does, and with which algorithms."""
    lines = ["| method | what it does | source | what it costs |", "|---|---|---|---|"]
    for name, entry in METHODS.items():
        if not entry.composes:
            continue
        told = " (told the task when examined)" if entry.told else ""
        lines.append(f"| `{name}` | {entry.description}{told} | {source_of(name)} | {entry.cost} |")
    columns = [*ALGORITHMS, COMPOSED]
    lines += ["", "| method | " + " | ".join(columns) + " |", "|---|" + "---|" * len(columns)]
    reasons: dict[str, str] = {}
    for name, pairs in refusals().items():
        cells = []
        for reason in pairs.values():
            mark = reasons.setdefault(reason, f"no ({len(reasons) + 1})") if reason else "yes"
            cells.append(mark)
        lines.append(f"| `{name}` | " + " | ".join(cells) + " |")
    lines += ["", *(f"{mark.removeprefix('no ')} {reason}" + "\n" for reason, mark in reasons.items())]
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    print(tables(), end="")
