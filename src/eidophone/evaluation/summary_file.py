"""`summary.json`: everything that an evaluation finds, for programs."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from eidophone.evaluation.selection import Selected
from eidophone.evaluation.summary import Summary, plain
from eidophone.evaluation.wild.findings import Findings
from eidophone.media.files import write_atomically

SUMMARY_FILE = "summary.json"


def write_summary(
    folder: Path, summary: Summary, facts: dict[str, str], selected: Sequence[Selected] | None
) -> None:
    """Writes it into an evaluation's folder.

    Raises:
        CannotWrite: it may not be written.
    """
    write_atomically(folder / SUMMARY_FILE, lambda draft: _write_json(draft, summary, facts, selected))


def _write_json(
    draft: Path, summary: Summary, facts: dict[str, str], selected: Sequence[Selected] | None
) -> None:
    means = {name: {m: plain(x) for m, x in found.items()} for name, found in summary.methods.items()}
    pairs = [
        {"method": method, "image_prompt": image, "audio_prompt": audio}
        | {"measures": {m: plain(x) for m, x in found.items()}}
        for (method, image, audio), found in summary.pairs.items()
    ]
    distances = [
        {"method": method, "features": name, "distance": d, "samples": mine, "reference_samples": theirs}
        for (method, name), (d, mine, theirs) in summary.distances.items()
    ]
    counts = {"judged": summary.judged, "broken": summary.broken, "failed": summary.failed}
    whole = facts | counts | {"methods": means, "frechet_distances": distances, "pairs": pairs}
    if summary.references:
        whole |= {"references": [vars(one) for one in summary.references]}
    if summary.wild is not None:
        whole |= _wild_facts(summary.wild)
    if selected is not None:
        whole |= {"selected": [vars(one) for one in selected]}
    text = json.dumps(whole, indent=2, ensure_ascii=False)
    # a lone surrogate, which UTF-8 lacks, becomes the escape that JSON has for it
    draft.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")


def _wild_facts(findings: Findings) -> dict[str, Any]:
    return {
        "datasets": [
            {"dataset": dataset, "method": method, "measures": {m: plain(x) for m, x in means.items()}}
            for (dataset, method), means in findings.means.items()
        ],
        "differences": [
            vars(one) | {"mean": plain(one.mean), "wins": one.wins} for one in findings.differences
        ],
        "captions": {name: asdict(found) for name, found in findings.captions.items()},
    }
