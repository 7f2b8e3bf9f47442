"""Substitutes in captions: other words, never those that the benchmark holds back."""

import numpy as np
import pytest
from benchmarks.pairs import SYNONYMS

from recipes.captions import article
from recipes.pictures import concepts
from recipes.sounds import concepts as sound_concepts
from recipes.substitutes import allowed, replaced, rewritten, stem


def test_what_the_benchmark_asks_for_is_held_out() -> None:
    """Every phrase has a word that no caption may hold."""
    for pairs in SYNONYMS.values():
        for phrase, _ in pairs:
            assert not all(allowed(word) for word in phrase.split()), phrase


def test_no_caption_of_the_tables_holds_a_word_that_is_held_out() -> None:
    """Else the words were not unseen to begin with."""
    nouns = [noun for table in concepts().values() for noun in (*table["one"], *table["many"])]
    phrases = [phrase for concept in sound_concepts().values() for phrase in concept.captions]
    found = {w for words in (*nouns, *phrases) for w in words.lower().split() if not allowed(w)}
    assert not found


@pytest.mark.parametrize("form", ["pooches", "rattle", "giggle", "blazes", "freights"])
def test_forms_of_a_word_are_held_out_with_it(form: str) -> None:
    assert not allowed(form)


def test_a_substitute_takes_the_place_of_the_noun_with_its_article_and_number() -> None:
    rng = np.random.default_rng(0)
    said = replaced(rng, "a painting of a dog, grayscale", "dog", ["akita"])
    assert said == f"a painting of {article('akita')}, grayscale"
    assert replaced(rng, "two dogs running", "dog", ["akita"]) == "two akitas running"
    assert replaced(rng, "a cat", "dog", ["akita"]) == "a cat"
    assert replaced(rng, "a dog", "dog", []) == "a dog"


def test_one_word_at_a_time_is_rewritten() -> None:
    found = list(rewritten(["old clock ticking"], {"clock": ["watch"], "ticking": ["clicking"]}))
    assert found == ["old watch ticking", "old clock clicking"]
    assert all(stem(a) == stem(b) for a, b in (("barks", "barking"), ("puppy", "puppies")))
