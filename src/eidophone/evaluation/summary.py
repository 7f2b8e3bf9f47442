"""Rows to means: by method, by method and pair of prompts, and distances between methods."""

from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from eidophone.core.values import Floats, Score
from eidophone.evaluation.journal import Row
from eidophone.evaluation.statistics import Mean, Moments, frechet_distance, mean_of

SUCCESS = "success"
#: What a method's features are compared with, by sense.
REFERENCES = {"gray": "picture alone", "sound": "sound alone"}

#: The embedding of a prompt by a judge's name, or None if that judge reads no text.
Embed = Callable[[str, str], Floats | None]


@dataclass(frozen=True)
class Bars:
    """What a sample must reach to count as a success; None: its own prompts must be recognised.

    A prompt is recognised if, of all prompts in the evaluation, none lies closer to what is seen or heard.
    """

    looks: float | None = None
    sounds: float | None = None


@dataclass
class Group:
    """The samples of one method, or of one method and pair.

    Attributes:
        columns: Values by measure.
    """

    columns: dict[str, "array[float]"] = field(default_factory=lambda: defaultdict(lambda: array("d")))

    def add(self, numbers: Mapping[str, float]) -> None:
        """One more sample."""
        for name, number in numbers.items():
            self.columns[name].append(number)

    def means(self) -> dict[str, Mean]:
        """Of each measure, in the order in which they came."""
        return {name: mean_of(values) for name, values in self.columns.items()}


@dataclass(frozen=True)
class Summary:
    """What an evaluation found.

    Attributes:
        methods: Means by method.
        pairs: Means by (method, image prompt, audio prompt).
        distances: Frechet distances by (method, "judge.sense"), from the model of that sense alone, with the
            number of samples of both.
        judged: Samples that were read.
        broken: Folders that could not be read, and why.
        failed: How often a judge failed, by "judge: reason".
    """

    methods: dict[str, dict[str, Mean]]
    pairs: dict[tuple[str, str, str], dict[str, Mean]]
    distances: dict[tuple[str, str], tuple[float, int, int]]
    judged: int
    broken: dict[str, str]
    failed: dict[str, int]


def summarise(rows: Iterable[Row], prompts: "Prompts", bars: Bars, embed: Embed) -> Summary:
    """Reads rows once; keeps a few numbers of each and the moments of their features."""
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
            moments[row.method, name].add(feature)
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
    """All prompts of an evaluation, each once."""

    image: tuple[str, ...]
    audio: tuple[str, ...]

    @classmethod
    def of(cls, rows: Iterable[Row]) -> "Prompts":
        """Those that samples were made with."""
        image: dict[str, None] = {}
        audio: dict[str, None] = {}
        for row in rows:
            image |= {row.image_prompt: None} if row.image_prompt else {}
            audio |= {row.audio_prompt: None} if row.audio_prompt else {}
        return cls(tuple(sorted(image)), tuple(sorted(audio)))


def success(row: Row, prompts: Prompts, bars: Bars, embed: Embed) -> dict[str, float]:
    """Whether each side succeeds, and whether both do; what cannot be told is left out."""
    sides = (
        ("looks", row.image_prompt, prompts.image, "gray", bars.looks),
        ("sounds", row.audio_prompt, prompts.audio, "sound", bars.sounds),
    )
    found: dict[str, float] = {}
    for what, prompt, among, sense, bar in sides:
        told = (
            _recognised(row, prompt, among, sense, embed)
            if bar is None
            else _over(Score(row.numbers).side(what), bar)
        )
        if told is not None:
            found[f"{SUCCESS}.{what}"] = told
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
    """All measures in the order in which they came."""
    return list(dict.fromkeys(name for means in summary.methods.values() for name in means))


def plain(mean: Mean) -> dict[str, float | int | None]:
    """A mean as JSON values."""
    return {
        name: None if x is None else x if isinstance(x, int) else float(np.round(x, 6))
        for name, x in vars(mean).items()
    }
