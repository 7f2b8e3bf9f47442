"""From what was heard, how surely and when, to a natural caption. No torch."""

from collections.abc import Sequence
from dataclasses import dataclass

from eidophone.core.values import Caption, Word


@dataclass(frozen=True)
class Heard:
    """Something that a caption names.

    Attributes:
        phrase: Its words.
        confidence: How surely it was heard, 0 to 1.
        start_s, end_s: From when to when.
    """

    phrase: str
    confidence: float
    start_s: float
    end_s: float


def silence(length_s: float) -> Caption:
    """What is said of a sound in which nothing sounds."""
    return Caption((Word("silence", 1.0, 0.0, length_s),))


def sentence(heard: Sequence[Heard]) -> Caption:
    """Names everything in the order in which it begins; "and" joins what overlaps, ", then" what follows.

    A joining word is as sure as the less sure of the two that it joins.

    >>> sentence([Heard("rain", 0.9, 2.0, 5.0), Heard("a dog barking", 0.8, 0.0, 1.5)]).text
    'a dog barking, then rain'
    """
    words: list[Word] = []
    for i, group in enumerate(_groups(heard)):
        if i:
            words[-1] = _with_comma(words[-1])
            words.append(_joint("then", words[-1], group[0]))
        for j, one in enumerate(group):
            if j and j == len(group) - 1:
                words.append(_joint("and", words[-1], one))
            elif j:
                words[-1] = _with_comma(words[-1])
            words += [Word(text, one.confidence, one.start_s, one.end_s) for text in one.phrase.split()]
    return Caption(tuple(words))


def _groups(heard: Sequence[Heard]) -> list[list[Heard]]:
    """What sounds together: each one overlaps the first of its group by half of the shorter one."""
    groups: list[list[Heard]] = []
    for one in sorted(heard, key=lambda h: (h.start_s, -h.confidence)):
        if groups:
            first = groups[-1][0]
            shared = min(first.end_s, one.end_s) - one.start_s
            if shared >= min(first.end_s - first.start_s, one.end_s - one.start_s) / 2:
                groups[-1].append(one)
                continue
        groups.append([one])
    return groups


def _joint(text: str, before: Word, after: Heard) -> Word:
    return Word(text, min(before.confidence, after.confidence), after.start_s, after.end_s)


def _with_comma(word: Word) -> Word:
    return Word(f"{word.text},", word.confidence, word.start_s, word.end_s)
