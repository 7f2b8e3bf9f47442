"""Files of the user that a run reads: known by checksum, found again when a result is remade."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from eidophone.core.errors import BadInput
from eidophone.media.files import sha256
from eidophone.options.kinds import Options, flag_of

NAMES = ("picture", "sound")


def checksums(options: Options) -> dict[str, str]:
    """Checksums of the files that the options name, by option.

    Raises:
        BadInput: one cannot be read.
    """
    given = {name: getattr(options, name, None) for name in NAMES}
    return {name: sha256(path) for name, path in given.items() if path is not None}


def whereabouts(options: Options) -> dict[str, str]:
    """Where the input files lie on this machine, by option: for the record, which stays here."""
    given = {name: getattr(options, name, None) for name in NAMES}
    return {name: str(Path(path).resolve()) for name, path in given.items() if path is not None}


def with_inputs(recipe: dict[str, Any], options: Options, sums: dict[str, str]) -> dict[str, Any]:
    """The recipe with checksums, and with bare names of files: a shared picture tells nobody's folders."""
    names = {name: Path(str(getattr(options, name))).name for name in sums}
    return {**recipe, "options": {**recipe["options"], **names}, "inputs": sums}


def found_again(recipe: dict[str, Any], changes: dict[str, Any], beside: Iterable[Path]) -> dict[str, Any]:
    """Options that name the input files of a recipe where they are now.

    Looked for where `changes` says, in the current folder, and in the folders of `beside`.

    Raises:
        BadInput: a file is not there any more, or has changed.
    """
    found = {}
    for name, checksum in recipe.get("inputs", {}).items():
        stored = Path(str(recipe["options"].get(name)))
        given = changes.get(name)
        places = [Path(given)] if given else [stored, *(folder / stored.name for folder in beside)]
        here = [path for path in places if path.is_file()]
        if not here:
            raise BadInput(f"{stored}: the {name} that was used is not here; say where with {flag_of(name)}.")
        same = [path for path in here if sha256(path) == checksum]
        if not same:
            raise BadInput(
                f"{here[0]}: has changed since the recipe was written; bring the first version back."
            )
        found[name] = str(same[0])
    return found
