"""The viewer: driven by real keys in a real window where there is one, and on a display that is none."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner

from rover_cl import footage
from rover_cl.cli import app
from rover_cl.configuration import RunConfig
from rover_cl.drive import Drive, told
from rover_cl.drivers import find_driver, named, stream_for
from rover_cl.experiment import run
from rover_cl.footage import record
from rover_cl.gallery import film_drift
from rover_cl.memory_strip import (
    COLOURS,
    LANE_HEIGHT,
    NAMES,
    VALUES,
    Memory,
    draw_memory,
    drifting,
    memory_of,
)
from rover_cl.recording import film
from rover_cl.stage import Stage
from rover_cl.viewer import SPEEDS, Viewer
from rover_cl_envs.conditions import Conditions
from rover_cl_envs.drawing import pygame
from rover_cl_envs.drift import Drift
from rover_cl_envs.hud import CONDITIONS_TOP
from rover_cl_envs.lettering import Lettering
from rover_cl_envs.palette import INK, REWARDED, UNUSUAL
from rover_cl_envs.renderer import SIZE
from rover_cl_envs.sliders import ROW
from rover_cl_envs.streams import Segment, Stream, Task, get_stream

TOOLS = ("Xvfb", "xdotool")


def drive_of(who: str) -> Drive:
    return Drive(find_driver(who), get_stream("lookalike"), 0)


@pytest.fixture
def viewer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Viewer]:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    made = Viewer([drive_of("autopilot")])
    yield made
    made.window.close()


def press(viewer: Viewer, key: int, letter: str = "") -> None:
    viewer._obey(pygame.event.Event(pygame.KEYDOWN, key=key, unicode=letter))


def test_the_same_episode_is_the_same_for_everybody() -> None:
    one, other = drive_of("autopilot"), drive_of("random")
    one.begin(1, 7)
    other.begin(1, 7)
    a, b = one.moment(), other.moment()
    assert a.pose == b.pose and a.targets == b.targets
    np.testing.assert_array_equal(a.ground.heights, b.ground.heights)


def test_autopilot_arrives_where_nothing_is_in_the_way() -> None:
    drive = drive_of("autopilot")
    drive.begin(0, 0)
    drive.change(type(drive.conditions)(patch_cover=0.0, rock_abundance=0.0, target_b=1.0))
    while not drive.ended:
        drive.step()
    assert drive.moment().outcome == "success" and drive.score > 5
    score = drive.score
    drive.step()
    assert drive.score == score and drive.moment().step == drive.moment(0.5).step


def test_keys(viewer: Viewer) -> None:
    drive = viewer.drives[0]
    press(viewer, pygame.K_SPACE)
    assert viewer.paused and not viewer._may_step()
    press(viewer, pygame.K_PERIOD, ".")
    assert viewer._may_step() and not viewer._may_step()  # one step, no more
    press(viewer, pygame.K_n)
    assert drive.task == 1 and drive.conditions == drive.stream.tasks[1].conditions
    press(viewer, pygame.K_e)
    assert (drive.task, drive.episode) == (1, 1)
    press(viewer, pygame.K_4, "4")
    assert drive.conditions.wheel_health[3] == 0 and drive.moment().wheel_health[3] == 0
    for _ in range(2 * len(SPEEDS)):
        press(viewer, pygame.K_PLUS, "+")
    assert SPEEDS[viewer.speed] == max(SPEEDS)
    press(viewer, pygame.K_q)
    assert viewer.window.closed


def mouse(viewer: Viewer, kind: int, place: tuple[int, int]) -> None:
    held = {"buttons": (1, 0, 0)} if kind == pygame.MOUSEMOTION else {"button": 1}
    viewer._obey(pygame.event.Event(kind, pos=place, **held))


def test_a_slider_changes_the_world_while_the_mouse_holds_it(viewer: Viewer) -> None:
    drive, right = viewer.drives[0], viewer.stage.one[0]
    top = viewer.stage.sliders(drive.moment()).top
    assert drive.moment().conditions[0][0] == "patch_cover"  # which is out of the ordinary
    mouse(viewer, pygame.MOUSEBUTTONDOWN, (right - 226, top + 10))
    assert drive.conditions.patch_cover == 0.0  # the left end
    mouse(viewer, pygame.MOUSEMOTION, (right + 50, top + 70))  # astray, over other sliders
    assert drive.conditions.patch_cover == 0.5
    mouse(viewer, pygame.MOUSEBUTTONUP, (right - 14, top + 10))
    before = drive.conditions
    mouse(viewer, pygame.MOUSEMOTION, (right - 226, top + 10))
    mouse(viewer, pygame.MOUSEBUTTONDOWN, (300, top + 10))
    assert drive.conditions == before


def test_every_condition_that_has_an_effect_has_a_slider_on_some_page(viewer: Viewer) -> None:
    drive = viewer.drives[0]
    sliders, seen = viewer.stage.sliders(drive.moment()), []
    while True:
        for row in range(sliders.rows):
            seen.append(viewer.stage.slider_at(drive.moment(), (sliders.left, sliders.top + row * ROW)))
        press(viewer, pygame.K_TAB)
        if viewer.stage.page == 0:
            break
    names = [name for name in seen if name is not None]
    assert len(set(names)) == len(names) and "crust_cover" in names and "height_noise" in names
    assert "martian" not in names and "cold" not in names  # for which this stream simulates nothing
    assert told(get_stream("event"), 1)[:3] == ["martian", "martian_speed", "martian_sight"]


def test_changed_conditions_stay_until_they_are_taken_back(viewer: Viewer) -> None:
    drive = viewer.drives[0]
    usual = drive.conditions
    press(viewer, pygame.K_4, "4")
    press(viewer, pygame.K_e)
    assert drive.episode == 1 and drive.conditions.wheel_health[3] == 0
    press(viewer, pygame.K_0, "0")
    assert drive.conditions == usual
    press(viewer, pygame.K_4, "4")
    press(viewer, pygame.K_n)
    assert drive.conditions == drive.stream.tasks[1].conditions


def test_two_drives_share_their_sliders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    viewer = Viewer([drive_of("autopilot"), drive_of("random")])
    sliders = viewer.stage.sliders(viewer.drives[0].moment())
    assert sliders.left > 2 * viewer.stage.one[0]
    place = (sliders.left + sliders.width, sliders.top + 5)
    viewer._obey(pygame.event.Event(pygame.MOUSEBUTTONDOWN, button=1, pos=place))
    mouse(viewer, pygame.MOUSEMOTION, (sliders.left, place[1]))
    assert [drive.conditions.patch_cover for drive in viewer.drives] == [0.0, 0.0]
    viewer.stage.draw(viewer.drives, 1.0)
    viewer.window.close()


@pytest.mark.parametrize("room", [None, (1920, 990), (1366, 678), (1024, 678)])
@pytest.mark.parametrize("count", [1, 2])
def test_the_stage_fits_the_screen(room: tuple[int, int] | None, count: int) -> None:
    drives = [drive_of("random") for _ in range(count)]
    stage = Stage(drives, room=room, column=True, footer=32)
    if room is None:
        assert stage.one == (SIZE, (640, 640))[count - 1]
    else:
        assert stage.size[0] <= room[0] and stage.size[1] <= room[1]
    assert stage.pixels().shape == (stage.size[1], stage.size[0], 3)


def test_two_drives_are_filmed_side_by_side(tmp_path: Path) -> None:
    told: list[float] = []
    drives = [drive_of("autopilot"), drive_of("random")]
    for drive in drives:
        drive.change(type(drive.conditions)(patch_cover=0.5, ground_fluffiness=1.0))
    scores = record(drives, tmp_path / "a.gif", size=(64, 48), tell=told.append)
    with Image.open(tmp_path / "a.gif") as picture:
        assert picture.size == (132, 48 + drives[0].memory.height) and getattr(picture, "n_frames", 1) >= 2
    assert len(scores) == 2 and told[-1] == 1.0
    assert [file.name for file in tmp_path.iterdir()] == ["a.gif"]


def test_the_strip_shows_what_is_left_of_each_task() -> None:
    now, best = np.array([0.25, 1.0]), np.array([1.0, 1.0])
    memory = Memory(tasks=("a", "b"), order=(0, 1), steps=(3, 1), place=3, now=now, best=best)
    surface = pygame.Surface((400, memory.height), depth=32)
    draw_memory(surface, memory, Lettering(), surface.get_rect())
    pixels = pygame.surfarray.array3d(surface)  # (x, y, 3)
    segments, bars = pixels[:, 10], pixels[:, 34:]
    first, second = ((segments == colour).all(axis=-1).sum() for colour in COLOURS[:2])
    assert first / second == pytest.approx(3, rel=0.15)  # as long as their steps
    assert memory.segment == 1
    room = memory.height - 40 - 16
    for task, colour in enumerate(COLOURS[:2]):
        filled = (bars == colour).all(axis=-1).any(axis=0)[:-16].sum()  # the task's name is below
        assert filled == pytest.approx(now[task] * room, abs=3)
    known = (bars[20:150] == INK).all(axis=-1).all(axis=0)
    assert known.any() and np.flatnonzero(known)[0] <= 1  # the first task was once known wholly


def test_the_strip_shows_the_conditions_that_drift() -> None:
    start, end = Conditions(), Conditions(gravity=9.0)
    slope = Segment(task=0, drift=Drift(kind="linear", start=start, end=end, period=100), steps=100)
    fault = Conditions(wheel_health=(1, 1, 1, 0, 1, 1))
    jump = Segment(task=1, drift=Drift.none(fault), steps=100)
    tasks = (Task(name="a", conditions=start), Task(name="b", conditions=fault))
    stream = Stream(name="s", description="", tasks=tasks, segments=(slope, jump))
    paths = {path.name: path.values for path in drifting(stream)}
    assert list(paths) == ["gravity", "right wheels"]
    half = len(paths["gravity"]) // 2
    assert paths["gravity"][half // 2] == pytest.approx((start.gravity + end.gravity) / 2, rel=0.02)
    assert paths["right wheels"][half - 5] == 1 and paths["right wheels"][-1] == pytest.approx(2 / 3)
    memory = memory_of(stream, 50)
    assert memory.now is None and memory.segment == 0
    surface = pygame.Surface((400, memory.height), depth=32)
    draw_memory(surface, memory, Lettering(), surface.get_rect())
    lane = pygame.surfarray.array3d(surface)[10 + NAMES : 390 - VALUES, 32 : 32 + LANE_HEIGHT]
    lived = np.flatnonzero((lane == UNUSUAL).all(axis=-1).any(axis=1))
    assert lived.max() == pytest.approx(0.25 * len(lane), abs=4)  # as far as the agent is


def test_the_strip_shows_each_number_by_its_own_schedule() -> None:
    here = Conditions()
    swing = Drift(kind="sinusoidal", start=here, end=Conditions(steering_bias=0.6), period=50)
    dust = Drift(kind="linear", start=here, end=Conditions(optical_depth=5.0), period=200, beside=(swing,))
    stream = Stream(
        name="s",
        description="",
        tasks=(Task(name="a", conditions=here),),
        segments=(Segment(task=0, drift=dust, steps=200),),
    )
    paths = {path.name: path.values for path in drifting(stream)}
    assert list(paths) == ["steering bias", "optical depth"]
    assert (np.diff(paths["optical depth"]) >= 0).all()
    turns = np.flatnonzero(np.diff(np.sign(np.diff(paths["steering bias"]))))
    assert len(turns) >= 7  # four times there and back
    assert {"steering_bias", "optical_depth"} <= set(told(stream, 0)[:3])


def test_the_strip_tells_the_value_at_the_agents_place() -> None:
    """At the first step of a segment that is the segment's own."""
    stream = get_stream("mars100")
    ends = np.cumsum([segment.steps for segment in stream.segments])
    for k in (0, 33, 98):
        memory = memory_of(stream, int(ends[k]))
        assert memory.segment == k + 1
        here = memory.sample
        for path in memory.paths:
            value = getattr(stream.tasks[stream.segments[k + 1].task].conditions, path.name.replace(" ", "_"))
            assert path.values[here] == pytest.approx(value)


