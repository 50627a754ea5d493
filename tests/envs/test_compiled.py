from __future__ import annotations

import shutil
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
