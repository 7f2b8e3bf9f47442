"""The verbs that make something: run, show progress, say where it is."""

import argparse
import contextlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eidophone.cli.flags import Parser, add_flags, given_settings, out_folder
from eidophone.cli.show import SIDES, Monitor, Order, complain, sentence, show
from eidophone.cli.sound_flags import add_sound_flags, check_sound_file, output_of, sound_settings
from eidophone.core.errors import BadInput, EidophoneError
from eidophone.options.groups import ChoiceOptions
from eidophone.options.kinds import Options, flag_of
from eidophone.verbs import VERBS, Verb

if TYPE_CHECKING:
    from eidophone.core.recipe import Recipe
    from eidophone.core.values import Result

DEFAULT_ROOT = Path("eidophone-out")
#: Characters of a folder's name; file systems allow 255 bytes.
LONGEST_NAME = 120
REMAKE = "make a result again, byte for byte, from its PNG, WAV or folder"


def add_verbs(commands: Any, full: bool) -> None:
    """A command for each verb, and `remake`."""
    for name in VERBS.names():
        verb = VERBS[name]
        parser = _parser(commands, name, verb.summary, verb.examples, full)
        _positionals(parser, verb)
        add_flags(parser, verb.options, full=full)
        _output_flags(parser, full).add_argument(
            "--config",
            type=Path,
            metavar="FILE",
            help="options from a TOML file or a result; a list of values is a sweep",
        )
        parser.set_defaults(command=run, verb=name)
    remaking = _parser(commands, "remake", REMAKE, ("remake eidophone-out/my-frog/0002/picture.png",), full)
    remaking.add_argument("path", metavar="FILE", help="PNG, WAV or folder of a result")
    group = remaking.add_argument_group("what may differ")
    for name, help_text in CHANGES.items():
        group.add_argument(flag_of(name), default=argparse.SUPPRESS, metavar="TEXT", help=help_text)
    _output_flags(remaking, full)
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
        formatter_class=partial(argparse.RawDescriptionHelpFormatter, max_help_position=30, width=100),
        add_help=False,
    )
    found.add_argument("-h", "--help", action="help", help=argparse.SUPPRESS)  # who reads it knows it
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
        parser.add_argument("values", nargs="*", help=argparse.SUPPRESS)
        for argument in verb.arguments:  # each with its own line in the help; `values` takes what is typed
            words = f"{argument.help}; not needed with {flag_of(argument.replaced_by)}"
            shown = argparse.Action([], argument.field, metavar=argument.metavar, help=words)
            parser._positionals._group_actions.append(shown)
        return
    for argument in verb.arguments:
        nargs = "+" if argument.several else None
        parser.add_argument(argument.field, metavar=argument.metavar, help=argument.help, nargs=nargs)


def _output_flags(parser: argparse.ArgumentParser, full: bool) -> "argparse._ArgumentGroup":
    """Flags about where results go and how they are shown."""
    group = parser.add_argument_group("output")
    group.add_argument(
        "--out",
        type=out_folder,
        metavar="DIR",
        help=f"folder for the results (default: {DEFAULT_ROOT}/DATE-VERB-WORDS)",
    )
    group.add_argument(
        "--keep-arrays",
        action="store_true",
        help="also store the numbers before 8-bit rounding (arrays.npz)" if full else argparse.SUPPRESS,
    )
    add_sound_flags(parser, full)
    group.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return group


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
    "separator": "where the separator is now",
    "color_model": "where the models that colour are now",
    "picture": "where the input picture is now",
    "sound": "where the input sound is now",
    "mask": "where the mask is now",
    "lora": "where the LoRA of the image model is now",
    "audio_lora": "where the LoRA of the audio model is now",
}


def run(arguments: argparse.Namespace) -> int:
    """Runs a verb from its flags; 1 if one of several runs failed."""
    verb = VERBS[arguments.verb]
    settings = given_settings(arguments, verb.options)
    if arguments.config is not None:
        settings = _with_file(arguments, verb, settings)
    check_sound_file(arguments)
    if hasattr(arguments, "values"):
        settings |= positional_settings(verb, arguments.values, settings)
    _check_arguments(verb, settings)
    runs = _runs(verb, settings)
    if len(runs) > 1 or any(argument.several for argument in verb.arguments):
        return _run_each(verb, runs, arguments)
    options = runs[0][1]
    if getattr(options, "resume", False) and arguments.out is None:
        raise BadInput("--resume: name the folder of the stopped run with --out.")

    def _make(watch: Monitor, out: Path) -> Iterator["Result"]:
        from eidophone.session import Session

        with Session() as session:
            yield from session.run(options, output_of(out, arguments, watch))

    with _folder(arguments.out, verb.name, _words(settings | options.plain())) as out:
        return show(
            lambda watch: _make(watch, out),
            out,
            getattr(options, "count", 1),
            arguments.json,
            _order(options),
        )


