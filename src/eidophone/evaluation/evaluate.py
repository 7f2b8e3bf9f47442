"""`eidophone evaluate`: judges all samples below folders, one line each, then writes tables and a report."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from eidophone.core.errors import BadInput
from eidophone.core.events import Progress, silent
from eidophone.core.values import Floats, Score
from eidophone.evaluation.consistency import CONSISTENCY_FOLDER, consistency_of, folder_name
from eidophone.evaluation.found import Found, found_below
from eidophone.evaluation.frechet import Distance, Reference, distances_from, open_references
from eidophone.evaluation.journal import JOURNAL_FILE, Journal, Row
from eidophone.evaluation.protocol import make_samples
from eidophone.evaluation.report import write_report
from eidophone.evaluation.samples import replayed_row_of, row_of
from eidophone.evaluation.seen import seen_as
from eidophone.evaluation.selection import Selected, select
from eidophone.evaluation.spread import JudgeWork, RowMaker, Spread, judge_apart
from eidophone.evaluation.summary import Bars, Prompts, Summary, summarise
from eidophone.evaluation.summary_file import write_summary
from eidophone.evaluation.tables import write_csv, write_parquet
from eidophone.evaluation.wild.judging import embedders_among
from eidophone.evaluation.wild.paintings import methods_of
from eidophone.evaluation.wild.protocol import IN_THE_WILD, Wild, open_wild
from eidophone.evaluation.wild.tables import markdown
from eidophone.media.files import write_text
from eidophone.media.lock import folder_lock
from eidophone.models.device import choose_device, use_threads
from eidophone.options.commands import EvaluateOptions
from eidophone.scoring.contract import Scorer
from eidophone.scoring.judges import judge_names, open_judges, shareable_names
from eidophone.scoring.ranking import rank
from eidophone.scoring.similarity import Similarity
from eidophone.version import VERSION

REPORT_FILE, TABLES_FILE = "report.html", "tables.md"
CSV_FILE, PARQUET_FILE = "samples.csv", "samples.parquet"
SAMPLES_FOLDER = "results"


def evaluate(
    folders: Sequence[str | Path],
    out: str | Path,
    *,
    progress: Progress = silent,
    spread: Spread | None = None,
    **settings: Any,
) -> Summary:
    """Judges every finished sample in and below folders, and writes tables and a report into `out`.

    An interrupted evaluation continues where it stopped; samples that have changed are judged again. A broken
    sample is named and counted. Memory holds a few numbers for each sample, never the samples.

    Args:
        folders: Of results or of runs, or manifests of batches; also URLs of batches. May be empty if `protocol`
            makes the samples.
        out: The evaluation's folder. One process at a time writes into it.
        progress: Called as (stage, steps done, steps in all).
        spread: Processes or machines that judge; None judges here.
        settings: Fields of `eidophone.options.EvaluateOptions`.

    Raises:
        EidophoneError: no such folder, no finished sample, no such judge, a place that cannot be written, or
            another process is evaluating into it.
    """
    options = EvaluateOptions.make(**settings)
    return run(options, folders, Path(out), progress, spread)


def run(
    options: EvaluateOptions,
    folders: Sequence[str | Path],
    out: Path,
    progress: Progress = silent,
    spread: Spread | None = None,
) -> Summary:
    """See `evaluate`."""
    if options.questionnaire or options.answers:
        raise BadInput(
            "Questionnaires have functions of their own in eidophone.evaluation.questionnaire.run."
        )
    use_threads(options.threads)
    if options.protocol == IN_THE_WILD:
        if spread is not None:
            raise BadInput(f"--protocol {IN_THE_WILD} runs in one process; leave --workers and --engine out.")
        return _run_wild(options, folders, out, progress)
    places = list(folders)
    found = {} if options.protocol else found_below(places, out)
    if not options.protocol and not found:
        raise BadInput("There is no finished sample in these folders; name folders of results or of runs.")
    device = choose_device(options.device)
    references = open_references(options, device)
    judges = open_judges(options.judges, device, offline=options.offline)
    with folder_lock(out, f"evaluating into {out}"):
        if options.protocol:
            make_samples(options, out / SAMPLES_FOLDER, progress)
            places.append(out / SAMPLES_FOLDER)
            found = found_below(places, out)
        current = dict(islice(found.items(), options.first))
        row_maker = row_of if options.replay == "stored" else replayed_row_of
        journal = _journal_of(options.judges, options.replay, out)
        if spread is None:
            _judge_here(journal, judges, current, row_maker, progress)
        else:
            _judge_apart(journal, current, row_maker, options, spread, progress)
        return _Conclusion(journal, options, judges, current, out, references).write(progress)


def _run_wild(
    options: EvaluateOptions, folders: Sequence[str | Path], out: Path, progress: Progress
) -> Summary:
    if folders:
        raise BadInput(f"--protocol {IN_THE_WILD} paints the recordings in --data; leave the folders out.")
    names, root, device = embedders_among(options.judges), out / SAMPLES_FOLDER, choose_device(options.device)
    methods_of(options.methods)  # refused before any work
    references = open_references(options, device)
    judges = open_judges(names, device, offline=options.offline)
    with folder_lock(out, f"evaluating into {out}"):
        wild = open_wild(options, out, root, progress)
        wild.painter.make(progress)
        wanted = wild.wanted()
        every = found_below([root], out).items()
        current = {name: found for name, found in every if Path(found.folder).absolute().parent in wanted}
        journal = _journal_of(names, "stored", out)
        _judge_here(journal, judges, current, wild.judging.row_of, progress)
        return _Conclusion(journal, options, judges, current, out, references, wild).write(progress)


def _journal_of(names: str, replay: str, out: Path) -> Journal:
    wanted = judge_names(names)
    labels = shareable_names(wanted)
    digest = "" if labels == wanted else hashlib.sha256("\n".join(wanted).encode()).hexdigest()
    played = "" if replay == "stored" else f" (sounds by {replay})"
    return Journal(out / JOURNAL_FILE, ",".join(labels) + played, digest)


def _judge_apart(
    journal: Journal,
    current: dict[str, Found],
    row_maker: RowMaker,
    options: EvaluateOptions,
    spread: Spread,
    progress: Progress,
) -> None:
    """Judges on an engine what the journal lacks."""
    done = journal.open({name: found.checksum for name, found in current.items()})
    left = {name: found for name, found in current.items() if name not in done}
    root = str(journal.path.parent.absolute())
    work = JudgeWork(root, options.judges, options.device, options.threads, options.offline, row_maker)
    judge_apart(journal, left, work, spread, progress)
    journal.arrange(current)


def _judge_here(
    journal: Journal,
    judges: Sequence[Scorer],
    current: dict[str, Found],
    row_maker: RowMaker,
    progress: Progress,
) -> None:
    """Judges in this process what the journal lacks."""
    done = journal.open({name: found.checksum for name, found in current.items()})
    for number, (name, found) in enumerate(current.items()):
        progress("judging", number, len(current))
        if name not in done:
            journal.append(row_maker(name, found, judges))


@dataclass(frozen=True)
class _Conclusion:
    """What an evaluation writes once every sample has its row."""

    journal: Journal
    options: EvaluateOptions
    judges: Sequence[Scorer]
    current: dict[str, Found]
    out: Path
    references: Sequence[Reference]
    wild: Wild | None = None

    def write(self, progress: Progress) -> Summary:
        bars = Bars(self.options.looks_bar, self.options.sounds_bar)
        names: dict[str, None] = {}
        prompts = Prompts.of(_noting(self._rows(), names))
        summary = replace(self._summary(bars, prompts), references=self._distances(progress))
        write_csv(self.out / CSV_FILE, self._rows(), names)
        parquet = write_parquet(self.out / PARQUET_FILE, self._rows(), names)
        facts = {
            "judges": self.journal.judges,
            **({"success": _rule(bars)} if self.wild is None else {"protocol": IN_THE_WILD}),
            "version": VERSION,
            "tables": CSV_FILE + (f", {PARQUET_FILE}" if parquet else " (Parquet needs pyarrow)"),
        }
        chosen = self._selected()
        write_summary(self.out, summary, facts, chosen)
        if summary.wild is not None:
            write_text(self.out / TABLES_FILE, markdown(summary.wild))
        shown = [(row, self.current[row.folder]) for row in self._shown()]
        write_report(self.out / REPORT_FILE, summary, shown, facts)
        if self.options.consistency:
            self._write_consistency(shown)
        return summary

    def _distances(self, progress: Progress) -> list[Distance]:
        if not self.references:
            return []
        whole = [(row.method, self.current[row.folder]) for row in self._rows() if not row.broken]
        return [one for ref in self.references for one in distances_from(ref, whole, progress)]

    def _summary(self, bars: Bars, prompts: Prompts) -> Summary:
        if self.wild is None:
            return summarise(self._rows(), prompts, bars, self._embedding)
        summary = summarise(self._rows(), Prompts((), ()), bars, self._embedding)
        unreadable = {name: f"{name}: {reason}" for name, reason in self.wild.painter.unreadable.items()}
        return replace(
            summary, broken=unreadable | summary.broken, wild=self.wild.findings(self._rows()), pairs={}
        )

    def _write_consistency(self, shown: Sequence[tuple[Row, Found]]) -> None:
        for row, sample in shown:
            try:
                with sample.opened() as folder:
                    found = consistency_of(seen_as(folder).subject)
            except BadInput:
                continue  # it has changed since it was judged
            found.write(self.out / CONSISTENCY_FOLDER / folder_name(row.folder))

    def _rows(self) -> Iterable[Row]:
        return (row for row in self.journal.rows() if row.folder in self.current)

    def _embedding(self, name: str, prompt: str) -> Floats | None:
        for judge in self.judges:
            if isinstance(judge, Similarity) and judge.name == name and "text" in judge.embedder.senses:
                return judge.text(prompt)
        return None

    def _selected(self) -> list[Selected] | None:
        share = self.options.select
        if share is None:
            return None
        return select(self._rows(), share, self.current, self.out, self.options.select_by)

    def _shown(self) -> list[Row]:
        """One half is the best of all samples; the other half is spread evenly over the rest."""
        if not self.options.shown:
            return []
        scores = {row.folder: Score(row.numbers) for row in self._rows() if not row.broken}
        order = rank(scores, scores.__getitem__, self.options.rank_by, self.options.looks_weight)
        best = order[: self.options.shown // 2]
        rest = [name for name in scores if name not in set(best)]
        room = self.options.shown - len(best)
        step = max(1, len(rest) // max(1, room))
        wanted = [*best, *rest[::step][:room]]
        rows = {row.folder: row for row in self._rows() if row.folder in set(wanted)}
        return [rows[name] for name in wanted]


def _noting(rows: Iterable[Row], names: dict[str, None]) -> Iterator[Row]:
    """The rows; notes the names of their numbers, in order of appearance. Reading the journal takes long."""
    for row in rows:
        names |= dict.fromkeys(row.numbers)
        yield row


def _rule(bars: Bars) -> str:
    rules = [
        f"{side} {'nearest to its own prompt' if bar is None else f'at least {bar:g}'}"
        for side, bar in vars(bars).items()
    ]
    return " and ".join(rules)
