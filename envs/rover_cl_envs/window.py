"""A window on the screen that shows pictures and notices keys."""

from __future__ import annotations

import os
import sys

from rover_cl_envs import palette
from rover_cl_envs.drawing import pygame

SMOOTH = 60
"""Pictures a second."""

UNSEEN = ("dummy", "offscreen")
"""Drivers of SDL that need no screen."""
TASKBAR = 90  # of a desktop, with a window's title [px]


def desktop_room() -> tuple[int, int] | None:
    """Width and height that a window can fill [px]; None where there is no screen, or it isn't told."""
    if _screenless():
        return None
    try:
        pygame.display.init()
        width, height = pygame.display.get_desktop_sizes()[0]
    except (pygame.error, IndexError):
        return None
    return (width, height - TASKBAR) if height > TASKBAR else None


def _screenless() -> bool:
    """Whether SDL needn't look for a screen, which would write lines of its own to the standard error."""
    named = ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER", "SDL_VIDEO_DRIVER")
    return sys.platform == "linux" and not any(map(os.environ.get, named)) and not os.path.exists("/dev/dri")


def _refuse_unseen(driver: str) -> None:
    """Where there is no screen SDL falls back to a window that nobody sees, and would run in it for ever.

    Raises:
        pygame.error: it did, though nobody named that driver.
    """
    if driver in UNSEEN and not (os.environ.get("SDL_VIDEODRIVER") or os.environ.get("SDL_VIDEO_DRIVER")):
        raise pygame.error(f"only the driver {driver!r} is available")


def _icon() -> pygame.Surface:
    """Mars, and the tracks of a rover on it."""
    icon = pygame.Surface((64, 64), pygame.SRCALPHA)
    pygame.draw.circle(icon, palette.MIDDLE_GROUND, (32, 32), 30)
    pygame.draw.circle(icon, palette.BRIGHT_GROUND, (24, 22), 9)
    for x in (30, 44):
        pygame.draw.line(icon, palette.SHADE, (x, 62 - abs(x - 32)), (x, 24), 5)
    pygame.draw.rect(icon, palette.DECK, (24, 12, 26, 22), border_radius=3)
    pygame.draw.rect(icon, palette.SOLAR, (28, 18, 18, 10))
    return icon


class Window:
    """One window.

    Args:
        size: width and height [px].
        caption: its title.
        unseen: open it also where there is no screen, if SDL can, as Gymnasium's checker wants it.

    Raises:
        RuntimeError: there is no display; the message says what to do.
    """

    def __init__(self, size: tuple[int, int], caption: str, *, unseen: bool = False) -> None:
        try:
            if not unseen and _screenless():
                raise pygame.error("neither DISPLAY nor WAYLAND_DISPLAY is set")
            pygame.display.init()
            if not unseen:
                _refuse_unseen(pygame.display.get_driver())
            self._screen = pygame.display.set_mode(size)
        except pygame.error as error:
            pygame.display.quit()
            raise RuntimeError(
                f"no window can be opened ({error}); there seems to be no display here. Use "
                "render_mode='rgb_array', record to a file, or run under xvfb-run"
            ) from error
        pygame.display.set_caption(caption)
        pygame.display.set_icon(_icon())
        pygame.key.set_repeat(0)
        self._clock = pygame.time.Clock()
        self.closed = False
        """whether somebody has closed it"""

    def show(self, picture: pygame.Surface, frames_per_second: float = SMOOTH) -> None:
        """Put a picture of the window's size on the screen, no sooner than the rate allows."""
        if self.closed:
            return
        self._screen.blit(picture, (0, 0))
        pygame.display.flip()
        self._clock.tick(frames_per_second)

    def events(self) -> list[pygame.event.Event]:
        """What has happened since the last call; closes the window if that was asked for."""
        if self.closed:
            return []
        happened = pygame.event.get()
        if any(event.type == pygame.QUIT for event in happened):
            self.close()
        return happened

    @property
    def rate(self) -> float:
        """Pictures shown a second, lately."""
        return float(self._clock.get_fps())

    def close(self) -> None:
        """Take it from the screen; again does nothing."""
        if not self.closed:
            self.closed = True
            pygame.display.quit()
