"""The instruments: a panel beside the picture where there is room, else two lines of text."""

from __future__ import annotations

import math

from rover_cl_envs import palette
from rover_cl_envs.conditions import WHEELS
from rover_cl_envs.drawing import pygame
from rover_cl_envs.lettering import Lettering
from rover_cl_envs.palette import Colour
from rover_cl_envs.scene import Scene
from rover_cl_envs.sliders import ROW, Sliders

PANEL_WIDTH = 240
"""[px]"""
LINE = 24
"""Height of a line of text across the picture [px]."""
MARGIN = 14
CONDITIONS_TOP = 380
"""Where the sliders of the conditions begin, below all five terms of the reward [px]."""
BATTERY_HEIGHT = 22
LOW = 0.2  # charge below which the battery is shown in red
DEEPEST = 0.10  # sinkage at a full bar [m]
REWARD_BAR = 0.12  # reward at a full bar
OUTCOMES: dict[str, Colour] = {"running": palette.INK, "success": palette.REWARDED}


def verdict(scene: Scene) -> tuple[str, Colour]:
    """How the episode stands, in words, and their colour."""
    return scene.outcome.replace("_", " "), OUTCOMES.get(scene.outcome, palette.FAILED)


def draw_lines(surface: pygame.Surface, scene: Scene, letters: Lettering) -> None:
    """The title above and the rover's state below, on a picture without a panel."""
    width, height = surface.get_size()
    text, colour = verdict(scene)
    surface.fill(palette.PANEL, (0, 0, width, LINE))
    surface.fill(palette.PANEL, (0, height - LINE, width, LINE))
    letters.write(surface, text, (width - 8, 6), size=19, colour=colour, align=1)
    title = letters.fitted(scene.title, 19, width - 24 - letters.width(text, 19))
    letters.write(surface, title, (8, 6), size=19, colour=palette.INK)
    battery = () if scene.charge is None else (f"battery {100 * scene.charge:.0f} %",)
    score = () if scene.score is None else (f"score {scene.score:+.2f}",)
    told = (
        f"step {scene.step:3d}",
        *score,
        f"slip {round(100 * scene.slip[0])} | {round(100 * scene.slip[1])} %",
        *battery,
        f"pitch {round(math.degrees(scene.pitch)):+d}°  roll {round(math.degrees(scene.roll)):+d}°",
        f"sinkage {100 * scene.sinkage[0]:.1f} | {100 * scene.sinkage[1]:.1f} cm",
    )
    x = 8.0
    for part in told:  # as many as there is room for
        if x + letters.width(part, 19) > width:
            break
        x += 16 + letters.write(surface, part, (x, height - LINE + 6), size=19, colour=palette.INK)


