"""Where the wall time goes: an environment wrapper and a stopwatch."""

from time import perf_counter
from types import TracebackType
from typing import Any, Self

from gymnasium.vector import VectorEnv, VectorWrapper


class Stopwatch:
    """Adds up the seconds spent inside its `with` blocks."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._began = 0.0

    def __enter__(self) -> Self:
        """Start."""
        self._began = perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop and add."""
        self.seconds += perf_counter() - self._began


class TimedVectorEnv(VectorWrapper):
    """Times the steps of a vector environment; changes nothing else."""

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        super().__init__(env)
        self.watch = Stopwatch()

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Step under the stopwatch."""
        with self.watch:
            return self.env.step(actions)
