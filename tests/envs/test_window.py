"""The environments' window, on a display that is none."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import rover_cl_envs  # noqa: F401  registers the environments
from rover_cl_envs import Conditions, MarsRoverEnv
from rover_cl_envs.drawing import pygame
from rover_cl_envs.renderer import Renderer


@pytest.fixture
def no_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")


@pytest.mark.usefixtures("no_screen")
def test_human_mode_shows_every_step_and_survives_the_closing_of_its_window() -> None:
    env = gym.make("RoverCL/MarsRover-v0", render_mode="human", render_size=(320, 240), num_maps=1)
    env.reset(seed=0)
    shown = pygame.surfarray.array3d(pygame.display.get_surface())
    assert shown.shape == (320, 240, 3) and shown.std() > 5
    env.step(np.array([1.0, 1.0], dtype=np.float32))
    assert (pygame.surfarray.array3d(pygame.display.get_surface()) != shown).any()
    assert env.render() is None  # type: ignore[func-returns-value]
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


def test_without_a_display_the_error_says_what_to_do() -> None:
    program = (
        "import os; os.environ['SDL_VIDEODRIVER'] = 'nonsense'\n"
        "from rover_cl_envs.window import Window\n"
        "Window((64, 48), 'none')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("RuntimeError: no window can be opened") and "render_mode='rgb_array'" in last


def test_memory_stays_flat_in_steady_state() -> None:
    """Once a drive's tiles, glyphs and headings have been drawn, pictures allocate nothing that stays."""
    env = MarsRoverEnv(render_mode="rgb_array", num_maps=1, conditions=Conditions(patch_cover=0.0))
    env.reset(seed=0)
    renderer = Renderer((640, 400))
    scenes = []
    for k in range(60):
        env.step(np.array([0.6, np.sin(k)], dtype=np.float32))
        scenes.append(env.scene())
        if env.outcome != "running":
            break

    def drive(times: int) -> None:
        for k in range(times):
            renderer.draw(scenes[k % len(scenes)])

    drive(2 * len(scenes))
    tracemalloc.start()
    drive(200)
    before, _ = tracemalloc.get_traced_memory()
    surfaces = _surfaces()
    drive(3000)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert _surfaces() == surfaces
    assert after - before < 20_000


def _surfaces() -> int:
    """Surfaces that are alive."""
    import gc

    return sum(type(thing) is pygame.Surface for thing in gc.get_objects()) + _kept()


def _kept() -> int:
    """Resident memory in steps of 4 MiB: surfaces' pixels are out of the sight of Python."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) // 1024
    except FileNotFoundError:
        return 0
