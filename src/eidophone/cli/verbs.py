"""The verbs that make something: run, show progress, say where it is."""

import argparse
import datetime
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from eidophone.cli.flags import given_settings
from eidophone.cli.show import SIDES, Order, show
from eidophone.core.errors import BadInput
from eidophone.core.events import Progress
from eidophone.options.groups import ChoiceOptions
from eidophone.options.kinds import Options, flag_of
from eidophone.verbs import VERBS

DEFAULT_ROOT = Path("eidophone-out")


def add_output_flags(parser: argparse.ArgumentParser) -> None:
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
    group.add_argument(
        "--json", action="store_true", help="print a JSON list of the results instead of a table"
    )


#: What may differ when a result is made again, by flag.
CHANGES = {
    "device": "where to compute",
    "dtype": "number format of the networks",
    "threads": "processor threads",
    "image_model": "where the image model is now",
    "upscaler": "where the second stage is now",
    "audio_model": "where the audio model is now",
    "embedder": "where the embedder is now",
    "captioner": "where the captioner is now",
    "picture": "where the picture that was read is now",
    "sound": "where the sound that was read is now",
}


def add_remake_flags(parser: argparse.ArgumentParser) -> None:
    """What may differ when a result is made again."""
    for name, help_text in CHANGES.items():
        parser.add_argument(flag_of(name), default=argparse.SUPPRESS, metavar="TEXT", help=help_text)


def run(arguments: argparse.Namespace) -> int:
    """Runs a verb from its flags."""
    kind = VERBS[arguments.verb]
    settings = given_settings(arguments, kind)
    if arguments.verb == "imprint":
        settings |= _imprint_prompts(arguments.prompts, settings)
    options = kind.make(**settings)
    if getattr(options, "resume", False) and arguments.out is None:
        raise BadInput("--resume: say with --out which folder the run was stopped in.")
    out = arguments.out or new_folder(arguments.verb, _words(settings))

    def _make(progress: Progress) -> Iterator[Any]:
        from eidophone import api

        return api.run(options, out, arguments.keep_arrays, progress)

    return show(_make, out, getattr(options, "count", 1), arguments.json, _order(options))


def _order(options: Options) -> Order:
    """Best first, if samples are judged."""
    if not isinstance(options, ChoiceOptions) or options.judge_names == "none":
        return list

    def _ranked(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        from eidophone.scoring.ranking import Candidate, ranked

        candidates = [Candidate(row, row["index"], *map(row["sides"].get, SIDES)) for row in rows]
        return [c.item for c in ranked(candidates, options.rank_by, options.looks_weight)]

    return _ranked


def remake(arguments: argparse.Namespace) -> int:
    """Makes a result again."""
    from eidophone.results.recipe import read_recipe

    path = Path(arguments.path)
    recipe = read_recipe(path)
    out = arguments.out or new_folder("remake", path.parent.name or path.stem)
    changes = {name: getattr(arguments, name) for name in CHANGES if hasattr(arguments, name)}

    def _make(progress: Progress) -> Iterator[Any]:
        from eidophone import api

        made = api.remake(path, out=out, keep_arrays=arguments.keep_arrays, progress=progress, **changes)
        _warn_of_changes(recipe, made.recipe)
        yield made

    return show(_make, out, 1, arguments.json)


def _warn_of_changes(then: dict[str, Any], now: dict[str, Any]) -> None:
    """Says what is not as it was when a recipe was written, so that the bytes may differ."""
    threads = [recipe["options"].get("threads") for recipe in (then, now)]
    pairs = [
        *((name, old, now["versions"].get(name)) for name, old in then["versions"].items()),
        *(
            (f"{role} model's {fact}", model.get(fact), now["models"].get(role, {}).get(fact))
            for role, model in then["models"].items()
            for fact in ("name", "revision", "weights")
        ),
        ("threads", *threads),
    ]
    changed = [f"{name} {old}, now {new}" for name, old, new in pairs if old != new]
    if changed:
        print(f"eidophone: the bytes may differ, it was made with {'; '.join(changed)}.", file=sys.stderr)


def _imprint_prompts(prompts: list[str], settings: dict[str, Any]) -> dict[str, str]:
    names = [
        prompt
        for prompt, file in (("image_prompt", "picture"), ("audio_prompt", "sound"))
        if file not in settings
    ]
    if len(prompts) != len(names):
        wanted = " and ".join(name.replace("_", " ") for name in names) or "no prompt"
        raise BadInput(f"imprint needs {wanted} here, but {len(prompts)} were given; quote each prompt.")
    return dict(zip(names, prompts, strict=True))


def _words(settings: dict[str, Any]) -> str:
    names = ("image_prompt", "picture", "audio_prompt", "sound")
    return " ".join(Path(str(settings[n])).stem for n in names if settings.get(n))


def new_folder(verb: str, words: str) -> Path:
    """Where results go if the user does not say: a folder that is not there yet."""
    from eidophone.media.files import slug

    today = datetime.datetime.now(datetime.UTC).astimezone().date().isoformat()
    stem = f"{today}-{verb}-{slug(words)}"
    number = 1
    while (folder := DEFAULT_ROOT / (stem if number == 1 else f"{stem}-{number}")).exists():
        number += 1
    return folder
