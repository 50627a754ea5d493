"""The cheapest way to a target over the true map: Dijkstra's algorithm on the cells around rover and target.

A step from one cell to the next costs its length over 1 - slip, with the slip that soil and slope give, times
factors (all chosen) for what ends a drive: rocks, steep tilt, slip that embeds, and the wrong target.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, maximum_filter, uniform_filter
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import dijkstra

from rover_cl_envs import dynamics as d
from rover_cl_envs.compiled import Coefficients, Layers, Row, compiled
from rover_cl_envs.landforms import cell_height, crest_share, has_crust
from rover_cl_envs.rocks import rock_heights
from rover_cl_envs.settling import CRUST_SOIL, want_forms
from rover_cl_envs.soil import COEFFICIENTS, NO_WEIGHTS, blend, equilibrium_slip, weigh
from rover_cl_envs.terrain import CELL, PATCH, PATCH_EDGE, RELIEF, ROCK, SIDE, values

Points = NDArray[np.float32]
"""Places (k, 2) on the ground, x and y [m]."""
Field = NDArray[np.float64]

MARGIN = 6.0  # ground looked at beyond rover and target [m]
FOOTPRINT = 5  # cells over which soil and height are averaged: the wheels stand that far apart
CLEARANCE = 0.85  # of the rover's middle from a rock it can't climb: half its diagonal [m]
BERTH = 1.2  # where passing a rock costs nothing more [m]
STEEP = 0.6  # tangent of a tilt that is avoided
EMBEDS = 0.5  # slip that is avoided
KEEP_OFF = 0.6  # from the wrong target's reach [m]
NEAR_ROCK, AT_ROCK, TOO_STEEP, EMBEDDING, WRONG = 3.0, 40.0, 20.0, 25.0, 100.0  # factors of a step's cost
SOILS, DEMANDS = 61, 241  # entries of the table of slips
LARGEST_DEMAND = 1.2
KEPT = 64  # maps under conditions
NEIGHBOURS = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)]


@compiled
def _fill(soils: Coefficients, soil: Coefficients, table: Field) -> None:
    """Write the slip of each soil (rows, fluffiness 0 to 1) at each demand (columns); `soil` is scratch."""
    for i in range(table.shape[0]):
        blend(soils, weigh(i / (table.shape[0] - 1), 1.0, NO_WEIGHTS), soil)
        for j in range(table.shape[1]):
            demand = LARGEST_DEMAND * (2.0 * j / (table.shape[1] - 1) - 1.0)
            table[i, j] = equilibrium_slip(demand, soil)


@compiled
def _lay(forms: Layers, c: Row, breaks: bool, soil: Field, height: Field) -> None:
    """Lay a map's landforms on its soil and heights [m], (256, 256) each; a crust that `breaks` is gone."""
    for i in range(soil.shape[0]):
        for j in range(soil.shape[1]):
            cell = forms[i, j]
            height[i, j] += cell_height(cell, c[d.CRATERS], c[d.RIPPLES], c[d.TARS])
            if has_crust(cell, c[d.CRUST]):
                soil[i, j] = c[d.PATCHES] if breaks else CRUST_SOIL
            else:
                soil[i, j] += c[d.SOFTNESS] * crest_share(cell, c[d.RIPPLES], c[d.TARS]) * (1.0 - soil[i, j])


@dataclass(frozen=True, kw_only=True, eq=False)
class _Costs:
    """One map under one set of conditions, (256, 256) each."""

    soil: NDArray[np.int64]
    """row of the table of slips"""
    height: Field
    """smoothed over the rover's length [m], the mean slope left out"""
    factor: Field
    """of a step into the cell"""


