"""How probably each word of a caption is a noun: sentence attention (In-the-wild Sounds, section 3.2).

The default needs no download: WordNet's counts, a rule by suffix for words that are not in the table, and
the word before. With the package `flair`, the published tagger.
"""

import functools
import math
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any, Protocol

from eidophone.core.errors import BadInput, WeightsAbsent

TABLE = Path(__file__).with_name("nouns.txt")
_FLAIR, _FLAIR_WEIGHTS = "flair/pos-english", "pytorch_model.bin"
_TAGS = ("NN", "NNS")

_DETERMINER_WORDS = """
    a an the this that these those some any each every no one two three my our your his her its their
"""
_FUNCTION_WORDS = """
    i you he she it we they him them us me someone something somebody anyone who which what and or
    but nor so yet then while as when after before because if until once of in on at by for with
    from to into onto over under through between behind near off out up down along across against
    around during above below past inside outside upon without within toward towards away back is
    are was were be been being am do does did has have had having will would can could may might
    must should not very too also again there here now several many much more most other another
    both all few own such than continuously loudly softly
"""
_DETERMINERS = frozenset(_DETERMINER_WORDS.split())
_FUNCTION = _DETERMINERS | frozenset(_FUNCTION_WORDS.split())
_ENDINGS = {"ing": 0.15, "ed": 0.05, "ly": 0.05, "ous": 0.05, "ful": 0.15, "able": 0.1, "ive": 0.3, "al": 0.3}
_UNKNOWN = 0.9
_FUNCTION_SHARE = 0.01
#: Changes of the log-odds, set by looking at captions: "a dog barking" names a dog, "a low hum" a hum.
_FORM_AFTER_NOUN, _HEAD_OF_PHRASE = -2.0, 4.0
_NOUN = 0.5


class Nouns(Protocol):
    """Says how probably words are common nouns, singular or plural (the tags NN and NNS)."""

    def probabilities(self, words: Sequence[str]) -> list[float]:
        """Of each word in its sentence, 0 to 1."""
        ...


def is_function_word(word: str) -> bool:
    """Whether a word only joins others: articles, pronouns, prepositions, conjunctions.

    >>> is_function_word("and"), is_function_word("The"), is_function_word("rain,")
    (True, True, False)
    """
    return word.strip(".,;!?").lower() in _FUNCTION


def by_suffix(word: str) -> float:
    """The probability of an unknown word.

    >>> by_suffix("gargling"), by_suffix("theremin")
    (0.15, 0.9)
    """
    return next((share for end, share in _ENDINGS.items() if word.endswith(end)), _UNKNOWN)


@functools.cache
def _table() -> dict[str, float]:
    lines = TABLE.read_text(encoding="ascii").splitlines()
    return {word: float(share) for word, share in (line.split(" ") for line in lines)}


class WordNetNouns:
    """The default.

    >>> [round(p) for p in WordNetNouns().probabilities(["a", "dog", "barking,", "then", "rain"])]
    [0, 1, 0, 0, 1]
    """

    def probabilities(self, words: Sequence[str]) -> list[float]:
        """See `Nouns`."""
        bare = [word.strip(".,;:!?\"'()").lower() for word in words]
        found: list[float] = []
        for i in range(len(bare)):
            share = min(max(self._alone(bare[i]), 0.005), 0.995)
            odds = math.log(share / (1 - share)) + self._context(i, bare, found)
            found.append(1 / (1 + math.exp(-odds)))
        return found

    def _alone(self, word: str) -> float:
        if word in _FUNCTION or not word.isalpha():
            return _FUNCTION_SHARE
        return _table().get(word, by_suffix(word))

    def _context(self, i: int, bare: list[str], before: list[float]) -> float:
        """What the words before and the next one change."""
        if bare[i] in _FUNCTION or not i:
            return 0.0
        if before[-1] > _NOUN:
            return _FORM_AFTER_NOUN if bare[i].endswith(("ing", "ed")) else 0.0
        describing = takewhile(
            lambda j: bare[j] not in _FUNCTION and before[j] <= _NOUN, range(i - 1, -1, -1)
        )
        opening = i - 1 - len(list(describing))
        in_phrase = opening >= 0 and bare[opening] in _DETERMINERS
        ends = i + 1 == len(bare) or self._alone(bare[i + 1]) <= _NOUN
        return _HEAD_OF_PHRASE if in_phrase and ends else 0.0


class FlairNouns:
    """The published tagger, `flair/pos-english`; needs the package flair, which takes transformers below 5.

    Args:
        tagger: A `flair.models.SequenceTagger`; loaded if it is not given.
        offline: Do not download the tagger.

    Raises:
        BadInput: flair is not installed.
        WeightsAbsent: the tagger's weights cannot be loaded.
    """

    def __init__(self, tagger: Any = None, *, offline: bool = False) -> None:
        try:
            from flair.data import Sentence
            from flair.models import SequenceTagger
        except ImportError as error:
            raise BadInput(
                "The part-of-speech tagger flair is not installed; run `pip install flair`, or use --nouns "
                "wordnet."
            ) from error
        self._sentence = Sentence
        self._tagger = tagger or _load_flair(SequenceTagger, offline)

    def probabilities(self, words: Sequence[str]) -> list[float]:
        """See `Nouns`."""
        sentence = self._sentence(list(words))
        self._tagger.predict(sentence, return_probabilities_for_all_classes=True)
        tags = [token.get_tags_proba_dist("pos") for token in sentence]
        return [sum(float(tag.score) for tag in each if tag.value in _TAGS) for each in tags]


def _load_flair(kind: Any, offline: bool) -> Any:
    from huggingface_hub import hf_hub_download

    try:
        weights = hf_hub_download(_FLAIR, _FLAIR_WEIGHTS, local_files_only=offline)
        return kind.load(weights)
    except Exception as error:  # flair and the hub raise many kinds
        raise WeightsAbsent(
            f"The part-of-speech tagger {_FLAIR} cannot be loaded ({type(error).__name__}); run once without "
            "--offline and with a network connection, or use --nouns wordnet."
        ) from error
