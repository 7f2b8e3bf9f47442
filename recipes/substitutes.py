"""Other words for the same, for captions to hold in place of their own: found by the text encoder's teacher.

A denoiser that was told "dog" alone does not know that "hound" lies beside it, however near the encoder puts
them. So part of the captions have one word replaced by a near one, where the phrase still means its own
concept rather than any other. substitutes.toml lists the words that are kept out.
"""

import functools
import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from recipes import text
from recipes.captions import article
from recipes.config import HERE, Run
from recipes.data import sound_phrases
from recipes.nouns import with_s
from recipes.pictures import concepts

LISTS = tomllib.loads((HERE / "substitutes.toml").read_text())
NEAR = 0.45  # least cosine of a word and its substitute
ALIKE = 0.5  # least cosine of a phrase with a substitute and its concept
AHEAD = 0.04  # by how much its own concept must be nearer than any other
TRIED, KEPT = 10, 8  # substitutes of a word to try, phrases of a concept to keep of each kind
SHARE = 0.35  # of the captions hold a substitute, where there is one


def stem(word: str) -> str:
    """What is left without the common endings, to tell another word from another form of one.

    >>> stem("barking"), stem("puppies"), stem("bark")
    ('bark', 'pupp', 'bark')
    """
    for ending in ("ing", "ies", "ed", "es", "er", "s", "y", "e"):
        if word.endswith(ending) and len(word) - len(ending) > 2:
            return word.removesuffix(ending)
    return word


def allowed(word: str) -> bool:
    """Whether a word is no form of one that is held out."""
    return stem(word) not in _held_stems()


@functools.cache
def _held_stems() -> frozenset[str]:
    return frozenset(stem(held) for held in LISTS["held_out"])


@functools.cache
def vocabulary() -> list[str]:
    """Whole English words that the teacher knows and captions may hold."""
    listed = (text.teacher_folder() / "vocab.txt").read_text().split("\n")
    return [word for word in listed if word.isalpha() and word.isascii() and len(word) > 2 and allowed(word)]


def rewritten(phrases: Iterable[str], near: dict[str, list[str]]) -> Iterator[str]:
    """Phrases with one word replaced by another one."""
    for phrase in phrases:
        words = phrase.split()
        for place, word in enumerate(words):
            for other in near.get(word, ()):
                yield " ".join([*words[:place], other, *words[place + 1 :]])


def content(phrase: str) -> list[str]:
    """The words that carry a phrase's meaning."""
    return [word for word in phrase.split() if len(word) > 2 and word not in LISTS["binding"]]


def neighbours(run: Run, words: list[str]) -> dict[str, list[str]]:
    """The nearest words in the teacher's vocabulary, best first, of each word."""
    known = vocabulary()
    there, here = text.meanings(run, known), text.meanings(run, words)
    found = {}
    for word, near in zip(words, here @ there.T, strict=True):
        best = [known[i] for i in near.topk(2 * TRIED).indices.tolist() if near[i] >= NEAR]
        found[word] = [other for other in best if stem(other) != stem(word)][:TRIED]
    return found


def substitutes(run: Run, phrases: dict[str, list[str]]) -> dict[str, list[str]]:
    """Phrases of each concept that stand in no list and mean it more than any other concept.

    Args:
        run: Where the teacher's answers are kept.
        phrases: What each concept is called.
    """
    near = neighbours(run, sorted({w for own in phrases.values() for p in own for w in content(p)}))
    tried = {name: list(dict.fromkeys(rewritten(own, near))) for name, own in phrases.items()}
    single = vocabulary()
    listed = list(dict.fromkeys(p for own in (*phrases.values(), *tried.values(), single) for p in own))
    meaning = dict(zip(listed, text.meanings(run, listed), strict=True))
    means = torch.stack([torch.stack([meaning[p] for p in own]).mean(0) for own in phrases.values()])
    centres, found = F.normalize(means, dim=-1), {}
    for place, (name, own) in enumerate(phrases.items()):
        said = {stem(word) for phrase in own for word in content(phrase)}
        kinds = [
            closest([p for p in kind if fresh(p, said)], meaning, centres, place)
            for kind in (tried[name], single)
        ]
        found[name] = list(dict.fromkeys(phrase for kind in kinds for phrase in kind))
    return found


def fresh(phrase: str, said: set[str]) -> bool:
    """Whether a phrase holds a word whose stem is not among those said already."""
    return not said.issuperset(stem(word) for word in content(phrase))


def closest(phrases: Sequence[str], meaning: dict[str, Tensor], centres: Tensor, place: int) -> list[str]:
    """The phrases that mean concept number `place` and no other, nearest first, at most KEPT.

    Args:
        phrases: What may be said.
        meaning: Unit meanings by phrase.
        centres: Unit meanings of all concepts.
        place: The concept's row in `centres`.
    """
    if not phrases:
        return []
    alike = torch.stack([meaning[phrase] for phrase in phrases]) @ centres.T
    own = alike[:, place].clone()
    alike[:, place] = -1
    good = (own >= ALIKE) & (own - alike.amax(1) >= AHEAD)
    return [phrases[i] for i in own.argsort(descending=True).tolist() if good[i]][:KEPT]


def of_pictures(run: Run) -> dict[str, list[str]]:
    """Other nouns, one each, for the concepts of pictures.toml; none in a smoke run."""
    nouns = {name: [n for n in table["one"] if " " not in n] for name, table in concepts().items()}
    return substitutes(run, {name: own for name, own in nouns.items() if own}) if run.packs else {}


def of_sounds(run: Run) -> dict[str, list[str]]:
    """Other phrases for the concepts of sounds.toml; none in a smoke run."""
    return substitutes(run, sound_phrases(run)) if run.packs else {}


def replaced(rng: np.random.Generator, words: str, concept: str, others: list[str]) -> str:
    """A caption with the concept's noun replaced by another; as it was where it does not hold that noun."""
    table = concepts()[concept]
    for many, nouns in ((True, table["many"]), (False, table["one"])):
        for noun in sorted(nouns, key=len, reverse=True):
            if others and (met := re.search(rf"\b(an? )?{re.escape(noun)}\b", words)):
                other = others[rng.integers(len(others))]
                new = with_s(other) if many else article(other) if met[1] else other
                return words[: met.start()] + new + words[met.end() :]
    return words
