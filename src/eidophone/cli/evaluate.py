"""`eidophone evaluate`: many results, judged and compared."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eidophone.cli.flags import add_flags, given_settings
from eidophone.cli.show import progress_bar
from eidophone.core.errors import BadInput
from eidophone.options.commands import EvaluateOptions

if TYPE_CHECKING:  # torch is slow to import
    from eidophone.evaluation.summary import Summary

DEFAULT_OUT = Path("eidophone-out/evaluation")


def add_command(commands: Any) -> None:
    """Adds `evaluate`."""
    about = "judge many results and compare how they were made: tables, intervals, a report"
    parser = commands.add_parser("evaluate", help=about, description=about.capitalize() + ".")
    parser.add_argument("folders", nargs="*", metavar="FOLDER", help="folders of results or of runs")
    add_flags(parser, EvaluateOptions)
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        default=DEFAULT_OUT,
        help=f"folder for tables and report; an interrupted evaluation goes on (default: {DEFAULT_OUT})",
    )
    parser.set_defaults(command=evaluate)


def evaluate(arguments: argparse.Namespace) -> int:
    """Evaluates and prints the means; 1 if a sample could not be read."""
    options = EvaluateOptions.make(**given_settings(arguments, EvaluateOptions))
    if not arguments.folders and not options.protocol:
        raise BadInput("evaluate needs folders of results, or --protocol published to make them.")
    from eidophone.evaluation.evaluate import run

    with progress_bar() as progress:
        summary = run(options, [Path(folder) for folder in arguments.folders], arguments.out, progress)
    print(_table(summary))
    print(f"\n{arguments.out}\n  report.html, summary.json, samples.csv and samples.jsonl are in it")
    for reason in summary.broken.values():
        print(f"eidophone: {reason}", file=sys.stderr)
    if summary.broken:
        print(f"eidophone: {len(summary.broken)} samples could not be read.", file=sys.stderr)
    return int(bool(summary.broken))


def _table(summary: "Summary") -> str:
    from eidophone.evaluation.report import said
    from eidophone.evaluation.summary import measures

    wide = max([18, *(len(method) + 2 for method in summary.methods)])
    lines = [f"{summary.judged} samples; mean ± 1.96 s/√n"]
    lines.append(f"{'':<28}" + "".join(f"{method:>{wide}}" for method in summary.methods))
    for name in measures(summary):
        cells = "".join(f"{said(means.get(name)):>{wide}}" for means in summary.methods.values())
        lines.append(f"{name:<28}{cells}")
    lines += [f"{count} times, {reason}" for reason, count in summary.failed.items()]
    return "\n".join(lines)
