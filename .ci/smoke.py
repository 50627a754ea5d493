"""Run from a foreign folder: the installed wheel is used, typed, and makes its environments.

Usage: python smoke.py REPOSITORY
"""

import sys
from importlib.util import find_spec
from pathlib import Path

import gymnasium as gym

import rover_cl  # noqa: F401  (its import registers the environments)

PACKAGES = ("rover_cl", "rover_cl_envs", "rover_cl_agents")


def main(repository: Path) -> None:
    """Check where each package lies, and take one step in every environment."""
    for name in PACKAGES:
        spec = find_spec(name)
        assert spec is not None and spec.origin is not None, f"{name} is not installed"
        folder = Path(spec.origin).parent
        assert repository not in folder.parents, f"{name} comes from the checkout: {folder}"
        assert (folder / "py.typed").exists(), f"{name} has no py.typed"
    ids = sorted(name for name in gym.registry if name.startswith("RoverCL/"))
    assert ids, "importing rover_cl registered no environment"
    for name in ids:
        env = gym.make(name)
        env.reset(seed=0)
        env.step(env.action_space.sample())
        env.close()
    envs = gym.make_vec("RoverCL/MarsRover-v0", num_envs=4)
    envs.reset(seed=0)
    envs.step(envs.action_space.sample())
    envs.close()
    print(f"wheel: {', '.join(PACKAGES)} typed; {', '.join(ids)} step")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
