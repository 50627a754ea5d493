"""A window, or a film, of agents that drive."""

from pathlib import Path
from typing import Annotated

import typer

from rover_cl.commands.arguments import Stream
from rover_cl.console import orderly
from rover_cl_envs.errors import unknown_name


def watch(
    who: Annotated[
        list[str] | None,
        typer.Argument(help="One driver, or two side by side: folders of runs, or policies. [keyboard]"),
    ] = None,
    run: Annotated[list[str] | None, typer.Option(help="A run's folder, or a checkpoint's.")] = None,
    policy: Annotated[
        list[str] | None, typer.Option(help="keyboard, heuristic (the autopilot), planner or random.")
    ] = None,
    stream: Stream = None,
    task: Annotated[str | None, typer.Option(help="Name of the task to begin with.")] = None,
    episode: Annotated[int, typer.Option(help="Number of the episode to begin with.", min=0)] = 0,
    segment: Annotated[int | None, typer.Option(help="Agent after this segment. [default: latest]")] = None,
    against_segment: Annotated[
        int | None, typer.Option(help="The same for the second driver; alone, the same run's.")
    ] = None,
    record: Annotated[Path | None, typer.Option(help="Film to this .mp4 or .gif; no window.")] = None,
    episodes: Annotated[int, typer.Option(help="Episodes to film, each of the next task.", min=1)] = 1,
) -> None:
    """Watch an agent drive, or drive yourself; two side by side. The keys are shown on the screen."""
    with orderly():
        from rover_cl.drive import Drive
        from rover_cl.drivers import find_driver, named, stream_for
        from rover_cl.footage import film_with_progress
        from rover_cl.recording import check_film
        from rover_cl.viewer import Viewer

        if record is not None:
            check_film(record)
        asked = named(who or [], run or [], policy or [])
        if against_segment is not None and len(asked) == 1:
            asked = 2 * asked
        drivers = [find_driver(*pair) for pair in zip(asked, (segment, against_segment), strict=False)]
        shown = stream_for(drivers[0], stream)
        tasks = [t.name for t in shown.tasks]
        if task is not None and task not in tasks:
            raise unknown_name("task", task, tasks)
        drives = [Drive(driver, shown, drivers[0].seed) for driver in drivers]
        for drive in drives:
            drive.begin(tasks.index(task) if task else 0, episode)
        if record is None:
            Viewer(drives).run()
        else:
            film_with_progress(drives, record, episodes)
