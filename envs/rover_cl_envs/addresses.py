"""Where the arrays of a batch lie in memory, as one row of numbers, and how a kernel finds them by it.

A call from Python unpacks every array that it hands over, and thirty of them took ten times as long as a
rover takes to step. So a kernel is handed this one row; its functions find in it what each of them needs,
without passing thirty arrays on to one another.

The row holds bare addresses: whoever made it keeps the arrays alive, and makes it anew when one is replaced.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rover_cl_envs.bodies import BODIES
from rover_cl_envs.compiled import compiled_within
from rover_cl_envs.dynamics import CONDITIONS, DESCRIPTION, STATE
from rover_cl_envs.memory import array_at
from rover_cl_envs.mission import MISSION_ROW
from rover_cl_envs.objectives import PROGRESS
from rover_cl_envs.power import POWER_STATE
from rover_cl_envs.power_plant import PLANT
from rover_cl_envs.ring import RING_POINTS
from rover_cl_envs.rows import COUNTERS, Rovers, Setting
from rover_cl_envs.sensors import BLOCKS
from rover_cl_envs.soil import COEFFICIENTS
from rover_cl_envs.sun import DEPTHS, ZENITHS

Addresses = NDArray[np.int64]
"""(SIZE,), columns below."""

COUNT, CONDITION_COUNT, BROKEN_BYTES, MAPS, MAP_WORDS, FLEET, MISSIONS, LIMIT, MODE, CUES, PIXELS = range(11)
"""Sizes and settings: rovers, rows of conditions, bytes of a row of broken crust, maps, words of one,
vehicles, missions; steps of an episode, what is done at its end, cues, pictures."""
STATES, COUNTS, GENERATORS, CONDITION_ROWS, SOIL, BROKEN, BROKE, PROGRESSES, POWER_ROWS, BODY_ROWS = range(
    11, 21
)
"""Addresses of the arrays of `Rovers`, in its order."""
WORDS, ROVERS, WHEELS, SOILS, PLANTS, MISSION_ROWS, RING, NET_FLUX, BLOCK_STARTS = range(21, 30)
"""Addresses of the arrays of `Setting`."""
SIZE = 30

_BLOCKS = len(BLOCKS)
_NUMBERS = ("limit", "mode", "cues", "pixels")


def addresses(rovers: Rovers, setting: Setting) -> Addresses:
    """The row (SIZE,) of these arrays.

    Raises:
        ValueError: an array that is not contiguous.
    """
    arrays = [*rovers, *(field for name, field in setting._asdict().items() if name not in _NUMBERS)]
    for array in arrays:
        if not array.flags.c_contiguous:
            raise ValueError(f"an array {array.shape} of a batch is not contiguous; hand over a copy of it")
    sizes = [
        len(rovers.state),
        len(rovers.conditions),
        rovers.broken.shape[1],
        *setting.words.shape,
        len(setting.rovers),
        len(setting.missions),
        setting.limit,
        setting.mode,
        setting.cues,
        setting.pixels,
    ]
    return np.array([*sizes, *(array.ctypes.data for array in arrays)], dtype=np.int64)


@compiled_within
def rovers_at(a: Addresses) -> Rovers:
    """The arrays of `Rovers` that a row `a` (SIZE,) tells of."""
    n = a[COUNT]
    return Rovers(
        state=array_at(a[STATES], (n, STATE), np.float32),
        counters=array_at(a[COUNTS], (n, COUNTERS), np.int32),
        generators=array_at(a[GENERATORS], (n, 2), np.uint64),
        conditions=array_at(a[CONDITION_ROWS], (a[CONDITION_COUNT], CONDITIONS), np.float32),
        soil=array_at(a[SOIL], (n, 2, COEFFICIENTS), np.float64),
        broken=array_at(a[BROKEN], (n, a[BROKEN_BYTES]), np.uint8),
        broke=array_at(a[BROKE], (n,), np.uint8),
        progress=array_at(a[PROGRESSES], (n, PROGRESS), np.float32),
        power=array_at(a[POWER_ROWS], (n, POWER_STATE), np.float32),
        bodies=array_at(a[BODY_ROWS], (n, BODIES), np.float32),
    )


@compiled_within
def setting_at(a: Addresses) -> Setting:
    """The arrays and numbers of `Setting` that a row `a` (SIZE,) tells of."""
    fleet = a[FLEET]
    return Setting(
        words=array_at(a[WORDS], (a[MAPS], a[MAP_WORDS]), np.int64),
        rovers=array_at(a[ROVERS], (fleet, DESCRIPTION), np.float32),
        wheels=array_at(a[WHEELS], (fleet, 6, 2), np.float32),
        soils=array_at(a[SOILS], (fleet, 4, COEFFICIENTS), np.float64),
        plants=array_at(a[PLANTS], (fleet, PLANT), np.float32),
        missions=array_at(a[MISSION_ROWS], (a[MISSIONS], MISSION_ROW), np.float32),
        ring=array_at(a[RING], (2, RING_POINTS), np.float32),
        limit=a[LIMIT],
        mode=a[MODE],
        cues=a[CUES] != 0,
        pixels=a[PIXELS] != 0,
        net_flux=array_at(a[NET_FLUX], (len(DEPTHS), len(ZENITHS)), np.float64),
        blocks=array_at(a[BLOCK_STARTS], (_BLOCKS,), np.int64),
    )
