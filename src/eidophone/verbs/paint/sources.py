"""The sources of a recording: each is drawn where and when it sounds, loud ones large."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from eidophone.core.values import Caption, Clip, Word
from eidophone.data.mixtures import loudness
from eidophone.media.audio import resample
from eidophone.models.captioners.sentence import Heard
from eidophone.models.separators.contract import Separator

#: Words that join two sources.
JOINTS = ("and", "then")
#: Words that begin the name of another source, where nothing is known of confidence and time.
ARTICLES = ("a", "an", "the", "two", "three", "some")
#: A source this much softer than the loudest, in dB, is drawn at half its size.
FAR_DB = 20.0
SMALLEST = 0.5
#: Seconds of a window in which the energy of the sources is shared out.
WINDOW_S = 0.1


@dataclass(frozen=True)
class Source:
    """Something that sounds.

    Attributes:
        places: Of its words in the caption.
        words: The same words, without commas.
        size: How large it is drawn, SMALLEST to 1.
    """

    places: tuple[int, ...]
    words: tuple[Word, ...]
    size: float

    @property
    def start_s(self) -> float:
        """When it begins to sound."""
        return self.words[0].start_s


def sources_of(caption: Caption, clip: Clip) -> tuple[Source, ...]:
    """The sources that a caption names, from left to right in the order in which they begin; () if only one.

    Two phrases are two sources if a joint or a comma stands between them and they were heard at other times or with
    another confidence: "a dog barking and howling" is one. In a caption that the user wrote, an article must follow
    instead: "a dog barking and a clock ticking". Each window's energy is shared out among the sources
    that sound in it, by confidence, which tells loud from soft.
    """
    groups = _phrases(caption.words)
    if len(groups) < 2:
        return ()
    levels = _levels([[caption.words[i] for i in group] for group in groups], clip)
    found = [
        Source(tuple(group), tuple(_plain(caption.words[i]) for i in group), size)
        for group, size in zip(groups, levels, strict=True)
    ]
    return tuple(sorted(found, key=lambda source: source.start_s))


def _phrases(words: Sequence[Word]) -> list[list[int]]:
    groups: list[list[int]] = [[]]
    for place, word in enumerate(words):
        before = words[place - 1] if place else None
        if (
            word.text in JOINTS
            and 0 < place < len(words) - 1
            and groups[-1]
            and _apart(words[groups[-1][-1]], words[place + 1])
        ):
            groups.append([])
            continue
        if before is not None and before.text.endswith(",") and groups[-1] and _apart(before, word):
            groups.append([])
        groups[-1].append(place)
    return [group for group in groups if group]


def _apart(before: Word, after: Word) -> bool:
    if _heard(before) != _heard(after):
        return True
    return after.end_s <= after.start_s and after.text.lower() in ARTICLES


def _heard(word: Word) -> tuple[float, float, float]:
    return word.confidence, word.start_s, word.end_s


def _plain(word: Word) -> Word:
    return Word(word.text.rstrip(",") or word.text, word.confidence, word.start_s, word.end_s)


def _levels(phrases: Sequence[Sequence[Word]], clip: Clip) -> list[float]:
    """How large each source is drawn, from its share of the energy while it sounds."""
    frame = max(1, round(WINDOW_S * clip.rate_hz))
    mono = np.pad(clip.mono().astype(np.float64), (0, -clip.samples.shape[1] % frame))
    energy = np.square(mono).reshape(-1, frame).mean(1)
    times = (np.arange(len(energy)) + 0.5) * WINDOW_S
    sure = np.array(
        [
            np.where((times >= phrase[0].start_s) & (times < phrase[0].end_s), phrase[0].confidence, 0)
            if phrase[0].end_s > phrase[0].start_s
            else np.full(len(times), phrase[0].confidence)
            for phrase in phrases
        ]
    )
    own = energy * sure / np.maximum(sure.sum(0), 1e-9)
    mean = own.sum(1) / np.maximum((sure > 0).sum(1), 1)
    softer_db = 10 * np.log10(np.maximum(mean.max(), 1e-12) / np.maximum(mean, 1e-12))
    return [float(size) for size in _sizes(softer_db)]


def _sizes(softer_db: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.maximum(SMALLEST, 1 - softer_db * (1 - SMALLEST) / FAR_DB)


def separated(
    sources: Sequence[Source], clip: Clip, separator: Separator
) -> tuple[tuple[Source, ...], tuple[Clip, ...]]:
    """The sources with sizes from the loudest second of each, and the sound of each.

    Args:
        sources: From left to right.
        clip: The recording.
        separator: Takes it apart.
    """
    heard = [
        Heard(" ".join(word.text for word in source.words), first.confidence, first.start_s, first.end_s)
        for source in sources
        for first in source.words[:1]
    ]
    stems = separator.separate(resample(clip, separator.rate_hz).mono(), heard)
    loud = np.array([loudness(stem, separator.rate_hz) for stem in stems])
    softer_db = 20 * np.log10(np.maximum(loud.max(), 1e-6) / np.maximum(loud, 1e-6))
    found = tuple(
        replace(source, size=float(size)) for source, size in zip(sources, _sizes(softer_db), strict=True)
    )
    return found, tuple(Clip(stem[None].clip(-1, 1), separator.rate_hz) for stem in stems)


def columns_of(sources: Sequence[Source], columns: int, fewest: int) -> tuple[int, ...]:
    """How many columns each source spans, from left to right; all of them together span the canvas.

    Args:
        sources: From left to right.
        columns: Of the canvas, at least `fewest` for each.
        fewest: The fewest columns that a source spans.

    >>> columns_of([Source((0,), (), 1.0), Source((1,), (), 0.5)], 36, 4)
    (24, 12)
    """
    whole = sum(source.size for source in sources)
    edges = [0]
    for number, source in enumerate(sources, 1):
        left = len(sources) - number
        ideal = edges[-1] + round(columns * source.size / whole)
        edges.append(columns if not left else min(max(ideal, edges[-1] + fewest), columns - left * fewest))
    return tuple(second - first for first, second in pairwise(edges))
