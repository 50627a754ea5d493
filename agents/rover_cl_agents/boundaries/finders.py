"""Where a task ends, for a learner that nobody tells: every so often, or where something has changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, cast

from rover_cl_agents.boundaries.page_hinkley import PageHinkley, Side
from rover_cl_agents.boundaries.signals import Glimpse, Standardised
from rover_cl_agents.settings import chosen
from rover_cl_agents.state import State, under


@dataclass(frozen=True, kw_only=True)
class BoundariesConfig:
    """Settings of every policy of boundaries."""

    horizon: int = 32
    """Rollouts after a boundary over which the learning rate, and ε of DQN, go from their first value to
    their last, >= 1; there they stay."""
    rollout_steps: int = 4096
    """Transitions that make up a rollout at least, >= 1: shorter ones, as of off-policy algorithms, count
    together as one."""

    def __post_init__(self) -> None:
        for field in ("horizon", "rollout_steps"):
            if getattr(self, field) < 1:
                raise ValueError(f"{field} is {getattr(self, field)}; expected at least 1.")


class Boundaries:
    """Decides, at each rollout's end, whether the task at hand has ended by then.

    A rollout is what the algorithm gathers between two trainings, of `rollout_steps` transitions at least.
    """

    name: ClassVar[str] = "boundaries"
    """Written into checkpoints, and checked when they are read."""
    config: BoundariesConfig
    ring: int = 0
    """How many rollouts back a boundary may be dated; 0: a boundary is where it is declared."""
    looks: bool = False
    """Whether `note` looks at the rollouts."""

    def note(self, seen: Glimpse | None) -> int | None:
        """Take a rollout of the task at hand.

        Args:
            seen: What it shows; None unless `looks`.

        Returns:
            None while the task goes on. Otherwise the task has ended: the index, from 0, of its first rollout
            that belongs to the next task already, or the number of its rollouts if none does.
        """
        raise NotImplementedError

    def begin(self) -> None:
        """Forget the rollouts: a task begins."""
        raise NotImplementedError

    def describe(self) -> dict[str, int | float | str | bool]:
        """Give the settings that a checkpoint writes down."""
        return asdict(self.config)

    def state_dict(self) -> State:
        """Give what was seen of the task at hand."""
        raise NotImplementedError

    def load_state_dict(self, state: State) -> None:
        """Take back what `state_dict` gave."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class PeriodicConfig(BoundariesConfig):
    """Settings of `Periodic`."""

    rollouts: int = 16
    """Rollouts of a task, >= 1."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rollouts < 1:
            raise ValueError(f"rollouts is {self.rollouts}; expected at least 1.")


class Periodic(Boundaries):
    """A task ends every `rollouts` rollouts, whatever happens: consolidation that is always on.

    Methods that keep something of each task keep it of each period; bound them (`replay:total=...`), or take
    those that fade (`online-ewc`).

    Args:
        config: The settings; or give them by name: `Periodic(rollouts=8)`.
    """

    name: ClassVar[str] = "periodic"
    config: PeriodicConfig

    def __init__(self, config: PeriodicConfig | None = None, **settings: Any) -> None:
        self.config = chosen(PeriodicConfig, config, settings)
        self._count = 0

    def note(self, seen: Glimpse | None) -> int | None:
        """Count the rollout; the task has ended with the last one of a period."""
        self._count += 1
        return self._count if self._count >= self.config.rollouts else None

    def begin(self) -> None:
        """Count from 0."""
        self._count = 0

    def state_dict(self) -> State:
        """Give the count."""
        return {"count": self._count}

    def load_state_dict(self, state: State) -> None:
        """Take back what `state_dict` gave."""
        self._count = int(cast(int, state["count"]))


@dataclass(frozen=True, kw_only=True)
class DetectedConfig(BoundariesConfig):
    """Settings of `Detected`."""

    delta: float = 1.0
    """Change of a signal's mean that doesn't count, in its usual spreads, >= 0."""
    threshold: float = 5.0
    """Excursion of the Page-Hinkley statistic that makes a boundary, in spreads, > 0."""
    minimum: int = 6
    """Rollouts of a task before which it doesn't end, >= 1."""
    fading: float = 0.2
    """Weight of a rollout in the running means and spreads, in (0, 1)."""
    ring: int = 8
    """Snapshots kept, one for each of the latest rollouts: how far back a boundary may be dated, >= 1."""
    reward: bool = True
    """Let a fall of the mean reward count."""
    error: bool = True
    """Let a rise of the value function's error count."""
    novelty: bool = True
    """Let a rise of the observations' novelty count."""

    def __post_init__(self) -> None:
        super().__post_init__()
        PageHinkley(delta=self.delta, threshold=self.threshold, minimum=self.minimum)
        if not 0.0 < self.fading < 1.0:
            raise ValueError(f"fading is {self.fading}; expected a number in (0, 1).")
        if self.ring < 1:
            raise ValueError(f"ring is {self.ring}; expected at least 1.")
        if not (self.reward or self.error or self.novelty):
            raise ValueError("reward, error and novelty are False; expected at least one signal.")


