"""The examples run as they stand, with fewer steps."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rover_cl.stream_file import read_stream
from rover_cl_envs.vector_env import MarsRoverVectorEnv

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.mark.parametrize("script", sorted(path.name for path in EXAMPLES.glob("*.py")))
def test_example_runs(script: str) -> None:
    command = [sys.executable, str(EXAMPLES / script), "--steps", "120"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.toml")))
def test_example_stream_can_be_driven(name: str) -> None:
    stream = read_stream(EXAMPLES / name)
    envs = MarsRoverVectorEnv(4, world=stream.world)
    for segment in stream.segments:
        envs.follow(segment.drift)
        envs.reset(seed=0)
        for _ in range(4):
            observations, *_ = envs.step(np.tile(np.array([1.0, 0.0], dtype=np.float32), (4, 1)))
            assert np.isfinite(observations).all()


def test_dust_devils_come_and_go() -> None:
    stream = read_stream(EXAMPLES / "dust-devils.toml")
    windy = stream.segments[1]
    rates = [windy.drift.at(step).devil_rate for step in range(0, windy.steps, windy.drift.period // 4)]
    assert rates == [0.0, 0.0, 3.0, 3.0] * (len(rates) // 4)
