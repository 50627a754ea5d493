"""Which method works with which algorithm: found by trying, written into docs/methods.md."""

import inspect
from collections.abc import Callable
from typing import Any

import gymnasium
from gymnasium import spaces
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.envs import FakeImageEnv

from rover_cl.remedies import METHODS
from rover_cl_agents import ContinualLearner
from rover_cl_agents.methods import METHODS as CLASSES


class _Blank(gymnasium.Env[Any, Any]):
    """Spaces, and nothing else."""

    def __init__(self, *, discrete: bool) -> None:
        self.observation_space = spaces.Box(-1, 1, (4,))
        self.action_space = spaces.Discrete(3) if discrete else spaces.Box(-1, 1, (2,))


def _on_vectors(algorithm: Callable[..., BaseAlgorithm], *, discrete: bool, **more: Any) -> Any:
    def build() -> BaseAlgorithm:
        net = {"net_arch": [8, 8]}  # a new one each time: Stable-Baselines3 writes into it
        return algorithm("MlpPolicy", _Blank(discrete=discrete), policy_kwargs=net, device="cpu", **more)

    return build


ALGORITHMS: dict[str, Callable[[], BaseAlgorithm]] = {
    "PPO, Box": _on_vectors(PPO, discrete=False, n_steps=8, batch_size=8),
    "PPO, Discrete": _on_vectors(PPO, discrete=True, n_steps=8, batch_size=8),
    "PPO, images": lambda: PPO(
        "CnnPolicy", FakeImageEnv(screen_height=36, screen_width=36), n_steps=8, batch_size=8, device="cpu"
    ),
    "A2C": _on_vectors(A2C, discrete=False),
    "SAC": _on_vectors(SAC, discrete=False, buffer_size=16),
    "TD3": _on_vectors(TD3, discrete=False, buffer_size=16),
    "DQN": _on_vectors(DQN, discrete=True, buffer_size=16),
}


def refusals() -> dict[str, dict[str, str]]:
    """Give for each remedy and algorithm why the pair is refused; an empty text where it works."""
    found: dict[str, dict[str, str]] = {}
    for name, (config, method) in CLASSES.items():
        found[name] = {}
        for algorithm, build in ALGORITHMS.items():
            try:
                ContinualLearner(build(), [method(config())])
                found[name][algorithm] = ""
            except ValueError as error:
                found[name][algorithm] = " ".join(str(error).split())
    return found


def source_of(name: str) -> str:
    """Give the papers that a remedy's docstring names."""
    text = inspect.getdoc(CLASSES[name][1]) or ""
    _, _, source = text.partition("Source:")
    return " ".join(source.split("\n\n")[0].split())


def tables() -> str:
    """Lay out both tables of the page: what each remedy does, and with which algorithms."""
    lines = ["| method | what it does | source | what it costs |", "|---|---|---|---|"]
    for name in CLASSES:
        entry = METHODS[name]
        told = " (told the task when examined)" if entry.told else ""
        lines.append(f"| `{name}` | {entry.description}{told} | {source_of(name)} | {entry.cost} |")
    lines += ["", "| method | " + " | ".join(ALGORITHMS) + " |", "|---|" + "---|" * len(ALGORITHMS)]
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
