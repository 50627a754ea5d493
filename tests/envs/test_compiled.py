from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from numpy.typing import NDArray

from rover_cl_envs import compiled as module
from rover_cl_envs.compiled import cache_folder, compiled, compiled_parallel

settings: Any = numba.config  # its fields are made at run time
folder_anew = cache_folder.__wrapped__  # the function behind its memory


def total(values: NDArray[np.float64]) -> float:
    result = 0.0
    for i in range(len(values)):
        result += values[i]
    return result


def shared_total(values: NDArray[np.float64]) -> float:
    result = 0.0
    for i in numba.prange(len(values)):
        result += values[i]
    return result


def divide(a: float, b: float) -> float:
    return a / b


def test_kernels_compute() -> None:
    values = np.arange(100.0)
    assert compiled(total)(values) == compiled_parallel(shared_total)(values) == 4950
    assert np.isinf(compiled(divide)(1.0, 0.0))


def test_folder_is_told_by_the_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "package"
    shutil.copytree(Path(module.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(module, "__file__", str(package / "compiled.py"))
    monkeypatch.setattr(module, "kernel_digest", module.kernel_digest.__wrapped__)
    monkeypatch.setattr(settings, "CACHE_DIR", str(tmp_path / "cache"))
    first = folder_anew()
    assert first.is_dir() and first.parent == tmp_path / "cache"
    assert first.name == cache_folder().name == folder_anew().name
    soil = package / "soil.py"
    soil.write_text(
        "# a remark\n" + soil.read_text(encoding="utf-8").replace('"""', '"""Really: ', 1), encoding="utf-8"
    )
    assert folder_anew() == first
    soil.write_text(soil.read_text(encoding="utf-8").replace("0.98", "0.97"), encoding="utf-8")
    assert folder_anew() != first
    changed = folder_anew()
    (package / "scene.py").write_text("# no kernel here\n", encoding="utf-8")
    assert folder_anew() == changed


def test_folder_falls_back_where_nothing_can_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "a file"
    blocked.write_text("", encoding="utf-8")
    monkeypatch.setattr(settings, "CACHE_DIR", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    assert folder_anew().parent == tmp_path / "home" / "rover_cl"
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    own = folder_anew()
    assert own.parent == tmp_path
    assert own.stat().st_mode & 0o077 == 0, "others could plant code that is unpickled"


def test_numbas_own_folder_is_left_as_it_was() -> None:
    before = settings.CACHE_DIR
    compiled(divide)
    assert before == settings.CACHE_DIR


DRIVE = """
import hashlib
import numpy as np
from rover_cl_envs.fuzz import random_actions, random_conditions
from rover_cl_envs.vector_env import MarsRoverVectorEnv

rng = np.random.default_rng(0)
envs = MarsRoverVectorEnv(32, systems=("power", "bodies"), num_maps=1, threads=1, autoreset_mode="SameStep")
told = hashlib.sha256(envs.reset(seed=0)[0].tobytes())
for step in range(60):
    if step % 20 == 0:
        envs.set_conditions([random_conditions(rng) for _ in range(32)])
    observations, rewards, *_ = envs.step(random_actions(rng, 32))
    told.update(observations.tobytes() + rewards.tobytes())
print(told.hexdigest())
"""


def test_a_plainer_processor_computes_the_same_bits(tmp_path: Path) -> None:
    plain = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "NUMBA_CACHE_DIR": str(tmp_path)}
    told = [
        subprocess.run([sys.executable, "-c", DRIVE], env=env, capture_output=True, text=True, check=True)
        for env in (dict(os.environ), os.environ | plain)
    ]
    assert len(told[0].stdout) == 65 and told[0].stdout == told[1].stdout
