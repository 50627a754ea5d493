"""Can the tasks of a stream be solved? The planner, which knows the true map, drives every one of them.

    python benchmarks/solvable.py mars100 --out results/streams

prints the planner's success on each task and writes it, with the verdict, to `<stream>.json` and `.txt`;
exit code 1 if a task is solved less often than the bound. It proves nothing about a task on which it fails.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rover_cl.catalogue import find_stream
from rover_cl.drivers import plan
from rover_cl.evaluation import Examiner
from rover_cl.records import write_json
from rover_cl_envs.compiled import kernel_digest
from rover_cl_envs.mixtures import SOLVED
from rover_cl_envs.streams import Stream


def solved_shares(stream: Stream, episodes: int) -> NDArray[np.float64]:
    """Share of the episodes of each task that the planner ends with success, (T,)."""
    examiner = Examiner(stream.tasks, episodes=episodes, seed=0, world=stream.world)
    shares = examiner.examine(plan(examiner.env)).success.mean(axis=1)
    examiner.close()
    return np.asarray(shares)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("stream", nargs="?", default="mars100")
    parser.add_argument("--episodes", type=int, default=32, help="of each task")
    parser.add_argument("--bound", type=float, default=SOLVED)
    parser.add_argument("--out", type=Path, help="folder for the result")
    asked = parser.parse_args()
    stream = find_stream(asked.stream)
    shares = solved_shares(stream, asked.episodes)
    names = [task.name for task in stream.tasks]
    failed = [name for name, share in zip(names, shares, strict=True) if share < asked.bound]
    lines = [
        f"{stream.name}: success of the planner on unseen maps, {asked.episodes} episodes of each task",
        "",
    ]
    lines += [f"{name:<44}{share:6.2f}" for name, share in zip(names, shares, strict=True)]
    lines += [
        "",
        f"worst {shares.min():.2f}, mean {shares.mean():.2f}, below {asked.bound:.2f}: {len(failed)}",
        "",
        f"{stream.name}: {'FAIL' if failed else 'PASS'} (solvable)",
    ]
    print("\n".join(lines))
    if asked.out is not None:
        values = {
            "stream": stream.name,
            "tasks": names,
            "episodes": asked.episodes,
            "bound": asked.bound,
            "planner": shares.tolist(),
            "passed": not failed,
            "kernels": kernel_digest(),
        }
        asked.out.mkdir(parents=True, exist_ok=True)
        write_json(asked.out / f"{stream.name}.json", values)
        (asked.out / f"{stream.name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
