"""Every number that can drift: one frozen point in the space of worlds."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TypeGuard

import numpy as np
from numpy.typing import NDArray

WHEELS = ("left front", "left middle", "left rear", "right front", "right middle", "right rear")
"""The order of `Conditions.wheel_health` everywhere."""

RANGES: dict[str, tuple[float, float]] = {
    "gravity": (1.0, 12.0),
    "ground_fluffiness": (0.0, 1.0),
    "patch_fluffiness": (0.0, 1.0),
    "patch_cover": (0.0, 0.5),
    "outcrop_cover": (0.0, 0.5),
    "albedo_contrast": (-1.0, 1.0),
    "relief": (0.0, 0.5),
    "slope_east": (-1.0, 1.0),
    "slope_north": (-1.0, 1.0),
    "rock_abundance": (0.0, 0.1),
    "motor_gain": (0.2, 2.0),
    "steering_bias": (-1.0, 1.0),
    "target_b": (0.0, 1.0),
    "crater_freshness": (0.0, 1.0),
    "ripple_height": (0.0, 0.3),
    "tar_height": (0.0, 2.0),
    "ripple_softness": (0.0, 1.0),
    "crust_cover": (0.0, 1.0),
    "crust_strength": (0.0, 30.0),
    "crust_contrast": (-1.0, 1.0),
}
"""Valid range of every scalar condition, ends included."""


def _is_number(value: object) -> TypeGuard[float]:
    """Whether a value is a finite number; NumPy's count."""
    return isinstance(value, int | float | np.number) and math.isfinite(value)


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """The world that a rover drives in. Every field may drift; sources in docs/simulator.md.

    Raises:
        ValueError: a field is not finite or out of the range of `RANGES`; the message names it.
    """

    gravity: float = 3.72
    """surface gravity [m/s^2]; 1.62 Moon, 3.72 Mars, 9.81 Earth"""
    ground_fluffiness: float = 1 / 3
    """soil between the patches: 0 bedrock, 1/3 regolith, 2/3 sand, 1 drift"""
    patch_fluffiness: float = 1.0
    """soil of the patches, same scale; 1 is the drift that traps a rover on level ground"""
    patch_cover: float = 0.2
    """share of the ground under soft patches"""
    outcrop_cover: float = 0.25
    """share of the ground that is outcrop of bedrock, firm and free of slip"""
    albedo_contrast: float = 1.0
    """+1: patches look bright and outcrops dark; -1: the other way round; 0: nothing tells them apart"""
    relief: float = 0.04
    """rms height difference over 1 m [m]; Pathfinder and Viking sites 0.08-0.10"""
    slope_east: float = 0.0
    """mean grade towards +x [rise/run]"""
    slope_north: float = 0.0
    """mean grade towards +y [rise/run]"""
    rock_abundance: float = 0.02
    """share of the ground covered by rocks, k of Golombek and Rapp (1997)"""
    motor_gain: float = 1.0
    """stall torque of the drive motors over that of new ones"""
    steering_bias: float = 0.0
    """added to every steering command, in units of full steer"""
    target_b: float = 0.0
    """probability that an episode rewards target B instead of A"""
    crater_freshness: float = 0.0
    """depth of the craters over that of fresh ones, a fifth of their width; 0 none, 0.15-0.5 degraded"""
    ripple_height: float = 0.0
    """height of ripples, 3 m from crest to crest [m]; Meridiani 0.1-0.3"""
    tar_height: float = 0.0
    """height of transverse aeolian ridges, about 26 m from crest to crest [m]; typically 1.3"""
    ripple_softness: float = 0.0
    """how far the soil of ripple and ridge crests goes towards drift; 0 as the ground between, 1 drift"""
    crust_cover: float = 0.0
    """share of the ground under a crust, firm while it holds; below it lies the soil of the patches"""
    crust_strength: float = 8.0
    """ground pressure at which the crust breaks [kPa]; it stays broken for the rest of the episode"""
    crust_contrast: float = 0.0
    """how crust looks: +1 bright, -1 dark, like outcrop or patches; 0 like what is below"""
    wheel_health: tuple[float, ...] = (1.0,) * 6
    """driving torque of each wheel, 1 healthy, 0 dead and dragged; in the order of `WHEELS`"""

    def __post_init__(self) -> None:
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            if not (_is_number(value) and low <= value <= high):
                raise ValueError(f"Conditions.{name} is {value}, expected a number from {low} to {high}.")
        health = self.wheel_health
        if len(health) != len(WHEELS) or not all(_is_number(h) and 0 <= h <= 1 for h in health):
            raise ValueError(
                f"Conditions.wheel_health is {self.wheel_health}, expected 6 numbers from 0 to 1 "
                f"({', '.join(WHEELS)})."
            )

    def to_array(self) -> NDArray[np.float32]:
        """The conditions as the kernel reads them, shape (26,), in the order of the fields."""
        scalars = [getattr(self, name) for name in RANGES]
        return np.array([*scalars, *self.wheel_health], dtype=np.float32)

    def mixed_with(self, other: Conditions, weight: float) -> Conditions:
        """The point `weight` of the way from here to `other`; 0 is self, 1 is other.

        Args:
            other: the far end.
            weight: share of the way, from 0 to 1.
        """
        if not 0 <= weight <= 1:
            raise ValueError(f"weight is {weight}, expected a number from 0 to 1.")
        if weight == 0:
            return self
        if weight == 1:
            return other

        def blend(a: float, b: float) -> float:
            return a + weight * (b - a)

        scalars = {name: blend(getattr(self, name), getattr(other, name)) for name in RANGES}
        health = tuple(blend(a, b) for a, b in zip(self.wheel_health, other.wheel_health, strict=True))
        return Conditions(wheel_health=health, **scalars)


assert [f.name for f in fields(Conditions)] == [*RANGES, "wheel_health"], "array layout follows the fields"
