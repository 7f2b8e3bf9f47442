"""A captioner that hears a few seconds at a time, over a sound of any length."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from eidophone.core.errors import BadInput
from eidophone.core.values import Caption, Floats, Word
from eidophone.models.captioners.sentence import silence

#: Root mean square below which a window is silence (-60 dB of full scale).
SILENCE = 1e-3
MOST_PARTS = 3

#: A word and how sure it is, 0 to 1.
Said = tuple[str, float]


@dataclass(frozen=True)
class Part:
    """What was said of a stretch of sound.

    Attributes:
        said: Words and their confidence.
        start_s, end_s: The stretch.
    """

    said: tuple[Said, ...]
    start_s: float
    end_s: float

    @property
    def words(self) -> tuple[str, ...]:
        """The words alone."""
        return tuple(word for word, _ in self.said)

    @property
    def weight(self) -> float:
        """How much it says about the whole: its mean confidence times its length."""
        return sum(sure for _, sure in self.said) / len(self.said) * (self.end_s - self.start_s)


def loudness(samples: Floats) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


def captioned(
    blocks: Iterable[Floats], rate_hz: int, frames: int, listen: Callable[[Floats], Sequence[Said]]
) -> Caption:
    """One caption from those of windows: the three that say most, in order; silent windows are skipped.

    Neighbours that say the same become one. Memory does not grow with the sound.

    Args:
        blocks: The sound, mono at `rate_hz`.
        rate_hz: Frames per second.
        frames: Of a window; the last one may be shorter.
        listen: The caption of a window, (frames,).
    """
    kept: list[Part] = []
    open_part: Part | None = None
    end_s = 0.0
    for i, window in enumerate(_windows(blocks, frames)):
        start_s = i * frames / rate_hz
        end_s = start_s + len(window) / rate_hz
        said = tuple(listen(window)) if loudness(window) >= SILENCE else ()
        check_numbers([sure for _, sure in said])
        if open_part and said and open_part.words == tuple(word for word, _ in said):
            open_part = Part(max(open_part.said, said, key=_surety), open_part.start_s, end_s)
        elif said:
            kept = _best([*kept, *([open_part] if open_part else [])])
            open_part = Part(said, start_s, end_s)
    parts = _best([*kept, *([open_part] if open_part else [])])
    return _joined(parts) if parts else silence(end_s)


def check_numbers(given: ArrayLike) -> None:
    """Refuses the probabilities of a network with damaged weights.

    Raises:
        BadInput: one of them is no number.
    """
    if not np.isfinite(given).all():
        raise BadInput("The captioner gives NaN or infinity instead of probabilities; fetch its model again.")


def _surety(said: Sequence[Said]) -> float:
    return sum(sure for _, sure in said)


def _best(parts: list[Part]) -> list[Part]:
    """The ones that say most, in time; what was said before is not said again."""
    distinct = {part.words: part for part in sorted(parts, key=lambda p: p.weight)}
    best = sorted(distinct.values(), key=lambda p: -p.weight)[:MOST_PARTS]
    return sorted(best, key=lambda p: p.start_s)


def _joined(parts: list[Part]) -> Caption:
    words: list[Word] = []
    for part in parts:
        if words:
            last = words[-1]
            words[-1] = Word(f"{last.text.rstrip('.,')},", last.confidence, last.start_s, last.end_s)
            words.append(Word("then", min(last.confidence, part.said[0][1]), part.start_s, part.end_s))
        words += [Word(text, sure, part.start_s, part.end_s) for text, sure in part.said]
    return Caption(tuple(words))


def _windows(blocks: Iterable[Floats], frames: int) -> Iterator[Floats]:
    kept = np.zeros(0, np.float32)
    for block in blocks:
        kept = np.concatenate([kept, block])
        while len(kept) >= frames:
            yield kept[:frames]
            kept = kept[frames:]
    if len(kept):
        yield kept
