"""Ranking: on candidates with their own scores, whatever order they come in."""

import itertools
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eidophone.core.values import Result, Score
from eidophone.results import store as records
from eidophone.results.store import Store, load, samples_below
from eidophone.scoring.contract import judged, subject_of
from eidophone.scoring.ranking import Candidate, candidate_of, in_top_share, rank, ranked, sides_of
from eidophone.scoring.scorers.signal import SignalQuality

RULES = ("weaker", "both", "weights")
numbers = st.floats(-1, 1, allow_nan=False)


def made(sides: list[tuple[float | None, float | None]]) -> list[Candidate]:
    return [Candidate((i, *pair), i, *pair) for i, pair in enumerate(sides)]


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1000, 1500))
def test_no_score_is_paired_with_another_sample(rule: str, seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.integers(-9, 10, (count, 2)) / 10  # many ties
    sides = [tuple(None if rng.random() < 0.05 else float(x) for x in pair) for pair in values]
    candidates = made(sides)
    shuffled = candidates.copy()
    random.Random(seed).shuffle(shuffled)
    best = ranked(shuffled, rule)
    assert best == ranked(candidates, rule)
    assert sorted(c.key for c in best) == list(range(count))
    assert all(c.item == (c.key, c.looks, c.sounds) == (c.key, *sides[c.key]) for c in best)
    failed = [None in pair[1:] for pair in (c.item for c in best)]
    assert failed == sorted(failed)


@pytest.mark.parametrize("rule", RULES)
@given(st.lists(st.tuples(numbers, numbers), min_size=2, max_size=30), st.data())
def test_better_on_both_sides_is_never_ranked_lower(rule: str, sides: list, data: st.DataObject) -> None:
    sides = [tuple(round(x, 3) for x in pair) for pair in sides]
    order = [c.key for c in ranked(made(sides), rule)]
    for first, second in itertools.pairwise(order):
        assert not all(b > a for a, b in zip(sides[first], sides[second], strict=True))


@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=20), st.floats(0.1, 50), st.floats(-9, 9))
def test_the_scale_of_a_judge_does_not_matter(sides: list, scale: float, shift: float) -> None:
    sides = [tuple(round(x, 2) for x in pair) for pair in sides]
    other = [(looks, sounds * scale + shift) for looks, sounds in sides]
    assert [c.key for c in ranked(made(sides), "both")] == [c.key for c in ranked(made(other), "both")]


def test_both_is_the_top_share_of_both_sides() -> None:
    rng = np.random.default_rng(1)
    values = rng.random((200, 2))
    order = [c.key for c in ranked(made([tuple(pair) for pair in values.tolist()]), "both")]
    for share in (0.1, 0.25, 0.5):
        bars = np.quantile(values, 1 - share, axis=0, method="higher")
        chosen = set(np.flatnonzero((values >= bars).all(1)).tolist())
        assert set(order[: len(chosen)]) == chosen


def test_a_side_that_nobody_has_is_left_out() -> None:
    assert [c.key for c in ranked(made([(0.1, None), (0.7, None), (0.4, None)]))] == [1, 2, 0]
    assert [c.key for c in ranked(made([(None, None)] * 3))] == [0, 1, 2]
    assert ranked([]) == []


