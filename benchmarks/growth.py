"""How methods that add a part for each task grow: wall time, parameters and memory over the number of tasks.

    python benchmarks/growth.py

writes growth.json and growth.png beside this file. Run it on an otherwise idle machine.
"""

import json
from dataclasses import asdict
from pathlib import Path

import matplotlib.pyplot as plt

from rover_cl.overhead import Overhead, overheads

HERE = Path(__file__).parent
METHODS = ("progressive", "lora", "packnet", "headbank")
TASKS = (0, 1, 2, 3, 5, 7)


def measure() -> list[Overhead]:
    """Time each method on its next task after so many others."""
    found = []
    for tasks in TASKS:
        found += overheads(METHODS, tasks=tasks, rollouts=2, tell=print)
    return found


def plot(found: list[Overhead], path: Path) -> None:
    """Draw wall time, parameters in the optimiser and memory held, a line for each method."""
    panels = {
        "wall time over finetuning": lambda o: o.ratio,
        "parameters learned [thousands]": lambda o: o.parameters / 1e3,
        "held beside the policy [MB]": lambda o: o.bytes / 1e6,
    }
    figure, axes = plt.subplots(1, 3, figsize=(13, 3.8), layout="constrained")
    for axis, (label, value) in zip(axes, panels.items(), strict=True):
        for method in METHODS:
            points = [o for o in found if o.method == method]
            axis.plot([o.tasks + 1 for o in points], [value(o) for o in points], marker="o", label=method)
        axis.set_xlabel("tasks, the one being learned included")
        axis.set_ylabel(label)
        axis.set_ylim(bottom=0)
    axes[0].legend()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    measured = measure()
    (HERE / "growth.json").write_text(json.dumps([asdict(o) for o in measured], indent=1) + "\n")
    plot(measured, HERE / "growth.png")
