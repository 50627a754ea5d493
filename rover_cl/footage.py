"""Drives as films: every episode from its start to its end, with progress."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic

import typer
from rich.console import Console
from rich.progress import Progress

from rover_cl.drive import Drive
from rover_cl.recording import film
from rover_cl.stage import Stage
from rover_cl_envs.vector_env import RENDER_FPS
from rover_cl_envs.window import SMOOTH

GIF_SIDE = 360
"""Width and height of a picture in a GIF, which would be large otherwise [px]."""
LINE_EVERY = 10.0
"""Seconds between two lines of progress where the output is no terminal."""


def record(
    drives: Sequence[Drive],
    path: Path,
    *,
    episodes: int = 1,
    size: tuple[int, int] | None = None,
    tell: Callable[[float], None] = lambda share: None,
) -> list[float]:
    """Film the drives' episodes on every task in turn, without a display.

    Args:
        drives: one, or two to be seen side by side.
        path: ends in .mp4 (60 frames a second) or .gif (12).
        episodes: how many.
        size: of each picture [px].
        tell: hears which share is done.

    Returns:
        Score of each episode of each drive, episode by episode.

    Raises:
        ValueError: another ending.
        RuntimeError: there is nothing that writes MP4; the message says what to do.
    """
    stage = Stage(drives, size)
    smooth = SMOOTH // RENDER_FPS if path.suffix == ".mp4" else 1
    scores = []
    with film(path, RENDER_FPS * smooth) as made:
        for episode in range(episodes):
            for k, drive in enumerate(drives):
                drive.begin((drive.task + (episode > 0)) % len(drive.stream.tasks), drive.episode)
                stage.remember(k, drive.memory)
            step = 0
            while not all(drive.ended for drive in drives):
                for drive in drives:
                    drive.step()
                for k in range(1, smooth + 1):
                    stage.draw(drives, k / smooth)
                    made.add(stage.pixels())
                step += 1
                tell((episode + min(step / drives[0].stream.world.time_limit, 1)) / episodes)
            for _ in range(RENDER_FPS * smooth if path.suffix == ".mp4" else 0):
                made.add(stage.pixels())  # the end stays for a second
            scores += [drive.score for drive in drives]
    tell(1.0)
    return scores


def film_with_progress(drives: Sequence[Drive], path: Path, episodes: int) -> None:
    """Film, with a bar on stderr or now and then a line, and say how each drive ended."""
    size = (GIF_SIDE, GIF_SIDE) if path.suffix == ".gif" else None
    if sys.stderr.isatty():
        with Progress(console=Console(stderr=True), transient=True) as display:
            bar = display.add_task(path.name, total=1.0)
            scores = record(
                drives,
                path,
                episodes=episodes,
                size=size,
                tell=lambda share: display.update(bar, completed=share),
            )
    else:
        scores = record(drives, path, episodes=episodes, size=size, tell=_Lines(path.name).tell)
    names = [drive.driver.name for drive in drives] * episodes
    told = "; ".join(f"{name} {score:+.2f}" for name, score in zip(names, scores, strict=True))
    typer.echo(f"{path}: {told}")


class _Lines:
    """A line on stderr every `LINE_EVERY` seconds."""

    def __init__(self, name: str) -> None:
        self._name, self._said = name, monotonic()

    def tell(self, share: float) -> None:
        if monotonic() - self._said > LINE_EVERY:
            self._said = monotonic()
            typer.echo(f"{share:4.0%}  {self._name}", err=True)