def sliders_of(scene: Scene, left: int, height: int) -> Sliders:
    """Where the panel has the sliders of the conditions.

    Args:
        scene: the one that is drawn.
        left: where the panel begins [px].
        height: of the picture [px].
    """
    top = CONDITIONS_TOP if scene.reward else CONDITIONS_TOP - 105
    if scene.charge is not None:
        top += BATTERY_HEIGHT
    rows = max(0, (height - top - 20) // ROW)
    return Sliders(left=left + MARGIN, top=top, width=PANEL_WIDTH - 2 * MARGIN, rows=rows)


def draw_panel(surface: pygame.Surface, scene: Scene, letters: Lettering, left: int) -> None:
    """All instruments, in a column of `PANEL_WIDTH` pixels that begins at `left`."""
    surface.fill(palette.PANEL, (left, 0, PANEL_WIDTH, surface.get_height()))
    board = _Board(surface, letters, left + MARGIN, PANEL_WIDTH - 2 * MARGIN)
    text, colour = verdict(scene)
    title = scene.title or "rover"
    size = next((s for s in (24, 21, 18) if letters.width(title, s) <= board.width), 16)
    board.line(title, size=size, height=26)
    board.line(text, right=f"step {scene.step}", size=20, colour=colour, height=22)
    board.line(_goal(scene), right=_score(scene), size=18, colour=palette.REWARDED, height=24)
    if scene.charge is not None:
        board.battery(scene.charge)
    board.heading("slip  left | right", "sinkage")
    for side in range(2):
        board.wheel_side(scene.slip[side], scene.sinkage[side])
    board.heading("attitude", "command")
    board.attitude(scene.pitch, scene.roll)
    board.command(*scene.command)
    board.skip(84)
    if scene.reward:
        total = sum(value for _, value in scene.reward)
        board.heading("reward of this step", f"{total:+.3f}")
        for name, value in scene.reward:
            board.signed(name, value)
    sliders = sliders_of(scene, left, surface.get_height())
    if scene.conditions and sliders.rows:
        board.y = sliders.top - 23
        board.heading("conditions", "")
        sliders.draw(surface, letters, scene.conditions)
    board.wheels(scene, surface.get_height())


def _goal(scene: Scene) -> str:
    x, y = scene.targets[scene.rewarded]
    half = scene.ground.period / 2
    dx, dy = ((b - a + half) % (2 * half) - half for a, b in zip(scene.pose[:2], (x, y), strict=True))
    return f"goal {'AB'[scene.rewarded]}   {math.hypot(dx, dy):.1f} m"


def _score(scene: Scene) -> str:
    return "" if scene.score is None else f"score {scene.score:+.2f}"


class _Board:
    """Draws instruments from top to bottom."""

    def __init__(self, surface: pygame.Surface, letters: Lettering, left: int, width: int) -> None:
        self.surface, self.letters = surface, letters
        self.left, self.width, self.y = left, width, 12

    def skip(self, pixels: int) -> None:
        self.y += pixels

    def line(
        self, text: str, *, right: str = "", size: int, colour: Colour = palette.INK, height: int
    ) -> None:
        """A line of text, and perhaps a number at its right end."""
        text = self.letters.fitted(text, size, self.width)
        self.letters.write(self.surface, text, (self.left, self.y), size=size, colour=colour)
        if right:
            end = (self.left + self.width, self.y)
            self.letters.write(self.surface, right, end, size=size, colour=colour, align=1)
        self.y += height

    def heading(self, text: str, right: str) -> None:
        """A faint line of text under a rule."""
        rule = self.y + 1
        pygame.draw.line(self.surface, palette.GROOVE, (self.left, rule), (self.left + self.width, rule))
        self.y += 7
        self.line(text, right=right, size=16, colour=palette.FAINT, height=16)

    def wheel_side(self, slip: float, sinkage: float) -> None:
        """Two bars: how much a side slips, and how deep it sits."""
        wide = (self.width - 16) // 2
        self._bar(self.left, wide, min(abs(slip), 1), palette.of_slip(slip), f"{round(100 * slip)} %")
        depth = min(sinkage / DEEPEST, 1)
        deep = palette.blend(palette.FAINT, palette.FAILED, depth)
        self._bar(self.left + wide + 16, wide, depth, deep, f"{100 * sinkage:.1f} cm")
        self.y += 19

    def _bar(self, x: int, wide: int, share: float, colour: Colour, text: str) -> None:
        pygame.draw.rect(self.surface, palette.GROOVE, (x, self.y, wide, 15), border_radius=3)
        pygame.draw.rect(self.surface, colour, (x, self.y, max(3, round(share * wide)), 15), border_radius=3)
        covered = share * wide > wide - 5 - self.letters.width(text, 16) / 2
        ink = palette.SHADE if covered else palette.INK
        self.letters.write(self.surface, text, (x + wide - 5, self.y + 2), size=16, colour=ink, align=1)

    def battery(self, charge: float) -> None:
        """A cell that is as full as the battery."""
        self.letters.write(self.surface, "battery", (self.left, self.y), size=18, colour=palette.INK)
        wide = self.width - 66
        share = min(max(charge, 0.0), 1.0)
        colour = palette.FAILED if share < LOW else palette.REWARDED
        self._bar(self.left + 60, wide, share, colour, f"{100 * share:.0f} %")
        pole = (self.left + 60 + wide, self.y + 4, 4, 7)
        pygame.draw.rect(self.surface, palette.GROOVE, pole)
        self.y += BATTERY_HEIGHT

    def signed(self, name: str, value: float) -> None:
        """A term of the reward, as a bar to the left (loss) or right (gain) of the middle."""
        self.letters.write(self.surface, name, (self.left, self.y + 1), size=17, colour=palette.INK)
        middle, half = self.left + 112, 46
        pygame.draw.rect(
            self.surface, palette.GROOVE, (middle - half, self.y + 1, 2 * half, 11), border_radius=2
        )
        reach = round(max(-1.0, min(value / REWARD_BAR, 1.0)) * half)
        colour = palette.REWARDED if value > 0 else palette.FAILED
        if reach:
            pygame.draw.rect(self.surface, colour, (middle + min(reach, 0), self.y + 1, abs(reach), 11))
        pygame.draw.line(self.surface, palette.FAINT, (middle, self.y), (middle, self.y + 12))
        end = (self.left + self.width, self.y + 1)
        self.letters.write(self.surface, f"{value:+.2f}", end, size=17, colour=palette.INK, align=1)
        self.y += 16

    def attitude(self, pitch: float, roll: float) -> None:
        """A horizon that tilts with the roll and sinks with the pitch, and both in degrees."""
        radius = 34
        x, y = self.left + radius, self.y + radius + 4
        steep = max(abs(pitch), abs(roll)) > math.radians(30)
        pygame.draw.circle(self.surface, (74, 52, 42), (x, y), radius)
        sink = max(-0.8, min(math.sin(pitch) * 2.5, 0.8)) * radius
        # The sky's half of the disc: the arc above the horizon, as a polygon.
        half = math.acos(max(-1.0, min(sink / radius, 1.0)))
        arc = [math.pi / 2 - half + 2 * half * k / 16 for k in range(17)]
        sky = [(x + radius * math.cos(a + roll), y - radius * math.sin(a + roll)) for a in arc]
        pygame.draw.polygon(self.surface, (212, 170, 130), sky)
        pygame.draw.circle(self.surface, palette.FAILED if steep else palette.FAINT, (x, y), radius, 2)
        pygame.draw.line(self.surface, palette.INK, (x - 14, y), (x - 5, y), 3)
        pygame.draw.line(self.surface, palette.INK, (x + 5, y), (x + 14, y), 3)
        for k, (name, angle) in enumerate((("pitch", pitch), ("roll", roll))):
            top = self.y + 16 + 28 * k
            self.letters.write(self.surface, name, (x + radius + 10, top - 6), size=16, colour=palette.FAINT)
            text = f"{round(math.degrees(angle)):+d}°"
            self.letters.write(self.surface, text, (x + radius + 10, top + 6), size=20, colour=palette.INK)

    def command(self, drive: float, steer: float) -> None:
        """A stick: up is forward, left is left."""
        side = 64
        x, y = self.left + self.width - side, self.y + 6
        pygame.draw.rect(self.surface, palette.GROOVE, (x, y, side, side), border_radius=6)
        middle = (x + side / 2, y + side / 2)
        pygame.draw.line(self.surface, palette.PANEL, (x + 4, middle[1]), (x + side - 4, middle[1]))
        pygame.draw.line(self.surface, palette.PANEL, (middle[0], y + 4), (middle[0], y + side - 4))
        reach = side / 2 - 8
        drive, steer = max(-1.0, min(drive, 1.0)), max(-1.0, min(steer, 1.0))
        knob = (middle[0] - steer * reach, middle[1] - drive * reach)
        pygame.draw.line(self.surface, palette.NEWS, middle, knob, 3)
        pygame.draw.circle(self.surface, palette.NEWS, knob, 6)

    def wheels(self, scene: Scene, bottom: int) -> None:
        """A line on wheels that are not well, at the bottom."""
        ill = [(k, health) for k, health in enumerate(scene.wheel_health) if health < 1]
        if not ill:
            return
        told = [(WHEELS[k], "dead" if not health else f"{100 * health:.0f} %") for k, health in ill]
        text = ", ".join(f"{name} {state}" for name, state in told)
        if self.letters.width(text, 17) > self.width:  # initials
            text = "  ".join(f"{''.join(w[0] for w in name.split()).upper()} {state}" for name, state in told)
        self.y = bottom - 18
        self.line(text, size=17, colour=palette.FAILED, height=18)
