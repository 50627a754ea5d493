"""Arrays that kernels find by an address or lay on their stack."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from rover_cl_envs.compiled import compiled
from rover_cl_envs.memory import array_at, prefetch, scratch

_five = scratch(5, np.float32)
_eight = scratch(8, np.int64)


@compiled
def _sums(out: NDArray[np.float64]) -> None:
    """Write the sums of two arrays on the stack, and of a second one like the first."""
    a, b, c = _five(), _five(), _eight()
    for k in range(5):
        a[k], b[k] = k + 0.5, 10.0 * k
    for k in range(8):
        c[k] = 1 << (8 * k - k)
    out[0], out[1], out[2], out[3], out[4] = a.sum(), b.sum(), c.sum(), a.shape[0], c.shape[0]


@compiled
def _corner(address: int, rows: int) -> float:
    """The last number of an array (rows, 3)."""
    return array_at(address, (rows, 3), np.float32)[rows - 1, 2]  # type: ignore[no-any-return]


@compiled
def _last(numbers: NDArray[np.float64]) -> float:
    """The last number of an array, all of which was asked for."""
    for k in range(len(numbers)):
        prefetch(numbers, np.uint64(k))
    return numbers[len(numbers) - 1]  # type: ignore[no-any-return]


def test_what_memory_was_asked_for_is_what_was_there() -> None:
    numbers = np.arange(1000.0)
    assert _last(numbers) == 999.0
    np.testing.assert_array_equal(numbers, np.arange(1000.0))
    anew: Any = numba.njit(getattr(_last, "py_func"))  # noqa: B009  # a cached one doesn't show its code
    assert anew(numbers) == 999.0 and "llvm.prefetch" in anew.inspect_llvm(anew.signatures[0])


def test_scratch_is_each_array_its_own() -> None:
    out = np.zeros(5)
    _sums(out)
    assert out.tolist() == [12.5, 100.0, sum(2.0 ** (7 * k) for k in range(8)), 5.0, 8.0]


def test_an_array_is_found_by_its_address() -> None:
    rows = np.arange(12, dtype=np.float32).reshape(4, 3)
    assert _corner(rows.ctypes.data, 4) == 11.0
    assert _corner(rows.ctypes.data, 2) == 5.0
