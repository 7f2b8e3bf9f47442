"""The verbs that make something: run, show progress, say where it is."""

import argparse
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eidophone.cli.flags import Parser, add_flags, given_settings
from eidophone.cli.show import SIDES, Monitor, Order, complain, sentence, show
from eidophone.core.errors import BadInput, EidophoneError
from eidophone.options.groups import ChoiceOptions
from eidophone.options.kinds import Options, flag_of
from eidophone.verbs import VERBS, Argument, Verb

if TYPE_CHECKING:
    from eidophone.core.recipe import Recipe
    from eidophone.core.values import Result

DEFAULT_ROOT = Path("eidophone-out")
REMAKE = "make a result again, byte for byte, from its PNG, WAV or folder"


def add_verbs(commands: Any, full: bool) -> None:
    """A command for each verb, and `remake`."""
    for name in VERBS.names():
        verb = VERBS[name]
        parser = _parser(commands, name, verb.summary, verb.examples, full)
        _positionals(parser, verb)
        add_flags(parser, verb.options, full=full)
        _output_flags(parser)
        parser.set_defaults(command=run, verb=name)
    remaking = _parser(commands, "remake", REMAKE, ("remake eidophone-out/my-frog/0002/picture.png",), full)
    remaking.add_argument("path", metavar="FILE", help="PNG, WAV or folder of a result")
    group = remaking.add_argument_group("what may differ")
    for name, help_text in CHANGES.items():
        group.add_argument(flag_of(name), default=argparse.SUPPRESS, metavar="TEXT", help=help_text)
    _output_flags(remaking)
    remaking.set_defaults(command=remake)


def _parser(commands: Any, name: str, summary: str, examples: tuple[str, ...], full: bool) -> Parser:
    lines = ["examples:", *(f"  eidophone {example}" for example in examples)] if examples else []
    if not full:
        lines.append(f"all flags: eidophone {name} --help-all")
    found: Parser = commands.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog="\n".join(lines),
        usage=f"eidophone {name} {_usage(name)}[flags]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return found


def _usage(name: str) -> str:
    if name not in VERBS:
        return "FILE "
    return "".join(
        f"[{a.metavar}] " if a.replaced_by else f"{a.metavar}{' ...' if a.several else ''} "
        for a in VERBS[name].arguments
    )


def _positionals(parser: argparse.ArgumentParser, verb: Verb) -> None:
    if any(argument.replaced_by for argument in verb.arguments):
        names = " ".join(argument.metavar for argument in verb.arguments)
        hints = "; ".join(f"{argument.metavar}: {argument.help}" for argument in verb.arguments)
        parser.add_argument("values", nargs="*", metavar=names.split()[0], help=hints)
        return
    for argument in verb.arguments:
        nargs = "+" if argument.several else None
        parser.add_argument(argument.field, metavar=argument.metavar, help=argument.help, nargs=nargs)


def _output_flags(parser: argparse.ArgumentParser) -> None:
    """Flags about where results go and how they are shown."""
    group = parser.add_argument_group("output")
    group.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help=f"folder for the results (default: {DEFAULT_ROOT}/DATE-VERB-WORDS)",
    )
    group.add_argument(
        "--keep-arrays", action="store_true", help="also store the numbers before 8-bit rounding (arrays.npz)"
    )
    group.add_argument("--json", action="store_true", help="print JSON instead of a table")


#: What may differ when a result is made again, by flag.
CHANGES = {
    "device": "where to compute",
    "dtype": "number format of the networks",
    "threads": "processor threads",
    "image_model": "where the image model is now",
    "upscaler": "where the second stage is now",
    "audio_model": "where the audio model is now",
    "embedder": "where the embedder is now",
    "text_embedder": "where the text embedder is now",
    "captioner": "where the captioner is now",
    "picture": "where the input picture is now",
    "sound": "where the input sound is now",
}


def run(arguments: argparse.Namespace) -> int:
    """Runs a verb from its flags; 1 if one of several inputs failed."""
    verb = VERBS[arguments.verb]
    settings = given_settings(arguments, verb.options)
    several = next((a for a in verb.arguments if a.several), None)
    if several is not None:
        return _run_each(verb, several, settings, arguments)
    if hasattr(arguments, "values"):
        settings |= _replaceable(verb, arguments.values, settings)
    options = verb.options.make(**settings)
    if getattr(options, "resume", False) and arguments.out is None:
        raise BadInput("--resume: name the folder of the stopped run with --out.")

    def _make(watch: Monitor, out: Path) -> Iterator["Result"]:
        from eidophone.session import Output, Session

        with Session() as session:
            yield from session.run(options, Output(out, arguments.keep_arrays, watch))

    with _folder(arguments.out, verb.name, _words(settings)) as out:
        return show(
            lambda watch: _make(watch, out),
            out,
            getattr(options, "count", 1),
            arguments.json,
            _order(options),
        )


