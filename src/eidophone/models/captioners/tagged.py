"""The embedded captioner: the tagger's classes and their course in time, as a sentence.

Sources that the embedded family knows are told by a small head on the tagger's embedding, trained by
`training/networks/captioner.py` on single sounds and mixtures; all others by the tagger's own classes."""

import functools
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from importlib import resources
from pathlib import Path

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from eidophone.core.values import Caption, Floats
from eidophone.media.vocoder_files import read_json, settings_of
from eidophone.models.captioners.sentence import Heard, sentence, silence
from eidophone.models.captioners.windows import SILENCE, check_numbers, loudness
from eidophone.models.cards import package_folder, shipped
from eidophone.models.pretrained import load_weights
from eidophone.models.tagger import CONFIG, RATE_HZ, SPAN, STEP, WEIGHTS, Tagger, load_tagger

_FRAME, _HOP = 512, 256
_BANDS = slice(6, 230)  # 190 Hz to 7.2 kHz at 16 kHz
_TINY = 1e-14
_SHORTEST = 2 * _FRAME
#: A tone has so much of its power within two bands of its peak, and its level moves less than so many dB.
_TONE_SHARE, _TONE_DB = 0.98, 0.5
#: Noise is a power law of frequency (white, pink, brown) to so many dB: the error of 60 averaged frames.
_NOISE_DB = 0.72


class Plain(Enum):
    """What a window plainly is; the values are names of sources."""

    TONE = "sine"
    NOISE = "noise"


def plain(window: Floats) -> Plain | None:
    """What a window of about a second at 16 kHz plainly is, if anything, between its silent ends.

    >>> plain(np.sin(np.arange(16_000) / 3).astype(np.float32))
    <Plain.TONE: 'sine'>
    """
    loud = np.flatnonzero(np.abs(window) > SILENCE)
    sound = window[loud[0] : loud[-1] + 1] if len(loud) else window[:0]
    if len(sound) < _SHORTEST:
        return None
    frames = np.lib.stride_tricks.sliding_window_view(sound, _FRAME)[::_HOP] * np.hanning(_FRAME)
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2 + _TINY
    mean = power.mean(0)
    levels = 10 * np.log10(mean[_BANDS])
    octaves = np.log2(np.arange(_BANDS.start, _BANDS.stop))
    if (levels - np.polyval(np.polyfit(octaves, levels, 1), octaves)).std() < _NOISE_DB:
        return Plain.NOISE
    peak = int(mean.argmax())
    share = mean[max(0, peak - 2) : peak + 3].sum() / mean.sum()
    steady = (10 * np.log10(power.sum(1))).std() < _TONE_DB
    return Plain.TONE if share > _TONE_SHARE and steady else None


@dataclass(frozen=True)
class SoundSource:
    """Something that sounds.

    Attributes:
        name: As the table and the captioner's head call it.
        phrase: How a caption names it.
        heard: AudioSet classes that tell it; the highest counts.
        kind: What it is one of; empty if of nothing.
        general: It is the general name of its kind, said only where no other source of that kind is.
    """

    name: str
    phrase: str
    heard: tuple[str, ...]
    kind: str
    general: bool


@functools.cache
def sources() -> tuple[SoundSource, ...]:
    """Every source, in the order of the table."""
    text = (resources.files("eidophone.models.captioners") / "sounds.toml").read_text(encoding="utf-8")
    return tuple(
        SoundSource(name, row["phrase"], tuple(row["heard"]), row.get("of", row.get("kind", "")), "of" in row)
        for name, row in tomllib.loads(text).items()
    )


COLUMNS = 1024
STRAY = 0.01


