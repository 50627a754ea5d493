"""The marks of a picture: targets and bodies, each where the rover is told that it is."""

from __future__ import annotations

import math

from rover_cl_envs.air import HAZE, seen
from rover_cl_envs.bodies import DEVIL, EAST, KIND, NORTH, RADIUS, SLOT, SLOTS, off
from rover_cl_envs.compiled import Row, compiled
from rover_cl_envs.dynamics import OPTICAL_DEPTH, REWARDED, TARGET_AX, YAW, X, Y
from rover_cl_envs.frame import AHEAD_ROWS, MARKS, METRES, PIXELS, Picture, byte
from rover_cl_envs.instruments import bearings_err
from rover_cl_envs.rows import Rows

REACH = 2  # pixels of a target's mark on each side of its middle
TOLD, OTHER, UNTOLD = 255, 96, 192  # brightness of the rewarded target, the other one, and both without cues
WHIRL, VISITOR = 144.0, 224.0  # brightness of a dust devil and of the Martian in clear air


@compiled
def _way(s: Row, c: Row, vector: Row, target: int) -> tuple[float, float]:
    """How many pixels target 0 (A) or 1 (B) lies ahead and to the right, if the vector's bearing is right."""
    dx, dy = s[TARGET_AX + 2 * target] - s[X], s[TARGET_AX + 2 * target + 1] - s[Y]
    if bearings_err(c):
        distance, at = math.sqrt(dx * dx + dy * dy), 4 * target
        return distance * vector[at + 1] / METRES, -distance * vector[at + 2] / METRES
    cos, sin = math.cos(s[YAW]), math.sin(s[YAW])
    return (cos * dx + sin * dy) / METRES, (sin * dx - cos * dy) / METRES


@compiled
def _mark(target: int, up: float, right: float, value: int, lowest: int, picture: Picture) -> None:
    """Draw a target with its middle above row `lowest`, at the edge where it is out of sight."""
    # Pixels that a whole mark may be away from the rover: upward, downward, to either side.
    # Four rows of instruments reach up to the rover itself: what lies behind is then marked just above them.
    above, below = AHEAD_ROWS - REACH - 0.5, max(lowest - AHEAD_ROWS - REACH - 0.5, 0.5)
    beside = PIXELS / 2 - REACH - 0.5
    far = max(max(up / above, -up / below), max(abs(right) / beside, 1.0))
    row = min(int(AHEAD_ROWS - up / far), lowest - REACH - 1)
    column = int(PIXELS / 2 + right / far)
    for i in range(-REACH, REACH + 1):
        for j in range(-REACH, REACH + 1):
            if target == 0 or abs(i) == REACH or abs(j) == REACH:
                picture[MARKS, row + i, column + j] = value


@compiled
def mark_targets(s: Row, c: Row, vector: Row, cues: bool, lowest: int, picture: Picture) -> None:
    """Draw both targets above row `lowest`; cues tell which is rewarded."""
    for target in range(2):
        value = TOLD if int(s[REWARDED]) == target else OTHER
        up, right = _way(s, c, vector, target)
        _mark(target, up, right, value if cues else UNTOLD, lowest, picture)


@compiled
def _draw(
    devil: bool, up: float, right: float, radius: float, depth: float, lowest: int, picture: Picture
) -> None:
    """Draw a body that is so many pixels ahead and to the right, as far as it lies above row `lowest`."""
    top, side = AHEAD_ROWS - up, PIXELS / 2 + right
    reach = radius + 0.5
    rows = int(max(top - reach, 0.0)), min(int(max(top + reach, -1.0)) + 1, lowest)
    columns = int(max(side - reach, 0.0)), min(int(max(side + reach, -1.0)) + 1, PIXELS)
    for row in range(rows[0], rows[1]):
        for column in range(columns[0], columns[1]):
            i, j = row + 0.5 - top, column + 0.5 - side
            if (abs(math.sqrt(i * i + j * j) - radius) if devil else abs(i) + abs(j) - radius) > 0.5:
                continue
            value = WHIRL if devil else VISITOR
            if depth > HAZE:
                i, j = row + 0.5 - AHEAD_ROWS, column + 0.5 - PIXELS / 2
                value *= seen(METRES * math.sqrt(i * i + j * j), depth)
            if byte(value) > 0:
                picture[MARKS, row, column] = byte(value)


@compiled
def mark_bodies(s: Row, c: Row, bodies: Rows, lowest: int, picture: Picture) -> None:
    """Draw the bodies that lie within the picture above row `lowest`, and fade them as the ground.

    Args:
        s: state.
        c: conditions.
        bodies: (1, 34) columns in bodies.py; (0, 34) where that system is off.
        lowest: row of the picture.
        picture: is written.
    """
    cos, sin = math.cos(s[YAW]), math.sin(s[YAW])
    for b in bodies:
        for k in range(SLOTS):
            at = SLOT * k
            if b[at + KIND] == 0.0:
                continue
            dx, dy = off(b[at + EAST] - s[X]), off(b[at + NORTH] - s[Y])
            up, right = (cos * dx + sin * dy) / METRES, (sin * dx - cos * dy) / METRES
            devil, radius = b[at + KIND] == DEVIL, b[at + RADIUS] / METRES
            _draw(devil, up, right, radius, c[OPTICAL_DEPTH], lowest, picture)
