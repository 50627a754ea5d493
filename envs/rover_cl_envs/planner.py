"""A driver that knows the true map: the ceiling for those who have to learn it.

Each rover follows the cheapest way of route.py by pure pursuit (Coulter 1992): it aims at the point of its
way a fixed distance ahead. The command that leads there is found by forecasting some with the true
dynamics, as in the dynamic window approach (Fox, Burgard and Thrun 1997), so that worn wheels and a biased
steering are allowed for. A rover that has left its way, or has a new task, gets a new one. How a mission ends
that asks for more than arriving is autopilot.py's.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from rover_cl_envs import dynamics as d
from rover_cl_envs.autopilot import finish
from rover_cl_envs.batch import Batch
from rover_cl_envs.compiled import Coefficients, Row, compiled
from rover_cl_envs.driving import advance, alight, board
from rover_cl_envs.lanes import body_lanes, side_lanes
from rover_cl_envs.mission import KIND, NAVIGATE, REACH, SAMPLE, STUCK_STEPS, distance_to
from rover_cl_envs.route import Points, Router
from rover_cl_envs.rows import MAP, MISSION, RESTART, VEHICLE, Rovers, Setting, broken_by, conditions_of
from rover_cl_envs.settling import settle

Rows = NDArray[np.float32]
LOOKAHEAD = 6  # points of a way from the nearest one to the one aimed at: about 1.5 m
ASTRAY = 1.0  # distance from its way at which a rover gets a new one [m]
MOST = 400  # points of a way
AHEAD = 24  # points searched for the nearest one
HELD = 3  # steps for which a command is forecast
SPEEDS = (1.0, 0.7, 0.4, 0.0, -0.4)  # commands forecast: drive, in the rover's direction of travel, ...
STEERS = 15  # ... and as many steers, from full right to full left
TURN_WEIGHT = 0.8  # [m/rad] what an error of heading counts, beside a distance
SLIP_WEIGHT = 1.0  # [m] what slip counts above ...
SLIP_FREE = 0.4  # ... this
HALT_WEIGHT = 0.4  # [m] what a turn on the spot counts
BACK_WEIGHT = 1.5  # [m] what driving against the direction of travel counts
ENDED = 100.0  # [m] what a forecast end counts
STRAIGHT = 0.2  # turn in a forecast that still counts as holding the course [rad]
FORWARD_BONUS = 1.25  # how much further than backward a rover counts as coming forward, where cameras look


@compiled
def _wrapped(angle: float) -> float:
    """The same angle between -pi and pi."""
    return math.atan2(math.sin(angle), math.cos(angle))


@compiled
def _forecast(
    i: int, command: float, steer: float, rovers: Rovers, setting: Setting, s: Row, soil: Coefficients
) -> float:
    """Drive rover i's copy `s` for some steps on its map.

    Returns:
        -1 where it reaches its target, 1 where its drive ends otherwise, else 0.
    """
    for k in range(s.shape[0]):  # a slice would be copied by way of memory that kernels don't allocate
        s[k] = rovers.state[i, k]
    for side in range(2):
        for k in range(soil.shape[1]):
            soil[side, k] = rovers.soil[i, side, k]
    m, c, v = rovers.counters[i, MAP], conditions_of(i, rovers), rovers.counters[i, VEHICLE]
    words, broken = setting.words[m], broken_by(i, rovers)
    rover, wheels = setting.rovers[v], setting.wheels[v]
    mission = setting.missions[rovers.counters[i, MISSION]]
    reach, shuns = mission[REACH], mission[KIND] == NAVIGATE or mission[KIND] == SAMPLE
    s[d.DRIVE], s[d.STEER] = command, steer
    body, sides = body_lanes(), side_lanes()
    for _ in range(HELD):
        board(0, 1, s, c, c[d.MOTOR], rover, wheels, soil, body, sides)
        advance(1, body, sides)
        alight(0, 1, s, body, sides)
        tallest = settle(
            s, (body.cos[0], body.sin[0]), c, rover, wheels, words, broken, setting.soils[v], soil
        )
        if distance_to(s, s[d.REWARDED]) < reach:
            return -1.0
        tilt = s[d.PITCH] * s[d.PITCH] + s[d.ROLL] * s[d.ROLL]
        ended = tallest > rover[d.OBSTACLE] or tilt > rover[d.TIP_GRADE] * rover[d.TIP_GRADE]
        ended = ended or (shuns and distance_to(s, 1.0 - s[d.REWARDED]) < reach)
        if ended or s[d.STUCK] >= STUCK_STEPS:
            return 1.0
    return 0.0


@compiled
def _direction(i: int, rovers: Rovers, setting: Setting, s: Row, soil: Coefficients) -> float:
    """1 forward or -1 backward: where rover i comes further in a straight line."""
    best, chosen = 0.0, 1.0
    here = rovers.state[i]
    for way in (1.0, -1.0):
        for speed in SPEEDS[:3]:
            for k in range(STEERS):
                _forecast(i, way * speed, 2.0 * k / (STEERS - 1) - 1.0, rovers, setting, s, soil)
                if abs(_wrapped(s[d.YAW] - here[d.YAW])) > STRAIGHT:
                    continue
                covered = math.hypot(s[d.X] - here[d.X], s[d.Y] - here[d.Y])
                covered *= FORWARD_BONUS if way > 0.0 else 1.0
                if covered > best:
                    best, chosen = covered, way
    return chosen


@compiled
def _locate(state: Rows, ways: Rows, lengths: NDArray[np.int64], at: NDArray[np.int64], lost: Rows) -> None:
    """Move each rover's place on its way (n,) on to the nearest point ahead; `lost` (n,): its distance."""
    for i in range(len(at)):
        best, place = 1e9, at[i]
        for k in range(at[i], min(at[i] + AHEAD, lengths[i])):
            off = math.hypot(ways[i, k, 0] - state[i, d.X], ways[i, k, 1] - state[i, d.Y])
            if off < best:
                best, place = off, k
        at[i], lost[i] = place, best


