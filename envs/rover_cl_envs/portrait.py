"""From the rows of a batch to the scene of one rover."""

from __future__ import annotations

import math
from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from rover_cl_envs import bodies
from rover_cl_envs import dynamics as d
from rover_cl_envs.air import HAZE
from rover_cl_envs.batch import Batch
from rover_cl_envs.conditions import RANGES, Conditions
from rover_cl_envs.landforms import (
    CRATER,
    CRATER_UNIT,
    CRUST,
    DEEP_RIPPLE,
    DEEP_TAR,
    RIPPLE,
    SHARE_UNIT,
    TAR,
    broken_cells,
)
from rover_cl_envs.mission import OUTCOMES, REWARD_TERMS
from rover_cl_envs.power import CHARGE, SUN_EAST, SUN_UP
from rover_cl_envs.ring import FLECKS, RING, ring_points
from rover_cl_envs.rocks import rock_heights
from rover_cl_envs.rows import MAP, STEP
from rover_cl_envs.scene import BODIES, TRAIL, Ground, Scene
from rover_cl_envs.sensors import SIZE
from rover_cl_envs.terrain import CELL, PATCH, PATCH_EDGE, RELIEF, ROCK, TEXTURE, values

KEPT_GROUNDS = 8
_ORDINARY = {name: float(getattr(Conditions(), name)) for name in RANGES}
_SHAPES_GROUND = (d.COVER, d.OUTCROP, d.CONTRAST, d.ROUGH, d.EAST, d.NORTH, d.ROCKS)
_SHAPES_FORMS = (d.CRATERS, d.RIPPLES, d.TARS, d.CRUST, d.CRUST_LOOK)
_SOILS = (d.GROUND, d.PATCHES, d.SOFTNESS)
SOIL_STEP = 1 / 96  # finer is not seen, and would paint the ground anew at every step of a drift
NO_TRAIL = np.zeros((0, TRAIL), dtype=np.float32)
NO_SHARE = np.zeros((1, 1), dtype=np.float32)
NO_BODIES = np.zeros((0, 4), dtype=np.float32)
THICK = 10.0  # optical depth at which a picture shows but the surroundings


class Portraits:
    """Scenes of a batch's rovers; rovers on the same map in the same world share one ground.

    Args:
        batch: the rovers.
    """

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._ring = ring_points().T
        self._grounds: OrderedDict[tuple[float, ...], Ground] = OrderedDict()

    def scene(
        self,
        index: int,
        *,
        trail: NDArray[np.float32] = NO_TRAIL,
        title: str = "",
        score: float | None = None,
    ) -> Scene:
        """What a picture of rover `index` needs.

        Args:
            index: which of the rovers.
            trail: (k, 5) where it has been, `trail_point` of each step.
            title: one line for the top of the picture.
            score: sum of rewards so far.
        """
        b = self._batch
        s, c, rover = b.state[index], b.conditions[index], b.vehicle(index)
        step = int(b.counters[index, STEP])
        mission = b.mission(index)
        terms = b.reward_terms[index].tolist() if step else [0.0] * len(REWARD_TERMS)
        reward = zip(REWARD_TERMS, terms, strict=True)
        return Scene(
            ground=self._ground(index),
            pose=(float(s[d.X]), float(s[d.Y]), float(s[d.YAW])),
            targets=(
                (float(s[d.TARGET_AX]), float(s[d.TARGET_AY])),
                (float(s[d.TARGET_BX]), float(s[d.TARGET_BY])),
            ),
            rewarded=int(s[d.REWARDED]),
            wheels=rover.wheels,
            rover=rover.name,
            wheel_size=(2 * rover.wheel_radius, rover.wheel_width),
            reach=mission.reach,
            wheel_health=tuple(float(h) for h in c[d.HEALTH : d.HEALTH + 6]),
            trail=trail,
            slip=(float(s[d.SLIP_L]), float(s[d.SLIP_R])),
            sinkage=(float(s[d.SINK_L]), float(s[d.SINK_R])),
            pitch=math.atan(s[d.PITCH]),
            roll=math.atan(s[d.ROLL]),
            command=(float(s[d.DRIVE]), float(s[d.STEER])),
            ring=self._sensed(index),
            step=step,
            outcome=OUTCOMES[b.outcomes[index]],
            title=title,
            reward=tuple((name, term) for name, term in reward if name in mission.reward_terms),
            score=score,
            charge=self._charge(index),
            sun=self._sun(index),
            conditions=_told(c),
            mission=mission.kind,
            bodies=_bodies(b.bodies[index]) if len(b.bodies) else NO_BODIES,
            haze=_haze(float(c[d.OPTICAL_DEPTH])),
            broken=broken_cells(b.broken(index)),
        )

    def trail_point(self, index: int) -> tuple[float, float, float, float, float]:
        """Where rover `index` is, and how it slips: one row of a trail."""
        s = self._batch.state[index]
        return float(s[d.X]), float(s[d.Y]), float(s[d.YAW]), float(s[d.SLIP_L]), float(s[d.SLIP_R])

    def _charge(self, index: int) -> float | None:
        power, plant = self._batch.power, self._batch.vehicle(index).plant
        return float(power[index, CHARGE]) / plant.capacity if len(power) and plant else None

    def _sun(self, index: int) -> tuple[float, float] | None:
        """Bearing and elevation [rad]."""
        if not len(self._batch.power):
            return None
        east, north, up = self._batch.power[index, SUN_EAST : SUN_UP + 1].tolist()
        return math.atan2(north, east), math.asin(min(max(up, -1.0), 1.0))

    def _sensed(self, index: int) -> NDArray[np.float32]:
        """The terrain ring (24, 4) as the last observation has it."""
        values = self._batch.vectors[index, RING:SIZE].reshape(-1, 2)
        return np.column_stack([self._ring, values[:, 0] / 2, values[:, 1]]).astype(np.float32)

    def _ground(self, index: int) -> Ground:
        b = self._batch
        m, c = int(b.counters[index, MAP]), b.conditions[index]
        climbed = b.vehicle(index).obstacle
        shapes = (float(c[column]) for column in _SHAPES_GROUND + _SHAPES_FORMS)
        key = (m, climbed, *shapes, *(_stepped(c[column]) for column in _SOILS))
        if key not in self._grounds:
            self._grounds[key] = ground_of(b, m, c, climbed)
            if len(self._grounds) > KEPT_GROUNDS:
                self._grounds.popitem(last=False)
        self._grounds.move_to_end(key)
        return self._grounds[key]


