"""Films of drives as MP4 and GIF, without a display."""

import importlib
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rover_cl.memory_strip import COLOURS
from rover_cl_envs import palette

Frame = NDArray[np.uint8]
KINDS = (".gif", ".mp4")
GIF_COLOURS = 96
ACCENTS = (
    *(palette.REWARDED, palette.OTHER, palette.FAILED, palette.UNUSUAL, palette.INK, palette.DEAD),
    *(palette.SOLAR, palette.DECK, palette.HAZARD, palette.PANEL, palette.SHADE),
    *(palette.MARTIAN, palette.NEWS),
    *(palette.of_slip(slip) for slip in (0.0, 0.2, 0.4, 0.7, 1.0)),
    *COLOURS,
)
FAITHFUL = 4.0  # mean error of a colour beyond which a frame gets a palette of its own, of 255


class Film(Protocol):
    """Takes one frame after another."""

    def add(self, frame: Frame) -> None:
        """Add a frame (height, width, 3)."""

    def close(self) -> None:
        """Finish the file."""


def check_film(path: Path) -> None:
    """Refuse what could not be written, before anything is drawn.

    Raises:
        ValueError: the name ends in something else than .mp4 or .gif.
        RuntimeError: there is nothing that writes MP4; the message says what to do.
    """
    if path.suffix not in KINDS:
        raise ValueError(f"--record is {path}, expected a name that ends in .mp4 or .gif")
    if path.suffix == ".mp4":
        encoder()


@contextmanager
def film(path: Path, rate: float) -> Iterator[Film]:
    """Open a film to be written: at a temporary name, moved into place when it is complete.

    Args:
        path: ends in .mp4 or .gif.
        rate: frames a second.

    Raises:
        ValueError: another ending.
        RuntimeError: there is nothing that writes MP4; the message says what to do.
    """
    check_film(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".partial-{path.name}")
    made: Film = _Gif(partial, rate) if path.suffix == ".gif" else _Mp4(partial, rate)
    try:
        yield made
        made.close()
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def encoder() -> str:
    """Find ffmpeg: imageio-ffmpeg's, or the system's.

    Raises:
        RuntimeError: there is none.
    """
    try:
        get_ffmpeg_exe = importlib.import_module("imageio_ffmpeg").get_ffmpeg_exe
    except ImportError:
        found = shutil.which("ffmpeg")
        if found is None:
            raise RuntimeError(
                "nothing here writes MP4; pip install imageio-ffmpeg, or record to a name that ends in .gif"
            ) from None
        return found
    return str(get_ffmpeg_exe())


class _Mp4:
    """H.264 through a pipe to ffmpeg."""

    def __init__(self, path: Path, rate: float) -> None:
        self._path, self._rate, self._program = path, rate, encoder()
        self._process: subprocess.Popen[bytes] | None = None

    def add(self, frame: Frame) -> None:
        if self._process is None:
            size = f"{frame.shape[1]}x{frame.shape[0]}"
            arguments = [self._program, "-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24"]
            arguments += ["-s", size, "-r", f"{self._rate:g}", "-i", "-", "-an", "-c:v", "libx264"]
            arguments += ["-preset", "veryfast"]  # half the work of the default, and here no larger
            # Players want even sides, and colours at half the resolution.
            arguments += ["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-pix_fmt", "yuv420p", "-crf", "20"]
            arguments += ["-f", "mp4", str(self._path)]
            self._process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(frame.tobytes())
        except BrokenPipeError:
            self.close()

    def close(self) -> None:
        if self._process is None:
            return
        _, errors = self._process.communicate()
        if self._process.returncode:
            raise RuntimeError(f"ffmpeg failed: {errors.decode(errors='replace').strip()[:200]}")


class _Gif:
    """Frames kept until the end; they share a palette where it fits, so that what stands still is free."""

    def __init__(self, path: Path, rate: float) -> None:
        self._path, self._pause = path, round(1000 / rate)
        self._frames: list[Image.Image] = []
        self._palette: Image.Image | None = None

    def add(self, frame: Frame) -> None:
        image = Image.fromarray(frame)
        if self._palette is not None:
            reduced = image.quantize(palette=self._palette, dither=Image.Dither.NONE)
            if _error(reduced, frame) < FAITHFUL:
                self._frames.append(reduced)
                return
        self._palette = _palette_for(image)
        self._frames.append(image.quantize(palette=self._palette, dither=Image.Dither.NONE))

    def close(self) -> None:
        if not self._frames:
            return
        pauses = [self._pause] * (len(self._frames) - 1) + [1500]
        self._frames[0].save(
            self._path,
            format="gif",
            save_all=True,
            append_images=self._frames[1:],
            duration=pauses,
            loop=0,
            optimize=True,  # what a frame shares with the last one is left out
        )


def _palette_for(image: Image.Image) -> Image.Image:
    """The colours of a picture, and those that mean something though they cover few pixels."""
    common = image.quantize(GIF_COLOURS - len(ACCENTS), dither=Image.Dither.NONE).getpalette() or []
    made = Image.new("P", (1, 1))
    made.putpalette([*common, *(part for colour in ACCENTS for part in colour)])
    return made


def _error(reduced: Image.Image, frame: Frame) -> float:
    """Mean error of the colours of every fourth pixel along and across."""
    seen = np.asarray(reduced.convert("RGB"))[::4, ::4].astype(np.int16)
    return float(np.abs(seen - frame[::4, ::4]).mean())
