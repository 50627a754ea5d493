"""Ten million steps in random worlds under random commands: does the simulator keep its promises?

    python benchmarks/fuzz.py --steps 10000000 --observation vector

prints what broke, with the conditions of one case each; exit code 1 if anything did.
"""

import argparse
import sys

from rover_cl_envs.fuzz import fuzz
from rover_cl_envs.mission import OUTCOMES
from rover_cl_envs.world import World


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=10_000_000)
    parser.add_argument("--rovers", type=int, default=1024)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rover", default="mer")
    parser.add_argument("--systems", default="", help="separated by commas")
    parser.add_argument("--observation", default="vector")
    parser.add_argument("--threads", type=int, default=None, help="all, unless told")
    asked = parser.parse_args()
    systems = tuple(name for name in asked.systems.split(",") if name)
    world = World(rover=asked.rover, systems=systems, observation=asked.observation)
    finding = fuzz(asked.steps, seed=asked.seed, count=asked.rovers, world=world, threads=asked.threads)
    shares = {OUTCOMES[k]: f"{n / finding.steps:.2%}" for k, n in sorted(finding.outcomes.items())}
    print(f"{finding.steps} steps:", *(f"{name} {share}" for name, share in shares.items()))
    for name, times in finding.violations.items():
        print(f"broken: {name}, {times} times, as under {finding.examples[name]}")
    print("no promise was broken" if not finding.violations else "BROKEN")
    return 1 if finding.violations else 0


if __name__ == "__main__":
    sys.exit(main())
