"""The Page-Hinkley test: has the mean of a sequence changed, and since when?"""

from __future__ import annotations

from typing import Literal

Side = Literal["rise", "fall", "both"]
SIDES: tuple[Side, ...] = ("rise", "fall", "both")


class PageHinkley:
    """Raises an alarm once a sequence has left its mean for long enough, up, down, or either.

    With x̄_t the mean of x_1 … x_t, the statistic for a rise is m_t = Σ_{i ≤ t} (x_i − x̄_i − δ) and its
    excursion m_t − min_{0 ≤ i ≤ t} m_i, with m_0 = 0; the test for a fall is that of −x. An excursion above
    `threshold` is an alarm; the change is dated right after the latest minimum.

    After an alarm it stays alarmed: make a new one.

    Args:
        delta: δ: change of the mean that doesn't count, >= 0.
        threshold: λ: excursion that counts, > 0.
        minimum: Values before which there is no alarm, >= 1.
        side: Which changes count: rise, fall or both.

    Raises:
        ValueError: if an argument is out of its range.

    Source: Page 1954, "Continuous inspection schemes"; Hinkley 1971, "Inference about the change-point from
    cumulative sum tests".
    """

    def __init__(self, *, delta: float, threshold: float, minimum: int = 1, side: Side = "both") -> None:
        if not 0.0 <= delta < float("inf"):
            raise ValueError(f"delta is {delta}; expected a finite number >= 0.")
        if not 0.0 < threshold < float("inf"):
            raise ValueError(f"threshold is {threshold}; expected a finite number > 0.")
        if minimum < 1:
            raise ValueError(f"minimum is {minimum}; expected at least 1.")
        if side not in SIDES:
            raise ValueError(f"side is {side!r}; expected one of {', '.join(SIDES)}.")
        self._delta, self._threshold, self._minimum = delta, threshold, minimum
        self._signs = {"rise": (1.0,), "fall": (-1.0,), "both": (1.0, -1.0)}[side]
        self.count = 0
        """Values seen."""
        self.mean = 0.0
        """Of the values seen."""
        self._sums = [0.0] * len(self._signs)  # m of each side
        self._lowest = [0.0] * len(self._signs)
        self._dates = [0] * len(self._signs)  # values seen at the latest minimum

    def update(self, value: float) -> bool:
        """Take the next value; say whether there is an alarm."""
        self.count += 1
        self.mean += (value - self.mean) / self.count
        for i, sign in enumerate(self._signs):
            self._sums[i] += sign * (value - self.mean) - self._delta
            if self._sums[i] <= self._lowest[i]:
                self._lowest[i], self._dates[i] = self._sums[i], self.count
        return self.count >= self._minimum and self.excursion > self._threshold

    @property
    def excursion(self) -> float:
        """m_t − min m, of the side where it is larger."""
        return max(self._excursions())

    @property
    def change(self) -> int:
        """Index, from 0, of the first value after the suspected change."""
        excursions = self._excursions()
        return self._dates[excursions.index(max(excursions))]

    def _excursions(self) -> list[float]:
        return [total - lowest for total, lowest in zip(self._sums, self._lowest, strict=True)]

    def state_dict(self) -> dict[str, float]:
        """Give all that was learned from the values."""
        state = {"count": float(self.count), "mean": self.mean}
        for i in range(len(self._signs)):
            state |= {f"sum.{i}": self._sums[i], f"lowest.{i}": self._lowest[i]}
            state[f"date.{i}"] = float(self._dates[i])
        return state

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Take back what `state_dict` gave.

        Raises:
            KeyError: if an entry is missing.
        """
        sides = range(len(self._signs))
        self.count, self.mean = int(state["count"]), float(state["mean"])
        self._sums = [float(state[f"sum.{i}"]) for i in sides]
        self._lowest = [float(state[f"lowest.{i}"]) for i in sides]
        self._dates = [int(state[f"date.{i}"]) for i in sides]
