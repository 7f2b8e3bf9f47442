"""`eidophone score`: scores of results, or of a picture and a sound."""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eidophone.cli.flags import add_flags, given_settings
from eidophone.cli.show import SIDES, complain, progress_bar, sentence, table
from eidophone.core.errors import BadInput, EidophoneError
from eidophone.core.text import printable
from eidophone.core.values import Score
from eidophone.options.commands import ScoreOptions

#: Settings that ask for another ranking than the one that samples were chosen with.
_ANOTHER_RANKING = {"judges", "rank_by", "looks_weight", "image_prompt", "audio_prompt"}


@dataclass(frozen=True)
class _Scored:
    """One line of the output.

    Attributes:
        path: Of the result, or of the picture.
        score: By the judges.
        rank: What a chosen sample was chosen with.
    """

    path: Path
    score: Score
    rank: int | None = None

    def plain(self) -> dict[str, Any]:
        return {"path": str(self.path), "numbers": self.score.numbers, "failed": self.score.failed}


def add_command(commands: Any) -> None:
    """Adds `score`."""
    about = "score results, best first, or a picture and a sound"
    parser = commands.add_parser("score", help=about, description=_description(about), epilog=_judges())
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="folders of results or of runs; or a picture file and a sound file",
    )
    add_flags(parser, ScoreOptions)
    parser.add_argument("--json", action="store_true", help="print a JSON list instead of a table")
    parser.set_defaults(command=score)


def _description(about: str) -> str:
    return (
        f"{about[0].upper()}{about[1:]}.\n\nWithout prompts, a picture and a sound are compared with each other, "
        "and the sound is checked for faults."
    )


def _judges() -> str:
    from eidophone.scoring.scorers import SCORERS

    return f"registered judges: {', '.join(SCORERS.names())}; every embedder of `eidophone models list` is one too"


def score(arguments: argparse.Namespace) -> int:
    """Scores and prints; 1 if a result could not be read or a judge that was named failed."""
    settings = given_settings(arguments, ScoreOptions)
    options = ScoreOptions.make(**settings)
    places = _places([Path(path) for path in arguments.paths])
    found, broken = _scored(places, options)
    if not found:
        raise BadInput(broken[0])
    found = _ranked(found, options, keep_ranks=not _ANOTHER_RANKING & settings.keys())
    print(json.dumps([one.plain() for one in found], indent=2) if arguments.json else _text(found))
    failed = {f"{judge}: {reason}" for one in found for judge, reason in one.score.failed.items()}
    for reason in [*broken, *(f"no number from {printable(words)}" for words in sorted(failed))]:
        complain(reason)
    return int(bool(broken) or ("judges" in settings and any(one.score.failed for one in found)))


def _places(paths: list[Path]) -> list[tuple[Path, Path | None]]:
    """Results, each without a sound; or the picture with its sound."""
    from eidophone.results.store import samples_below

    try:
        files = [path for path in paths if path.is_file()]
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise BadInput(f"{paths[0]}: cannot be opened ({why}); check the path.") from error
    if len(paths) == len(files) == 2:
        return [(paths[0], paths[1])]
    if files:
        raise BadInput(
            f"{files[0]} is a file; name folders of results, or one picture file and one sound file."
        )
    places: list[tuple[Path, Path | None]] = [
        (sample, None) for path in paths for sample in samples_below(path)
    ]
    if not places:
        raise BadInput(f"{paths[0]}: holds no finished result; name the folder of a result or of a run.")
    return places


def _scored(places: list[tuple[Path, Path | None]], options: ScoreOptions) -> tuple[list[_Scored], list[str]]:
    """The scores, and the reasons where there is none."""
    from eidophone.session import Session

    found, broken = [], []
    with progress_bar() as progress:
        judge = Session().judge(options)
        for done, (path, sound) in enumerate(places):
            progress("judging", done, len(places))
            try:
                rank = _rank_of(path) if sound is None else None
                found.append(_Scored(path, judge(path, sound), rank))
            except EidophoneError as error:
                broken.append(sentence(error))
            except UnicodeEncodeError:
                broken.append(sentence(BadInput(f"{path}: its name is not valid UTF-8; rename it.")))
    return found, broken


def _rank_of(folder: Path) -> int | None:
    from eidophone.results.recipe import RECORD_FILE, read_record

    return read_record(folder / RECORD_FILE).facts.rank


def _ranked(found: list[_Scored], options: ScoreOptions, *, keep_ranks: bool) -> list[_Scored]:
    from eidophone.scoring.ranking import rank

    one_run = len({one.path.absolute().parent for one in found}) == 1
    return rank(
        found,
        lambda one: one.score,
        options.rank_by,
        options.looks_weight,
        key_of=lambda one: str(one.path),
        rank_of=(lambda one: one.rank) if keep_ranks and one_run else None,
    )


def _text(found: list[_Scored]) -> str:
    """All numbers of one result; of several, those that rank them."""
    return _numbers(found[0].score) if len(found) == 1 else _comparison(found)


def _numbers(score: Score) -> str:
    from eidophone.scoring.judges import measure_of

    rows = []
    for name, number in score.numbers.items():
        measure = measure_of(name)
        unit, hint, about = (measure.unit, measure.bounds, measure.about) if measure else ("", "", "")
        rows.append([name, f"{number:.4f}", unit, hint, about])
    return table(["number", "value", "unit", "range", "what it measures"], rows, [False, True])


def _comparison(found: list[_Scored]) -> str:
    """A column for each of the numbers that rank."""
    from eidophone.scoring.ranking import CLEARER

    names = []
    for side in SIDES:
        first = _first(found, f".{side}")
        if first is not None:
            names += [
                first,
                *([first + CLEARER] if any(first + CLEARER in x.score.numbers for x in found) else []),
            ]
    rows = [[*(_cell(one.score, name) for name in names), str(one.path)] for one in found]
    return table([*names, "result"], rows, [True] * len(names))


def _first(found: list[_Scored], ending: str) -> str | None:
    return next((name for one in found for name in one.score.numbers if name.endswith(ending)), None)


def _cell(score: Score, name: str) -> str:
    return f"{score.numbers[name]:.4f}" if name in score.numbers else "-"
