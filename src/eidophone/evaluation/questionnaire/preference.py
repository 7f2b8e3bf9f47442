"""Which method people prefer: shares with intervals, after those who did not attend are left out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eidophone.evaluation.questionnaire.answers import Answers, Sheet
from eidophone.evaluation.questionnaire.trials import DECOY, QUESTIONS, Key, Kind
from eidophone.evaluation.statistics import RESAMPLES, Z95

#: Who takes the noise in more than this share of the catch trials' questions is left out.
MOST_CAUGHT = 0.25


@dataclass(frozen=True)
class Preference:
    """How often one method is preferred.

    Attributes:
        question: "looks", "sounds" or "overall".
        chosen, count: Answers for the first method of the key, and answers in all.
        low, high: Wilson's 95 % interval of the share; it takes the answers for independent.
        bootstrap_low, bootstrap_high: 95 % interval over resampled participants; None for fewer than two.
    """

    question: str
    chosen: int
    count: int
    low: float
    high: float
    bootstrap_low: float | None = None
    bootstrap_high: float | None = None

    @property
    def share(self) -> float:
        """Of the answers, for the first method."""
        return self.chosen / self.count

    @property
    def decided(self) -> bool:
        """Whether every interval lies on one side of a half."""
        edges = [self.low, self.high]
        edges += [x for x in (self.bootstrap_low, self.bootstrap_high) if x is not None]
        return all(edge > 0.5 for edge in edges) or all(edge < 0.5 for edge in edges)


@dataclass(frozen=True)
class Verdict:
    """The analysis of a questionnaire.

    Attributes:
        methods: The first is the one whose shares are given.
        preferences: One for each question that was answered.
        participants: Number of those who count.
        inattentive: Participants who took noise for a sample too often; they are left out.
        duplicates: Files that were left out, because the participant has another one.
        repeats, consistent: Answers to repeated pairs, and how many are the same as the first time.
    """

    methods: tuple[str, str]
    preferences: list[Preference]
    participants: int
    inattentive: list[str]
    duplicates: list[str]
    repeats: int
    consistent: int


def verdict_of(answers: Answers, key: Key) -> Verdict:
    """Counts the answers to pairs, each once; repeats and catch trials only say how careful people were."""
    kept = [sheet for sheet in answers.sheets if _caught(sheet, key) <= MOST_CAUGHT]
    out = [sheet.participant for sheet in answers.sheets if sheet not in kept]
    first, second = key.methods
    preferences = []
    for question in QUESTIONS:
        votes = [_votes(sheet, key, question, first) for sheet in kept]
        votes = [one for one in votes if one[1]]
        if votes:
            preferences.append(_preference(question, votes))
    same = [agreed for sheet in kept for agreed in _repeated(sheet, key)]
    return Verdict((first, second), preferences, len(kept), out, answers.duplicates, len(same), sum(same))


def wilson(chosen: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson, 1927).

    >>> [round(x, 3) for x in wilson(8, 10)]
    [0.49, 0.943]
    """
    share, z2 = chosen / count, Z95**2
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = Z95 / (1 + z2 / count) * math.sqrt(share * (1 - share) / count + z2 / (4 * count**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def _preference(question: str, votes: Sequence[tuple[int, int]]) -> Preference:
    chosen, count = (int(x) for x in np.sum(votes, 0))
    low, high = wilson(chosen, count)
    if len(votes) < 2:
        return Preference(question, chosen, count, low, high)
    drawn = np.random.default_rng(0).integers(0, len(votes), (RESAMPLES, len(votes)))
    sums = np.asarray(votes)[drawn].sum(1)
    edges = np.quantile(sums[:, 0] / sums[:, 1], [0.025, 0.975]).tolist()
    return Preference(question, chosen, count, low, high, *edges)


def _chosen(sheet: Sheet, key: Key, kind: Kind) -> dict[tuple[str, str], str]:
    """The chosen method by trial and question, for trials of a kind."""
    return {
        (answer.trial, answer.question): getattr(key.trials[answer.trial], answer.choice)
        for answer in sheet.answers
        if key.trials[answer.trial].kind == kind
    }


def _votes(sheet: Sheet, key: Key, question: str, first: str) -> tuple[int, int]:
    found = [method for (_, asked), method in _chosen(sheet, key, "pair").items() if asked == question]
    return found.count(first), len(found)


def _caught(sheet: Sheet, key: Key) -> float:
    found = list(_chosen(sheet, key, "catch").values())
    return found.count(DECOY) / len(found) if found else 0.0


def _repeated(sheet: Sheet, key: Key) -> list[bool]:
    before = _chosen(sheet, key, "pair")
    return [
        before[key.trials[trial].of, question] == method
        for (trial, question), method in _chosen(sheet, key, "repeat").items()
        if (key.trials[trial].of, question) in before
    ]
