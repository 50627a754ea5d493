"""Streams beyond what is promised to be solvable: where a method that wins on `mars6` may fail.

    cd benchmarks
    rover-cl compare --stream frontier:hidden --methods joint,finetune,echo-replay --seeds 5 --tier small

`hidden` can't pass `rover-cl check-stream`: without the cues two of its tasks contradict the others, and no
policy without a memory is good at all six.
"""

from dataclasses import replace
from itertools import pairwise

from rover_cl_envs.drift import Drift
from rover_cl_envs.streams import Stream, get_stream
from rover_cl_envs.world import World


def hidden() -> Stream:
    """`mars6` without the cues: neither which soil is bright nor which target is wanted can be seen."""
    return replace(
        get_stream("mars6"),
        name="frontier:hidden",
        description="mars6 without cues: what is wanted can't be known beforehand",
        world=World(cues=False),
    )


def smooth() -> Stream:
    """`mars6` whose world moves to the next task during the first half of each segment."""
    jumping = get_stream("mars6")
    worlds = [jumping.tasks[segment.task].conditions for segment in jumping.segments]
    moving = tuple(
        replace(segment, drift=Drift(kind="linear", start=before, end=after, period=segment.steps // 2))
        for segment, (before, after) in zip(jumping.segments[1:], pairwise(worlds), strict=True)
    )
    return replace(
        jumping,
        name="frontier:smooth",
        description="mars6 with worlds that glide from task to task",
        segments=(jumping.segments[0], *moving),
    )


def again() -> Stream:
    """`mars6` four times over, 24 segments; later visits are a third as long, as the task has been met."""
    once = get_stream("mars6")
    short = tuple(replace(segment, steps=segment.steps // 3) for segment in once.segments)
    return replace(
        once,
        name="frontier:again",
        description="mars6 four times over, 24 segments",
        segments=once.segments + 3 * short,
    )
