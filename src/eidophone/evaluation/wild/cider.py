"""CIDEr-D (Vedantam, Zitnick and Parikh, 2015), the part of SPIDEr that needs no Java.

The usual implementation asks a Java program for its words. Here words are runs of letters, digits and
apostrophes in lower case, which for audio captions comes to the same but for rare punctuation.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

LONGEST = 4
#: Spread of the penalty for another length than the reference's, in bigrams.
SIGMA = 6.0
SCALE = 10.0

Grams = Counter[tuple[str, ...]]


def tokens(text: str) -> list[str]:
    """The words of a caption.

    >>> tokens("A dog barks, then it's quiet.")
    ['a', 'dog', 'barks', 'then', "it's", 'quiet']
    """
    return re.findall(r"[a-z0-9']+", text.lower())


@dataclass(frozen=True)
class _Weighed:
    """tf-idf of a text's n-grams, for n = 1 to 4, their lengths as vectors, and its number of bigrams."""

    vectors: tuple[dict[tuple[str, ...], float], ...]
    norms: tuple[float, ...]
    bigrams: int


def cider_d(captions: Sequence[str], references: Sequence[Sequence[str]]) -> list[float]:
    """CIDEr-D of each caption against its references; 0 to 10, higher is better.

    An n-gram counts the more, the fewer recordings have it in a reference, so the numbers depend on all of them.

    Args:
        captions: One of each recording.
        references: What people say of each recording, at least one caption.
    """
    said = [[_grams(text) for text in texts] for texts in references]
    documents: Grams = Counter()
    for one in said:
        documents.update({gram for grams in one for counts in grams for gram in counts})
    most = math.log(max(1, len(said)))

    def _weighed(grams: list[Grams]) -> _Weighed:
        vectors = tuple(
            {gram: count * (most - math.log(max(1, documents[gram]))) for gram, count in counts.items()}
            for counts in grams
        )
        norms = tuple(math.sqrt(sum(x * x for x in vector.values())) for vector in vectors)
        return _Weighed(vectors, norms, sum(grams[1].values()))

    found = []
    for caption, texts in zip(captions, said, strict=True):
        own = _weighed(_grams(caption))
        found.append(SCALE * sum(_alike(own, _weighed(text)) for text in texts) / len(texts))
    return found


def _grams(text: str) -> list[Grams]:
    said = tokens(text)
    return [Counter(tuple(said[i : i + n]) for i in range(len(said) - n + 1)) for n in range(1, LONGEST + 1)]


def _alike(own: _Weighed, other: _Weighed) -> float:
    """Mean over n of the cosine of both vectors, where the caption's counts are cut to the reference's."""
    penalty = math.exp(-((own.bigrams - other.bigrams) ** 2) / (2 * SIGMA**2))
    total = 0.0
    for mine, theirs, *norms in zip(own.vectors, other.vectors, own.norms, other.norms, strict=True):
        if all(norms):
            shared = sum(min(x, theirs.get(gram, 0.0)) * theirs.get(gram, 0.0) for gram, x in mine.items())
            total += shared / (norms[0] * norms[1])
    return penalty * total / LONGEST
