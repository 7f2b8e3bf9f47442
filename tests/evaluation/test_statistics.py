"""Intervals cover the truth; distances agree with an independent implementation."""

import numpy as np
import pytest
from scipy import linalg, stats

from eidophone.evaluation.statistics import Moments, frechet_distance, mean_of

TRIALS = 600


@pytest.mark.parametrize("kind", ["normal", "skewed", "yes or no"])
def test_95_percent_intervals_cover_the_truth_95_percent_of_the_time(kind: str) -> None:
    rng = np.random.default_rng(0)
    draw, truth = {
        "normal": (lambda: rng.normal(3, 2, 100), 3.0),
        "skewed": (lambda: rng.exponential(2, 100), 2.0),
        "yes or no": (lambda: (rng.random(100) < 0.3).astype(float), 0.3),
    }[kind]
    covered = np.zeros(2)
    for trial in range(TRIALS):
        mean = mean_of(draw(), seed=trial, resamples=400)
        covered += [mean.low <= truth <= mean.high, mean.bootstrap_low <= truth <= mean.bootstrap_high]
    # three standard errors of 600 trials, and what 100 samples of a skewed variable lack
    assert np.all(np.abs(covered / TRIALS - 0.95) < 0.03), covered / TRIALS


def test_intervals_agree_with_scipy() -> None:
    x = np.random.default_rng(1).exponential(1, 200)
    mean = mean_of(x, resamples=4000)
    theirs = stats.bootstrap((x,), np.mean, n_resamples=4000, method="percentile", rng=2).confidence_interval
    assert (mean.bootstrap_low, mean.bootstrap_high) == pytest.approx(tuple(theirs), abs=0.02)
    half = 1.96 * stats.sem(x)
    assert (mean.low, mean.high) == pytest.approx((x.mean() - half, x.mean() + half))


def test_one_sample_has_a_mean_and_no_interval() -> None:
    mean = mean_of([0.25])
    assert (mean.mean, mean.count, mean.low, mean.bootstrap_high) == (0.25, 1, None, None)


def test_frechet_distance_agrees_with_the_matrix_root() -> None:
    rng = np.random.default_rng(0)
    sets = [rng.normal(size=(80, 12)) @ rng.normal(size=(12, 12)) + i for i in range(2)]
    moments = []
    for x in sets:
        found = Moments()
        for row in x.astype(np.float32):
            found.add(row)
        moments.append(found)
    a, b = (np.cov(x, rowvar=False) for x in sets)
    cross = np.trace(linalg.sqrtm(a @ b).real)
    theirs = np.sum((sets[0].mean(0) - sets[1].mean(0)) ** 2) + np.trace(a) + np.trace(b) - 2 * cross
    assert frechet_distance(*moments) == pytest.approx(theirs, rel=1e-4)
    assert frechet_distance(moments[0], moments[0]) == pytest.approx(0, abs=1e-5)
    assert frechet_distance(*moments) == pytest.approx(frechet_distance(*moments[::-1]))
