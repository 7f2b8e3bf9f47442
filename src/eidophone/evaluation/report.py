"""One HTML file that needs nothing else: tables, plots, pictures and players."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from eidophone.core.values import Score
from eidophone.evaluation.journal import Row
from eidophone.evaluation.statistics import Mean
from eidophone.evaluation.summary import Summary, measures
from eidophone.media.files import write_atomically
from eidophone.media.lossy import encoded
from eidophone.media.picture import fit_height, to_bytes
from eidophone.results.store import load
from eidophone.scoring.contract import subject_of

#: Of the pictures in the report, in pixels; wider than high, as canvases are.
THUMB_HEIGHT = 128
BIT_RATE = 96_000
#: Of a plot, in SVG units.
PLOT_WIDTH, LINE_HEIGHT, LABEL_WIDTH = 640, 26, 150
#: Measures that are plotted, by their ending.
PLOTTED = ("looks", "looks_gray", "sounds", "agrees", "ssim", "ssim_mp3", "ssim_aac", "both", "top5")
DIGITS = 3


@dataclass(frozen=True)
class Shown:
    """A sample in the report.

    Attributes:
        title: Its method, prompts and seed.
        numbers: What is said of it.
        picture, sound: As data URIs.
    """

    title: str
    numbers: str
    picture: str
    sound: str


def write_report(path: Path, summary: Summary, samples: Sequence[Row], facts: dict[str, str]) -> None:
    """Writes the report.

    Args:
        path: Where to.
        summary: The numbers.
        samples: Those that are shown and played, in this order.
        facts: What else is told at the top, by name.

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
        plots=[plot(name, summary) for name in names if name.rpartition(".")[2] in PLOTTED],
        samples=[_shown(row) for row in samples],
        said=said,
    )
    write_atomically(path, lambda draft: _write(draft, html))


def said(mean: Mean | None) -> str:
    """A mean and half its interval, for people.

    >>> said(Mean(0.5, 100, 0.4, 0.6)), said(Mean(0.5, 1)), said(None)
    ('0.500 ± 0.100', '0.500', '-')
    """
    if mean is None:
        return "-"
    number = f"{mean.mean:.{DIGITS}f}"
    return number if mean.high is None else f"{number} ± {mean.high - mean.mean:.{DIGITS}f}"


def plot(name: str, summary: Summary) -> dict[str, Any]:
    """A measure's means and bootstrap intervals by method, as places in an SVG."""
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
            "says": said(mean),
        }
        for row, (method, mean) in enumerate(means.items())
    ]
    ends = [{"x": LABEL_WIDTH, "says": f"{low:.3g}"}, {"x": PLOT_WIDTH - 10, "says": f"{high:.3g}"}]
    height = LINE_HEIGHT * (len(lines) + 1)
    return {"name": name, "lines": lines, "ends": ends, "width": PLOT_WIDTH, "height": height}


def _shown(row: Row) -> Shown:
    result = load(row.folder)
    picture = fit_height(subject_of(result).picture, THUMB_HEIGHT)
    png = io.BytesIO()
    Image.fromarray(to_bytes(picture), "RGB").save(png, "PNG")
    prompts = " + ".join(f"“{prompt}”" for prompt in (row.image_prompt, row.audio_prompt) if prompt)
    score = Score(row.numbers)
    sides = {side: number for side in ("looks", "sounds") if (number := score.side(side)) is not None}
    return Shown(
        title=f"{row.method}: {prompts}, seed {row.seed}",
        numbers=", ".join(f"{side} {number:.3f}" for side, number in sides.items()),
        picture=_data("image/png", png.getvalue()),
        sound=_data("audio/mpeg", encoded(result.clip, "mp3", BIT_RATE)),
    )


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _write(draft: Path, html: str) -> None:
    draft.write_text(html, encoding="utf-8")