def _run_each(verb: Verb, several: Argument, settings: dict[str, Any], arguments: argparse.Namespace) -> int:
    files = files_of([Path(given) for given in settings.pop(several.field)])
    options = [verb.options.make(**settings, **{several.field: file}) for file in files]
    failed: list[str] = []

    def _make(watch: Monitor, folders: list[Path]) -> Iterator["Result"]:
        from eidophone.session import Output, Session

        with Session() as session:
            for one, folder in zip(options, folders, strict=True):
                try:
                    yield from session.run(one, Output(folder, arguments.keep_arrays, watch))
                except EidophoneError as error:
                    failed.append(sentence(error))
        if len(failed) == len(files):
            raise BadInput(" ".join(failed))

    with _folder(arguments.out, verb.name, " ".join(file.stem for file in files[:3])) as out:
        folders = [out] if len(files) == 1 else _folders(out, files)
        wanted = getattr(options[0], "count", 1) * len(options)
        code = show(lambda watch: _make(watch, folders), out, wanted, arguments.json)
    for reason in failed:
        complain(reason)
    return code or int(bool(failed))


def files_of(given: list[Path]) -> list[Path]:
    """The files that are meant: those that were named, and the sounds in folders that were named.

    Raises:
        BadInput: a folder without any, or one that cannot be read.
    """
    from eidophone.data.recordings import sounds_in

    found = []
    for path in given:
        try:
            inside = list(sounds_in(path.iterdir())) if path.is_dir() else None
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise BadInput(f"{path}: cannot be opened ({why}); check the path.") from error
        if inside is not None and not inside:
            raise BadInput(f"{path}: there are no sounds in this folder; name another.")
        found += [path] if inside is None else inside
    return found


def _folders(out: Path, files: list[Path]) -> list[Path]:
    """A folder of its own for every file, by its name; numbered where two have the same."""
    folders: list[Path] = []
    for file in files:
        stem = file.stem.strip(". ") or "sound"
        folder, number = out / stem, 1
        while folder in folders:
            number += 1
            folder = out / f"{stem}-{number}"
        folders.append(folder)
    return folders


def _order(options: Options) -> Order:
    """Best first, if samples are judged; samples that were chosen keep the rank they were chosen with."""

    def _ranked(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        from eidophone.core.values import Score
        from eidophone.scoring.ranking import Candidate, ranked

        assert isinstance(options, ChoiceOptions)
        if all("rank" in row["facts"] for row in rows):
            return sorted(rows, key=lambda row: int(row["facts"]["rank"]))
        scores = [Score(**row["score"]) for row in rows]
        candidates = [
            Candidate(row, row["index"], score.side(SIDES[0]), score.side(SIDES[1], "_clear"))
            for row, score in zip(rows, scores, strict=True)
        ]
        return [c.item for c in ranked(candidates, options.rank_by, options.looks_weight)]

    return _ranked if isinstance(options, ChoiceOptions) and options.judge_names != "none" else list


def remake(arguments: argparse.Namespace) -> int:
    """Makes a result again."""
    from eidophone.results.recipe import read_recipe

    path = Path(arguments.path)
    recipe = read_recipe(path)
    changes = {name: getattr(arguments, name) for name in CHANGES if hasattr(arguments, name)}

    def _make(watch: Monitor, out: Path) -> Iterator["Result"]:
        from eidophone.session import Session

        with Session() as session:
            made = session.remake(path, out=out, keep_arrays=arguments.keep_arrays, events=watch, **changes)
        _warn_of_changes(recipe, made.recipe)
        yield made

    with _folder(arguments.out, "remake", path.parent.name or path.stem) as out:
        return show(lambda watch: _make(watch, out), out, 1, arguments.json)


def _warn_of_changes(then: "Recipe", now: "Recipe") -> None:
    """Says what is not as it was when a recipe was written, so that the bytes may differ."""
    pairs: list[tuple[str, object, object]] = [
        *((name, old, now.versions.get(name)) for name, old in then.versions.items()),
        ("threads", then.options.threads, now.options.threads),
    ]
    for role, model in then.models.items():
        other = now.models.get(role)
        facts = ("name", "revision", "weights")
        pairs += [
            (f"{role} model's {fact}", getattr(model, fact), getattr(other, fact, None)) for fact in facts
        ]
    changed = [f"{name} {old}, now {new}" for name, old, new in pairs if old != new]
    if changed:
        complain(sentence(EidophoneError(f"the bytes may differ: it was made with {'; '.join(changed)}.")))


def _replaceable(verb: Verb, values: list[str], settings: dict[str, Any]) -> dict[str, str]:
    """Positional values, without those that a flag replaces."""
    names = [a.field for a in verb.arguments if a.replaced_by not in settings]
    if len(values) != len(names):
        wanted = " and ".join(name.replace("_", " ") for name in names) or "no prompt"
        raise BadInput(f"{verb.name} needs {wanted} here, but got {len(values)}; put each prompt in quotes.")
    return dict(zip(names, values, strict=True))


def _words(settings: dict[str, Any]) -> str:
    names = ("image_prompt", "picture", "audio_prompt", "sound")
    return " ".join(Path(str(settings[n])).stem for n in names if settings.get(n))


@contextlib.contextmanager
def _folder(out: Path | None, verb: str, words: str) -> Iterator[Path]:
    """Where results go; a folder that was made here and stayed empty is removed again."""
    if out is not None:
        yield out
        return
    from eidophone.results.folders import new_folder

    made = new_folder(DEFAULT_ROOT, verb, words)
    try:
        yield made
    finally:
        for folder in (made, DEFAULT_ROOT):
            with contextlib.suppress(OSError):
                folder.rmdir()  # succeeds on an empty folder only
