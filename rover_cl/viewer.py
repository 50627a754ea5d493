"""The viewer: one agent or two on the same ground, in a window with keys and sliders, or filmed to a file."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

from rover_cl.drive import Drive, changed, score_to_beat
from rover_cl.memory_strip import HEIGHT, Memory, draw_memory
from rover_cl.recording import film
from rover_cl_envs import palette
from rover_cl_envs.conditions import RANGES
from rover_cl_envs.drawing import pygame
from rover_cl_envs.hud import PANEL_WIDTH, condition_at
from rover_cl_envs.lettering import Lettering
from rover_cl_envs.renderer import LAYERS, SIZE, Renderer
from rover_cl_envs.vector_env import RENDER_FPS
from rover_cl_envs.window import SMOOTH, Window

GAP = 4
"""Between two pictures [px]."""
SPEEDS = (1, 3, 6, 12, 24, 60)
"""Steps a second to choose from."""
HELP = (
    ("arrows", "drive"),
    ("space", "pause"),
    (".", "one step"),
    ("+ -", "faster, slower"),
    ("N", "next task"),
    ("E", "next episode"),
    ("R", "again"),
    ("1-6", "break a wheel, mend it"),
    ("mouse", "move a slider"),
    ("S", "sensor ring"),
    ("H", "this list"),
    ("Q", "quit"),
)


class Stage:
    """The whole picture: one drive with instruments, or two side by side.

    Args:
        count: number of drives, 1 or 2.
        size: of each picture [px]; None: with instruments for one, without for two.
        memories: of each driver, for a strip below its picture.
    """

    def __init__(
        self, count: int, size: tuple[int, int] | None = None, memories: Sequence[Memory | None] = ()
    ) -> None:
        one = size or (SIZE if count == 1 else (640, 640))
        self._renderers = [Renderer(one) for _ in range(count)]
        self._memories = memories if any(memories) else ()
        self.size = (count * one[0] + (count - 1) * GAP, one[1] + (HEIGHT if self._memories else 0))
        self.one = one
        self.surface = pygame.Surface(self.size, depth=32)
        self.surface.fill(palette.SHADE)
        for k, memory in enumerate(self._memories):
            if memory is not None:
                place = pygame.Rect(k * (one[0] + GAP), one[1], one[0], HEIGHT)
                draw_memory(self.surface, memory, Lettering(), place)
        self.ring = True
        self._step = one[0] + GAP

    def draw(self, drives: Sequence[Drive], share: float) -> pygame.Surface:
        """Draw every drive, a share of the way through its last step."""
        layers = [layer for layer in LAYERS if self.ring or layer != "ring"]
        for k, (renderer, drive) in enumerate(zip(self._renderers, drives, strict=True)):
            self.surface.blit(renderer.draw(drive.moment(share), layers), (k * self._step, 0))
        return self.surface

    def pixels(self) -> NDArray[np.uint8]:
        """What was drawn, (height, width, 3)."""
        data = np.frombuffer(pygame.image.tobytes(self.surface, "RGB"), dtype=np.uint8)
        return data.reshape(self.size[1], self.size[0], 3)


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
    """
    stage = Stage(len(drives), size, [drive.driver.memory for drive in drives])
    smooth = SMOOTH // RENDER_FPS if path.suffix == ".mp4" else 1
    scores = []
    with film(path, RENDER_FPS * smooth) as made:
        for episode in range(episodes):
            for drive in drives:
                drive.begin((drives[0].task + (episode > 0)) % len(drive.stream.tasks), drive.episode)
            step = 0
            while not all(drive.ended for drive in drives):
                for drive in drives:
                    drive.step()
                for k in range(1, smooth + 1):
                    stage.draw(drives, k / smooth)
                    made.add(stage.pixels())
                step += 1
                tell((episode + min(step / 200, 1)) / episodes)
            for _ in range(RENDER_FPS * smooth if path.suffix == ".mp4" else 0):
                made.add(stage.pixels())  # the end stays for a second
            scores += [drive.score for drive in drives]
    tell(1.0)
    return scores


def film_with_progress(drives: Sequence[Drive], path: Path, episodes: int) -> None:
    """Film, with a bar on stderr, and say how each drive ended."""
    with Progress(console=Console(stderr=True), transient=True) as display:
        bar = display.add_task(path.name, total=1.0)
        size = (360, 360) if path.suffix == ".gif" else None
        scores = record(
            drives,
            path,
            episodes=episodes,
            size=size,
            tell=lambda share: display.update(bar, completed=share),
        )
    names = [drive.driver.name for drive in drives] * episodes
    told = "; ".join(f"{name} {score:+.2f}" for name, score in zip(names, scores, strict=True))
    typer.echo(f"{path}: {told}")


