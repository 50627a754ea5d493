"""Which cell holds a point."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from rover_cl_envs.grid import CELL, SIDE, cell_index, cell_number

# Sixteenths of a cell, up to 200 km away: nearer to an edge, adding the origin rounds.
PLACES = st.integers(-12_800_000, 12_800_000).map(lambda sixteenths: sixteenths / 16 * CELL)


@given(PLACES, PLACES)
def test_a_cell_is_that_of_the_floor(x: float, y: float) -> None:
    column, row = (math.floor(v / CELL) % SIDE for v in (x, y))
    assert (cell_index(x), cell_index(y)) == (column, row)
    assert cell_number(x, y) == row * SIDE + column
