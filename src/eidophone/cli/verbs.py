"""The verbs that make something: run, show progress, say where it is."""

import argparse
import datetime
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from eidophone.cli.flags import given_settings
from eidophone.cli.show import show
from eidophone.errors import BadInput
from eidophone.options import VERBS

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


def add_remake_flags(parser: argparse.ArgumentParser) -> None:
    """What may differ when a result is made again."""
    for name in ("device", "image-model", "audio-model"):
        parser.add_argument(
            f"--{name}", default=argparse.SUPPRESS, metavar="TEXT", help=f"another {name.replace('-', ' ')}"
        )


def run(arguments: argparse.Namespace) -> int:
    """Runs a verb from its flags."""
    kind = VERBS[arguments.verb]
    settings = given_settings(arguments, kind)
    if arguments.verb == "imprint":
        settings |= _imprint_prompts(arguments.prompts, settings)
    options = kind.make(**settings)
    out = arguments.out or _new_folder(arguments.verb, _words(settings))

    def _make(progress: Callable[[str, int, int], None]) -> Iterator[Any]:
        from eidophone import api

        return api.run(options, out, arguments.keep_arrays, progress)

    return show(_make, out, getattr(options, "count", 1), arguments.json)


def remake(arguments: argparse.Namespace) -> int:
    """Makes a result again."""
    from eidophone.recipe import read_recipe

    path = Path(arguments.path)
    recipe = read_recipe(path)
    out = arguments.out or _new_folder("remake", path.parent.name or path.stem)
    names = ("device", "image_model", "audio_model")
    changes = {name: getattr(arguments, name) for name in names if hasattr(arguments, name)}

    def _make(progress: Callable[[str, int, int], None]) -> Iterator[Any]:
        from eidophone import api

        made = api.remake(path, out=out, keep_arrays=arguments.keep_arrays, progress=progress, **changes)
        _warn_of_changes(recipe, made.recipe)
        yield made

    return show(_make, out, 1, arguments.json)


def _warn_of_changes(then: dict[str, Any], now: dict[str, Any]) -> None:
    """Says what is not as it was when a recipe was written, so that the bytes may differ."""
    changed = [
        f"{name} {old}, now {now['versions'].get(name)}"
        for name, old in then["versions"].items()
        if now["versions"].get(name) != old
    ]
    for role, model in then.get("models", {}).items():
        other = now["models"][role]
        if (model["name"], model["revision"]) != (other["name"], other["revision"]):
            changed.append(
                f"{model['name']} at {model['revision']}, now {other['name']} at {other['revision']}"
            )
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


def _new_folder(verb: str, words: str) -> Path:
    from eidophone.media.files import slug

    today = datetime.datetime.now(datetime.UTC).astimezone().date().isoformat()
    stem = f"{today}-{verb}-{slug(words)}"
    number = 1
    while (folder := DEFAULT_ROOT / (stem if number == 1 else f"{stem}-{number}")).exists():
        number += 1
    return folder
