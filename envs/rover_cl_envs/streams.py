"""The shipped streams, and the one table of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from rover_cl_envs.campaigns import NOMINAL as NOMINAL
from rover_cl_envs.campaigns import event as event
from rover_cl_envs.campaigns import mission as mission
from rover_cl_envs.campaigns import storm as storm
from rover_cl_envs.conditions import Conditions
from rover_cl_envs.drift import Drift
from rover_cl_envs.errors import unknown_name
from rover_cl_envs.mixtures import mars10 as mars10
from rover_cl_envs.mixtures import mars20 as mars20
from rover_cl_envs.mixtures import mars100 as mars100
from rover_cl_envs.stream import LONG as LONG
from rover_cl_envs.stream import ROLLOUT as ROLLOUT
from rover_cl_envs.stream import SHORT as SHORT
from rover_cl_envs.stream import Segment as Segment
from rover_cl_envs.stream import Stream as Stream
from rover_cl_envs.stream import Task as Task
from rover_cl_envs.stream import abrupt as abrupt

STEER_BIAS = Task(name="steer-bias", conditions=Conditions(steering_bias=0.6))
TARGET_B = Task(name="target-b", conditions=Conditions(target_b=1.0))


def dark_trap(cover: float) -> Task:
    """The dark ground traps, the bright one carries; `cover` is the trap's share of the ground."""
    return Task(name="dark-trap", conditions=Conditions(patch_cover=cover, albedo_contrast=-1.0))


def worn(side: str, front: float, rear: float) -> Task:
    """The "left" or "right" side's front and rear wheels have only that health.

    With a weak rear wheel there is no free way round: driving backward, too, has to be steered against the
    pull.
    """
    ill, well = (front, 1.0, rear), (1.0, 1.0, 1.0)
    health = ill + well if side == "left" else well + ill
    return Task(name=f"{side}-side-worn", conditions=Conditions(wheel_health=health))


def lookalike() -> Stream:
    """Purgatory: the ground that was safe to the eye is now the trap; more of it than elsewhere, so that
    nobody gets through by luck.
    """
    bright = Task(name="bright-trap", conditions=Conditions(patch_cover=0.4))
    return abrupt(
        "lookalike",
        "bright ground traps, then dark ground, then bright again (Purgatory)",
        (bright, dark_trap(0.4)),
        (0, 1, 0),
        conflicts=((0, 1), (1, 0)),
    )


def wheel_fault() -> Stream:
    """Spirit: the right front wheel is dead and the rear one failing; then the left ones instead."""
    return abrupt(
        "wheel-fault",
        "healthy, right front wheel dead and rear one weak, then the left ones, healthy (Spirit)",
        (NOMINAL, worn("right", 0.0, 0.5), worn("left", 0.0, 0.5)),
        (0, 1, 2, 0),
        conflicts=((0, 1), (0, 2), (1, 2), (2, 1)),
        steps=3 * LONG // 2,
    )


def target_swap() -> Stream:
    """The order changes: drive to B, not to A; segments are long, as unlearning a target takes a while."""
    return abrupt(
        "target-swap",
        "drive to A, then to B, then to A again",
        (NOMINAL, TARGET_B),
        (0, 1, 0),
        conflicts=((0, 1), (1, 0)),
        steps=LONG,
    )


def gravity() -> Stream:
    """The control: hardly any forgetting is expected."""
    worlds = (("mars", 3.72), ("moon", 1.62), ("earth", 9.81))
    tasks = tuple(Task(name=name, conditions=Conditions(gravity=g)) for name, g in worlds)
    return abrupt(
        "gravity", "Mars, Moon, Earth: the control, hardly any forgetting expected", tasks, (0, 1, 2)
    )


def rover_swap() -> Stream:
    """MER's habits in Curiosity's body, and Curiosity's in MER's.

    Curiosity climbs the rocks that end MER's drive, up to 0.5 m where MER climbs 0.2 m, and gets through
    drift on the level, where MER embeds: it may go straight, where MER has to go round. No conflict is
    declared: agents trained on Curiosity alone still reached half of their targets with MER.
    """
    ground = Conditions(rock_abundance=0.05, patch_cover=0.3)
    tasks = [Task(name=rover, conditions=replace(ground, rover=rover)) for rover in ("mer", "msl")]
    return abrupt(
        "rover-swap",
        "MER, then Curiosity, which climbs the rocks and the drift that stop MER, then MER again",
        tasks,
        (0, 1, 0),
        steps=LONG,
    )


