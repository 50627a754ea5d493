"""What there is: environments, streams and methods, a row each."""

import json
from dataclasses import fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rover_cl_envs.conditions import Conditions

Row = dict[str, str]

DESCRIPTIONS = {
    "RoverCL/MarsRover-v0": "one rover, fixed conditions; gymnasium.make_vec gives a batch of 1 to 65536",
    "RoverCL/MarsDrift-v0": "a stream as an ordinary environment: the conditions drift while you step",
}


def environments() -> list[Row]:
    """Give the registered environments, and the sites whose conditions they take: name, description."""
    import gymnasium

    from rover_cl_envs.sites import SITES

    names = sorted(name for name in gymnasium.registry if name.startswith("RoverCL/"))
    rows = [{"name": name, "description": DESCRIPTIONS.get(name, "")} for name in names]
    return rows + [{"name": f"site {site.name}", "description": site.description} for site in SITES.values()]


def streams() -> list[Row]:
    """Give the shipped streams: name, description, and their size as cost."""
    from rover_cl_envs.streams import STREAMS

    rows = []
    for name, make in STREAMS.items():
        stream = make()
        counts = f"{len(stream.tasks)} tasks, {len(stream.segments)} segments"
        size = f"{counts}, {stream.total_steps / 1e6:.1f} M steps"
        rows.append({"name": name, "description": stream.description, "cost": size})
    return rows


def methods() -> list[Row]:
    """Give the methods, and what may follow them after an @: name, description, cost."""
    from rover_cl.remedies import BOUNDARIES, METHODS

    rows = [{"name": n, "description": e.description, "cost": e.cost} for n, e in METHODS.items()]
    return rows + [
        {"name": f"@{n}", "description": e.description, "cost": e.cost} for n, e in BOUNDARIES.items()
    ]


def algorithms() -> list[Row]:
    """Give the algorithms that `--algo` takes: name, description, the rover's actions."""
    from rover_cl.catalogue import ALGORITHMS

    return [
        {"name": n, "description": e.description, "actions": e.action_type} for n, e in ALGORITHMS.items()
    ]


def contents(name: str) -> list[Row]:
    """Give the segments of a stream in order: the task, its steps, how it drifts, and what is set.

    What is set are the conditions where the drift leads that aren't the ordinary ones.

    Raises:
        ValueError: no stream has that name; the message gives the nearest.
    """
    from rover_cl.catalogue import find_stream

    stream = find_stream(name)
    rows = []
    for index, segment in enumerate(stream.segments):
        task, drift = stream.tasks[segment.task], segment.drift
        row = {"segment": str(index + 1), "task": task.name, "steps": f"{segment.steps:,} steps"}
        kinds = "still" if drift.is_still else " + ".join(part.kind for part in drift.parts if part.moves)
        rows.append({**row, "drift": kinds, "set": _set(drift.far_end)})
    return rows


def _set(conditions: "Conditions") -> str:
    """The conditions that aren't the ordinary ones, as name=value."""
    from rover_cl_envs.conditions import Conditions

    ordinary, parts = Conditions(), []
    for field in fields(conditions):
        value = getattr(conditions, field.name)
        if value != getattr(ordinary, field.name):
            parts.append(f"{field.name}={_short(value)}")
    return " ".join(parts)


def _short(value: object) -> str:
    """A value in a few letters: a mission by its kind, a rover by its name."""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple):
        return f"({','.join(map(_short, value))})"
    return str(getattr(value, "kind", None) or getattr(value, "name", None) or value)


def as_text(rows: list[Row], as_json: bool) -> str:
    """Lay rows out in columns, or as JSON."""
    if as_json:
        return json.dumps(rows, indent=1)
    widths = {key: max(len(row[key]) for row in rows) for key in rows[0]} if rows else {}
    lines = ["  ".join(f"{row[key]:<{width}}" for key, width in widths.items()).rstrip() for row in rows]
    return "\n".join(lines)
