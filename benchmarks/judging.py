"""Judges of `benchmarks.embedded`: YAMNet hears, training/networks/judge.py sees, aiSFX hears once more.

Results are kept a line each, so that a run goes on where it was stopped.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import soxr
import torch
from torch import Tensor

from benchmarks.second_ear import SecondEar
from eidophone.core.values import Clip, Floats, Result
from eidophone.models.tagger import RATE_HZ, Tagger, load_tagger
from eidophone.scoring.one_canvas import coverage, look, same_place
from training.data.sounds import TOP
from training.data.sounds import concepts as sound_concepts
from training.networks.judge import JUDGED, Judge
from training.networks.judge import load as load_judge


def pixels_of(gray: Floats) -> Tensor:
    """A grey picture (height, width) as embedders and judges take it: (1, 3, height, width)."""
    return torch.from_numpy(gray)[None, None].expand(-1, 3, -1, -1)


def guesses(ear: Tagger, samples: Tensor, rate_hz: int, count: int = TOP) -> list[str]:
    """What the tagger hears in a sound, (frames,), best first."""
    sound = torch.from_numpy(soxr.resample(samples.numpy(), rate_hz, RATE_HZ))
    return ear.top(ear.scores(sound[None]).mean(1), count)[0]


def heard_by(ear: Tagger, samples: Tensor, rate_hz: int, concept: str) -> bool:
    """Whether a class of the concept is among the tagger's top five; samples: (frames,)."""
    return not set(guesses(ear, samples, rate_hz)).isdisjoint(sound_concepts()[concept].heard)


@dataclass(frozen=True)
class Judges:
    """The judges.

    Attributes:
        ear: Hears. It also chose what the audio model learned from, and it chooses among candidates.
        eye: Sees.
        second: An ear that took no part in training or choosing; None leaves its verdict out.
    """

    ear: Tagger
    eye: Judge
    second: SecondEar | None = None

    @classmethod
    def load(cls, work: Path, second: bool = False) -> "Judges":
        """The tagger of the package, and the judge and the second ear in training's work folder."""
        return cls(load_tagger(), load_judge(work), SecondEar.load(work) if second else None)

    def heard(self, samples: Tensor, rate_hz: int, concept: str) -> bool:
        """See `heard_by`."""
        return heard_by(self.ear, samples, rate_hz, concept)

    def seen(self, gray: Floats, concept: str) -> bool:
        """Whether the likeliest name of a picture (height, width) among forty is the concept."""
        return self.eye.top(pixels_of(gray))[0] == [concept]

    def both(self, result: Result, shown: str, played: str) -> dict[str, bool]:
        """`seen`, `heard` and `second` (ear) of a result; a side without a concept is left out.

        The picture is the one that plays, which is not what `imprint` shows beside it.
        """
        found = {}
        if shown:
            found["seen"] = self.seen(result.spectrogram, shown)
        if played:
            mono, rate = result.clip.mono(), result.clip.rate_hz
            found["heard"] = self.heard(torch.from_numpy(mono), rate, played)
            if self.second is not None:
                found["second"] = self.second.heard(mono, rate, played)
        return found

    def shared(self, result: Result, shown: str, played: str) -> dict[str, float | bool]:
        """Whether drawing and sound share the canvas (see `scoring.one_canvas`).

        - coverage: share of the columns that the drawing spans.
        - placed: whether the part in which it is seen most surely, played alone, still sounds like `played`.
        """
        gray, right = result.spectrogram, JUDGED.index(shown)

        def _eye(pictures: Floats) -> Floats:
            likely = self.eye(torch.from_numpy(pictures)).softmax(-1)
            sure: Floats = torch.where(likely.argmax(1) == right, likely[:, right], 0).numpy()
            return sure

        def _ear(clip: Clip) -> float:
            return float(self.heard(torch.from_numpy(clip.mono()), clip.rate_hz, played))

        with torch.inference_mode():
            seen = look(gray, _eye)
        place = same_place(seen, result.clip, gray.shape[1], _ear)
        return {"coverage": coverage(seen, gray.shape[1]), "placed": bool(place and place.heard)}


@dataclass
class Ledger:
    """Judged items by key, kept as lines of JSON in a file that only grows.

    Attributes:
        file: Where the lines are.
        rows: What is known, by key.
    """

    file: Path
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        lines = self.file.read_text().splitlines() if self.file.exists() else []
        self.rows = {row.pop("key"): row for row in map(json.loads, lines)}

    def add(self, key: str, row: dict[str, Any]) -> None:
        """Keeps a row, in memory and in the file."""
        self.rows[key] = row
        with self.file.open("a") as out:
            out.write(json.dumps({"key": key, **row}) + "\n")

    def of(self, part: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Keys and rows of a part."""
        return ((key, row) for key, row in self.rows.items() if key.startswith(f"{part}/"))
