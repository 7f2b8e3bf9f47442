"""What the protocol finds: differences between methods on the same recordings, and how good the captions are."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from eidophone.data.recordings import Recording
from eidophone.evaluation.journal import Row
from eidophone.evaluation.statistics import Mean, mean_of
from eidophone.evaluation.wild.cider import cider_d, tokens
from eidophone.evaluation.wild.judging import MEASURES
from eidophone.evaluation.wild.paintings import OPTIMISED, Place
from eidophone.scoring.scorers.tagger import stem

PLAIN = "none"
#: Recordings that a method must be compared on before it can win: 2 x 0.5^6 is below 0.05.
FEWEST = 6
#: Words of labels that say too little to count as a name.
VAGUE = {"person", "other", "sound"}


@dataclass(frozen=True)
class Difference:
    """A method against another on the same recordings.

    Attributes:
        dataset, method, against, measure: By name.
        mean: Of the differences, with intervals; a mean above 0 says that the method is better.
        better: Share of the recordings on which the method is better; of those that are equal, half counts.
    """

    dataset: str
    method: str
    against: str
    measure: str
    mean: Mean
    better: float

    @property
    def wins(self) -> bool | None:
        """Whether the method is better (True) or worse (False) beyond chance; None if that is open.

        With fewer than six recordings it is open: even if all agree, a coin would do so more often than in one
        of twenty cases, and bootstrap intervals of so few are too narrow.
        """
        low, high = self.mean.bootstrap_low, self.mean.bootstrap_high
        if self.mean.count < FEWEST or low is None or high is None or low <= 0 <= high:
            return None
        return low > 0


@dataclass(frozen=True)
class Captions:
    """How good a data set's captions are.

    Attributes:
        cider_d: Against the captions that people wrote; None if there are none.
        named: Share of the labels that a caption names; None if the data set has no labels.
    """

    cider_d: Mean | None
    named: Mean | None


@dataclass(frozen=True)
class Findings:
    """Everything that one evaluation in the wild finds beyond means.

    Attributes:
        means: By data set and method, then by measure.
        differences: Paired; see `compared`.
        captions: By data set.
    """

    means: dict[tuple[str, str], dict[str, Mean]]
    differences: list[Difference]
    captions: dict[str, Captions]


#: Values by data set, method and measure, then by recording: the mean over its paintings.
Values = dict[tuple[str, str, str], dict[str, float]]


def findings_of(rows: Iterable[Row], recordings: Mapping[tuple[str, str], Recording]) -> Findings:
    """Reads the rows once; keeps a number for each painting and measure, and a caption for each recording."""
    every: dict[tuple[str, str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    captions: dict[str, dict[str, str]] = defaultdict(dict)
    for row in rows:
        if row.broken:
            continue
        place = Place.of(row.folder)
        captions[place.dataset].setdefault(place.recording, row.image_prompt)
        for name, number in row.numbers.items():
            if name.rpartition(".")[2] in MEASURES:
                every[place.dataset, place.method, name][place.recording].append(number)
    values = {
        key: {recording: float(np.mean(numbers)) for recording, numbers in found.items()}
        for key, found in every.items()
    }
    means: dict[tuple[str, str], dict[str, Mean]] = defaultdict(dict)
    for (dataset, method, measure), found in values.items():
        means[dataset, method][measure] = mean_of(list(found.values()))
    judged = {
        dataset: _captions([(said, recordings[dataset, key]) for key, said in found.items()])
        for dataset, found in captions.items()
    }
    return Findings(dict(means), compared(values), judged)


def compared(values: Values) -> list[Difference]:
    """Each method against the plain caption, and each optimised method against the same without optimisation."""
    found = []
    for (dataset, method, measure), own in values.items():
        against = [PLAIN, method.removesuffix(OPTIMISED)] if method != PLAIN else []
        for other in dict.fromkeys(name for name in against if name != method):
            theirs = values.get((dataset, other, measure), {})
            both = sorted(own.keys() & theirs.keys())
            if both:
                apart = np.array([own[key] - theirs[key] for key in both])
                better = float((apart > 0).mean() + (apart == 0).mean() / 2)
                found.append(Difference(dataset, method, other, measure, mean_of(apart), better))
    return found


def _captions(said: list[tuple[str, Recording]]) -> Captions:
    written = [(text, recording.captions) for text, recording in said if recording.captions]
    labelled = [(text, recording.labels) for text, recording in said if recording.labels]
    return Captions(
        mean_of(cider_d([w[0] for w in written], [w[1] for w in written])) if written else None,
        mean_of([named(text, labels) for text, labels in labelled]) if labelled else None,
    )


def named(caption: str, labels: Iterable[str]) -> float:
    """The share of labels that a caption names: by one of their words, whatever its ending.

    >>> named("a dog barking and ocean waves", ["dog_bark", "sea_waves"]), named("rain", ["clock_tick"])
    (1.0, 0.0)
    """
    heard = {stem(word) for word in tokens(caption)}
    hits = [
        not heard.isdisjoint({stem(word) for word in tokens(label.replace("_", " "))} - VAGUE)
        for label in labels
    ]
    return sum(hits) / len(hits)
