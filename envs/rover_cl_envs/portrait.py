"""From the rows of a batch to the scene of one rover."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from rover_cl_envs import dynamics as d
from rover_cl_envs.batch import MAP, STEP, Batch
from rover_cl_envs.mission import OUTCOMES
from rover_cl_envs.scene import Scene
from rover_cl_envs.sensors import FLECKS
from rover_cl_envs.terrain import (
    ABUNDANCE_STEPS,
    CELL,
    PATCH,
    PATCH_EDGE,
    RELIEF,
    ROCK,
    ROCK_UNIT,
    TEXTURE,
    values,
)


def portrait(
    batch: Batch, index: int, *, track: Sequence[tuple[float, float]] = (), title: str = ""
) -> Scene:
    """What a picture of rover `index` needs.

    Args:
        batch: the rovers.
        index: which of them.
        track: positions visited [m].
        title: one line for the top of the picture.
    """
    s, c = batch.state[index], batch.conditions[index]
    m, step = batch.counters[index, MAP], int(batch.counters[index, STEP])
    ground = batch.ground[m]
    code, patch = ground[..., ROCK], values(ground, PATCH)
    stands = code >> 8 <= int(ABUNDANCE_STEPS * c[d.ROCKS] + 1e-3)
    sand = np.clip((patch - (1 - c[d.COVER])) / PATCH_EDGE, 0, 1)
    outcrop = np.clip((c[d.OUTCROP] - patch) / PATCH_EDGE, 0, 1)
    albedo = c[d.CONTRAST] * (sand - outcrop) + FLECKS * values(ground, TEXTURE)
    return Scene(
        heights=values(ground, RELIEF) * c[d.ROUGH],
        sand=sand,
        albedo=albedo,
        rocks=np.where(stands, (code & 255) * ROCK_UNIT, 0).astype(np.float32),
        cell=CELL,
        pose=(float(s[d.X]), float(s[d.Y]), float(s[d.YAW])),
        targets=(
            (float(s[d.TARGET_AX]), float(s[d.TARGET_AY])),
            (float(s[d.TARGET_BX]), float(s[d.TARGET_BY])),
        ),
        rewarded=int(s[d.REWARDED]),
        wheels=batch.rover.wheels,
        wheel_health=tuple(float(h) for h in c[d.HEALTH : d.HEALTH + 6]),
        track=np.array(track, dtype=np.float32).reshape(-1, 2),
        slip=(float(s[d.SLIP_L]), float(s[d.SLIP_R])),
        sinkage=(float(s[d.SINK_L]), float(s[d.SINK_R])),
        pitch=math.atan(s[d.PITCH]),
        roll=math.atan(s[d.ROLL]),
        step=step,
        outcome=OUTCOMES[batch.outcomes[index]],
        title=title,
    )
