"""What a handful of seeds can tell: robust means, bootstrap intervals, paired tests. Pure functions.

Source: Agarwal et al. 2021, "Deep RL at the edge of the statistical precipice": IQM, bootstrap.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A statistic over seeds with its interval."""

    value: float
    """The statistic of all seeds."""
    low: float
    """Lower end of the interval; NaN with one seed."""
    high: float
    """Upper end of the interval; NaN with one seed."""
    n: int
    """Number of seeds."""

    @property
    def has_interval(self) -> bool:
        """Whether there were seeds enough for an interval."""
        return bool(np.isfinite(self.low) and np.isfinite(self.high))

    def __str__(self) -> str:
        """The value with its interval, or with `n=1` in its place."""
        value = f"{self.value + 0.0:.2f}"  # + 0.0 turns -0.0 into 0.0
        return f"{value} [{self.low:.2f}, {self.high:.2f}]" if self.has_interval else f"{value} (n={self.n})"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A method minus the baseline, seed by seed."""

    estimate: Estimate
    """IQM of the paired differences."""
    p: float
    """Two-sided p-value of the sign-flip test; NaN with one seed."""
    p_holm: float
    """The same after Holm's correction for the number of methods in the family; outside of it, `p`."""


def interquartile_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of the middle half of the last axis: floor(n/4) values are dropped at each end.

    Values of shape (..., n) give (...). With fewer than four values it is the mean.
    """
    return np.asarray(stats.trim_mean(values, 0.25, axis=-1))


def bootstrap(
    values: ArrayLike,
    *,
    statistic: Statistic = interquartile_mean,
    confidence: float = 0.95,
    resamples: int = 10_000,
) -> Estimate:
    """Estimate a statistic over seeds with its percentile bootstrap interval.

    Whole seeds are drawn with replacement. The generator is fixed: equal input, equal interval.

    Args:
        values: (n,) one value for each seed.
        statistic: maps (..., n) to (...).
        confidence: share of the interval, in (0, 1).
        resamples: number of draws.

    Raises:
        ValueError: no value at all, or one that is not finite.
    """
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or not len(sample) or not np.isfinite(sample).all():
        raise ValueError(f"values must be a non-empty vector of finite numbers, got {sample!r}")
    value = float(statistic(sample))
    if len(sample) < 2:
        return Estimate(value=value, low=float("nan"), high=float("nan"), n=len(sample))
    draws = np.random.default_rng(0).integers(len(sample), size=(resamples, len(sample)))
    tail = (1 - confidence) / 2
    low, high = np.quantile(statistic(sample[draws]), [tail, 1 - tail])
    return Estimate(value=value, low=float(low), high=float(high), n=len(sample))


def sign_flip_test(differences: ArrayLike, *, max_exact: int = 14, draws: int = 20_000) -> float:
    """Two-sided p-value of "the paired differences are symmetric about zero"; NaN below two seeds.

    Its statistic is the mean, not the interquartile mean of the estimates: that one does not notice when the
    smallest of five changes sign, which doubles the least p that five seeds can give. Exact over all 2^n
    signs up to `max_exact` seeds, else over random signs (fixed generator). With n seeds no p can be below
    2 / 2^n: five seeds cannot reach 0.05.
    """
    values = np.asarray(differences, dtype=np.float64)
    n = len(values)
    if n < 2:
        return float("nan")
    observed = abs(values.mean())
    if n <= max_exact:
        signs = np.array(list(product((-1.0, 1.0), repeat=n)))
        return float((np.abs(signs @ values) / n >= observed - 1e-12).mean())
    signs = np.random.default_rng(0).choice((-1.0, 1.0), size=(draws, n))
    return float(((np.abs(signs @ values) / n >= observed - 1e-12).sum() + 1) / (draws + 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for their number, step-down. NaN stays NaN and does not count. Source: Holm 1979."""
    order = sorted((i for i, p in enumerate(p_values) if np.isfinite(p)), key=lambda i: p_values[i])
    corrected = [float("nan")] * len(p_values)
    largest = 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p_values[i]))
        corrected[i] = largest
    return corrected


def paired_differences(
    values: Mapping[str, Sequence[float]],
    baseline: str,
    *,
    family: Collection[str] | None = None,
) -> dict[str, Difference]:
    """Compare every method with the baseline, seed by seed.

    Args:
        values: for each method one value per seed, the seeds in the same order for all.
        baseline: the method that the others are compared with.
        family: methods among which p is corrected; None: all but the baseline.

    Raises:
        ValueError: the baseline is not among them, or a method has another number of seeds.
    """
    if baseline not in values:
        raise ValueError(f"the baseline {baseline!r} is not among the methods {', '.join(values)}")
    reference = np.asarray(values[baseline], dtype=np.float64)
    others = [name for name in values if name != baseline]
    differences = {}
    for name in others:
        if len(values[name]) != len(reference):
            raise ValueError(
                f"{name} has {len(values[name])} seeds and {baseline} has {len(reference)}: a paired "
                "difference needs the same seeds"
            )
        differences[name] = np.asarray(values[name], dtype=np.float64) - reference
    p_values = {name: sign_flip_test(differences[name]) for name in others}
    members = [name for name in others if family is None or name in family]
    corrected = p_values | dict(zip(members, holm([p_values[name] for name in members]), strict=True))
    return {
        name: Difference(estimate=bootstrap(differences[name]), p=p_values[name], p_holm=corrected[name])
        for name in others
    }
