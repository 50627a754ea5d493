"""A picture for convolutional policies: the ground around the rover from above, ahead is up.

`World.observation="pixels"` gives `Box(0, 255, (3, 64, 64), uint8)` in place of the vector: channels first,
the smallest axis, so that Stable-Baselines3 takes it for a picture of channels first, transposes nothing
and stacks frames along the channels. A pixel is 0.2 m wide and shows the cell that its middle lies in. The
rover's middle is the corner that rows 47 and 48, columns 31 and 32 share: it sees 9.6 m ahead, 3.2 m back
and 6.4 m to each side.

| channel | what | value |
|---|---|---|
| 0 | albedo, as in the terrain ring, crust included; the soil of a cell is nowhere told | 128 + 80 a unit |
| 1 | height above the ground under the rover's middle, with slope, landforms and rocks | 128 + 128 a metre |
| 2 | marks on black: targets, bodies, and the instruments at the lower edge | below |

The ground is seen as the ring sees it, and errs as the ring does:

| condition | what it does to channels 0 and 1 |
|---|---|
| `optical_depth` above 2 | they fade to 128 with the distance from the rover's middle |
| `height_bias` | is added to all heights |
| `height_noise` | is drawn at every look, for each block of 4 x 4 pixels |
| `dark_bearings` | 128 in a sector of 45 degrees around each dark bearing of the ring |
| a dust devil around the rover | 128 everywhere |

Blocks are 0.8 m wide, and points of the ring about as far apart. The noise comes from a branch of the rover's
generator, so that nothing else changes with what is observed.

Target A is a full square of 5 x 5 pixels, B its rim; the pixel in the middle lies in the target's place. A
target out of sight stands at the edge, on the straight line to it. With cues, the rewarded target is 255
bright and the other one 96; without, both are 192. Where bearings err, the mark stands in the target's true
distance, at the very bearing that the vector of that step tells.

A dust devil is a ring of its own radius, one pixel wide and 144 bright; the Martian a full diamond, 1.2 m
wide and 224 bright. Targets cover them. They are shown where they lie within the picture, above the
instruments, and fade to black in dust as the ground does.

The instruments are the numbers that the vector has behind its targets and beside its ring, 8 to 31 and the
systems' blocks: each a square of 4 x 4 pixels, 128 + 100 times the number, from the left, 16 in a row, the
first row lowest. They cover marks but not the ground, which has its own channels. All values are rounded
and clipped to 0..255.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rover_cl_envs.bodies import BLIND
from rover_cl_envs.camera_ground import hide_ground, hide_sectors, show_ground
from rover_cl_envs.camera_marks import mark_bodies, mark_targets
from rover_cl_envs.compiled import Row, Words, compiled
from rover_cl_envs.frame import MARKS, MIDDLE, PIXELS, Picture, byte
from rover_cl_envs.landforms import Broken
from rover_cl_envs.ring import RING
from rover_cl_envs.rows import Rows
from rover_cl_envs.sensors import SIZE

DIAL_GAIN = 100.0
DIAL = 4  # rows and columns of an instrument
DIALS_IN_ROW = PIXELS // DIAL
FIRST_DIAL = 8  # first number of the vector that is an instrument


@compiled
def _show_dials(vector: Row, dials: int, picture: Picture) -> None:
    """Draw so many instruments."""
    for k in range(dials):
        number = vector[FIRST_DIAL + k] if k < RING - FIRST_DIAL else vector[SIZE + k - RING + FIRST_DIAL]
        row, column = PIXELS - DIAL * (k // DIALS_IN_ROW + 1), DIAL * (k % DIALS_IN_ROW)
        picture[MARKS, row : row + DIAL, column : column + DIAL] = byte(MIDDLE + DIAL_GAIN * number)


@compiled
def photograph(
    s: Row,
    c: Row,
    vector: Row,
    words: Words,
    broken: Broken,
    bodies: Rows,
    cues: bool,
    generator: NDArray[np.uint64],
    picture: Picture,
) -> None:
    """Take the picture (3, 64, 64) of the rover in state `s` under conditions `c`.

    Args:
        s: state, columns in dynamics.py.
        c: conditions, likewise.
        vector: the observation (80,) and the systems' blocks, just written; its numbers are the instruments.
        words: the map.
        broken: crust that the rover has broken.
        bodies: (1, 34) columns in bodies.py; (0, 34) where that system is off.
        cues: whether the marks tell which target is rewarded.
        generator: the rover's; stays as it is.
        picture: is written.
    """
    if bodies.shape[0] > 0 and bodies[0, BLIND] == 1.0:
        hide_ground(picture)
    else:
        show_ground(s, c, words, broken, generator, picture)
        hide_sectors(c, picture)
    picture[MARKS] = 0
    dials = RING - FIRST_DIAL + vector.shape[0] - SIZE
    lowest = PIXELS - DIAL * ((dials + DIALS_IN_ROW - 1) // DIALS_IN_ROW)
    mark_bodies(s, c, bodies, lowest, picture)
    mark_targets(s, c, vector, cues, lowest, picture)
    _show_dials(vector, dials, picture)
