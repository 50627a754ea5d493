"""Your own environment, five lines: a pendulum whose gravity changes, learned with SAC and replay.

Run `python examples/pendulum.py`, or with `--method finetune` to see what is lost without.
"""

import argparse

import gymnasium as gym
import numpy as np
from stable_baselines3 import SAC

from rover_cl_agents import ContinualLearner, Replay

GRAVITIES = (10.0, 2.0)


def main(steps: int, method: str, seed: int) -> None:
    """Learn the gravities one after another, and say after each what is known of all."""
    envs = [gym.make("Pendulum-v1", g=gravity) for gravity in GRAVITIES]

    # The five lines.
    methods = [Replay()] if method == "replay" else []
    learner = ContinualLearner(SAC("MlpPolicy", envs[0], seed=seed, device="cpu"), methods)
    for env in envs:
        learner.learn_task(env, total_timesteps=steps)
        print([round(mean_return(learner, known)) for known in envs])


def mean_return(learner: ContinualLearner, env: gym.Env, episodes: int = 10) -> float:
    """Mean return of the deterministic policy."""
    total = 0.0
    for seed in range(episodes):
        observation, _ = env.reset(seed=1000 + seed)
        over = False
        while not over:
            action = learner.predict(np.asarray([observation]))[0]
            observation, reward, terminated, truncated, _ = env.step(action)
            total += float(reward)
            over = terminated or truncated
    return total / episodes


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=10_000, help="of each task")
    parser.add_argument("--method", choices=("replay", "finetune"), default="replay")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    main(arguments.steps, arguments.method, arguments.seed)