class Router:
    """Finds ways for one kind of rover.

    Args:
        soils: (4, 9) the anchor soils under its wheels.
        climbed: highest rock that it climbs [m].
        reach: within which a target is touched [m].
        pressure: of its wheels on Mars [kPa]; a crust that is weaker breaks.
    """

    def __init__(self, soils: Coefficients, climbed: float, reach: float, pressure: float = 0.0) -> None:
        self._climbed, self._reach, self._pressure = climbed, reach, pressure
        self._slips = np.zeros((SOILS, DEMANDS))
        _fill(soils, np.zeros(COEFFICIENTS), self._slips)
        self._costs: OrderedDict[bytes, _Costs] = OrderedDict()

    def route(
        self,
        ground: Layers,
        m: int,
        c: Row,
        start: Points,
        goal: Points,
        wrong: Points,
        forms: Layers | None = None,
    ) -> Points:
        """Points (k, 2) from the rover's cell to the target's, a cell or its diagonal apart.

        Args:
            ground: (M, 256, 256, 4) the maps.
            m: which of them.
            c: conditions, columns in dynamics.py.
            start: (2,) where the rover is [m].
            goal: (2,) the rewarded target [m].
            wrong: (2,) the other one [m].
            forms: (M, 256, 256, 4) the maps' landforms, where there are any.
        """
        costs = self._of(ground, m, c, forms)
        low = np.floor((np.minimum(start, goal) - MARGIN) / CELL).astype(np.int64)
        size = np.floor((np.maximum(start, goal) + MARGIN) / CELL).astype(np.int64) - low + 1
        columns, rows = (low[k] + np.arange(size[k]) for k in (0, 1))
        at = np.ix_(rows & (SIDE - 1), columns & (SIDE - 1))
        x, y = (columns + 0.5) * CELL, (rows + 0.5) * CELL
        height = costs.height[at] + float(c[d.EAST]) * x[None, :] + float(c[d.NORTH]) * y[:, None]
        off = np.hypot(x[None, :] - wrong[0], y[:, None] - wrong[1])
        factor = np.where(off < self._reach + KEEP_OFF, WRONG, 1.0) * costs.factor[at]
        graph = self._graph(costs.soil[at], height, factor, c)
        first, last = (int((p[1] // CELL - low[1]) * size[0] + p[0] // CELL - low[0]) for p in (start, goal))
        before = dijkstra(graph, indices=[first], return_predecessors=True)[1][0]
        cells = [last]
        while cells[-1] != first:
            cells.append(int(before[cells[-1]]))
        way = np.array(cells[::-1])
        return np.column_stack([x[way % size[0]], y[way // size[0]]]).astype(np.float32)

    def _graph(self, soil: NDArray[np.int64], height: Field, factor: Field, c: Row) -> csr_array[np.float64]:
        """The cost of each step between neighbours of a window (h, w), as a matrix (h w, h w)."""
        grip = float(c[d.HEALTH : d.HEALTH + 6].mean())
        number = np.arange(soil.size).reshape(soil.shape)
        h, w = soil.shape
        sources, targets, costs = [], [], []
        for i, j in NEIGHBOURS:
            here = np.s_[max(-i, 0) : h - max(i, 0), max(-j, 0) : w - max(j, 0)]
            there = np.s_[max(i, 0) : h - max(-i, 0), max(j, 0) : w - max(-j, 0)]
            length = CELL * math.hypot(i, j)
            grade = (height[there] - height[here]) / length
            demand = (grade + (1 - grip) * d.DRAG) / max(grip, 0.05)
            entry = np.rint((demand / LARGEST_DEMAND + 1) * (DEMANDS - 1) / 2).astype(np.int64)
            slip = self._slips[soil[there], np.clip(entry, 0, DEMANDS - 1)]
            cost = length / (1 - slip) * factor[there] * np.where(slip > EMBEDS, EMBEDDING, 1.0)
            sources.append(number[here].ravel())
            targets.append(number[there].ravel())
            costs.append(cost.ravel())
        where = (np.concatenate(sources), np.concatenate(targets))
        return coo_array((np.concatenate(costs), where), shape=(soil.size, soil.size)).tocsr()

    def _of(self, ground: Layers, m: int, c: Row, forms: Layers | None) -> _Costs:
        """The costs of a map, from the few that are kept."""
        key = bytes([m & 255, m >> 8 & 255]) + c.tobytes()
        if key not in self._costs:
            self._costs[key] = self._made(ground[m], c, None if forms is None else forms[m])
            if len(self._costs) > KEPT:
                self._costs.popitem(last=False)
        self._costs.move_to_end(key)
        return self._costs[key]

    def _made(self, cells: Layers, c: Row, forms: Layers | None) -> _Costs:
        field = values(cells, PATCH)
        soft = np.clip((field - (1 - c[d.COVER])) / PATCH_EDGE, 0, 1)
        firm = np.clip((c[d.OUTCROP] - field) / PATCH_EDGE, 0, 1)
        soil = c[d.GROUND] * (1 - soft - firm) + soft * c[d.PATCHES]
        height = np.asarray(values(cells, RELIEF) * float(c[d.ROUGH]), dtype=np.float64)
        if forms is not None and want_forms(c) and forms.shape[0] == SIDE:
            breaks = self._pressure * c[d.GRAVITY] / d.MARS_GRAVITY > c[d.STRENGTH]
            soil = soil.astype(np.float64)
            _lay(forms, c, bool(breaks), soil, height)
        soil = uniform_filter(maximum_filter(soil, 3, mode="wrap"), FOOTPRINT, mode="wrap")
        height = uniform_filter(height, FOOTPRINT, mode="wrap")
        east, north = ((np.roll(height, -1, k) - np.roll(height, 1, k)) / (2 * CELL) for k in (1, 0))
        tilt = np.hypot(east + c[d.EAST], north + c[d.NORTH])
        free = rock_heights(cells[..., ROCK], c[d.ROCKS]) <= self._climbed
        pad = math.ceil(BERTH / CELL) + 1
        away = distance_transform_edt(np.pad(free, pad, mode="wrap"), sampling=CELL)[pad:-pad, pad:-pad]
        factor = np.where(away < CLEARANCE, AT_ROCK, np.where(away < BERTH, NEAR_ROCK, 1.0))
        factor = factor * np.where(tilt > STEEP, TOO_STEEP, 1.0)
        return _Costs(
            soil=np.rint(np.clip(soil, 0, 1) * (SOILS - 1)).astype(np.int64),
            height=height.astype(np.float64),
            factor=factor,
        )
