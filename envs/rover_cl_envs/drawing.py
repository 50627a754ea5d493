"""pygame, without its greeting: standard output belongs to the program."""

from __future__ import annotations

import io
from contextlib import redirect_stdout

with redirect_stdout(io.StringIO()):
    import pygame as pygame
