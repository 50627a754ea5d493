"""Which cell holds a point, and which word a cell."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rover_cl_envs.grid import (
    CELL,
    SIDE,
    TILE,
    cell_number,
    column_part,
    in_tiles,
    layers_of,
    row_part,
    words_in_cell,
    words_of,
)
from rover_cl_envs.terrain import terrain_bank

# Sixteenths of a cell, up to 200 km away: nearer to an edge, adding the origin rounds.
PLACES = st.integers(-12_800_000, 12_800_000).map(lambda sixteenths: sixteenths / 16 * CELL)


@given(PLACES, PLACES)
def test_a_cell_is_that_of_the_floor(x: float, y: float) -> None:
    column, row = (math.floor(v / CELL) for v in (x, y))
    assert cell_number(x, y) == column_part(column % SIDE) + row_part(row % SIDE)
    assert (column_part(column), row_part(row)) == (column_part(column % SIDE), row_part(row % SIDE))


def test_cells_are_numbered_tile_by_tile() -> None:
    rows, columns = np.mgrid[:SIDE, :SIDE]
    numbers = np.array([[column_part(x) + row_part(y) for x in range(SIDE)] for y in range(SIDE)])
    assert sorted(numbers.ravel()) == list(range(SIDE * SIDE))
    place = in_tiles(np.stack([rows, columns], axis=-1)[None])[0]
    np.testing.assert_array_equal(place[numbers], np.stack([rows, columns], axis=-1))
    tile = place[: TILE * TILE]
    assert tile.max() == TILE - 1
    assert (numbers[3, 17], numbers[17, 3]) == (256 + 3 * 16 + 1, 16 * 256 + 16 + 3)


def test_a_word_holds_a_cell() -> None:
    bank = terrain_bank(5, 3)
    words, formed = words_of(bank.ground), words_of(bank.ground, bank.forms)
    assert words.shape == (3, SIDE * SIDE) and formed.shape == (3, 2 * SIDE * SIDE)
    for y, x in np.random.default_rng(0).integers(0, SIDE, (50, 2)):
        at = column_part(x) + row_part(y)
        assert layers_of(words[1, at]) == layers_of(formed[1, 2 * at]) == tuple(bank.ground[1, y, x])
        assert layers_of(formed[1, 2 * at + 1]) == tuple(bank.forms[1, y, x])
    assert [words_in_cell(map_words) for map_words in (words[0], formed[0])] == [1, 2]
