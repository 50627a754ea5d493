"""One counter-based random generator per rover, so that nobody's numbers depend on the neighbours.

A draw is a pure function of the rover's key and of how many draws it made before: SplitMix64's output
mix (Steele, Lea and Flood 2014) of key + counter x golden ratio. Batch size, thread count and the order
in which threads run therefore can't change a trajectory.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from rover_cl_envs.compiled import compiled

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S11, _ONE = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11), np.uint64(1)
_TO_UNIT = 1.0 / 9007199254740992.0  # 2^-53
_EVEN_BYTES, _ADD_UP = np.uint64(0x00FF00FF00FF00FF), np.uint64(0x0001000100010001)
_S8, _S48 = np.uint64(8), np.uint64(48)
_PER_DEVIATION = 1.0 / math.sqrt(8 * (256**2 - 1) / 12)
_MEAN_SUM = 8 * 127.5 * _PER_DEVIATION

KEY, COUNTER = 0, 1
"""Columns of a generator row (2,) of uint64."""


@compiled
def _mixed(z: np.uint64) -> np.uint64:
    """SplitMix64's finaliser."""
    z = (z ^ (z >> _S30)) * _MIX_1
    z = (z ^ (z >> _S27)) * _MIX_2
    return z ^ (z >> _S31)


@compiled
def uniform(generator: NDArray[np.uint64]) -> float:
    """Next number of a generator row (2,), uniform on [0, 1)."""
    generator[COUNTER] += _ONE
    return uniform_at(generator[KEY], generator[COUNTER])


@compiled
def uniform_at(key: np.uint64, counter: np.uint64) -> float:
    """The number that `uniform` gives a generator of that key as its draw number `counter`, from 1.

    Draws in a loop that does not go through the generator are made several at a time.
    """
    return (_mixed(key + counter * _GOLDEN) >> _S11) * _TO_UNIT


@compiled
def normal(generator: NDArray[np.uint64]) -> float:
    """Next number of a generator row (2,), nearly standard normal: the sum of eight bytes of one draw.

    By the central limit theorem; mean and deviation are exact. It comes in steps of 0.0048, never leaves
    +-4.88, and has a kurtosis of 2.85 where a normal number has 3. An exact one costs eight times as much.
    """
    generator[COUNTER] += _ONE
    return normal_at(generator[KEY], generator[COUNTER])


@compiled
def normal_at(key: np.uint64, counter: np.uint64) -> float:
    """The normal number that `normal` gives a generator of that key as its draw number `counter`, from 1."""
    z = _mixed(key + counter * _GOLDEN)
    pairs = (z & _EVEN_BYTES) + ((z >> _S8) & _EVEN_BYTES)
    return ((pairs * _ADD_UP) >> _S48) * _PER_DEVIATION - _MEAN_SUM


@compiled
def _write_keys(first: np.uint64, generators: NDArray[np.uint64]) -> None:
    """Key row i with the mix of first + i, and set its counter to 0."""
    for i in range(len(generators)):
        generators[i, KEY] = _mixed((first + np.uint64(i)) * _GOLDEN)
        generators[i, COUNTER] = np.uint64(0)


@compiled
def branch_key(generator: NDArray[np.uint64]) -> np.uint64:
    """Key of a generator that branches off a row (2,), which stays as it is: its draws shift nobody's.

    Another one after each draw of the row; made of a draw, as SplitMix64 splits.
    """
    return _mixed(~_mixed(generator[KEY] + generator[COUNTER] * _GOLDEN))


def seeded(seed: int, count: int) -> NDArray[np.uint64]:
    """Generators (count, 2) of the rovers seed, seed + 1, ...; row i is that of a lone rover of seed + i."""
    generators = np.empty((count, 2), dtype=np.uint64)
    _write_keys(np.uint64(seed % 2**64), generators)
    return generators
