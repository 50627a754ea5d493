"""The environments' window, on a display that is none."""

from __future__ import annotations

import gc
import os
import resource
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from numpy.typing import NDArray

import rover_cl_envs  # noqa: F401  registers the environments
from rover_cl_envs import Conditions, MarsRoverEnv
from rover_cl_envs.drawing import pygame
from rover_cl_envs.renderer import Renderer


@pytest.fixture
def no_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")


def on_screen() -> NDArray[np.uint8]:
    surface = pygame.display.get_surface()
    assert surface is not None
    return pygame.surfarray.array3d(surface)


@pytest.mark.usefixtures("no_screen")
def test_human_mode_shows_every_step_and_survives_the_closing_of_its_window() -> None:
    env = gym.make("RoverCL/MarsRover-v0", render_mode="human", render_size=(320, 240), num_maps=1)
    env.reset(seed=0)
    shown = on_screen()
    assert shown.shape == (320, 240, 3) and shown.std() > 5
    env.step(np.array([1.0, 1.0], dtype=np.float32))
    assert (on_screen() != shown).any()
    picture: Any = env.render()
    assert picture is None
    pygame.event.post(pygame.event.Event(pygame.QUIT))
    env.step(np.array([1.0, 0.0], dtype=np.float32))
    assert not pygame.display.get_init()
    env.step(np.array([1.0, 0.0], dtype=np.float32))
    env.close()


@pytest.mark.usefixtures("no_screen")
def test_gymnasiums_window_shows_our_pictures() -> None:
    inner = gym.make("RoverCL/MarsDrift-v0", render_mode="rgb_array", render_size=(64, 48), num_maps=1)
    env: Any = gym.wrappers.HumanRendering(inner)
    env.reset(seed=0)
    env.step(np.array([1.0, 0.0], dtype=np.float32))
    env.close()


@pytest.mark.parametrize("driver", ["nonsense", None])
def test_without_a_display_the_error_says_what_to_do(driver: str | None) -> None:
    """None: SDL chooses, and its last resort is a window that nobody can see."""
    screens = ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER", "SDL_VIDEO_DRIVER")
    environment = {name: value for name, value in os.environ.items() if name not in screens}
    if driver is not None:
        environment["SDL_VIDEODRIVER"] = driver
    elif sys.platform != "linux":
        pytest.skip("elsewhere there is always a screen")
    program = "from rover_cl_envs.window import Window\nWindow((64, 48), 'none')"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("RuntimeError: no window can be opened") and "render_mode='rgb_array'" in last


def test_memory_stays_flat_in_steady_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once a drive's tiles, glyphs and headings have been drawn, pictures allocate nothing that stays."""
    env = MarsRoverEnv(render_mode="rgb_array", num_maps=1, conditions=Conditions(patch_cover=0.0))
    env.reset(seed=0)
    renderer = Renderer((640, 400))
    scenes = []
    for k in range(60):
        env.step(np.array([0.6, np.sin(k)], dtype=np.float32))
        scene = env.scene()
        whirl = np.array([(scene.pose[0] + 2, scene.pose[1], 1.5, 0)], dtype=np.float32)
        scenes.append(replace(scene, haze=0.5, bodies=whirl, charge=0.5, sun=(1.0, 0.5)))
        if env.outcome != "running":
            break

    def drive(times: int) -> None:
        for k in range(times):
            renderer.draw(scenes[k % len(scenes)])

    drive(2 * len(scenes))
    tracemalloc.start()
    drive(60)
    before = _traced()
    drive(300)
    after = _traced()
    tracemalloc.stop()
    assert after - before < 5_000
    made: list[str] = []
    for module, name in ((pygame, "Surface"), (pygame.transform, "smoothscale"), (pygame.font, "Font")):
        monkeypatch.setattr(module, name, _noting(made, name, getattr(module, name)))
    glyphs, resident = len(renderer._letters._glyphs), _resident()
    drive(10_000)
    assert not made and len(renderer._letters._glyphs) == glyphs
    assert _resident() - resident < 4  # [MiB]; one picture a time would be 10 GiB
    Renderer((640, 400)).draw(scenes[0])
    assert {"Surface", "smoothscale", "Font"} <= set(made)  # it would have been seen


def _traced() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def _noting(made: list[str], name: str, make: Callable[..., Any]) -> Callable[..., Any]:
    """The same, but every call is noted."""

    def noted(*arguments: Any, **options: Any) -> Any:
        made.append(name)
        return make(*arguments, **options)

    return noted


def _resident() -> float:
    """Resident memory [MiB]: surfaces' pixels are out of the sight of Python."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * resource.getpagesize() / 2**20 if statm.exists() else 0.0