@compiled
def _choose(
    i: int,
    way: float,
    x: float,
    y: float,
    rovers: Rovers,
    setting: Setting,
    s: Row,
    soil: Coefficients,
    out: Row,
) -> None:
    """Write the command (2,) that brings rover i nearest to x, y; `way` is its direction of travel."""
    best = 1e9
    for speed in SPEEDS:
        for k in range(STEERS):
            steer = 2.0 * k / (STEERS - 1) - 1.0
            if speed == 0.0 and abs(steer) < 0.01:
                continue  # who stands still once would for ever
            end = _forecast(i, way * speed, steer, rovers, setting, s, soil)
            dx, dy = x - s[d.X], y - s[d.Y]
            heading = s[d.YAW] if way > 0.0 else s[d.YAW] + math.pi
            error = abs(_wrapped(math.atan2(dy, dx) - heading))
            slip = max(0.5 * (s[d.SLIP_L] + s[d.SLIP_R]) - SLIP_FREE, 0.0)
            value = math.hypot(dx, dy) + TURN_WEIGHT * error + SLIP_WEIGHT * slip + ENDED * end
            value += HALT_WEIGHT if speed == 0.0 else (BACK_WEIGHT if speed < 0.0 else 0.0)
            if value < best:
                best = value
                out[0], out[1] = way * speed, steer


@compiled
def _command(
    rovers: Rovers,
    setting: Setting,
    ways: Rows,
    lengths: NDArray[np.int64],
    at: NDArray[np.int64],
    directions: Rows,
    s: Row,
    soil: Coefficients,
    out: Rows,
) -> None:
    """Write every rover's command (n, 2)."""
    for i in range(len(at)):
        if directions[i] == 0.0:
            directions[i] = _direction(i, rovers, setting, s, soil)
        k = min(at[i] + LOOKAHEAD, lengths[i] - 1)
        _choose(i, directions[i], ways[i, k, 0], ways[i, k, 1], rovers, setting, s, soil, out[i])


