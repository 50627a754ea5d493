"""The pictures of the README: each stream's drift at one site, and agents before and after it.

    python -m rover_cl.gallery docs/images --runs runs/gallery

Short trainings are part of it, about two minutes each on one core; finished ones are taken from the folder.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from rover_cl.configuration import RunConfig
from rover_cl.console import command_line, orderly, progress
from rover_cl.drive import Drive
from rover_cl.drivers import find_driver
from rover_cl.experiment import run
from rover_cl.memory_strip import memory_of
from rover_cl.recording import film
from rover_cl.records import run_path
from rover_cl.stage import Stage
from rover_cl.tiers import get_tier
from rover_cl.watch import before_after
from rover_cl_envs.streams import STREAMS, Stream, get_stream

SIDE = 360
"""Width of a picture [px]."""
EVERY = 3
"""Steps of the rover from one frame to the next."""
FRAMES_PER_SECOND = 8
FRAMES = 84
"""Of a film of a stream's drift at most; its segments share them."""
SEGMENTS = 20
"""Segments of a stream that are shown at most, evenly spread."""
LONGEST = 20
"""Frames of a segment at most."""
REST = 4  # frames of an episode's end before it begins again
SITES = 60  # episodes that are looked through for a site
WIDEST = 15.0  # between a site's start and targets, at most [m]
METHODS = ("finetune", "replay")


def film_drift(stream: Stream, path: Path, *, frames: int = FRAMES) -> None:
    """Film the autopilot at one site, from the same start in every segment of a stream, its world drifting.

    Args:
        stream: whose drift.
        path: of the film, .gif or .mp4.
        frames: at most about so many.
    """
    shown = np.unique(np.linspace(0, len(stream.segments) - 1, SEGMENTS).round().astype(int)).tolist()
    each = max(2, min(LONGEST, frames // len(shown)))
    drive = Drive(find_driver("autopilot"), stream, 0)
    episode = small_site(drive)
    drive.begin(stream.segments[0].task, episode)
    stage = Stage([drive], (SIDE, SIDE))
    stage.ring = stage.verdicts = False
    stage.centre = drive.moment().site
    begins = np.cumsum([0, *(segment.steps for segment in stream.segments)]).tolist()
    with film(path, FRAMES_PER_SECOND) as made:
        for number in shown:
            segment, lived, resting = stream.segments[number], begins[number], 0
            drive.begin(segment.task, episode)
            for frame in range(each):
                place = lived + round(segment.steps * frame / each)
                if stream.at(place) != drive.conditions:
                    drive.change(stream.at(place))
                stage.remember(0, memory_of(stream, place))
                stage.draw([drive], 1.0)
                made.add(stage.pixels())
                resting = resting + 1 if drive.ended else 0
                if resting == REST:  # again, in the world as it is now
                    drive.begin(segment.task, episode, drive.conditions)
                for _ in range(EVERY):
                    drive.step()
    drive.close()


def small_site(drive: Drive) -> int:
    """Find the first episode whose start and targets fit in one picture, whatever the task; else 0."""

    def width(task: int, episode: int) -> float:
        drive.begin(task, episode)
        scene = drive.moment()
        x, y = scene.site
        half = scene.ground.period / 2
        points = np.array([scene.pose[:2], *scene.targets])
        return float(2 * np.abs((points - (x, y) + half) % (2 * half) - half).max())

    tasks = {segment.task for segment in drive.stream.segments}
    sites = (k for k in range(SITES) if max(width(task, k) for task in tasks) < WIDEST)
    return next(sites, 0)


def film_agents(runs: Path, target: Path) -> None:
    """Train finetuning and replay on the shortest stream, and film both before and after at one site."""
    tier = get_tier("smoke")
    configs = [
        RunConfig(
            stream=tier.stream,
            method=method,
            eval_episodes=tier.eval_episodes,
            evals_per_segment=tier.evals_per_segment,
        )
        for method in METHODS
    ]
    episode = None
    with progress(len(configs)) as listen:
        for config in configs:
            path = run_path(runs, config.stream, config.method, config.seed)
            run(config, path, listen)
            told = before_after(
                path, target / f"{config.method}.gif", size=SIDE, every=EVERY, episode=episode
            )
            episode = told.episode
            typer.echo(f"{config.method}: {told.task} {told.before:.2f}, at the end {told.after:.2f}")


def main(
    target: Annotated[Path, typer.Argument(help="Folder of the pictures.")],
    runs: Annotated[Path, typer.Option(help="Folder of the short trainings.")] = Path("runs/gallery"),
    agents: Annotated[bool, typer.Option(help="Train, and film before and after.")] = True,
) -> None:
    """Make the gallery."""
    with orderly(command_line()):
        for name in STREAMS:
            path = target / f"drift-{name}.gif"
            film_drift(get_stream(name), path)
            typer.echo(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
        if agents:
            film_agents(runs, target)


if __name__ == "__main__":
    typer.run(main)
