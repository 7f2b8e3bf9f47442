"""The report: one self-contained HTML file with tables, plots, pictures and players."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from eidophone.core.errors import EidophoneError
from eidophone.core.text import printable
from eidophone.core.values import Picture, Score
from eidophone.evaluation.found import Found
from eidophone.evaluation.frechet import Distance
from eidophone.evaluation.journal import Row
from eidophone.evaluation.seen import seen_as
from eidophone.evaluation.statistics import Mean
from eidophone.evaluation.summary import Summary, measures
from eidophone.evaluation.wild.tables import Table, captions_table, differences_table, means_table
from eidophone.media.files import write_atomically
from eidophone.media.lossy import encoded
from eidophone.media.picture import fit_height, resize, to_bytes
from eidophone.scoring.judges import measure_of
from eidophone.scoring.ranking import SIDES, sides_of

#: Of the pictures in the report, in pixels.
THUMB_HEIGHT, WIDEST_THUMB = 128, 4096
BIT_RATE = 96_000
#: Size of a plot, in SVG units.
PLOT_WIDTH, LINE_HEIGHT, LABEL_WIDTH = 640, 26, 150
#: Numbers that are plotted, by the last part of their name.
PLOTTED = ("looks", "looks_gray", "sounds", "agrees", "ssim", "ssim_mp3", "ssim_aac", "both", "top5")
DIGITS = 3


@dataclass(frozen=True)
class Shown:
    """A sample in the report.

    Attributes:
        title: Its method, prompts and seed.
        numbers: Its two ranking numbers.
        picture, sound: As data URIs.
    """

    title: str
    numbers: str
    picture: str
    sound: str


def write_report(
    path: Path, summary: Summary, samples: Sequence[tuple[Row, Found]], facts: dict[str, str]
) -> None:
    """Writes the report.

    Args:
        path: Of the HTML file.
        summary: The numbers.
        samples: Rows of the samples, and the samples to show and play, in this order.
        facts: Further facts for the top of the page, by name.

    Raises:
        CannotWrite: it may not be written.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    pages = Environment(
        loader=PackageLoader("eidophone.evaluation", "."), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    names = measures(summary)
    html = pages.get_template("report.html.j2").render(
        summary=summary,
        facts=facts,
        names=names,
        tables=_tables(summary),
        plots=[plot(name, summary) for name in names if name.rpartition(".")[2] in PLOTTED],
        samples=[shown for row, one in samples if (shown := _shown(row, one)) is not None],
        formatted=formatted,
        measures={name: measure for name in names if (measure := measure_of(name)) is not None},
    )
    write_atomically(path, lambda draft: _write(draft, html))


def formatted(mean: Mean | None) -> str:
    """A mean and half its interval, for people.

    >>> formatted(Mean(0.5, 100, 0.4, 0.6)), formatted(Mean(0.5, 1)), formatted(None)
    ('0.500 ± 0.100', '0.500', '-')
    """
    if mean is None:
        return "-"
    number = f"{mean.mean:.{DIGITS}f}"
    return number if mean.high is None else f"{number} ± {mean.high - mean.mean:.{DIGITS}f}"


def plot(name: str, summary: Summary) -> dict[str, Any]:
    """The means and bootstrap intervals of a number by method, as positions in an SVG."""
    means = {method: found[name] for method, found in summary.methods.items() if name in found}
    edges = [e for m in means.values() for e in (m.mean, m.bootstrap_low, m.bootstrap_high) if e is not None]
    low, high = min(edges), max(edges)
    pad = 0.08 * (high - low) or 0.5
    low, high = low - pad, high + pad

    def _x(value: float) -> float:
        return round(LABEL_WIDTH + (value - low) / (high - low) * (PLOT_WIDTH - LABEL_WIDTH - 10), 2)

    lines = [
        {
            "method": method,
            "y": LINE_HEIGHT * row + LINE_HEIGHT // 2,
            "x": _x(mean.mean),
            "low": _x(mean.mean if mean.bootstrap_low is None else mean.bootstrap_low),
            "high": _x(mean.mean if mean.bootstrap_high is None else mean.bootstrap_high),
            "says": formatted(mean),
        }
        for row, (method, mean) in enumerate(means.items())
    ]
    ends = [{"x": LABEL_WIDTH, "says": f"{low:.3g}"}, {"x": PLOT_WIDTH - 10, "says": f"{high:.3g}"}]
    height = LINE_HEIGHT * (len(lines) + 1)
    return {"name": name, "lines": lines, "ends": ends, "width": PLOT_WIDTH, "height": height}


def _tables(summary: Summary) -> list[tuple[str, Table]]:
    """Tables that a protocol and references add, with their titles."""
    found = []
    if summary.wild is not None:
        found += [
            ("Attention terms: mean and 95 % bootstrap interval", means_table(summary.wild)),
            ("Captions", captions_table(summary.wild)),
            (
                "Differences on the same recordings; open: the interval holds 0, or there are fewer than six",
                differences_table(summary.wild),
            ),
        ]
    if summary.references:
        found.append(("Distances from references; lower is better", distances_table(summary.references)))
    return found


def distances_table(distances: Sequence[Distance]) -> Table:
    """Headings and rows: the distances, and a note where there are too few samples."""
    headings = ["method", "", "features", "distance", "of samples", "of references", "note"]
    rows = [
        [
            one.method,
            one.kind,
            f"{one.features}, {one.dimension} dimensions",
            f"{one.distance:.4f}",
            str(one.count),
            str(one.reference_count),
            "too few: the distance is too large" if one.few else "",
        ]
        for one in distances
    ]
    return headings, rows


def _shown(row: Row, sample: Found) -> Shown | None:
    """A sample for the page; None if it has changed or disappeared since it was judged."""
    try:
        with sample.opened() as folder:
            subject = seen_as(folder).subject
    except EidophoneError:
        return None
    png = io.BytesIO()
    Image.fromarray(to_bytes(_thumb(subject.picture)), "RGB").save(png, "PNG")
    prompts = " + ".join(f"“{prompt}”" for prompt in (row.image_prompt, row.audio_prompt) if prompt)
    seed = "" if row.seed is None else f", seed {row.seed}"
    sides = zip(SIDES, sides_of(Score(row.numbers)), strict=True)
    return Shown(
        title=printable(f"{row.method}: {prompts}{seed}"),
        numbers=", ".join(f"{side} {number:.3f}" for side, number in sides if number is not None),
        picture=_data("image/png", png.getvalue()),
        sound=_data("audio/mpeg", encoded(subject.clip, "mp3", BIT_RATE)),
    )


def _thumb(picture: Picture) -> Picture:
    """At most 128 pixels high and 4096 wide; the shape of very wide pictures is not kept."""
    height, width = picture.pixels.shape[:2]
    if round(width * THUMB_HEIGHT / height) <= WIDEST_THUMB:
        return fit_height(picture, THUMB_HEIGHT)
    return resize(picture, min(height, THUMB_HEIGHT), WIDEST_THUMB)


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _write(draft: Path, html: str) -> None:
    draft.write_text(html, encoding="utf-8", errors="backslashreplace")
