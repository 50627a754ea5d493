"""The viewer: one agent or two on the same ground, in a window with keys and sliders."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rover_cl.drive import Drive, changed, score_to_beat
from rover_cl.keys import KeyStrip
from rover_cl.stage import COLUMN, GAP, SIDE, Stage
from rover_cl_envs import palette
from rover_cl_envs.conditions import RANGES, Conditions
from rover_cl_envs.drawing import pygame
from rover_cl_envs.lettering import Lettering
from rover_cl_envs.renderer import SIZE
from rover_cl_envs.vector_env import RENDER_FPS
from rover_cl_envs.window import SMOOTH, Window, desktop_room

SPEEDS = (1, 3, 6, 12, 24, 60)
"""Steps a second to choose from."""
CHIP = 24  # height of a line in the upper left corner [px]


class Viewer:
    """The interactive window.

    Args:
        drives: one, or two to be seen side by side.
        attend: called before each picture, for what else goes on.
        rate: pictures a second.
        bars: leave room for a bar for each task, though no drive has been examined yet.
        caption: of the window; None: the drivers' names.

    Raises:
        RuntimeError: there is no display.
    """

    def __init__(
        self,
        drives: Sequence[Drive],
        attend: "Callable[[Viewer], None]" = lambda viewer: None,
        rate: int = SMOOTH,
        *,
        bars: bool = False,
        caption: str | None = None,
    ) -> None:
        self.drives = list(drives)
        self._attend, self._rate = attend, rate
        room = desktop_room()
        wide = SIZE[0] if len(drives) == 1 else 2 * (SIDE + GAP) + COLUMN
        self._keys = KeyStrip(min(wide, room[0]) if room else wide, Lettering())
        self.stage = Stage(drives, room=room, column=True, footer=self._keys.height, bars=bars)
        caption = caption or " and ".join(drive.driver.name for drive in drives)
        self.window = Window(self.stage.size, f"rover_cl: {caption}")
        self.letters = self.stage.letters
        self.speed, self.paused, self.single = SPEEDS.index(RENDER_FPS), False, False
        self.steering = False
        # The one that the arrow keys drive.
        self._mine = next((d for d in self.drives if d.driver.name == "keyboard"), self.drives[0])
        self.best: dict[tuple[int, int, Conditions], float] = {}
        """the best score by the keys in an episode of a task, under the conditions it was begun with"""
        self._held: str | None = None
        self._help = True
        self._keys.draw(self.stage.surface, self.stage.foot)
        self.begin(drives[0].task, drives[0].episode)

    def run(self) -> None:
        """Show and obey until the window is closed."""
        progress = 1.0
        while not self.window.closed:
            events = self.window.events()
            for k, event in enumerate(events):
                # Of a slider that is dragged only the last place counts: each makes the ground anew.
                if not all(map(_drags, events[k : k + 2])) or k == len(events) - 1:
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
            self.stage.draw(self.drives, progress, [self._note(drive) for drive in self.drives])
            self._draw_words()
            self.window.show(self.stage.surface, self._rate)
        for drive in self.drives:
            drive.close()

    def _may_step(self) -> bool:
        if self.single:
            self.single = False
            return True
        return not (self.paused or self._waits() or all(drive.ended for drive in self.drives))

    def _waits(self) -> bool:
        """Whether a lone driver at the keyboard holds no key: the world waits then."""
        return len(self.drives) == 1 and self._mine.driver.name == "keyboard" and self._command() is None

    def _step(self) -> None:
        command = self._command()
        self.steering |= command is not None
        for drive in self.drives:
            drive.step(command if drive is self._mine else None)
        if self.steering and self._mine.ended and self._mine.conditions == self._begun:
            self.best[self._place] = max(self._mine.score, self.best.get(self._place, -np.inf))

    def _command(self) -> NDArray[np.float32] | None:
        """Drive and steer (2,) by the arrow keys; None where none is held."""
        held = pygame.key.get_pressed()
        drive = float(held[pygame.K_UP]) - float(held[pygame.K_DOWN])
        steer = float(held[pygame.K_LEFT]) - float(held[pygame.K_RIGHT])
        return np.array([drive, steer], dtype=np.float32) if drive or steer else None

    @property
    def _place(self) -> tuple[int, int, Conditions]:
        return self._mine.task, self._mine.episode, self._begun

    def begin(self, task: int, episode: int, conditions: Conditions | None = None) -> None:
        """Begin an episode of a task, for everybody.

        Args:
            task: its number, beyond the last one the first again.
            episode: any number from 0 on.
            conditions: others than the task's own.
        """
        for k, drive in enumerate(self.drives):
            drive.begin(task % len(drive.stream.tasks), episode, conditions)
            self.stage.remember(k, drive.memory)
        self.steering = False
        self._begun = self._mine.conditions
        self.rival = score_to_beat(self._mine)

    def _obey(self, event: pygame.event.Event) -> None:
        if event.type == pygame.KEYDOWN:
            self._press(event.key, event.unicode)
        elif event.type == pygame.MOUSEBUTTONDOWN and event.button == 1:
            self._held = self.stage.slider_at(self.drives[0].moment(), event.pos)
            self._slide(event.pos)
        elif _drags(event):
            self._slide(event.pos)
        elif event.type == pygame.MOUSEBUTTONUP:
            self._held = None
        elif event.type == pygame.MOUSEWHEEL:
            self.stage.turn_page(self.drives[0].moment(), -1 if event.y > 0 else 1)

    def _press(self, key: int, letter: str) -> None:
        first = self.drives[0]
        actions: dict[int, Callable[[], Any]] = {
            pygame.K_q: self.window.close,
            pygame.K_ESCAPE: self.window.close,
            pygame.K_n: lambda: self.begin(first.task + 1, first.episode),
            # What the sliders changed stays until the next task, or until it is taken back.
            pygame.K_e: lambda: self.begin(first.task, first.episode + 1, first.conditions),
            pygame.K_r: lambda: self.begin(first.task, first.episode, first.conditions),
            pygame.K_0: lambda: self._change(first.stream.tasks[first.task].conditions),
            pygame.K_TAB: lambda: self.stage.turn_page(first.moment()),
            pygame.K_h: self._toggle_help,
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
        elif key == pygame.K_s:
            self.stage.ring = not self.stage.ring
        elif letter and letter in "123456":
            self._toggle_wheel(int(letter) - 1)

    def _toggle_help(self) -> None:
        self._help = not self._help
        self._keys.draw(self.stage.surface, self.stage.foot, hidden=not self._help)

    def _toggle_wheel(self, wheel: int) -> None:
        health = list(self.drives[0].conditions.wheel_health)
        health[wheel] = 0.0 if health[wheel] > 0 else 1.0
        self._change(changed(self.drives[0].conditions, "wheel_health", tuple(health)))

    def _slide(self, place: tuple[int, int]) -> None:
        """Move the slider that the mouse holds, wherever it has strayed to."""
        if self._held is not None:
            low, high = RANGES[self._held]
            share = self.stage.sliders(self.drives[0].moment()).share(place[0])
            value = min(max(low + share * (high - low), low), high)
            self._change(changed(self.drives[0].conditions, self._held, value))

    def _change(self, conditions: Conditions) -> None:
        """Change everybody's world."""
        for drive in self.drives:
            drive.change(conditions)

    def _note(self, drive: Drive) -> str:
        """What stands under the verdict on a drive."""
        score = f"score {drive.score:+.2f}"
        if not (self.steering and drive is self._mine):
            return score
        ahead = drive.score - self.rival
        if ahead > 0:
            return f"{score}: {ahead:.2f} more than the autopilot"
        return f"{score}, the autopilot has {self.rival:+.2f}"

    def _draw_words(self) -> None:
        """Speed, score to beat, and what can be done next."""
        mine = self._mine
        words = [f"{SPEEDS[self.speed]} steps/s" + ("  paused" if self.paused else "")]
        if self.steering or mine.driver.name == "keyboard":
            words.append(f"to beat: {self.rival:+.2f} (autopilot)")
        if self._place in self.best:
            words.append(f"your best: {self.best[self._place]:+.2f}")
        if all(drive.ended for drive in self.drives):
            words.append("R again   E next episode   N next task")
        elif self._waits():
            words.append("it waits for the arrow keys")
        top = 10 if len(self.drives) == 1 else 34
        for k, text in enumerate(words):
            self._say(text, 10, top + CHIP * k)

    def _say(self, text: str, x: int, y: int) -> None:
        width = self.letters.width(text, 18)
        pygame.draw.rect(self.stage.surface, palette.PANEL, (x - 4, y - 3, width + 8, 19), border_radius=4)
        self.letters.write(self.stage.surface, text, (x, y), size=18, colour=palette.INK)


def _drags(event: pygame.event.Event) -> bool:
    """Whether the mouse is moved with its left button down."""
    return event.type == pygame.MOUSEMOTION and bool(event.buttons[0])
