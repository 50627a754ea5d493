"""`@compiled`: Numba's njit with a cache that can't go stale.

Numba stores a compiled function under the time stamp of its own file, and doesn't notice that a constant
or a function it took from another file has changed. Here the cache lies in a folder named after the content
of all kernel sources, so that a second process starts at once and an edit anywhere compiles anew.
"""

from __future__ import annotations

import ast
import hashlib
import os
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

_settings: Any = numba.config  # its fields are made at run time
_njit: Any = numba.njit  # its types know no private option

Function = TypeVar("Function", bound=Callable[..., Any])
Row = NDArray[np.float32]
"""Numbers of one rover: state, conditions, mission, observation."""
Layers = NDArray[np.int16]
"""One map, (256, 256, layers), or several."""
Words = NDArray[np.int64]
"""One map, (256 * 256 * k,), or several: the cells tile by tile (grid.py), four layers in a word."""
Cell = Layers | tuple[np.int16, ...]
"""Four layers of one cell, (4,)."""
Bits = NDArray[np.uint8]
"""The cells of a map that a rover has changed, a bit each."""
Coefficients = NDArray[np.float64]
"""Numbers of soils."""


@cache
def kernel_digest() -> str:
    """Digest of the code of all kernels' modules, 64 hexadecimal digits: equal digests step alike.

    Comments, docstrings and layout don't count.
    """
    sources = [path.read_text(encoding="utf-8") for path in sorted(Path(__file__).parent.glob("*.py"))]
    code = "\n".join(_code(source) for source in sources if "@compiled" in source)
    return hashlib.sha256(code.encode()).hexdigest()


def _code(source: str) -> str:
    """A module's code in one layout, without its comments and without the strings that stand alone."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(body := getattr(node, "body", None), list):
            node.body = [part for part in body if not _is_remark(part)]  # type: ignore[attr-defined]
    return ast.unparse(tree)


def _is_remark(node: ast.stmt) -> bool:
    value = node.value if isinstance(node, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


@cache
def cache_folder() -> Path:
    """Where the compiled kernels of these very sources are kept.

    Under `NUMBA_CACHE_DIR` if that is set, else under the user's cache folder; where neither can be written,
    in a temporary folder of this process's own.
    """
    name = f"kernels-{kernel_digest()[:16]}"
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    for base in filter(None, (_settings.CACHE_DIR, home / "rover_cl")):
        folder = Path(base) / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return folder
    # Nobody else's: compiled kernels are unpickled, so a shared folder would let others plant code.
    return Path(tempfile.mkdtemp(prefix="rover_cl-"))


def compiled(function: Function) -> Function:
    """Compile a kernel for one thread."""
    return _compile(function, parallel=False)


def compiled_within(function: Function) -> Function:
    """Compile a part of a kernel into whatever calls it.

    A loop over arrays that the caller laid on its stack becomes vector code only where the compiler sees that
    they are its own; behind a call it doesn't.
    """
    return _compile(function, parallel=False, inline="always")


def compiled_parallel(function: Function) -> Function:
    """Compile a kernel whose `prange` loops are shared out among Numba's threads."""
    return _compile(function, parallel=True)


def _compile(function: Function, *, parallel: bool, inline: str = "never") -> Function:
    # The folder is Numba's only while this function is decorated: others keep theirs.
    before, _settings.CACHE_DIR = _settings.CACHE_DIR, str(cache_folder())
    try:
        # The numpy error model leaves out Python's test for a zero divisor, and with it every way to raise.
        # Kernels allocate nothing, so that Numba's reference counts are left out of the serial ones: counting
        # every row that is looked at took two fifths of a step. The loop of a parallel one needs them.
        options = {"cache": True, "parallel": parallel, "inline": inline, "error_model": "numpy"}
        kernel = _njit(**options, _nrt=parallel)(function)
    finally:
        _settings.CACHE_DIR = before
    return cast(Function, kernel)