class Planner:
    """Drives a batch's rovers by the true map.

    Args:
        batch: the rovers.
    """

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        count = len(batch.state)
        self._routers: dict[int, Router] = {}
        self._ways = np.zeros((count, MOST, 2), dtype=np.float32)
        self._lengths = np.zeros(count, dtype=np.int64)
        self._at = np.zeros(count, dtype=np.int64)
        self._directions = np.zeros(count, dtype=np.float32)
        self._tasks = np.full((count, 6), np.nan, dtype=np.float32)
        self._scratch = np.zeros(d.STATE, dtype=np.float32), np.zeros_like(batch.rovers.soil[0])

    def way(self, index: int) -> Points:
        """The way (k, 2) that a rover follows now, from where it was planned [m]."""
        return self._ways[index, : self._lengths[index]].copy()

    def commands(self) -> NDArray[np.float32]:
        """Drive and steer (n, 2) for where the rovers are now."""
        b, off = self._batch, np.zeros(len(self._at), dtype=np.float32)
        targets = [d.TARGET_AX, d.TARGET_AY, d.TARGET_BX, d.TARGET_BY, d.REWARDED]
        tasks = np.column_stack([b.state[:, targets], b.counters[:, MAP]]).astype(np.float32)
        new = (tasks != self._tasks).any(axis=1)
        self._tasks = tasks
        self._lengths[new] = 0
        _locate(b.state, self._ways, self._lengths, self._at, off)
        for i in np.flatnonzero((off > ASTRAY) & (b.counters[:, RESTART] == 0)):
            self._plan(int(i))
        out = np.zeros((len(off), 2), dtype=np.float32)
        # A forecast must not break the crust that it looks at.
        conditions = b.rovers.conditions.copy()
        conditions[:, d.CRUST] = 0.0
        rovers = b.rovers._replace(conditions=conditions)
        _command(
            rovers, b.setting, self._ways, self._lengths, self._at, self._directions, *self._scratch, out
        )
        rewarded = b.state[:, d.REWARDED].astype(np.int64)
        column, every = d.TARGET_AX + 2 * rewarded, np.arange(len(off))
        dx, dy = (
            b.state[every, column + k].astype(np.float64) - b.state[:, at] for k, at in enumerate((d.X, d.Y))
        )
        turn = np.arctan2(dy, dx) - b.state[:, d.YAW]
        return finish(b, out, np.hypot(dx, dy), np.arctan2(np.sin(turn), np.cos(turn)))

    def _plan(self, i: int) -> None:
        """Give rover i a new way."""
        b = self._batch
        s = b.state[i]
        pair = s[d.TARGET_AX : d.TARGET_AX + 4].reshape(2, 2)
        rewarded = int(s[d.REWARDED])
        start, goal, wrong = s[[d.X, d.Y]], pair[rewarded], pair[1 - rewarded]
        if b.setting.missions[b.counters[i, MISSION], KIND] not in (NAVIGATE, SAMPLE):
            wrong = np.full(2, np.inf, dtype=np.float32)  # nothing that would have to be kept off
        m, c = int(b.counters[i, MAP]), b.conditions[i]
        way = self._router(int(b.counters[i, VEHICLE])).route(b.ground, m, c, start, goal, wrong, b.forms)[
            :MOST
        ]
        self._ways[i, : len(way)], self._lengths[i] = way, len(way)
        self._at[i], self._directions[i] = 0, 0.0

    def _router(self, vehicle: int) -> Router:
        """The router of a vehicle of the fleet."""
        if vehicle not in self._routers:
            setting = self._batch.setting
            climbed = float(setting.rovers[vehicle, d.OBSTACLE])
            reach = self._batch.world.mission.reach
            pressure = float(setting.rovers[vehicle, d.PRESSURE])
            self._routers[vehicle] = Router(setting.soils[vehicle], climbed, reach, pressure)
        return self._routers[vehicle]
