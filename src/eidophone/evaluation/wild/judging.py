"""Judges a painting: does the picture fit the sound, the caption that was heard, and what people say of it?"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from eidophone.core.errors import BadInput
from eidophone.core.values import Floats
from eidophone.data.recordings import Recording
from eidophone.evaluation.found import Found
from eidophone.evaluation.journal import Row
from eidophone.evaluation.samples import judged_row
from eidophone.evaluation.wild.paintings import Place
from eidophone.scoring.contract import Scorer, Subject
from eidophone.scoring.measures import Measure
from eidophone.scoring.scorers import SCORERS
from eidophone.scoring.similarity import Similarity

#: Numbers of a judge, by the last part of their names.
MEASURES = {
    "agrees": Measure("similarity of picture and sound", range="-1 to 1"),
    "looks": Measure("similarity of picture and the captioner's caption", range="-1 to 1"),
    "reference": Measure("similarity of picture and what people say, mean over captions or labels", range="-1 to 1"),
    "recognised": Measure(
        "share of a recording's labels among as many labels of the data set that fit the picture best",
        range="0 to 1",
    ),
}  # fmt: skip


def embedders_among(judges: str) -> str:
    """The judges of a list that compare pictures: the others measure the sound, which is given.

    Raises:
        BadInput: there is none.
    """
    wanted = [name.strip() for name in judges.split(",") if name.strip()]
    found = [name for name in wanted if name not in SCORERS and name != "none"]
    if not found:
        raise BadInput(f"--judges {judges!r}: the protocol in-the-wild needs an embedder, such as tiny.")
    return ",".join(found)


@dataclass(frozen=True)
class WildJudging:
    """Makes the rows of paintings.

    Attributes:
        recordings: By data set and key.
        labels: All labels of each data set, as words.
    """

    recordings: dict[tuple[str, str], Recording]
    labels: dict[str, tuple[str, ...]]

    def row_of(self, name: str, found: Found, judges: Iterable[Scorer]) -> Row:
        """Judges a painting. One that cannot be read becomes a row with the reason."""
        judges = list(judges)
        row = judged_row(name, found, judges, _captioned)
        if row.broken:
            return row
        place = Place.of(Path(found.folder))
        numbers = {key: value for key, value in row.numbers.items() if not key.endswith(".looks_gray")}
        for judge in judges:
            picture = row.features.get(f"{judge.name}.picture")
            if isinstance(judge, Similarity) and picture is not None and "text" in judge.embedder.senses:
                said = self._compared(judge, picture, place)
                numbers |= {f"{judge.name}.{what}": value for what, value in said.items()}
        recording = self.recordings[place.dataset, place.recording]
        truth = "; ".join(recording.captions) or " and ".join(map(words, recording.labels))
        method = f"{place.dataset}: {place.method.replace('-', ', ')}"
        return replace(row, method=method, numbers=numbers, audio_prompt=truth)

    def _compared(self, judge: Similarity, picture: Floats, place: Place) -> dict[str, float]:
        recording = self.recordings[place.dataset, place.recording]
        own = [words(label) for label in recording.labels]
        texts = list(recording.captions) or own
        found = {"reference": float(np.mean([picture @ judge.text(text) for text in texts]))}
        known = self.labels[place.dataset]
        if own and len(known) > len(own):
            best = sorted(known, key=lambda label: -float(picture @ judge.text(label)))[: len(own)]
            found["recognised"] = len(set(own) & set(best)) / len(own)
        return found


def words(label: str) -> str:
    """A label as words.

    >>> words("dog_bark")
    'dog bark'
    """
    return " ".join(label.replace("_", " ").split())


def _captioned(subject: Subject, facts: Mapping[str, Any]) -> Subject:
    """The caption in the place of the image prompt; the sound is given, so there is no audio prompt."""
    return replace(subject, image_prompt=str(facts.get("caption", "")), audio_prompt="")
