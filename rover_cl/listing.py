"""What there is: environments, streams and methods, a row each."""

import json

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


def as_text(rows: list[Row], as_json: bool) -> str:
    """Lay rows out in columns, or as JSON."""
    if as_json:
        return json.dumps(rows, indent=1)
    widths = {key: max(len(row[key]) for row in rows) for key in rows[0]} if rows else {}
    lines = ["  ".join(f"{row[key]:<{width}}" for key, width in widths.items()).rstrip() for row in rows]
    return "\n".join(lines)