def mars6() -> Stream:
    """The mixture of helpful tasks and conflicts, ending on one with all that came before.

    The last segment is the longest: the more an agent has trained on one target, the longer it takes to
    go to the other.
    """
    return abrupt(
        "mars6",
        "five tasks of driving to A that help or disturb one another, then the order to drive to B",
        (NOMINAL, STEER_BIAS, dark_trap(0.25), worn("right", 0.3, 0.9), worn("left", 0.3, 0.9), TARGET_B),
        (0, 1, 2, 3, 4, 5),
        conflicts=tuple(pair for t in range(5) for pair in ((5, t), (t, 5))),
        steps=(SHORT, SHORT, LONG, LONG, LONG, 3 * LONG),
    )


def mars3() -> Stream:
    """The shortest stream on which something is forgotten: for a first look, and for trying things out."""
    conditions = replace(TARGET_B.conditions, steering_bias=STEER_BIAS.conditions.steering_bias)
    return abrupt(
        "mars3",
        "drive to A, then to B, then to B with a bias in the steering; minutes",
        (NOMINAL, TARGET_B, Task(name="target-b-steer-bias", conditions=conditions)),
        (0, 1, 2),
        conflicts=((0, 1), (1, 0), (0, 2), (2, 0)),
        steps=(8 * ROLLOUT, 16 * ROLLOUT, 6 * ROLLOUT),
    )


def steer_bias(reach: float = 0.3, turns: int = 2) -> Stream:
    """The steering drifts smoothly from one side to the other and back, `turns` times in a segment.

    Args:
        reach: largest bias to either side, in units of full steer.
        turns: periods of the sinusoid in a segment, at least 1.
    """
    right, left = (
        Task(name=name, conditions=Conditions(steering_bias=bias))
        for name, bias in (("bias-right", -reach), ("bias-left", reach))
    )
    period = 12 * ROLLOUT // turns

    def swinging(task: int, start: Task, end: Task) -> Segment:
        drift = Drift(kind="sinusoidal", start=start.conditions, end=end.conditions, period=period)
        return Segment(task=task, drift=drift, steps=period * turns)

    return Stream(
        name="steer-bias",
        description="a steering bias that swings smoothly from right to left and back",
        tasks=(right, left),
        segments=(swinging(0, right, left), swinging(1, left, right)),
    )


def soil_slope(grade: float = 0.18) -> Stream:
    """Endurance: up the outcrop one drives straight, up the sand of the same slope one has to tack.

    Bedrock holds on every slope here; on sand the slip grows with the grade along the heading, and a rover
    that goes for a target uphill is embedded. Targets lie in all directions and most of them are not uphill,
    so that no conflict is declared.

    Args:
        grade: of the whole ground, rising to the north [rise/run].
    """
    ground = Conditions(slope_north=grade, patch_cover=0.0)
    tasks = (
        Task(name="outcrop", conditions=replace(ground, ground_fluffiness=0.0, outcrop_cover=0.5)),
        Task(name="sand", conditions=replace(ground, ground_fluffiness=0.5, outcrop_cover=0.0)),
    )
    return abrupt(
        "soil-slope",
        "up a slope of outcrop, then up one of sand (Endurance)",
        tasks,
        (0, 1),
    )


STREAMS: dict[str, Callable[[], Stream]] = {
    "mars3": mars3,
    "lookalike": lookalike,
    "wheel-fault": wheel_fault,
    "target-swap": target_swap,
    "rover-swap": rover_swap,
    "steer-bias": steer_bias,
    "soil-slope": soil_slope,
    "event": event,
    "storm": storm,
    "mission": mission,
    "mars6": mars6,
    "mars10": mars10,
    "mars20": mars20,
    "gravity": gravity,
    "mars100": mars100,
}
"""The one table of shipped streams."""


def get_stream(name: str) -> Stream:
    """The stream of that name.

    Raises:
        ValueError: no stream has that name; the message names the nearest, or of a file what reads it.
    """
    if str(name).endswith(".toml"):
        raise ValueError(
            f"stream {str(name)!r} is a file, expected a name or a Stream: "
            f"rover_cl.stream_file.read_stream({str(name)!r}) makes one of it."
        )
    if name not in STREAMS:
        raise unknown_name("stream", name, STREAMS)
    return STREAMS[name]()
