"""Mixtures of two recordings of different classes, with both labels: Multi-ESC50 (Lee et al. 2023, 2.5).

Mixture i of seed s is drawn from s + i and depends on nothing else than the list of recordings.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eidophone.core.errors import BadInput
from eidophone.core.values import Clip, Floats
from eidophone.data.recordings import Recording
from eidophone.media.audio import peak_normalize, read_sound, resample, write_wav
from eidophone.media.files import write_text

RATE_HZ = 44_100
MANIFEST = "manifest.json"
FORMAT = 1


@dataclass(frozen=True)
class Mixture:
    """Two recordings that sound at once.

    Attributes:
        first, second: What is mixed; their labels differ.
        level_db: How much louder the first one is, by the loudest second of each.
        seed: What it was drawn from.
    """

    first: Recording
    second: Recording
    level_db: float
    seed: int

    @property
    def labels(self) -> tuple[str, ...]:
        """What can be heard."""
        return (*self.first.labels, *self.second.labels)


def draw(
    recordings: Sequence[Recording], count: int, seed: int, level_db: tuple[float, float] = (0.0, 0.0)
) -> list[Mixture]:
    """Draws pairs: two different classes, then a recording of each, all equally likely.

    Args:
        recordings: What to draw from, each with one label.
        count: How many mixtures.
        seed: Mixture i is drawn from seed + i.
        level_db: Lowest and highest level of the first over the second, drawn evenly between them.

    Raises:
        BadInput: fewer than two classes.
    """
    classes = sorted({r.labels[0] for r in recordings if len(r.labels) == 1})
    if len(classes) < 2:
        raise BadInput("Mixtures need recordings of at least two classes; name a folder that holds more.")
    members = {name: [r for r in recordings if r.labels == (name,)] for name in classes}
    return [_drawn(members, classes, seed + i, level_db) for i in range(count)]


def _drawn(
    members: dict[str, list[Recording]], classes: list[str], seed: int, level_db: tuple[float, float]
) -> Mixture:
    rng = np.random.default_rng(seed)
    names = [classes[i] for i in rng.choice(len(classes), 2, replace=False)]
    first, second = (members[name][int(rng.integers(len(members[name])))] for name in names)
    return Mixture(first, second, float(rng.uniform(*level_db)), seed)


def mix(mixture: Mixture, rate_hz: int = RATE_HZ) -> Clip:
    """The sound of a mixture: mono, peak 0.95, as long as the longer of the two.

    Raises:
        BadInput: a recording cannot be read, or is silent.
    """
    first, second = (_sound(r, rate_hz) for r in (mixture.first, mixture.second))
    louder = 10 ** (mixture.level_db / 20) * loudness(second, rate_hz) / loudness(first, rate_hz)
    frames = max(len(first), len(second))
    padded = [np.pad(samples, (0, frames - len(samples))) for samples in (first, second)]
    both = (padded[0] * np.float32(louder) + padded[1])[None]
    return peak_normalize(Clip(both.astype(np.float32), rate_hz))


def loudness(samples: Floats, rate_hz: int) -> float:
    """Root mean square of the loudest second, so that a pause behind a short sound does not count.

    >>> sound = np.concatenate([np.full(8000, 0.5), np.zeros(80_000)]).astype(np.float32)
    >>> loudness(sound, 8000)
    0.5
    """
    window = min(rate_hz, len(samples))
    power = np.concatenate([[0.0], np.cumsum(samples.astype(np.float64) ** 2)])
    return float(np.sqrt(max(0.0, (power[window:] - power[:-window]).max()) / window))


def _sound(recording: Recording, rate_hz: int) -> Floats:
    clip = read_sound(recording.path, start_s=recording.start_s, duration_s=recording.duration_s)
    mono = resample(clip, rate_hz).mono()
    if not mono.any():
        raise BadInput(f"{recording.path} is silent, so it cannot be mixed at a level; leave it out.")
    return mono


def write_mixtures(mixtures: Sequence[Mixture], folder: Path) -> Iterator[Path]:
    """Writes `NNNN.wav` for each mixture, then `manifest.json`; yields each file when it is written.

    Raises:
        EidophoneError: a recording cannot be read, or the folder cannot be written.
    """
    rows = []
    for i, mixture in enumerate(mixtures):
        path = folder / f"{i:04d}.wav"
        write_wav(path, mix(mixture))
        rows.append({"file": path.name, **_row(mixture)})
        yield path
    text = json.dumps({"format": FORMAT, "rate_hz": RATE_HZ, "mixtures": rows}, indent=1)
    write_text(folder / MANIFEST, text + "\n")


def _row(mixture: Mixture) -> dict[str, object]:
    sources = [r.path.name for r in (mixture.first, mixture.second)]
    level = round(mixture.level_db, 3)
    return {"labels": list(mixture.labels), "sources": sources, "level_db": level, "seed": mixture.seed}


def read_mixtures(folder: Path) -> list[Recording]:
    """The mixtures that `write_mixtures` wrote, as recordings with two labels.

    Raises:
        BadInput: there is no manifest, or it is damaged.
    """
    path = folder / MANIFEST
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["mixtures"]
        return [Recording(folder / row["file"], tuple(row["labels"])) for row in rows]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path}: no manifest of mixtures ({error}); make them again.") from error