def test_a_hundred_bars_have_room() -> None:
    stream = get_stream("mars100")
    memory = memory_of(stream, 1000, now=np.full(100, 0.5))
    surface = pygame.Surface((960, memory.height), depth=32)
    draw_memory(surface, memory, Lettering(), surface.get_rect())
    row = pygame.surfarray.array3d(surface)[:, memory.height - 30]
    assert sum((row == colour).all(axis=-1).sum() for colour in COLOURS) == 100 * 7


def test_a_trained_agent_is_found_and_remembers(tmp_path: Path) -> None:
    run(micro("finetune"), tmp_path)
    driver = find_driver(str(tmp_path), 1)
    assert driver.name == "finetune, segment 1" and driver.memory is not None
    assert driver.memory.now is not None and driver.memory.now.shape == (2,) and driver.memory.segment == 0
    assert find_driver(str(tmp_path / "checkpoint" / "segment-02")).memory.segment == 2  # type: ignore[union-attr]
    drive = Drive(driver, stream_for(driver, None), driver.seed)
    drive.step()
    assert drive.moment().step == 1
    with pytest.raises(ValueError, match="no checkpoint of segment 9"):
        find_driver(str(tmp_path), 9)


def test_before_and_after_are_two_segments_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(micro("finetune"), tmp_path)
    shown: list[str] = []

    def note(drives: list[Drive], path: Path, episodes: int) -> None:
        shown.extend(drive.driver.name for drive in drives)

    monkeypatch.setattr(footage, "film_with_progress", note)
    arguments = ["watch", "--run", str(tmp_path), "--segment", "1", "--against-segment", "3"]
    result = CliRunner().invoke(app, [*arguments, "--record", "film.gif"])
    assert result.exit_code == 0 and shown == ["finetune, segment 1", "finetune, segment 3"]