def _with_file(arguments: argparse.Namespace, verb: Verb, settings: dict[str, Any]) -> dict[str, Any]:
    """Adds the options of the settings file; what it says about the output goes to the arguments."""
    from eidophone.verbs.settings_files import OUTPUT, read_settings

    found = read_settings(arguments.config, verb, settings)
    for name in set(OUTPUT.values()) & set(found) - set(verb.options.model_fields):
        value = found.pop(name)
        if not getattr(arguments, name):
            setattr(arguments, name, Path(value) if name == "out" else value)
    return found


def _check_arguments(verb: Verb, settings: dict[str, Any]) -> None:
    """Refuses a run without what its positional arguments name, where flags may give them instead."""
    if settings.get("example") or settings.get("scene"):
        return
    for argument in verb.arguments:
        if settings.get(argument.field) is None and not argument.replaced_by:
            raise BadInput(f"{verb.name} needs {argument.metavar}: {argument.help}.")


def _runs(verb: Verb, settings: dict[str, Any]) -> list[tuple[str, Options]]:
    """What to run, each with the name of its folder: every input file with every combination of a sweep.

    Raises:
        BadInput: options of one of them, before anything runs.
    """
    from eidophone.verbs.settings_files import combinations, swept_names

    several = next((argument.field for argument in verb.arguments if argument.several), None)
    files: list[Path | None] = [None]
    if several is not None:
        named = settings.pop(several)
        files = [*files_of([Path(one) for one in (named if isinstance(named, list) else [named])])]
    swept = swept_names(settings, verb.options)
    found = []
    for file in files:
        for each in combinations(settings, verb.options):
            if several is not None:
                each[several] = file
            values = "--".join(f"{flag_of(name)[2:]}-{_short(each[name])}" for name in swept)
            stem = "" if file is None else file.stem.strip(". ") or "sound"
            found.append(("--".join(part for part in (stem, values) if part), verb.options.make(**each)))
    return found


def _short(value: Any) -> str:
    from eidophone.media.files import slug

    return f"{value:g}" if isinstance(value, float) else slug(str(value))


def _run_each(verb: Verb, runs: list[tuple[str, Options]], arguments: argparse.Namespace) -> int:
    failed: list[str] = []

    def _make(watch: Monitor, folders: list[Path]) -> Iterator["Result"]:
        from eidophone.session import Session

        with Session() as session:
            for (_, one), folder in zip(runs, folders, strict=True):
                try:
                    yield from session.run(one, output_of(folder, arguments, watch))
                except EidophoneError as error:
                    failed.append(sentence(error))
        if len(failed) == len(runs):
            raise BadInput(" ".join(dict.fromkeys(failed)))

    files = [Path(sound).stem for _, one in runs[:3] if (sound := getattr(one, "sound", None))]
    words = " ".join(dict.fromkeys(files)) or _words(runs[0][1].plain())
    with _folder(arguments.out, verb.name, words) as out:
        folders = [out] if len(runs) == 1 else _folders(out, [name for name, _ in runs])
        wanted = sum(getattr(options, "count", 1) for _, options in runs)
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


def _folders(out: Path, names: list[str]) -> list[Path]:
    """A folder for each run; numbered where two have the same name."""
    folders: list[Path] = []
    for name in names:
        folder, number = out / name[:LONGEST_NAME], 1
        while folder in folders:
            number += 1
            folder = out / f"{name[:LONGEST_NAME]}-{number}"
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

    check_sound_file(arguments)
    path = Path(arguments.path)
    recipe = read_recipe(path)
    changes = {name: getattr(arguments, name) for name in CHANGES if hasattr(arguments, name)}

    def _make(watch: Monitor, out: Path) -> Iterator["Result"]:
        from eidophone.session import Session

        with Session() as session:
            stored = {
                "out": out,
                "keep_arrays": arguments.keep_arrays,
                "events": watch,
                **sound_settings(arguments),
            }
            made = session.remake(path, **stored, **changes)
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


def positional_settings(verb: Verb, values: list[str], settings: dict[str, Any]) -> dict[str, str]:
    """Positional values, without those that a flag replaces; none, if a file or an example gives them."""
    names = [a.field for a in verb.arguments if a.replaced_by not in settings]
    given = settings.get("example") or settings.get("scene")
    if not values and (given or all(settings.get(name) is not None for name in names)):
        return {}
    if len(values) == len(verb.arguments) and all(a.beside for a in verb.arguments):
        names = [a.field for a in verb.arguments]
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
