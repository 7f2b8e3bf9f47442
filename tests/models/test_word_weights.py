"""Word weights: the published formulas, computed apart."""

import math
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eidophone.core.errors import BadInput
from eidophone.core.values import Caption, Word
from eidophone.media.sheets import BAR_HEIGHT, CELL, GAP, MARKED, PLAIN, word_bars
from eidophone.models.captioners.nouns import FlairNouns, WordNetNouns
from eidophone.models.captioners.weights import attention, positioned, weigh

# nouns in upper case, as a person would mark them
MARKED_CAPTIONS = """
a DOG barking, then RAIN falling
a DOG is barking and BIRDS are chirping
RAIN falling and a CLOCK ticking
a BABY crying
a PERSON sneezing
a HELICOPTER flying
a CHAINSAW running, then WIND blowing
a FIRE crackling
SEA WAVES
a ROOSTER crowing
WATER running
a WOMAN speaks while FOOD sizzles
PEOPLE applauding
a MAN talking followed by LAUGHTER
a CAR HORN honking
MUSIC playing
a BELL ringing
the ENGINE of a VEHICLE idles
a pure TONE
a low HUM
FOOTSTEPS
an OWL hooting in the DISTANCE
a TRAIN passing, then a DOOR closing
GUNSHOTS
a large CROWD cheering loudly
someone typing on a KEYBOARD
THUNDER and heavy RAIN
a CAT meowing twice
""".strip().splitlines()


def caption(text: str, sure: float = 0.5) -> Caption:
    return Caption(tuple(Word(word, sure, 0, 1) for word in text.split()))


def test_most_words_of_captions_are_told_nouns_or_not() -> None:
    right = total = 0
    for line in MARKED_CAPTIONS:
        words = [word.strip(",") for word in line.split()]
        found = WordNetNouns().probabilities([word.lower() for word in words])
        right += sum((p > 0.7) == word.isupper() for p, word in zip(found, words, strict=True))
        total += len(words)
    assert right / total >= 0.95


def test_punctuation_and_case_change_nothing() -> None:
    plain, written = (
        WordNetNouns().probabilities(t.split()) for t in ("a dog then rain", "A Dog, then rain.")
    )
    assert plain == written


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=40))
def test_weights_are_the_published_formula(pairs: list[tuple[float, float]]) -> None:
    audio, noun = zip(*pairs, strict=True)
    found = positioned(attention(audio, noun))
    for i, (a, s) in enumerate(pairs):
        raised = s + 0.1 * a if s > 0.7 else a
        assert found[i] == pytest.approx(1 / (2 + math.exp(2 - 0.5 * i)) + raised, abs=1e-12)


def test_the_position_term_rises_to_a_half() -> None:
    terms = np.array(positioned([0.0] * 60))
    assert terms[0] == pytest.approx(1 / (2 + math.e**2))
    assert (np.diff(terms) > 0).all() and terms[-1] == pytest.approx(0.5, abs=1e-6)


def test_a_noun_weighs_more_than_the_words_beside_it() -> None:
    found = weigh(caption("a dog barking"))
    assert found.nouns == (False, True, False)
    assert max(found.weights) == found.weights[1]


def test_flair_gives_the_sum_of_both_noun_tags(monkeypatch) -> None:
    class Sentence(list):
        def __init__(self, words: list[str]) -> None:
            super().__init__(SimpleNamespace(text=word) for word in words)

    class Tagger:
        def predict(self, sentence: Sentence, return_probabilities_for_all_classes: bool) -> None:
            assert return_probabilities_for_all_classes
            for token in sentence:
                tags = [("NN", 0.5), ("NNS", 0.25), ("VB", 0.25)] if token.text == "dogs" else [("DT", 1.0)]
                token.get_tags_proba_dist = lambda _, tags=tags: [
                    SimpleNamespace(value=value, score=score) for value, score in tags
                ]

    data, models = ModuleType("flair.data"), ModuleType("flair.models")
    data.Sentence, models.SequenceTagger = Sentence, Tagger
    for name, module in (("flair", ModuleType("flair")), ("flair.data", data), ("flair.models", models)):
        monkeypatch.setitem(sys.modules, name, module)
    assert FlairNouns(Tagger()).probabilities(["the", "dogs"]) == [0.0, 0.75]


def test_without_flair_the_remedy_is_named(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "flair.data", None)
    with pytest.raises(BadInput, match="pip install flair"):
        FlairNouns()


def test_bars_are_as_high_as_the_weights() -> None:
    pixels = word_bars(["a", "dog"], [0.5, 1.0], [False, True]).pixels
    columns = [GAP + i * CELL + CELL // 2 for i in range(2)]
    plain, marked = (
        int((np.abs(pixels[:, x] * 255 - colour).max(1) < 2).sum())
        for x, colour in zip(columns, (PLAIN, MARKED), strict=True)
    )
    assert marked == 2 * plain == BAR_HEIGHT
