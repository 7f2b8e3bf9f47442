"""The findings as rows of text, for the terminal, the report and Markdown."""

from eidophone.evaluation.statistics import Mean
from eidophone.evaluation.wild.datasets import DATASETS
from eidophone.evaluation.wild.findings import Difference, Findings
from eidophone.evaluation.wild.judging import MEASURES

DIGITS = 3
Table = tuple[list[str], list[list[str]]]


def means_table(findings: Findings) -> Table:
    """Headings and rows: a data set and a method a row, a measure a column; mean and 95 % bootstrap interval."""
    measures = list(dict.fromkeys(name for means in findings.means.values() for name in means))
    rows = [
        [
            DATASETS[dataset].title,
            spoken(method),
            str(_count(means)),
            *(interval(means.get(m)) for m in measures),
        ]
        for (dataset, method), means in findings.means.items()
    ]
    return ["data set", "words weighed by", "recordings", *measures], rows


def differences_table(findings: Findings) -> Table:
    """Headings and rows: the paired differences."""
    headings = ["data set", "words weighed by", "against", "measure", "difference", "better on", ""]
    return headings, [_row(one) for one in findings.differences]


def captions_table(findings: Findings) -> Table:
    """Headings and rows: how good the captions are."""
    rows = [
        [DATASETS[name].title, interval(found.cider_d), interval(found.named)]
        for name, found in findings.captions.items()
    ]
    return ["captions of", "CIDEr-D", "labels named"], rows


def interval(mean: Mean | None) -> str:
    """
    >>> interval(Mean(0.5, 9, 0.4, 0.6, 0.41, 0.6)), interval(None)
    ('0.500 [0.410, 0.600]', '-')
    """
    if mean is None:
        return "-"
    number = f"{mean.mean:.{DIGITS}f}"
    if mean.bootstrap_low is None or mean.bootstrap_high is None:
        return number
    return f"{number} [{mean.bootstrap_low:.{DIGITS}f}, {mean.bootstrap_high:.{DIGITS}f}]"


def markdown(findings: Findings) -> str:
    """All tables in Markdown, as `tables.md` holds them."""
    tables = (means_table(findings), captions_table(findings), differences_table(findings))
    return "\n\n".join(map(_markdown, tables)) + "\n"


def _markdown(table: Table) -> str:
    headings, rows = table
    return "\n".join("| " + " | ".join(row) + " |" for row in [headings, ["---"] * len(headings), *rows])


def spoken(method: str) -> str:
    """A method for people.

    >>> spoken("both-optimised"), spoken("none")
    ('both, optimised', 'none')
    """
    return method.replace("-", ", ")


def about(measure: str) -> str:
    """What a measure of a judge means."""
    found = MEASURES.get(measure.rpartition(".")[2])
    return found.about if found else ""


def _count(means: dict[str, Mean]) -> int:
    return max(mean.count for mean in means.values())


def _row(one: Difference) -> list[str]:
    said = {True: "better", False: "worse", None: "open"}[one.wins]
    names = [DATASETS[one.dataset].title, spoken(one.method), spoken(one.against), one.measure]
    return [*names, interval(one.mean), f"{one.better:.0%}", said]