class Viewer:
    """The interactive window.

    Args:
        drives: one, or two to be seen side by side.

    Raises:
        RuntimeError: there is no display.
    """

    def __init__(self, drives: Sequence[Drive]) -> None:
        self.drives = list(drives)
        self.stage = Stage(len(drives), memories=[drive.driver.memory for drive in drives])
        self.window = Window(self.stage.size, "rover_cl")
        self.letters = Lettering()
        self.speed, self.paused, self.help, self.single = SPEEDS.index(RENDER_FPS), False, True, False
        self.steering = False
        # The one that the arrow keys drive.
        self._mine = next((d for d in self.drives if d.driver.name == "keyboard"), self.drives[0])
        self.best: dict[tuple[int, int], float] = {}
        self._begin(drives[0].task, drives[0].episode)

    def run(self) -> None:
        """Show and obey until the window is closed."""
        progress = 1.0
        while not self.window.closed:
            for event in self.window.events():
                self._obey(event)
            if self.window.closed:
                break
            if progress >= 1 and self._may_step():
                self._step()
                progress = 0.0
            if progress < 1:
                progress = min(1.0, progress + SPEEDS[self.speed] / SMOOTH)
            self.stage.draw(self.drives, progress)
            self._draw_words()
            self.window.show(self.stage.surface)
        for drive in self.drives:
            drive.close()

    def _may_step(self) -> bool:
        if self.single:
            self.single = False
            return True
        waits = self.drives[0].driver.name == "keyboard" and self._command() is None and len(self.drives) == 1
        return not (self.paused or waits or all(drive.ended for drive in self.drives))

    def _step(self) -> None:
        command = self._command()
        self.steering |= command is not None
        for drive in self.drives:
            drive.step(command if drive is self._mine else None)
        if self.steering and self._mine.ended:
            place = (self._mine.task, self._mine.episode)
            self.best[place] = max(self._mine.score, self.best.get(place, -np.inf))

    def _command(self) -> NDArray[np.float32] | None:
        """Drive and steer (2,) by the arrow keys; None where none is held."""
        held = pygame.key.get_pressed()
        drive = float(held[pygame.K_UP]) - float(held[pygame.K_DOWN])
        steer = float(held[pygame.K_LEFT]) - float(held[pygame.K_RIGHT])
        return np.array([drive, steer], dtype=np.float32) if drive or steer else None

    def _begin(self, task: int, episode: int) -> None:
        for drive in self.drives:
            drive.begin(task % len(drive.stream.tasks), episode)
        self.steering = False
        first = self.drives[0]
        self.rival = score_to_beat(first.stream, first.seed, first.task, episode)

    def _obey(self, event: pygame.event.Event) -> None:
        if event.type == pygame.KEYDOWN:
            self._press(event.key, event.unicode)
        drags = event.type == pygame.MOUSEMOTION and event.buttons[0]
        if drags or (event.type == pygame.MOUSEBUTTONDOWN and event.button == 1):
            self._slide(event.pos)

    def _press(self, key: int, letter: str) -> None:
        first = self.drives[0]
        actions: dict[int, Callable[[], Any]] = {
            pygame.K_q: self.window.close,
            pygame.K_ESCAPE: self.window.close,
            pygame.K_n: lambda: self._begin(first.task + 1, first.episode),
            pygame.K_e: lambda: self._begin(first.task, first.episode + 1),
            pygame.K_r: lambda: self._begin(first.task, first.episode),
        }
        if key in actions:
            actions[key]()
        elif key == pygame.K_SPACE:
            self.paused = not self.paused
        elif key == pygame.K_PERIOD:
            self.paused = self.single = True
        elif letter in ("+", "="):
            self.speed = min(self.speed + 1, len(SPEEDS) - 1)
        elif letter == "-":
            self.speed = max(self.speed - 1, 0)
        elif key == pygame.K_h:
            self.help = not self.help
        elif key == pygame.K_s:
            self.stage.ring = not self.stage.ring
        elif letter and letter in "123456":
            self._toggle_wheel(int(letter) - 1)

    def _toggle_wheel(self, wheel: int) -> None:
        for drive in self.drives:
            health = list(drive.conditions.wheel_health)
            health[wheel] = 0.0 if health[wheel] > 0 else 1.0
            drive.change(changed(drive.conditions, "wheel_health", tuple(health)))

    def _slide(self, place: tuple[int, int]) -> None:
        if len(self.drives) > 1:
            return
        found = condition_at(
            self.drives[0].moment(), place, self.stage.one[0] - PANEL_WIDTH, self.stage.one[1]
        )
        if found is not None:
            name, share = found
            low, high = RANGES[name]
            self.drives[0].change(changed(self.drives[0].conditions, name, low + share * (high - low)))

    def _draw_words(self) -> None:
        """Speed, score to beat, and the keys."""
        first = self.drives[0]
        top = 34 if len(self.drives) > 1 else 10
        words = [f"{SPEEDS[self.speed]} steps/s" + ("  paused" if self.paused else "")]
        words.append(f"to beat: {self.rival:+.2f} (autopilot)")
        if (first.task, first.episode) in self.best:
            words.append(f"your best: {self.best[first.task, first.episode]:+.2f}")
        if first.ended:
            words.append("R again   E next episode   N next task")
        elif first.driver.name == "keyboard" and not first.moment().step:
            words.append("drive with the arrow keys")
        for k, text in enumerate(words):
            self._say(text, 10, top + 24 * k)
        if self.help:
            for k, (key, meaning) in enumerate(HELP):
                y = self.stage.one[1] - 34 - 20 * (len(HELP) - k)
                self._say(f"{key}  {meaning}", 10, y)

    def _say(self, text: str, x: int, y: int) -> None:
        width = self.letters.width(text, 18)
        pygame.draw.rect(self.stage.surface, palette.PANEL, (x - 4, y - 3, width + 8, 19), border_radius=4)
        self.letters.write(self.stage.surface, text, (x, y), size=18, colour=palette.INK)
