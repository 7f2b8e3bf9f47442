"""The verbs that make something: run, show progress, say where it is."""

import argparse
import contextlib
import datetime
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from eidophone.cli.flags import given_settings
from eidophone.errors import BadInput, EidophoneError
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

    return _show(_make, out, getattr(options, "count", 1), arguments.json)


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

        yield api.remake(path, out=out, keep_arrays=arguments.keep_arrays, progress=progress, **changes)

    _warn_of_versions(recipe)
    return _show(_make, out, 1, arguments.json)


def _warn_of_versions(recipe: dict[str, Any]) -> None:
    from eidophone.pipelines.run import versions

    now = versions()
    changed = [f"{k} {v}, now {now.get(k)}" for k, v in recipe["versions"].items() if now.get(k) != v]
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


# --- showing -------------------------------------------------------------------------------------


def _show(
    make: Callable[[Callable[[str, int, int], None]], Iterator[Any]], out: Path, wanted: int, as_json: bool
) -> int:
    results = []
    try:
        with _progress_bar() as progress:
            for result in make(progress):
                results.append(result)
    except (KeyboardInterrupt, EidophoneError) as error:
        if isinstance(error, EidophoneError) and not results:
            raise
        reason = "stopped" if isinstance(error, KeyboardInterrupt) else str(error)
        where = f", in {out}" if results else ""
        print(
            f"\neidophone: {reason}; {len(results)} of {wanted} samples are finished{where}.", file=sys.stderr
        )
        return 130 if isinstance(error, KeyboardInterrupt) else 2
    print(_as_json(results) if as_json else _as_table(results, out))
    return 0


@contextlib.contextmanager
def _progress_bar() -> Iterator[Callable[[str, int, int], None]]:
    """A bar on the terminal once something takes two seconds."""
    from tqdm import tqdm

    with tqdm(total=0, delay=2, leave=False, file=sys.stderr, disable=not sys.stderr.isatty()) as bar:

        def _progress(what: str, done: int, total: int) -> None:
            bar.set_description(what, refresh=False)
            bar.total = total
            bar.update(done - bar.n)

        yield _progress


def _as_table(results: list[Any], out: Path) -> str:
    lines = [f"{'sample':<8}{'seed':>8}{'seconds':>10}{'U-Net runs':>12}{'sound':>9}  picture"]
    for result in results:
        height, width = result.picture.pixels.shape[:2]
        lines.append(
            f"{result.index:04d}{result.recipe.get('seed', '-')!s:>12}"
            f"{result.facts.get('seconds', '-')!s:>10}{result.facts.get('unet_evaluations', '-')!s:>12}"
            f"{result.clip.duration_s:>7.2f} s  {width} x {height}"
        )
    lines.append(
        f"\nEach folder in {out}/ holds picture.png, spectrogram.png, sound.wav, video.mp4, record.json."
    )
    return "\n".join(lines)


def _as_json(results: list[Any]) -> str:
    return json.dumps(
        [
            {
                "verb": result.verb,
                "index": result.index,
                "seed": result.recipe.get("seed"),
                "folder": str(result.folder),
                "files": sorted(path.name for path in result.folder.iterdir()),
                "duration_s": result.clip.duration_s,
                "facts": result.facts,
            }
            for result in results
        ],
        indent=2,
    )
