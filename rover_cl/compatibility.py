"""Which remedy works with which algorithm: found by trying, written into docs/methods.md."""

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.envs import FakeImageEnv

from rover_cl.remedies import METHODS
from rover_cl_agents import ContextConfig, ContinualLearner, Method
from rover_cl_agents.methods import METHODS as CLASSES
from rover_cl_agents.recurrent import recurrent_ppo


class _Noise(gymnasium.Env[Any, Any]):
    """Observations without a meaning, in episodes of four steps."""

    def __init__(self, *, discrete: bool) -> None:
        self.observation_space = spaces.Box(-1, 1, (4,))
        self.action_space = spaces.Discrete(3) if discrete else spaces.Box(-1, 1, (2,))
        self._step = 0

    def _look(self) -> Any:
        return self.np_random.uniform(-1, 1, 4).astype(np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._step = 0
        return self._look(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self._step += 1
        return self._look(), float(np.sum(action)), False, self._step >= 4, {}


STEPS = 16
"""Of each of the two tasks that a pair is tried on."""
FEW: dict[str, dict[str, Any]] = {"packnet": {"retrain_steps": 1}, "generative": {"components": 1}}
"""Settings that shorten a trial and have no part in whether it works."""
Build = Callable[[ContextConfig], BaseAlgorithm]
PLAIN, STACK, ATTENTION = (
    ContextConfig(steps=1),
    ContextConfig(steps=2),
    ContextConfig(steps=2, kind="attention"),
)
ROLLOUT: dict[str, Any] = {"n_steps": 8, "batch_size": 8, "n_epochs": 1}
OFF_POLICY: dict[str, Any] = {"buffer_size": 64, "learning_starts": 8, "batch_size": 8}


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
        env = context.wrap(_Noise(discrete=discrete))
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
    "SAC": _on_vectors(lambda: SAC, **OFF_POLICY),
    "TD3": _on_vectors(lambda: TD3, **OFF_POLICY),
    "DQN": _on_vectors(lambda: DQN, discrete=True, **OFF_POLICY),
    "RecurrentPPO": _on_vectors(recurrent_ppo, policy="MlpLstmPolicy", **ROLLOUT),
}
COMPOSED = "PPO, `context:kind=attention`"
"""The column of what composes with attention; what takes PPO takes windows side by side as well."""
ONE_WINDOW = "a policy sees one window: context is named once, with one kind."


def _refusal(build: Build, context: ContextConfig, methods: Callable[[], list[Method]]) -> str:
    """Give why a learner is refused when it is built, or an empty text if it learns two tasks."""
    try:
        learner = ContinualLearner(build(context), methods())
    except ValueError as error:
        return " ".join(str(error).split())
    env = learner.algorithm.get_env()
    assert env is not None, "it was built for one"
    for _ in range(2):
        learner.learn_task(env, total_timesteps=STEPS)
    return ""


@cache
def refusals() -> dict[str, dict[str, str]]:
    """Give for each remedy and algorithm why the pair is refused; an empty text where it learns two tasks."""
    found: dict[str, dict[str, str]] = {}
    for name, (config, method) in CLASSES.items():
        few = FEW.get(name, {})

        def make(
            config: type = config, method: Callable[[Any], Method] = method, few: dict[str, Any] = few
        ) -> list[Method]:
            return [method(config(**few))]

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
