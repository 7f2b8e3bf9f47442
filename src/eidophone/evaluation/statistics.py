"""Means with intervals, and distances between sets of features."""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eidophone.core.values import Floats

_Doubles = NDArray[np.float64]

#: A normal variable is within this many standard deviations of its mean with 95 % probability.
Z95 = 1.96
RESAMPLES = 1000
#: Numbers drawn in a batch, so that memory does not grow with the samples.
_DRAWN_AT_ONCE = 1 << 13


@dataclass(frozen=True)
class Mean:
    """A mean over samples with 95 % confidence intervals.

    Attributes:
        mean: Of all samples.
        count: Number of samples.
        low, high: mean -+ 1.96 s / sqrt(n); None for a single sample.
        bootstrap_low, bootstrap_high: 2.5 % and 97.5 % quantiles of the means of resamples; None for one sample.
    """

    mean: float
    count: int
    low: float | None = None
    high: float | None = None
    bootstrap_low: float | None = None
    bootstrap_high: float | None = None


def mean_of(values: ArrayLike, *, seed: int = 0, resamples: int = RESAMPLES) -> Mean:
    """The mean of at least one number, with both intervals.

    >>> mean_of([1.0, 2.0, 3.0]).low
    0.868...
    """
    x = np.asarray(values, np.float64)
    mean = float(x.mean())
    if len(x) < 2:
        return Mean(mean, len(x))
    half = Z95 * float(x.std(ddof=1)) / math.sqrt(len(x))
    again = _resampled_means(x, resamples, np.random.default_rng(seed))
    low, high = np.quantile(again, [0.025, 0.975]).tolist()
    return Mean(mean, len(x), mean - half, mean + half, low, high)


def _resampled_means(x: _Doubles, resamples: int, rng: np.random.Generator) -> _Doubles:
    at_once = max(1, _DRAWN_AT_ONCE // len(x))
    parts = [
        x[rng.integers(0, len(x), (min(at_once, resamples - first), len(x)))].mean(1)
        for first in range(0, resamples, at_once)
    ]
    return np.concatenate(parts)


@dataclass
class Moments:
    """Mean and covariance of features that arrive one by one.

    Attributes:
        count: Number of features so far.
    """

    count: int = 0
    _sum: _Doubles = field(default_factory=lambda: np.zeros(0))
    _products: _Doubles = field(default_factory=lambda: np.zeros((0, 0)))

    def add(self, feature: Floats) -> None:
        """Adds one, of shape (dimensions,); one of another size than the first is refused.

        Raises:
            ValueError: another size.
        """
        x = feature.astype(np.float64)
        if self.count and x.shape != self._sum.shape:
            raise ValueError(f"a feature of shape {x.shape} among features of shape {self._sum.shape}")
        if self.count == 0:
            self._sum, self._products = np.zeros(len(x)), np.zeros((len(x), len(x)))
        self.count += 1
        self._sum += x
        self._products += np.outer(x, x)

    @property
    def mean(self) -> _Doubles:
        """Shape (dimensions,)."""
        return self._sum / self.count

    @property
    def covariance(self) -> _Doubles:
        """Unbiased, shape (dimensions, dimensions); of at least two features."""
        found: _Doubles = (self._products - self.count * np.outer(self.mean, self.mean)) / (self.count - 1)
        return found


def frechet_distance(a: Moments, b: Moments) -> float:
    """|mean - mean|^2 + trace of A + B - 2 sqrt(A B) (Heusel et al., 2017); 0 for equal moments.

    With few samples per dimension it is too large; compare distances of equal counts only.
    """
    first, second = a.covariance, b.covariance
    root = _root(first)
    cross = np.sqrt(np.clip(np.linalg.eigvalsh(root @ second @ root), 0, None)).sum()
    apart = float(((a.mean - b.mean) ** 2).sum())
    return max(0.0, apart + float(np.trace(first) + np.trace(second) - 2 * cross))


def _root(covariance: _Doubles) -> _Doubles:
    values, vectors = np.linalg.eigh(covariance)
    found: _Doubles = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    return found
