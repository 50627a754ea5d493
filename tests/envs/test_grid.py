"""Which cell holds a point, and which word a cell."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rover_cl_envs.grid import CELL, SIDE, cell_number, layers_of, words_in_cell, words_of
from rover_cl_envs.terrain import terrain_bank

# Sixteenths of a cell, up to 200 km away: nearer to an edge, adding the origin rounds.
PLACES = st.integers(-12_800_000, 12_800_000).map(lambda sixteenths: sixteenths / 16 * CELL)


@given(PLACES, PLACES)
def test_a_cell_is_that_of_the_floor(x: float, y: float) -> None:
    column, row = (math.floor(v / CELL) % SIDE for v in (x, y))
    assert cell_number(x, y) == row * SIDE + column


def test_a_word_holds_a_cell() -> None:
    bank = terrain_bank(5, 3)
    words = words_of(bank.ground)
    assert words.shape == (3, SIDE * SIDE) and np.shares_memory(words, bank.ground)
    for y, x in np.random.default_rng(0).integers(0, SIDE, (50, 2)):
        assert layers_of(words[1, y * SIDE + x]) == tuple(bank.ground[1, y, x])
    formed = words_of(bank.forms)
    assert formed.shape == (3, 2 * SIDE * SIDE)
    assert layers_of(formed[2, 2 * 777]) + layers_of(formed[2, 2 * 777 + 1]) == tuple(bank.forms[2, 3, 9])
    assert [words_in_cell(map_words) for map_words in (words[0], formed[0])] == [1, 2]