def _bodies(row: NDArray[np.float32]) -> NDArray[np.float32]:
    """The bodies of a row (34,) as a scene has them."""
    slots = row[: bodies.SLOTS * bodies.SLOT].reshape(bodies.SLOTS, bodies.SLOT)
    there = slots[slots[:, bodies.KIND] != 0]
    kinds = np.where(
        there[:, bodies.KIND] == bodies.DEVIL, *(BODIES.index(k) for k in ("dust devil", "martian"))
    )
    return np.column_stack([there[:, [bodies.EAST, bodies.NORTH, bodies.RADIUS]], kinds]).astype(np.float32)


def _haze(depth: float) -> float:
    """How much of the distance that optical depth hides: none up to `HAZE`, all of it at `THICK`."""
    return min(max((depth - HAZE) / (THICK - HAZE), 0.0), 1.0)


def _told(c: NDArray[np.float32]) -> tuple[tuple[str, float, float, bool], ...]:
    """The scalar conditions of a row as a scene has them, those out of the ordinary first."""
    rows = []
    for value, (name, (low, high)) in zip(c.tolist(), RANGES.items(), strict=False):
        rows.append((name, value, (value - low) / (high - low), abs(value - _ORDINARY[name]) > 1e-6))
    return tuple(sorted(rows, key=lambda row: not row[3]))


def ground_of(batch: Batch, m: int, c: NDArray[np.float32], climbed: float) -> Ground:
    """Map `m` of a batch's bank, under the conditions `c`, for a rover that climbs that high [m]."""
    cells = batch.ground[m]
    patch = values(cells, PATCH)
    sand = np.clip((patch - (1 - c[d.COVER])) / PATCH_EDGE, 0, 1)
    outcrop = np.clip((c[d.OUTCROP] - patch) / PATCH_EDGE, 0, 1)
    albedo = c[d.CONTRAST] * (sand - outcrop) + FLECKS * values(cells, TEXTURE)
    look, (lift, crust) = c[d.CRUST_LOOK], _forms_of(batch, m, c)
    return Ground(
        heights=values(cells, RELIEF) * c[d.ROUGH] + lift,
        sand=sand,
        outcrop=outcrop,
        albedo=np.where(crust, (1 - abs(look)) * albedo + look, albedo),
        crust=crust,
        below=albedo if crust.any() else NO_SHARE,
        crests=_crests_of(batch, m, c),
        soil=_stepped(c[d.GROUND]),
        patch_soil=_stepped(c[d.PATCHES]),
        rocks=rock_heights(cells[..., ROCK], c[d.ROCKS]),
        cell=CELL,
        climbed=climbed,
        slope=(float(c[d.EAST]), float(c[d.NORTH])),
    )


def _stepped(soil: float) -> float:
    """The nearest soil that a picture tells from others."""
    return round(float(soil) / SOIL_STEP) * SOIL_STEP


def _crests_of(batch: Batch, m: int, c: NDArray[np.float32]) -> NDArray[np.float32]:
    """How far map `m`'s crests go towards drift, 0 to 1: (256, 256), (1, 1) where none does."""
    softness = _stepped(c[d.SOFTNESS])
    if not softness or max(c[d.RIPPLES], c[d.TARS]) <= 0:
        return NO_SHARE
    forms = batch.forms[m]
    ripples = min(c[d.RIPPLES] / DEEP_RIPPLE, 1) * forms[..., RIPPLE]
    tars = min(c[d.TARS] / DEEP_TAR, 1) * forms[..., TAR]
    return (softness * SHARE_UNIT * np.maximum(ripples, tars)).astype(np.float32)


def _forms_of(batch: Batch, m: int, c: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Height of map `m`'s landforms [m], and where there is crust: (256, 256), (1, 1) without landforms."""
    forms = batch.forms[m]
    lift = c[d.CRATERS] * np.float32(CRATER_UNIT) * forms[..., CRATER]
    ridges = c[d.RIPPLES] * forms[..., RIPPLE] + c[d.TARS] * forms[..., TAR]
    crust = (c[d.CRUST] > 0) & (forms[..., CRUST] * SHARE_UNIT >= 1 - c[d.CRUST])
    return lift + np.float32(SHARE_UNIT) * ridges, crust
