"""From rows to means: by method, by method and pair of prompts; and distances between methods."""

from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from eidophone.core.values import Floats, Score
from eidophone.evaluation.frechet import Distance
from eidophone.evaluation.journal import Row
from eidophone.evaluation.statistics import Mean, Moments, frechet_distance, mean_of
from eidophone.evaluation.wild.findings import Findings

SUCCESS = "success"
#: The method that others are compared with, by sense of the features.
REFERENCES = {"gray": "picture alone", "sound": "sound alone"}

#: (judge's name, prompt) -> embedding, or None if that judge does not embed text.
Embed = Callable[[str, str], Floats | None]


@dataclass(frozen=True)
class Bars:
    """What a sample must reach to count as a success; None: its own prompt must be recognised.

    A prompt is recognised if no other prompt of the evaluation is closer to the picture or the sound.
    """

    looks: float | None = None
    sounds: float | None = None


@dataclass
class Group:
    """The samples of one method, or of one method and pair.

    Attributes:
        columns: Values by number.
    """

    columns: dict[str, "array[float]"] = field(default_factory=lambda: defaultdict(lambda: array("d")))

    def add(self, numbers: Mapping[str, float]) -> None:
        """One more sample."""
        for name, number in numbers.items():
            self.columns[name].append(number)

    def means(self) -> dict[str, Mean]:
        """The mean of each number, in order of appearance."""
        return {name: mean_of(values) for name, values in self.columns.items()}


@dataclass(frozen=True)
class Summary:
    """The findings of an evaluation.

    Attributes:
        methods: Means by method.
        pairs: Means by (method, image prompt, audio prompt).
        distances: Fréchet distances by (method, "judge.sense") from the samples of one model alone, with the
            number of samples of both.
        judged: Number of samples that were judged.
        broken: Samples that could not be read, and why.
        failed: How often a judge failed, by "judge: reason".
        references: Distances from folders of references.
        wild: What the protocol in-the-wild finds besides; None for others.
    """

    methods: dict[str, dict[str, Mean]]
    pairs: dict[tuple[str, str, str], dict[str, Mean]]
    distances: dict[tuple[str, str], tuple[float, int, int]]
    judged: int
    broken: dict[str, str]
    failed: dict[str, int]
    references: list[Distance] = field(default_factory=list)
    wild: Findings | None = None


def summarise(rows: Iterable[Row], prompts: "Prompts", bars: Bars, embed: Embed) -> Summary:
    """Reads the rows once; keeps a few numbers of each, and the moments of their features."""
    methods: dict[str, Group] = defaultdict(Group)
    pairs: dict[tuple[str, str, str], Group] = defaultdict(Group)
    moments: dict[tuple[str, str], Moments] = defaultdict(Moments)
    broken: dict[str, str] = {}
    failed: dict[str, int] = defaultdict(int)
    judged = 0
    for row in rows:
        if row.broken:
            broken[row.folder] = row.broken
            continue
        judged += 1
        numbers = row.numbers | success(row, prompts, bars, embed)
        methods[row.method].add(numbers)
        pairs[row.method, row.image_prompt, row.audio_prompt].add(numbers)
        for name, feature in row.features.items():
            try:
                moments[row.method, name].add(feature)
            except ValueError as error:
                failed[f"{name}: {error}; delete samples.jsonl to judge again"] += 1
        for judge, reason in row.failed.items():
            failed[f"{judge}: {reason}"] += 1
    return Summary(
        {name: group.means() for name, group in sorted(methods.items())},
        {key: group.means() for key, group in sorted(pairs.items())},
        _distances(moments),
        judged,
        broken,
        dict(failed),
    )


@dataclass(frozen=True)
class Prompts:
    """All prompts of an evaluation, without repetitions."""

    image: tuple[str, ...]
    audio: tuple[str, ...]

    @classmethod
    def of(cls, rows: Iterable[Row]) -> "Prompts":
        """The prompts of these rows."""
        image: dict[str, None] = {}
        audio: dict[str, None] = {}
        for row in rows:
            image |= {row.image_prompt: None} if row.image_prompt else {}
            audio |= {row.audio_prompt: None} if row.audio_prompt else {}
        return cls(tuple(sorted(image)), tuple(sorted(audio)))


def success(row: Row, prompts: Prompts, bars: Bars, embed: Embed) -> dict[str, float]:
    """Whether each side succeeds, and whether both do; left out where it cannot be decided."""
    sides = (
        ("looks", row.image_prompt, prompts.image, "gray", bars.looks),
        ("sounds", row.audio_prompt, prompts.audio, "sound", bars.sounds),
    )
    found: dict[str, float] = {}
    for what, prompt, among, sense, bar in sides:
        reached = (
            _recognised(row, prompt, among, sense, embed)
            if bar is None
            else _over(Score(row.numbers).side(what), bar)
        )
        if reached is not None:
            found[f"{SUCCESS}.{what}"] = reached
    if len(found) == len(sides):
        found[f"{SUCCESS}.both"] = min(found.values())
    return found


def _over(number: float | None, bar: float) -> float | None:
    return None if number is None else float(number >= bar)


def _recognised(row: Row, prompt: str, among: tuple[str, ...], sense: str, embed: Embed) -> float | None:
    if not prompt or len(among) < 2:
        return None
    for name, feature in row.features.items():
        judge, _, kind = name.rpartition(".")
        if kind == sense and (own := embed(judge, prompt)) is not None:
            if own.shape != feature.shape:
                continue
            others = [float(feature @ x) for p in among if p != prompt and (x := embed(judge, p)) is not None]
            return float(float(feature @ own) > max(others))
    return None


def _distances(
    moments: Mapping[tuple[str, str], Moments],
) -> dict[tuple[str, str], tuple[float, int, int]]:
    found = {}
    for (method, name), mine in sorted(moments.items()):
        reference = REFERENCES.get(name.rpartition(".")[2])
        theirs = moments.get((reference or "", name))
        if theirs is not None and method != reference and min(mine.count, theirs.count) > 1:
            found[method, name] = (frechet_distance(mine, theirs), mine.count, theirs.count)
    return found


def measures(summary: Summary) -> list[str]:
    """All numbers in order of appearance."""
    return list(dict.fromkeys(name for means in summary.methods.values() for name in means))


def plain(mean: Mean) -> dict[str, float | int | None]:
    """A mean as JSON values."""
    return {
        name: None if x is None else x if isinstance(x, int) else float(np.round(x, 6))
        for name, x in vars(mean).items()
    }
