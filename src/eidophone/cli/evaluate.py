"""`eidophone evaluate`: many results, judged and compared."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eidophone.cli.engines import add_engine_flags, engine_settings
from eidophone.cli.flags import add_flags, given_settings, out_folder
from eidophone.cli.show import complain, progress_bar, table
from eidophone.core.errors import BadInput
from eidophone.core.text import printable
from eidophone.options.commands import EvaluateOptions

if TYPE_CHECKING:  # torch is slow to import
    from eidophone.evaluation.frechet import Distance
    from eidophone.evaluation.summary import Summary
    from eidophone.evaluation.wild.findings import Findings

DEFAULT_OUT = Path("eidophone-out/evaluation")
MOST_BROKEN = 20


def add_command(commands: Any) -> None:
    """Adds `evaluate`."""
    about = "judge many results and compare methods: tables with intervals, a report"
    parser = commands.add_parser(
        "evaluate",
        help=about,
        description=about.capitalize() + ".",
        usage="eidophone evaluate [FOLDER ...] [flags]",
    )
    what = "folders of results or runs (also of the published code), manifests of batches, or URLs of either"
    parser.add_argument("folders", nargs="*", metavar="FOLDER", help=what)
    add_flags(parser, EvaluateOptions)
    add_engine_flags(parser)
    parser.add_argument(
        "--out",
        type=out_folder,
        metavar="DIR",
        default=DEFAULT_OUT,
        help=f"folder for tables and report; an interrupted evaluation continues (default: {DEFAULT_OUT})",
    )
    parser.set_defaults(command=evaluate)


def evaluate(arguments: argparse.Namespace) -> int:
    """Evaluates and prints the means; 1 if a sample could not be read."""
    options = EvaluateOptions.make(**given_settings(arguments, EvaluateOptions))
    if options.questionnaire:
        return _ask(options, arguments)
    if options.answers:
        return _analyse(options, arguments)
    if not arguments.folders and not options.protocol:
        raise BadInput(
            "evaluate needs folders of results, or --protocol published or in-the-wild to make them."
        )
    from eidophone.evaluation.evaluate import run
    from eidophone.evaluation.spread import Spread

    alone = arguments.workers == 1 and arguments.engine == "local" and not arguments.engine_options
    spread = None if alone else Spread(arguments.engine, engine_settings(arguments))
    from eidophone.evaluation.frechet import few_samples

    with progress_bar() as progress:
        summary = run(options, arguments.folders, arguments.out, progress, spread)
    print(_wild_tables(summary.wild, summary.judged) if summary.wild else _table(summary))
    if summary.references:
        print(f"\n{_distances(summary.references)}")
    print(f"\n{printable(str(arguments.out))}\n  report.html, summary.json, samples.csv, samples.jsonl")
    if options.select is not None:
        sides = "looks and by sound" if options.select_by == "both" else "looks"
        print(f"  selected/ has the samples in the top {options.select:.0%} by {sides}, if there are any")
    for distance in summary.references:
        if distance.few:
            complain(few_samples(distance))
    for reason in list(summary.broken.values())[:MOST_BROKEN]:
        complain(printable(reason))
    if summary.broken:
        number = len(summary.broken)
        complain(f"{number} {'sample' if number == 1 else 'samples'} could not be read.")
    return int(bool(summary.broken))


def _ask(options: EvaluateOptions, arguments: argparse.Namespace) -> int:
    """Writes the questionnaire."""
    from eidophone.evaluation.questionnaire.page import PAGE_FILE
    from eidophone.evaluation.questionnaire.run import write_questionnaire
    from eidophone.evaluation.questionnaire.trials import KEY_FILE

    with progress_bar() as progress:
        key = write_questionnaire(options, arguments.folders, arguments.out, progress)
    kinds = [trial.kind for trial in key.trials.values()]
    print(
        f"{printable(str(arguments.out))}\n  {PAGE_FILE}: {kinds.count('pair')} pairs, {kinds.count('repeat')} of "
        f"them twice, {kinds.count('catch')} catch trials; send it to people\n"
        f"  {KEY_FILE}: which side is which; keep it to yourself"
    )
    return 0


def _analyse(options: EvaluateOptions, arguments: argparse.Namespace) -> int:
    """Prints what people prefer."""
    from eidophone.evaluation.questionnaire.run import VERDICT_FILE, analyse

    verdict = analyse(options, [Path(file) for file in arguments.folders], arguments.out)
    first, second = map(printable, verdict.methods)
    rows = []
    for one in verdict.preferences:
        people = "-" if one.bootstrap_low is None else f"{one.bootstrap_low:.0%} to {one.bootstrap_high:.0%}"
        said = "open" if not one.decided else f"{first if one.share > 0.5 else second} preferred"
        wilson = f"{one.low:.0%} to {one.high:.0%}"
        rows.append([one.question, f"{one.chosen} of {one.count}", f"{one.share:.0%}", wilson, people, said])
    print(f"{verdict.participants} participants; share that chose {first} over {second}")
    print(table(["question", "answers", "share", "95 % (Wilson)", "95 % (over people)", ""], rows))
    if verdict.repeats:
        print(f"{verdict.consistent} of {verdict.repeats} answers to repeated pairs were the same again")
    for person in verdict.inattentive:
        complain(f"{printable(person)} took the noise too often and was left out.")
    for file in verdict.duplicates:
        complain(f"{file} was left out: another file of that participant has as many answers.")
    print(f"\n{printable(str(arguments.out))}\n  {VERDICT_FILE}")
    return 0


def _distances(distances: "Sequence[Distance]") -> str:
    """The distances from references."""
    from eidophone.evaluation.report import distances_table

    return table(*distances_table(distances))


def _table(summary: "Summary") -> str:
    """Means by method; an arrow says which direction is better."""
    from eidophone.evaluation.report import formatted
    from eidophone.evaluation.summary import measures
    from eidophone.scoring.judges import measure_of

    arrows = {"higher": " ↑", "lower": " ↓"}
    rows = []
    for name in measures(summary):
        measure = measure_of(name)
        label = name + (arrows.get(measure.better, "") if measure else "")
        rows.append([label, *(formatted(means.get(name)) for means in summary.methods.values())])
    right = [False, *[True] * len(summary.methods)]
    lines = [f"{summary.judged} samples; mean ± 1.96 s/√n; ↑ higher is better, ↓ lower is better"]
    lines.append(table(["", *summary.methods], rows, right))
    lines += [f"{count} times, {printable(reason)}" for reason, count in summary.failed.items()]
    return "\n".join(lines)


def _wild_tables(findings: "Findings", judged: int) -> str:
    """Means, paired differences and captions of the protocol in-the-wild."""
    from eidophone.evaluation.wild.tables import about, captions_table, differences_table, means_table

    means = means_table(findings)
    lines = [f"{judged} paintings; mean and 95 % bootstrap interval; higher is better", ""]
    lines += [f"  {name}: {about(name)}" for name in means[0][3:]]
    for headings, rows in (means, captions_table(findings), differences_table(findings)):
        lines += ["", table(headings, rows)]
    lines.append(
        "Differences are on the same recordings; open: the interval holds 0, or there are fewer than six."
    )
    return "\n".join(lines)