class Timeline:
    """Gathers the probabilities of sources, window by window.

    The sums are exact. The course in time is kept in at most 1024 columns: when they are full, each two
    become one, the larger of both, so a short event is not lost in a long recording.

    Args:
        width: How many sources there are.
        step_s: Seconds from one window to the next.
    """

    def __init__(self, width: int, step_s: float) -> None:
        self._sum = np.zeros(width)
        self._squares = np.zeros(width)
        self._columns = np.zeros((COLUMNS, width), np.float32)
        self._step_s = step_s
        self._each = 1  # windows a column
        self._windows = 0

    def add(self, probabilities: Floats) -> None:
        """The next windows; (windows, width) in [0, 1], zeros for a silent one."""
        self._sum += probabilities.sum(0)
        self._squares += (probabilities**2).sum(0)
        for row in probabilities:
            if self._windows == COLUMNS * self._each:
                halved = self._columns.reshape(COLUMNS // 2, 2, -1).max(1)
                self._columns = np.concatenate([halved, np.zeros_like(halved)])
                self._each *= 2
            column = self._windows // self._each
            np.maximum(self._columns[column], row, out=self._columns[column])
            self._windows += 1

    def confidence(self, doubt: Floats) -> Floats:
        """Of each source in the whole sound, (width,).

        The mean of its probabilities weighed by themselves (linear softmax pooling; Wang, Li and Metze 2019):
        a bark in a minute of silence counts as a bark.

        Args:
            doubt: Windows of probability zero that count as sure ones for each source, (width,): a source
                that doubts wants to be heard more than once.
        """
        pooled: Floats = (self._squares / np.maximum(self._sum + doubt, 1e-6)).astype(np.float32)
        return pooled

    def span(self, source: int, window_s: float) -> tuple[float, float]:
        """From when to when a source is at least half as probable as at its surest, in seconds.

        Of all that, the first and the last hundredth are left out: a moment's mistake does not stretch it.

        Args:
            source: Which one.
            window_s: How long a window is.
        """
        course = self._columns[:, source]
        clear = np.where(course >= max(course.max() / 2, 1e-6), course.astype(np.float64), 0).cumsum()
        if not clear[-1]:
            return 0.0, 0.0
        first, last = np.searchsorted(clear, [STRAY * clear[-1], (1 - STRAY) * clear[-1]])
        column_s = self._each * self._step_s
        last_window = min((last + 1) * self._each, self._windows) - 1
        return float(first * column_s), float(last_window * self._step_s + window_s)


FOLDER = "tiny/captioner"
#: A source is named from this confidence on, and from this share of the surest one's.
FLOOR, SHARE = 0.08, 0.2
#: What a source needs that is told by the tagger's classes alone, which are quick to name a single window.
CLASS_FLOOR, CLASS_DOUBT = 0.4, np.float32(1)
MOST_SOURCES = 3
WINDOWS_AT_ONCE = 32
WHOLE = SPAN + (WINDOWS_AT_ONCE - 1) * STEP


@dataclass(frozen=True)
class TaggedCaptioner:
    """Names up to three sources of a sound; see `contract.Captioner`.

    Attributes:
        tagger: Who listens.
        head: Logits of `known` from the tagger's embedding.
        known: Names of the sources that the head tells.
        name, rate_hz: As the contract says.
    """

    tagger: Tagger
    head: nn.Linear
    known: tuple[str, ...]
    name: str = "tiny"
    rate_hz: int = RATE_HZ

    def caption(self, blocks: Iterable[Floats]) -> Caption:
        """See `contract.Captioner`."""
        timeline = Timeline(len(sources()), STEP / RATE_HZ)
        sounding, frames = False, 0
        for i, part in enumerate(_parts(blocks)):
            windows = _windows(part)
            loud = np.array([loudness(window) >= SILENCE for window in windows])
            found = np.zeros((len(loud), len(sources())), np.float32)
            if loud.any():
                found[loud] = _plainly(windows, self.probabilities(part))[loud]
            timeline.add(found)
            sounding |= bool(loud.any())
            frames = i * WINDOWS_AT_ONCE * STEP + len(part)
        length_s = frames / RATE_HZ
        if not sounding:
            return silence(length_s)
        return sentence(self._chosen(timeline, length_s))

    @torch.inference_mode()
    def probabilities(self, samples: Floats) -> Floats:
        """Of every source in each window of a sound: (frames,) at 16 kHz -> (windows, sources)."""
        embeddings = self.tagger.embeddings(torch.from_numpy(samples))
        classes = self.tagger.head(embeddings).sigmoid()
        known = dict(zip(self.known, self.head(embeddings).sigmoid().unbind(1), strict=True))
        columns = [self._probability(source, classes, known) for source in sources()]
        found: Floats = torch.stack(columns, 1).numpy()
        check_numbers(found)
        return found

    def _probability(self, source: SoundSource, classes: Tensor, known: dict[str, Tensor]) -> Tensor:
        if source.name in known:
            return known[source.name]
        if not source.heard:  # only a head could tell it, and this one was not taught to
            return torch.zeros(len(classes))
        return classes[:, [self.tagger.classes.index(name) for name in source.heard]].amax(1)

    def _chosen(self, timeline: Timeline, length_s: float) -> list[Heard]:
        table = sources()
        by_class = np.array([source.name not in self.known for source in table])
        sure = timeline.confidence(by_class.astype(np.float32) * CLASS_DOUBT)
        special = [i for i in np.argsort(-sure) if not table[i].general]
        floors = np.maximum(np.where(by_class, CLASS_FLOOR, FLOOR), SHARE * sure[special[0]])
        chosen: list[int] = []
        for i in special:
            echo = by_class[i] and any(table[i].kind == table[j].kind != "" for j in chosen)
            if sure[i] >= floors[i] and not echo:
                chosen.append(i)
        kinds = {table[i].kind for i in chosen}
        chosen += [
            i for i, s in enumerate(table) if s.general and sure[i] >= CLASS_FLOOR and s.kind not in kinds
        ]
        chosen = chosen[:MOST_SOURCES] or [int(sure.argmax())]
        spans = [timeline.span(i, SPAN / RATE_HZ) for i in chosen]
        return [
            Heard(table[i].phrase, float(sure[i]), start, min(end, length_s))
            for i, (start, end) in zip(chosen, spans, strict=True)
        ]


def _parts(blocks: Iterable[Floats]) -> Iterator[Floats]:
    """Parts whose windows, one after the other, are those of the whole sound."""
    kept = np.zeros(0, np.float32)
    for block in blocks:
        kept = np.concatenate([kept, block])
        while len(kept) > WHOLE:
            yield kept[:WHOLE]
            kept = kept[WINDOWS_AT_ONCE * STEP :]
    if len(kept):
        yield kept


def _windows(part: Floats) -> Floats:
    """The tagger's windows, the last one filled with silence; (windows, SPAN)."""
    count = 1 + max(0, -(-(len(part) - SPAN) // STEP))
    padded = np.pad(part, (0, max(0, SPAN + (count - 1) * STEP - len(part))))
    windows: Floats = np.lib.stride_tricks.sliding_window_view(padded, SPAN)[::STEP]
    return windows


def _plainly(windows: Floats, probabilities: Floats) -> Floats:
    """The same, where a window is plainly a tone or noise: that, and nothing else."""
    names = [source.name for source in sources()]
    for window, row in zip(windows, probabilities, strict=True):
        if (kind := plain(window)) is not None:
            row[:] = 0
            row[names.index(kind.value)] = 1
    return probabilities


class _Config(BaseModel):
    """The head's `config.json`."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")
    sources: list[str] = Field(min_length=1, max_length=10_000)


def load_tagged(folder: Path | None = None) -> TaggedCaptioner:
    """The embedded captioner, on the processor.

    Args:
        folder: Where the head's `model.safetensors` and `config.json` lie; by default in this package.

    Raises:
        WeightsAbsent: they are not there.
        BadInput: they are damaged.
    """
    folder = shipped("The captioner", folder or package_folder(FOLDER), WEIGHTS, "training.train captioner")
    where = folder / CONFIG
    known = tuple(settings_of(_Config, read_json(where), str(where)).sources)
    tagger = load_tagger()
    head = nn.Linear(tagger.head.in_features, len(known))
    load_weights(head, folder / WEIGHTS)
    return TaggedCaptioner(tagger, head.eval().requires_grad_(False), known)
