"""`eidophone score`: what judges say of results, or of a picture and a sound."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from eidophone.cli.flags import add_flags, given_settings
from eidophone.cli.show import SIDES, progress_bar, sentence
from eidophone.core.errors import BadInput, EidophoneError
from eidophone.options.commands import ScoreOptions


def add_command(commands: Any) -> None:
    """Adds `score`."""
    about = "what judges say of results, best first, or of a picture and a sound"
    parser = commands.add_parser("score", help=about, description=about.capitalize() + ".")
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="folders of results or of runs; or a picture file and a sound file",
    )
    add_flags(parser, ScoreOptions)
    parser.add_argument("--json", action="store_true", help="print a JSON list instead of a table")
    parser.set_defaults(command=score)


def score(arguments: argparse.Namespace) -> int:
    """Judges what was named and prints it; 1 if a result could not be read or a named judge failed."""
    settings = given_settings(arguments, ScoreOptions)
    options = ScoreOptions.make(**settings)
    places = _places([Path(path) for path in arguments.paths], options)
    rows, broken = _scored(places, options)
    if not rows:
        raise BadInput(broken[0])
    print(json.dumps(rows, indent=2) if arguments.json else _table(rows))
    for reason in broken:
        print(f"eidophone: {reason}", file=sys.stderr)
    return int(bool(broken) or ("judges" in settings and any(row["failed"] for row in rows)))


def _places(paths: list[Path], options: ScoreOptions) -> list[tuple[Path, Path | None]]:
    """The results that are meant, each without a sound; or the picture with its sound."""
    from eidophone.results.store import samples_below

    if len(paths) == 2 and all(path.is_file() for path in paths):
        if not (options.image_prompt or options.audio_prompt):
            raise BadInput(
                "A picture and a sound need --image-prompt, --audio-prompt or both to be judged by."
            )
        return [(paths[0], paths[1])]
    if files := [path for path in paths if path.is_file()]:
        raise BadInput(
            f"{files[0]} is a file; name folders of results, or one picture file and one sound file."
        )
    places: list[tuple[Path, Path | None]] = [
        (sample, None) for path in paths for sample in samples_below(path)
    ]
    if not places:
        raise BadInput(f"{paths[0]}: holds no finished result; name the folder of a result or of a run.")
    return places


def _scored(
    places: list[tuple[Path, Path | None]], options: ScoreOptions
) -> tuple[list[dict[str, Any]], list[str]]:
    """A row a result, best first, and what could not be judged."""
    from eidophone.scoring.ranking import Candidate, ranked
    from eidophone.session import Session

    candidates, broken = [], []
    with progress_bar() as progress:
        judge = Session().judge(options)
        for done, (path, sound) in enumerate(places):
            progress("judging", done, len(places))
            try:
                found = judge(path, sound)
            except EidophoneError as error:
                broken.append(sentence(error))
                continue
            row = {"path": str(path), "numbers": found.numbers, "failed": found.failed}
            candidates.append(Candidate(row, str(path), *(found.side(side) for side in SIDES)))
    return [c.item for c in ranked(candidates, options.rank_by, options.looks_weight)], broken


def _table(rows: list[dict[str, Any]]) -> str:
    """All numbers of one result; of several, those that rank them."""
    if len(rows) == 1:
        lines = [f"{name:<28}{number:>10.4f}" for name, number in rows[0]["numbers"].items()]
    else:
        names = [name for side in SIDES if (name := _first(rows, f".{side}"))]
        lines = ["".join(f"{name:>18}" for name in names) + "  result"]
        lines += ["".join(f"{_shown(row, name):>18}" for name in names) + f"  {row['path']}" for row in rows]
    failed = {f"{judge}: {reason}" for row in rows for judge, reason in row["failed"].items()}
    return "\n".join([*lines, *(f"no number of {words}" for words in sorted(failed))])


def _first(rows: list[dict[str, Any]], ending: str) -> str | None:
    return next((name for row in rows for name in row["numbers"] if name.endswith(ending)), None)


def _shown(row: dict[str, Any], name: str) -> str:
    return f"{row['numbers'][name]:.4f}" if name in row["numbers"] else "-"
