"""Which results are best: records with their own scores in, the same records out, best first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from eidophone.core.values import Result
from eidophone.options.kinds import RankBy

T = TypeVar("T")
_Column = NDArray[np.float64]


@dataclass(frozen=True)
class Candidate(Generic[T]):
    """Something to rank, with its own two scores; more is better.

    Attributes:
        item: What it is.
        key: Ties go to the lower one; must be comparable and no two alike.
        looks, sounds: None where the judge failed.
    """

    item: T
    key: Any
    looks: float | None
    sounds: float | None


def candidate_of(result: Result) -> Candidate[Result]:
    """A result by what its first judges say; ties go to the lower index, then to the first folder.

    How clear a sound is counts instead of how like, where the judge says it.
    """
    key, score = (result.index, str(result.folder)), result.score
    return Candidate(result, key, score.side("looks"), score.side("sounds", "_clear"))


def ranked(
    candidates: Sequence[Candidate[T]], rule: RankBy = "weaker", looks_weight: float = 0.5
) -> list[Candidate[T]]:
    """Best first, whatever the order they come in.

    Rules:
        weaker: by the weaker of the two sides, each as deviations from the mean of all candidates.
        both: as published, the samples in the top share of both sides: by the smallest such share.
        weights: by `looks_weight` of the looks and the rest of the sounds, both as deviations.

    A side that no candidate has is left out. A candidate that lacks a side that others have comes after
    all that lack none.

    >>> few = [Candidate("a", 0, 0.9, 0.1), Candidate("b", 1, 0.5, 0.5), Candidate("c", 2, 0.1, None)]
    >>> [c.item for c in ranked(few)]
    ['b', 'a', 'c']
    """
    used = [name for name in ("looks", "sounds") if any(getattr(c, name) is not None for c in candidates)]
    whole = [c for c in candidates if all(getattr(c, name) is not None for name in used)]
    broken = [c for c in candidates if any(getattr(c, name) is None for name in used)]
    sides = {name: np.array([getattr(c, name) for c in whole], np.float64) for name in used}
    merits = _RULES[rule](sides, looks_weight) if whole and used else [(0.0,)] * len(whole)
    order = sorted(range(len(whole)), key=lambda i: ([-m for m in merits[i]], whole[i].key))
    return [*(whole[i] for i in order), *sorted(broken, key=lambda c: c.key)]


def _weaker(sides: dict[str, _Column], _: float) -> list[tuple[float, ...]]:
    normal = np.stack([_normalised(side) for side in sides.values()])
    return list(zip(normal.min(0).tolist(), normal.sum(0).tolist(), strict=True))


def _both(sides: dict[str, _Column], _: float) -> list[tuple[float, ...]]:
    places = np.stack([_places(side) for side in sides.values()])
    return list(zip((-places.max(0)).tolist(), (-places.sum(0)).tolist(), strict=True))


def _weights(sides: dict[str, _Column], looks_weight: float) -> list[tuple[float, ...]]:
    weights = {"looks": looks_weight, "sounds": 1 - looks_weight}
    total = sum(weights[name] * _normalised(side) for name, side in sides.items())
    return [(merit,) for merit in np.asarray(total).tolist()]


def _normalised(side: _Column) -> _Column:
    """Deviations from the mean, in standard deviations; 0 where all are equal."""
    spread = side.std()
    found: _Column = (side - side.mean()) / (spread if spread > 0 else 1.0)
    return found


def _places(side: _Column) -> _Column:
    """How many are better."""
    found: _Column = (len(side) - np.searchsorted(np.sort(side), side, side="right")).astype(np.float64)
    return found


_RULES: dict[str, Callable[[dict[str, _Column], float], list[tuple[float, ...]]]] = {
    "weaker": _weaker,
    "both": _both,
    "weights": _weights,
}
