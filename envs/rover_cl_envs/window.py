"""A window on the screen that shows pictures and notices keys."""

from __future__ import annotations

from rover_cl_envs.drawing import pygame

SMOOTH = 60
"""Pictures a second."""


TASKBAR = 90  # of a desktop, with a window's title [px]


def desktop_height() -> int | None:
    """Height of the screen that a window can fill [px]; None where there is none, or it isn't told."""
    try:
        pygame.display.init()
        height = pygame.display.get_desktop_sizes()[0][1]
    except (pygame.error, IndexError):
        return None
    return height - TASKBAR if height > TASKBAR else None


class Window:
    """One window.

    Args:
        size: width and height [px].
        caption: its title.

    Raises:
        RuntimeError: there is no display; the message says what to do.
    """

    def __init__(self, size: tuple[int, int], caption: str) -> None:
        try:
            pygame.display.init()
            self._screen = pygame.display.set_mode(size)
        except pygame.error as error:
            pygame.display.quit()
            raise RuntimeError(
                f"no window can be opened ({error}); there seems to be no display here. Use "
                "render_mode='rgb_array', record to a file, or run under xvfb-run"
            ) from error
        pygame.display.set_caption(caption)
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