def test_who_drives_is_named_in_either_way(tmp_path: Path) -> None:
    assert named([], [], []) == ["keyboard"]
    assert named([], [str(tmp_path)], ["heuristic"]) == [str(tmp_path), "heuristic"]
    assert find_driver("heuristic").name == "autopilot"


def micro(method: str) -> RunConfig:
    return RunConfig(
        stream="lookalike",
        method=method,
        algorithm="ppo:n_steps=8,batch_size=64,n_epochs=1",
        steps_per_segment=64,
        num_envs=8,
        eval_episodes=2,
        evals_per_segment=1,
    )


def test_a_film_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyError), film(tmp_path / "a.gif", 12) as made:
        made.add(np.zeros((8, 8, 3), dtype=np.uint8))
        raise KeyError
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["autopilt"], "Did you mean 'autopilot'"),
        (["runs/none"], "no folder of a run"),
        (["."], "has no checkpoints"),
        (["random", "--task", "dark-trp"], "dark-trap"),
        (["random", "--record", "film.avi"], ".mp4 or .gif"),
        (["--policy", "heurstic"], "Did you mean 'heuristic'"),
        (["--run", "runs/none"], "--run is runs/none, expected the folder of a run"),
        (["random", "planner", "--policy", "keyboard"], "expected one, or two"),
        (["random", "--segment", "1"], "was not trained"),
    ],
)
def test_errors_are_one_line(arguments: list[str], message: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["watch", *arguments])
    assert result.exit_code == 2
    assert message in result.stderr and result.stderr.count("\n") == 1


