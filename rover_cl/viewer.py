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
from rover_cl.memory_strip import Memory, draw_memory
from rover_cl.recording import film
from rover_cl_envs import palette
from rover_cl_envs.conditions import RANGES
from rover_cl_envs.drawing import pygame
from rover_cl_envs.hud import PANEL_WIDTH, condition_at
from rover_cl_envs.lettering import Lettering
from rover_cl_envs.renderer import LAYERS, SIZE, Renderer
from rover_cl_envs.vector_env import RENDER_FPS
from rover_cl_envs.window import SMOOTH, Window, desktop_height

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
        drives: one, or two; strips of their memories are below their pictures.
        size: of each picture [px]; None: with instruments for one, without for two.
        room: height that the whole may take [px]; None: as much as it likes.
    """

    def __init__(
        self, drives: Sequence[Drive], size: tuple[int, int] | None = None, room: int | None = None
    ) -> None:
        count, strip = len(drives), max(drive.memory.height for drive in drives)
        one = size or (SIZE if count == 1 else (640, 640))
        if room is not None and one[1] + strip > room:  # a small screen: less ground, all instruments
            high = max(room - strip, 400)
            one = (one[0] - one[1] + high, high)
        self._renderers = [Renderer(one) for _ in range(count)]
        self.size = (count * one[0] + (count - 1) * GAP, one[1] + strip)
        self.one = one
        self.surface = pygame.Surface(self.size, depth=32)
        self.surface.fill(palette.SHADE)
        self.ring = True
        self.centre: tuple[float, float] | None = None
        """the point in the middle [m]; None: the rover"""
        self._letters = Lettering()
        self._step = one[0] + GAP
        for k, drive in enumerate(drives):
            self.remember(k, drive.memory)

    def remember(self, number: int, memory: Memory) -> None:
        """Draw the strip of one of the drives anew."""
        left, top = number * self._step, self.one[1]
        place = pygame.Rect(left, top, self.one[0], self.size[1] - top)
        draw_memory(self.surface, memory, self._letters, place)

    def draw(self, drives: Sequence[Drive], share: float) -> pygame.Surface:
        """Draw every drive, a share of the way through its last step."""
        layers = [layer for layer in LAYERS if self.ring or layer != "ring"]
        for k, (renderer, drive) in enumerate(zip(self._renderers, drives, strict=True)):
            picture = renderer.draw(drive.moment(share), layers, self.centre)
            self.surface.blit(picture, (k * self._step, 0))
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
    stage = Stage(drives, size)
    smooth = SMOOTH // RENDER_FPS if path.suffix == ".mp4" else 1
    scores = []
    with film(path, RENDER_FPS * smooth) as made:
        for episode in range(episodes):
            for drive in drives:
                drive.begin((drive.task + (episode > 0)) % len(drive.stream.tasks), drive.episode)
            for k, drive in enumerate(drives):
                stage.remember(k, drive.memory)
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
        attend: called before each picture, for what else goes on.
        rate: pictures a second.

    Raises:
        RuntimeError: there is no display.
    """

    def __init__(
        self,
        drives: Sequence[Drive],
        attend: "Callable[[Viewer], None]" = lambda viewer: None,
        rate: int = SMOOTH,
    ) -> None:
        self.drives = list(drives)
        self._attend, self._rate = attend, rate
        self.stage = Stage(drives, room=desktop_height())
        self.window = Window(self.stage.size, "rover_cl")
        self.letters = Lettering()
        self.speed, self.paused, self.help, self.single = SPEEDS.index(RENDER_FPS), False, True, False
        self.steering = False
        # The one that the arrow keys drive.
        self._mine = next((d for d in self.drives if d.driver.name == "keyboard"), self.drives[0])
        self.best: dict[tuple[int, int], float] = {}
        self.begin(drives[0].task, drives[0].episode)

    def run(self) -> None:
        """Show and obey until the window is closed."""
        progress = 1.0
        while not self.window.closed:
            for event in self.window.events():
                self._obey(event)
            if not self.window.closed:
                self._attend(self)
            if self.window.closed:
                break
            if progress >= 1 and self._may_step():
                self._step()
                progress = 0.0
            if progress < 1:
                progress = min(1.0, progress + SPEEDS[self.speed] / self._rate)
            self.stage.draw(self.drives, progress)
            self._draw_words()
            self.window.show(self.stage.surface, self._rate)
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

    def begin(self, task: int, episode: int) -> None:
        """Begin an episode of a task, for everybody."""
        for k, drive in enumerate(self.drives):
            drive.begin(task % len(drive.stream.tasks), episode)
            self.stage.remember(k, drive.memory)
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
            pygame.K_n: lambda: self.begin(first.task + 1, first.episode),
            pygame.K_e: lambda: self.begin(first.task, first.episode + 1),
            pygame.K_r: lambda: self.begin(first.task, first.episode),
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