SIDES: dict[str, Side] = {"reward": "fall", "error": "rise", "novelty": "rise"}
"""Learning raises the reward slowly and makes what was new usual: only the other way is a sign of change."""


class Detected(Boundaries):
    """A task ends where a Page-Hinkley test (`PageHinkley`) finds a change in what the learner sees.

    One test for each of the signals of `signals.Standardised`; whichever fires first declares the boundary
    and dates it. The learner then goes back to its snapshot from that date, `ring` rollouts at most, lets
    the methods consolidate there, and begins the next task from it: the rollouts since are lost.

    A change that costs no reward and shows in no observation isn't found; nor is one within the first
    `minimum` rollouts after a boundary.

    Args:
        config: The settings; or give them by name: `Detected(threshold=8.0)`.
    """

    name: ClassVar[str] = "detected"
    config: DetectedConfig
    looks = True

    def __init__(self, config: DetectedConfig | None = None, **settings: Any) -> None:
        self.config = chosen(DetectedConfig, config, settings)
        self.ring = self.config.ring
        self.begin()

    def begin(self) -> None:
        """Start the signals and the tests anew."""
        self._signals = Standardised(self.config.fading)
        self._tests = {
            name: PageHinkley(
                delta=self.config.delta,
                threshold=self.config.threshold,
                minimum=self.config.minimum,
                side=side,
            )
            for name, side in SIDES.items()
            if getattr(self.config, name)
        }

    def note(self, seen: Glimpse | None) -> int | None:
        """Feed the tests; the one with the largest excursion of those that fire dates the boundary."""
        if seen is None:
            raise ValueError("seen is None; expected what the rollout shows.")
        values = self._signals.update(seen)
        alarmed = [test for name, test in self._tests.items() if test.update(values[name])]
        return max(alarmed, key=lambda test: test.excursion).change if alarmed else None

    def state_dict(self) -> State:
        """Give the signals' moments and the tests' sums."""
        state: State = {f"signals.{name}": value for name, value in self._signals.state_dict().items()}
        for name, test in self._tests.items():
            state |= {f"tests.{name}.{entry}": value for entry, value in test.state_dict().items()}
        return state

    def load_state_dict(self, state: State) -> None:
        """Take back what `state_dict` gave."""
        self._signals.load_state_dict(under(state, "signals"))
        for name, test in self._tests.items():
            numbers = under(state, f"tests.{name}")
            test.load_state_dict({entry: float(cast(float, value)) for entry, value in numbers.items()})


BOUNDARIES: dict[str, tuple[type, Callable[[Any], Boundaries]]] = {
    Periodic.name: (PeriodicConfig, Periodic),
    Detected.name: (DetectedConfig, Detected),
}
"""What a checkpoint can build by itself: the settings' class and the policy's, by the policy's name."""
