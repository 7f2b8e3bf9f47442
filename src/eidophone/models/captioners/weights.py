"""How much each word of a caption weighs (In-the-wild Sounds, ICCV 2023, section 3.2)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from eidophone.core.values import Caption
from eidophone.models.captioners.nouns import Nouns, WordNetNouns
from eidophone.options.kinds import Attention

#: Above this probability of being a noun, a word is one (the sentence attention's threshold).
THRESHOLD = 0.7
AUDIO_SHARE = 0.1


@dataclass(frozen=True)
class WordWeights:
    """The weights of a caption's words; all of one length.

    Attributes:
        words: As they are written.
        audio: Audio attention a: how sure the captioner was, 0 to 1.
        noun: Sentence attention s: probability of a common noun, 0 to 1.
        weights: w, above 0.
    """

    words: tuple[str, ...]
    audio: tuple[float, ...]
    noun: tuple[float, ...]
    weights: tuple[float, ...]

    @property
    def nouns(self) -> tuple[bool, ...]:
        """Which words are taken for nouns."""
        return tuple(s > THRESHOLD for s in self.noun)

    def only(self, places: Sequence[int]) -> "WordWeights":
        """Some of the words, in this order."""
        words = tuple(self.words[i] for i in places)
        audio, noun, weights = (
            tuple(each[i] for i in places) for each in (self.audio, self.noun, self.weights)
        )
        return WordWeights(words, audio, noun, weights)


def attention(audio: Sequence[float], noun: Sequence[float]) -> list[float]:
    """Audio attention, in the place of which sure nouns take s + 0.1 a.

    >>> attention([0.5, 0.5], [0.2, 0.75])
    [0.5, 0.8]
    """
    return [s + AUDIO_SHARE * a if s > THRESHOLD else a for a, s in zip(audio, noun, strict=True)]


def positioned(attended: Sequence[float]) -> list[float]:
    """Adds the position term 1 / (2 + exp(2 - 0.5 i)) of word i, from 0: later words weigh more.

    >>> [round(w, 4) for w in positioned([0.0, 0.0])]
    [0.1065, 0.1543]
    """
    return [1 / (2 + math.exp(2 - 0.5 * i)) + a for i, a in enumerate(attended)]


def weigh(caption: Caption, nouns: Nouns | None = None, terms: Attention = "both") -> WordWeights:
    """The weights of a caption's words.

    Args:
        caption: What was heard; a user's own words are certain.
        nouns: Who tells nouns; WordNet's counts by default.
        terms: "both" as published. "audio" and "sentence" put that attention alone beside the position term.
            "none" weighs every word 1, so the condition is that of the plain caption.
    """
    words = tuple(word.text for word in caption.words)
    audio = tuple(word.confidence for word in caption.words)
    noun = tuple((nouns or WordNetNouns()).probabilities(words))
    attended = {"both": attention(audio, noun), "audio": audio, "sentence": noun}
    weights = [1.0] * len(words) if terms == "none" else positioned(attended[terms])
    return WordWeights(words, audio, noun, tuple(weights))
