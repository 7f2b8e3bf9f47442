"""`eidophone evaluate`: judges all samples below folders, a line each, then says what that comes to."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eidophone.core.errors import BadInput
from eidophone.core.events import Progress, silent
from eidophone.core.values import Floats, Score
from eidophone.evaluation.journal import JOURNAL_FILE, Journal, Row
from eidophone.evaluation.protocol import make_samples
from eidophone.evaluation.report import write_report
from eidophone.evaluation.samples import found_below, row_of
from eidophone.evaluation.summary import Bars, Prompts, Summary, plain, summarise
from eidophone.evaluation.tables import names_of, write_csv, write_parquet
from eidophone.media.files import write_atomically
from eidophone.models.device import choose_device, use_threads
from eidophone.options.commands import EvaluateOptions
from eidophone.scoring.contract import Scorer
from eidophone.scoring.judges import open_judges
from eidophone.scoring.ranking import Candidate, ranked
from eidophone.scoring.similarity import Similarity
from eidophone.version import VERSION

SUMMARY_FILE, REPORT_FILE = "summary.json", "report.html"
CSV_FILE, PARQUET_FILE = "samples.csv", "samples.parquet"
SAMPLES_FOLDER = "results"


def evaluate(
    folders: Sequence[str | Path], out: str | Path, *, progress: Progress = silent, **settings: Any
) -> Summary:
    """Judges every finished sample in and below folders, and writes tables and a report into `out`.

    An evaluation that was interrupted goes on where it stopped; samples that have changed are judged again. A
    broken sample is named and counted. Memory holds a few numbers of each sample, never the samples.

    Args:
        folders: Of results or of runs; may be empty if `protocol` makes the samples.
        out: Where to write; what an evaluation by the same judges left there is used.
        progress: Called as (what, steps done, steps in all).
        settings: Fields of `eidophone.options.EvaluateOptions`.

    Raises:
        EidophoneError: no such folder, no finished sample, no such judge, or a place that cannot be written.
    """
    return run(EvaluateOptions.make(**settings), [Path(folder) for folder in folders], Path(out), progress)


def run(options: EvaluateOptions, folders: Sequence[Path], out: Path, progress: Progress = silent) -> Summary:
    """See `evaluate`."""
    use_threads(options.threads)
    device = choose_device(options.device)
    judges = open_judges(options.judges, device, offline=options.offline)
    places = list(folders)
    if options.protocol:
        places.append(out / SAMPLES_FOLDER)
        make_samples(options, places[-1], progress)
    current = found_below(places)
    if not current:
        raise BadInput("There is no finished sample in these folders; name folders of results or of runs.")
    journal = Journal(out / JOURNAL_FILE, options.judges)
    done = journal.open(current)
    for number, (folder, checksum) in enumerate(current.items()):
        progress("judging", number, len(current))
        if folder not in done:
            journal.append(row_of(folder, checksum, judges))
    return _concluded(journal, options, judges, out)


def _concluded(journal: Journal, options: EvaluateOptions, judges: Sequence[Scorer], out: Path) -> Summary:
    embedders = {judge.name: judge for judge in judges if isinstance(judge, Similarity)}

    def _embed(name: str, prompt: str) -> Floats | None:
        judge = embedders.get(name)
        return judge.text(prompt) if judge and "text" in judge.embedder.senses else None

    bars = Bars(options.looks_bar, options.sounds_bar)
    summary = summarise(journal.rows(), Prompts.of(journal.rows()), bars, _embed)
    names = names_of(journal.rows())
    write_csv(out / CSV_FILE, journal.rows(), names)
    parquet = write_parquet(out / PARQUET_FILE, journal.rows(), names)
    facts = {
        "judges": options.judges,
        "success": _rule(bars),
        "version": VERSION,
        "tables": CSV_FILE + (f", {PARQUET_FILE}" if parquet else " (Parquet needs pyarrow)"),
    }
    write_atomically(out / SUMMARY_FILE, lambda draft: _write_json(draft, summary, facts))
    write_report(out / REPORT_FILE, summary, _to_show(journal, options), facts)
    return summary


def _rule(bars: Bars) -> str:
    told = [
        f"{side} {'nearest to its own prompt' if bar is None else f'at least {bar:g}'}"
        for side, bar in vars(bars).items()
    ]
    return " and ".join(told)


def _to_show(journal: Journal, options: EvaluateOptions) -> list[Row]:
    """Half of what is shown is the best of all, the other half lies evenly among them."""
    light = [
        Candidate(row.folder, number, *map(Score(row.numbers).side, ("looks", "sounds")))
        for number, row in enumerate(journal.rows())
        if not row.broken
    ]
    best = [c.item for c in ranked(light, options.rank_by, options.looks_weight)][: options.shown // 2]
    rest = [c.item for c in light if c.item not in best]
    step = max(1, len(rest) // max(1, options.shown - len(best)))
    wanted = [*best, *rest[::step][: options.shown - len(best)]]
    rows = {row.folder: row for row in journal.rows() if row.folder in wanted}
    return [rows[folder] for folder in wanted]


def _write_json(draft: Path, summary: Summary, facts: dict[str, str]) -> None:
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
    told = {"judged": summary.judged, "broken": summary.broken, "failed": summary.failed}
    whole = facts | told | {"methods": means, "frechet_distances": distances, "pairs": pairs}
    draft.write_text(json.dumps(whole, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