def test_without_an_encoder_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    result = CliRunner().invoke(app, ["watch", "random", "--record", "film.mp4"])
    assert result.exit_code == 1
    assert "pip install imageio-ffmpeg" in result.stderr and not Path("film.mp4").exists()


@pytest.fixture
def display(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"needs {' and '.join(missing)}")
    name = f":{60 + os.getpid() % 1000}"
    arguments = ["Xvfb", name, "-screen", "0", "1000x1000x24", "-nolisten", "tcp", "-fbdir", str(tmp_path)]
    with subprocess.Popen(arguments, stderr=subprocess.DEVNULL) as server:
        yield name, tmp_path / "Xvfb_screen0"
        server.terminate()


def on_screen(file: Path) -> NDArray[np.uint8]:
    """The frame buffer, an XWD file of 32 bits a pixel: (1000, 1000, 3)."""
    data = file.read_bytes()
    pixels = np.frombuffer(data[-1000 * 1000 * 4 :], dtype=np.uint8).reshape(1000, 1000, 4)
    return pixels[:, :, 2::-1]


def test_real_keys_and_a_real_mouse_in_a_real_window(display: tuple[str, Path]) -> None:
    name, buffer = display
    at = {"SDL_VIDEODRIVER": "x11", "SDL_VIDEO_WINDOW_POS": "0,0"}
    environment = {**os.environ, "DISPLAY": name, **at}
    deadline = time.monotonic() + 120

    def do(*arguments: str) -> None:
        subprocess.run(["xdotool", *arguments], env=environment, check=True, timeout=20)

    def wait(until: Callable[[NDArray[np.uint8]], bool]) -> NDArray[np.uint8]:
        while not (buffer.exists() and until(on_screen(buffer))):
            assert program.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        return on_screen(buffer)

    def differs(before: NDArray[np.uint8], part: tuple[slice, slice], share: float) -> NDArray[np.uint8]:
        return wait(lambda now: bool((now[part] != before[part]).any(axis=2).mean() > share))

    ground, title, chip = np.s_[60:700, 180:700], np.s_[8:36, 734:946], np.s_[6:28, 4:180]
    command = [sys.executable, "-m", "rover_cl", "watch", "--policy", "keyboard"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as program:
        first = wait(lambda now: bool(now.std() > 20))
        do("keydown", "Up")
        driven = differs(first, ground, 0.3)  # the ground moves under a rover that drives
        do("keyup", "Up")
        assert (driven[title] == first[title]).all()
        do("mousemove", "900", "390", "mousedown", "1", "mousemove", "734", "420", "mouseup", "1")
        level = tuple(CONDITIONS_TOP + 15 + k for k in (-1, 0, 1)), (734, 734, 734)
        bare = wait(lambda now: bool((now[level] == UNUSUAL).all()))  # the knob of patch cover is at 0
        do("key", "space")
        differs(bare, chip, 0.02)  # it says "paused"
        do("key", "n")
        differs(bare, title, 0.02)  # another task
        if os.environ.get("ROVER_CL_SCREENSHOT"):
            Image.fromarray(on_screen(buffer)).save(os.environ["ROVER_CL_SCREENSHOT"])
        do("key", "q")
        assert program.wait(timeout=20) == 0
        assert program.stderr is not None and program.stderr.read() == ""


def test_what_stands_still_costs_a_film_nothing_and_signal_colours_survive(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(90, 130, (64, 64, 3), dtype=np.uint8)
    sizes = []
    for count in (1, 20):
        with film(tmp_path / f"{count}.gif", 12) as made:
            for k in range(count):
                frame = noise.copy()
                frame[:2, k : k + 2] = REWARDED
                made.add(frame)
        sizes.append((tmp_path / f"{count}.gif").stat().st_size)
    assert sizes[1] < 4 * sizes[0]  # of twenty times as many frames
    with Image.open(tmp_path / "20.gif") as picture:
        assert getattr(picture, "n_frames", 1) == 20
        assert np.asarray(picture.convert("RGB"))[0, 0].tolist() == list(REWARDED)


def test_ground_of_other_colours_is_filmed_in_its_own(tmp_path: Path) -> None:
    """Sand after bedrock: in the palette of the bedrock some of it would have the colour of a signal."""
    share = np.linspace(0, 1, 64)[:, None, None] * np.ones((1, 64, 1))
    frames = [
        (np.array(low) + share * (np.array(high) - low)).astype(np.uint8)
        for low, high in (((70, 45, 36), (230, 186, 156)), ((75, 46, 34), (235, 178, 132)))
    ]
    with film(tmp_path / "a.gif", 12) as made:
        for frame in frames:
            made.add(frame)
    with Image.open(tmp_path / "a.gif") as picture:
        for k, frame in enumerate(frames):
            picture.seek(k)
            off = np.abs(np.asarray(picture.convert("RGB")).astype(int) - frame).mean()
            assert off < 3


def test_a_stream_is_filmed_at_one_site(tmp_path: Path) -> None:
    film_drift(get_stream("lookalike"), tmp_path / "drift.gif", frames=9)
    with Image.open(tmp_path / "drift.gif") as picture:
        frames = []
        for k in range(getattr(picture, "n_frames", 1)):
            picture.seek(k)
            frames.append(np.asarray(picture.convert("RGB")).astype(int)[30:320])
    assert len(frames) == 9
    changed = [(np.abs(b - a).max(axis=2) > 12).mean() for a, b in pairwise(frames)]
    assert min(changed[2], changed[5]) > 0.3  # the ground turns where a segment begins
    assert max(changed[k] for k in (0, 1, 3, 4, 6, 7)) < 0.1  # elsewhere only the rover moves
