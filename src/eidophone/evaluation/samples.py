"""From a result's folder to a row of numbers."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from eidophone.core.errors import EidophoneError
from eidophone.core.values import Floats, Result
from eidophone.evaluation.journal import Row
from eidophone.media.files import sha256
from eidophone.results.recipe import RECORD_FILE
from eidophone.results.store import load, samples_below
from eidophone.scoring.contract import Scorer, Subject, judged, subject_of
from eidophone.scoring.similarity import Similarity

COSTS = ("seconds", "unet_evaluations", "unet_evaluations_of_all")


def found_below(folders: Iterable[Path]) -> dict[str, str]:
    """The samples in and below folders: checksums of their records, by folder, each once.

    Raises:
        BadInput: there is no such folder.
    """
    places = dict.fromkeys(place for folder in folders for place in samples_below(folder))
    return {str(place): _checksum(place / RECORD_FILE) for place in places}


def _checksum(record: Path) -> str:
    try:
        return sha256(record)
    except EidophoneError:  # it is told when the sample is read
        return ""


def row_of(folder: str, checksum: str, judges: Iterable[Scorer]) -> Row:
    """Judges one sample; one that cannot be read becomes a row that says why."""
    try:
        result = load(folder)
        subject = subject_of(result)
    except EidophoneError as error:
        return Row(folder, checksum, broken=" ".join(str(error).split()))
    asked = [_Remembering(judge) if isinstance(judge, Similarity) else judge for judge in judges]
    score = judged(subject, asked)
    features = {
        f"{judge.name}.{sense}": feature
        for judge in asked
        if isinstance(judge, _Remembering)
        for sense, feature in judge.features.items()
    }
    costs = {name: float(result.facts[name]) for name in COSTS if name in result.facts}
    return Row(
        folder=folder,
        checksum=checksum,
        method=method_of(result),
        image_prompt=subject.image_prompt,
        audio_prompt=subject.audio_prompt,
        index=result.index,
        seed=result.recipe.seed,
        numbers=score.numbers | costs,
        failed=score.failed,
        features=features,
    )


@dataclass
class _Remembering:
    """A judge of similarity that keeps the features of what it judged, so that they are computed once."""

    judge: Similarity
    features: dict[str, Floats] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The judge's."""
        return self.judge.name

    def __call__(self, subject: Subject) -> dict[str, float]:
        """See `Scorer`."""
        self.features = self.judge.features(subject)
        return self.judge.numbers(subject, self.features)


def _weight(result: Result) -> float:
    weight = result.recipe.options.audio_weight
    return 0.5 if weight is None else weight


def method_of(result: Result) -> str:
    """How a result was made, by its recipe: with one model's share at 0, the other made it alone."""
    alone = {0.0: "picture alone", 1.0: "sound alone"}
    return alone.get(_weight(result), result.verb) if result.verb == "compose" else result.verb
