"""From the folder of a result to a row of numbers."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eidophone.core.errors import EidophoneError
from eidophone.core.text import printable, without_folders
from eidophone.core.values import Floats
from eidophone.evaluation.found import Found
from eidophone.evaluation.journal import Row
from eidophone.evaluation.replay import replayed
from eidophone.evaluation.seen import seen_as
from eidophone.scoring.contract import Scorer, Subject, judged
from eidophone.scoring.similarity import Similarity

COSTS = ("seconds", "unet_evaluations", "unet_evaluations_of_all")


#: A sample as judges should see it, from the sample as it is and the facts of its record.
AsSeen = Callable[[Subject, Mapping[str, Any]], Subject]


def row_of(name: str, found: Found, judges: Iterable[Scorer]) -> Row:
    """Judges one sample. One that cannot be read becomes a row with the reason."""
    return judged_row(name, found, judges, lambda subject, _: subject)


def replayed_row_of(name: str, found: Found, judges: Iterable[Scorer]) -> Row:
    """As `row_of`, for the sound that Griffin-Lim makes of the spectrogram."""
    return judged_row(name, found, judges, lambda subject, _: replayed(subject))


def judged_row(name: str, found: Found, judges: Iterable[Scorer], seen: AsSeen) -> Row:
    """As `row_of`, for a protocol in which judges see something else than what the record says."""
    places = {found.where}
    try:
        with found.opened() as folder:
            places.add(str(folder))
            sample = seen_as(folder)
        subject = seen(sample.subject, sample.facts)
    except (EidophoneError, OSError, ValueError) as error:  # a name that a library cannot open, for one
        return Row(name, found.checksum, broken=_without_path(error, places, name))
    asked = [_Remembering(judge) if isinstance(judge, Similarity) else judge for judge in judges]
    score = judged(subject, asked)
    features = {
        f"{judge.name}.{sense}": feature
        for judge in asked
        if isinstance(judge, _Remembering)
        for sense, feature in judge.features.items()
    }
    costs = {what: float(cost) for what in COSTS if (cost := sample.facts.get(what)) is not None}
    return Row(
        folder=name,
        checksum=found.checksum,
        method=sample.method,
        image_prompt=subject.image_prompt,
        audio_prompt=subject.audio_prompt,
        index=sample.index,
        seed=sample.seed,
        numbers=score.numbers | costs,
        failed={judge: _without_path(reason, places, name) for judge, reason in score.failed.items()},
        features=features,
    )


def _without_path(reason: object, places: set[str], name: str) -> str:
    """A reason on one line, with the sample's name in place of its path or URL."""
    text = str(reason)
    for full in sorted(places | {str(Path(place).absolute()) for place in places}, key=len, reverse=True):
        text = text.replace(full, name)
    return printable(" ".join(without_folders(text).split()))


@dataclass
class _Remembering:
    """A judge of similarity that keeps the features of what it judged, so that they are computed once."""

    judge: Similarity
    features: dict[str, Floats] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The judge's name."""
        return self.judge.name

    def __call__(self, subject: Subject) -> dict[str, float]:
        """See `Scorer`."""
        self.features = {}
        self.features = self.judge.features(subject)
        return self.judge.numbers(subject, self.features)
