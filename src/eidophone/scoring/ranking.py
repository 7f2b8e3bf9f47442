"""Ranks results, best first. This is the only ranking: `--from`, `score`, `evaluate` and tables all use it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from eidophone.core.values import Result, Score
from eidophone.options.kinds import RankBy

T = TypeVar("T")
_Column = NDArray[np.float64]

SIDES = ("looks", "sounds")
#: A judge's number with this ending replaces its plain number in a ranking, where the judge gives it.
CLEARER = "_clear"


def sides_of(score: Score) -> tuple[float | None, float | None]:
    """The two numbers that rank a result: looks and sound, each from the first judge that gives it.

    >>> sides_of(Score({"clip.looks": 0.3, "tiny.sounds": 0.8, "tiny.sounds_clear": 0.1}))
    (0.3, 0.1)
    """
    return score.side("looks", CLEARER), score.side("sounds", CLEARER)


def rank(
    items: Iterable[T],
    score_of: Callable[[T], Score],
    rule: RankBy = "weaker",
    looks_weight: float = 0.5,
    *,
    key_of: Callable[[T], Any] | None = None,
    rank_of: Callable[[T], int | None] | None = None,
) -> list[T]:
    """Sorts anything that has a score, best first.

    A ranking is relative to the items in it: ranking the best four of five again may change their order.
    Items that were chosen from more candidates therefore keep their ranks.

    Args:
        items: What to rank.
        score_of: The score of an item.
        rule: See `ranked`.
        looks_weight: See `ranked`.
        key_of: Decides ties, lower first; no two alike. Default: the order of `items`.
        rank_of: The rank that an item was chosen with (`facts["rank"]` of a result), or None. If every item
            has one and no two are alike, the items keep this order.

    >>> best = {"a": Score({"j.looks": 0.9, "j.sounds": 0.1}), "b": Score({"j.looks": 0.5, "j.sounds": 0.5})}
    >>> rank(best, best.__getitem__, "weights", 0.9), rank(best, best.__getitem__, rank_of={"b": 1, "a": 2}.get)
    (['a', 'b'], ['b', 'a'])
    """
    found = list(items)
    ranks = [rank_of(item) for item in found] if rank_of else [None]
    known = [number for number in ranks if number is not None]
    if known and len(known) == len(set(known)) == len(found):
        return [item for _, item in sorted(zip(known, found, strict=True), key=lambda pair: pair[0])]
    candidates = [
        Candidate(item, place if key_of is None else key_of(item), *sides_of(score_of(item)))
        for place, item in enumerate(found)
    ]
    return [candidate.item for candidate in ranked(candidates, rule, looks_weight)]


@dataclass(frozen=True)
class Candidate(Generic[T]):
    """Something to rank, with its own two numbers; higher is better.

    Attributes:
        item: The thing itself.
        key: Ties go to the lower one; must be comparable, and no two may be alike.
        looks, sounds: None where the judge failed.
    """

    item: T
    key: Any
    looks: float | None
    sounds: float | None


def candidate_of(result: Result) -> Candidate[Result]:
    """A result with its two numbers; ties go to the lower index, then to the first folder."""
    return Candidate(result, (result.index, str(result.folder)), *sides_of(result.score))


def ranked(
    candidates: Sequence[Candidate[T]], rule: RankBy = "weaker", looks_weight: float = 0.5
) -> list[Candidate[T]]:
    """Best first, whatever the order they come in.

    Rules:
        weaker: By the weaker of the two sides, each in standard deviations from the mean of all candidates.
        both: By the smallest top share that holds the candidate on both sides (Images that Sound, its
            selection of examples).
        weights: By the weighted sum of both sides, in standard deviations; the looks weigh `looks_weight`.

    A side that no candidate has is ignored. A candidate that lacks a side that others have comes last.

    >>> few = [Candidate("a", 0, 0.9, 0.1), Candidate("b", 1, 0.5, 0.5), Candidate("c", 2, 0.1, None)]
    >>> [c.item for c in ranked(few)]
    ['b', 'a', 'c']
    """
    used = [name for name in SIDES if any(getattr(c, name) is not None for c in candidates)]
    whole = [c for c in candidates if all(getattr(c, name) is not None for name in used)]
    broken = [c for c in candidates if any(getattr(c, name) is None for name in used)]
    sides = {name: np.array([getattr(c, name) for c in whole], np.float64) for name in used}
    merits = _RULES[rule](sides, looks_weight) if whole and used else [(0.0,)] * len(whole)
    order = sorted(range(len(whole)), key=lambda i: ([-m for m in merits[i]], whole[i].key))
    return [*(whole[i] for i in order), *sorted(broken, key=lambda c: c.key)]


def in_top_share(candidates: Sequence[Candidate[T]], share: float) -> list[Candidate[T]]:
    """The candidates that are in the top `share` by looks and in the top `share` by sound (the intersection).

    Best first by the rule "both". Candidates that lack a side are left out.

    Args:
        candidates: All samples.
        share: In (0, 1]; a side keeps `int(share * n)` places, at least one, and ties share a place.

    >>> few = [Candidate("a", 0, 0.9, 0.1), Candidate("b", 1, 0.5, 0.5), Candidate("c", 2, 0.1, 0.2)]
    >>> [c.item for c in in_top_share(few, 0.67)]
    ['b']
    """
    whole = [c for c in candidates if c.looks is not None and c.sounds is not None]
    if not whole:
        return []
    sides = [np.array([getattr(c, name) for c in whole], np.float64) for name in SIDES]
    keep = max(1, int(share * len(whole)))
    worst = np.maximum(*(_places(side) for side in sides)).tolist()
    chosen = {id(c) for c, place in zip(whole, worst, strict=True) if place < keep}
    return [c for c in ranked(whole, "both") if id(c) in chosen]


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
    """Standard deviations from the mean; 0 where all are equal."""
    spread = side.std()
    found: _Column = (side - side.mean()) / (spread if spread > 0 else 1.0)
    return found


def _places(side: _Column) -> _Column:
    """How many candidates are better."""
    found: _Column = (len(side) - np.searchsorted(np.sort(side), side, side="right")).astype(np.float64)
    return found


_RULES: dict[str, Callable[[dict[str, _Column], float], list[tuple[float, ...]]]] = {
    "weaker": _weaker,
    "both": _both,
    "weights": _weights,
}