def test_a_candidate_keeps_its_own_score_through_folders(
    make_result: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names, places and order of folders say nothing about which sample is in them."""
    monkeypatch.setattr(records, "write_video", lambda path, *_, **__: path.write_bytes(b"film"))
    rng = random.Random(3)
    levels = {index: index / 2000 for index in rng.sample(range(1000), 150)}
    for index, dc in levels.items():
        result = make_result(index, width=16, dc=dc)
        Store(tmp_path / f"{rng.randrange(10**9)}").save(result)
    folders = list(samples_below(tmp_path))
    assert len(folders) == len(levels)
    rng.shuffle(folders)
    judge = SignalQuality()
    candidates = []
    for folder in folders:
        result = load(folder)
        dc = judged(subject_of(result), [judge]).numbers["signal.dc"]
        candidates.append(Candidate(result, result.index, -dc, None))
    order = [c.item.index for c in ranked(candidates)]
    assert order == sorted(levels)
    assert all(-c.looks == pytest.approx(levels[c.item.index], abs=1e-4) for c in ranked(candidates))


def test_results_are_ranked_by_their_first_judges(make_result: Callable[..., Result]) -> None:
    scores = [{"a.looks": 0.1, "b.looks": 0.9}, {"a.looks": 0.5, "b.looks": 0.2}]
    results = [make_result(i, score=Score(numbers)) for i, numbers in enumerate(scores)]
    assert [c.item.index for c in ranked([candidate_of(r) for r in results])] == [1, 0]


def test_a_record_holds_its_score(make_result: Callable[..., Result], tmp_path: Path) -> None:
    score = Score({"a.looks": 0.25, "a.sounds": 1}, {"b": "did not know"})
    saved = Store(tmp_path).save(make_result(0, score=score))
    assert load(saved.folder).score == score
    record = saved.folder / "record.json"
    text = record.read_text()
    start, end = text.index('  "score"'), text.index('  "files"')
    record.write_text(text[:start] + text[end:])
    assert load(saved.folder).score == Score()


def test_how_clear_a_sound_is_ranks_where_its_judge_says_it(make_result) -> None:
    said = {"clip.looks": 0.3, "tiny.looks": 0.9, "tiny.sounds": 0.8, "tiny.sounds_clear": 0.1}
    found = candidate_of(replace(make_result(), score=Score(said)))
    assert (found.looks, found.sounds) == (0.3, 0.1)
    other = Score({"clap.sounds": 0.4} | said)
    assert candidate_of(replace(make_result(), score=other)).sounds == 0.4


def test_chosen_samples_keep_the_rank_they_were_chosen_with() -> None:
    """Ranking the best of a choice again may change their order, so it is not done (T1)."""
    rng = np.random.default_rng(0)
    changed = 0
    for _ in range(50):
        scores = [Score({"j.looks": x, "j.sounds": y}) for x, y in rng.random((5, 2)).tolist()]
        order = rank(range(5), scores.__getitem__)
        kept = order[:4]
        ranks = {item: place for place, item in enumerate(kept, 1)}
        shuffled = sorted(kept)
        changed += rank(shuffled, scores.__getitem__) != kept
        assert rank(shuffled, scores.__getitem__, rank_of=ranks.get) == kept
    assert changed > 5


def test_items_are_ranked_anew_where_their_ranks_are_not_of_one_choice() -> None:
    scores = {"a": Score({"j.looks": 0.1}), "b": Score({"j.looks": 0.9}), "c": Score({"j.looks": 0.5})}
    for ranks in ({"a": 1, "b": 1, "c": 2}, {"a": 1, "b": 2}, {}):
        assert rank(scores, scores.__getitem__, rank_of=ranks.get) == ["b", "c", "a"]


def test_every_ranking_uses_how_clear_a_sound_is() -> None:
    clear = {"a": (0.9, 0.1), "b": (0.5, 0.4)}
    scores = {
        name: Score({"tiny.looks": 0.5, "tiny.sounds": plain, "tiny.sounds_clear": better})
        for name, (plain, better) in clear.items()
    }
    assert rank(scores, scores.__getitem__) == ["b", "a"]
    assert sides_of(scores["a"]) == (0.5, 0.1)


def test_the_selection_is_the_top_share_by_looks_and_by_sound() -> None:
    """Images that Sound shows samples from the intersection of two top shares."""
    rng = np.random.default_rng(2)
    values = rng.random((100, 2))
    candidates = made([tuple(pair) for pair in values.tolist()])
    for share in (0.05, 0.1, 0.3, 1.0):
        keep = round(share * 100)
        tops = [set(np.argsort(-values[:, side])[:keep].tolist()) for side in (0, 1)]
        assert {c.key for c in in_top_share(candidates, share)} == tops[0] & tops[1]
    assert in_top_share([*candidates[:3], Candidate("x", 9, 1.0, None)], 1.0)[-1].item != "x"
