"""The user's files that a run reads: known by checksum, found again when a result is remade."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from eidophone.core.errors import BadInput
from eidophone.core.recipe import Recipe
from eidophone.media.files import sha256
from eidophone.options.kinds import Options, flag_of

#: Options that name a file of the user.
NAMES = ("picture", "sound", "mask", "lora", "audio_lora")


def checksums(options: Options) -> dict[str, str]:
    """Checksums of the files that the options name, by option.

    Raises:
        BadInput: one cannot be read.
    """
    given = {name: getattr(options, name, None) for name in NAMES}
    return {name: sha256(path) for name, path in given.items() if path is not None}


def with_inputs(recipe: Recipe, options: Options, sums: Mapping[str, str]) -> Recipe:
    """The recipe with checksums and bare file names, so that a shared result shows nobody's folders."""
    names = {name: Path(str(getattr(options, name))).name for name in sums}
    return recipe.changed(options=names, inputs=dict(sums))


def find_inputs(recipe: Recipe, changes: Mapping[str, Any], beside: Iterable[Path]) -> dict[str, str]:
    """Where the input files of a recipe are now, by option.

    A recipe may come from a stranger. So it names files by bare name and checksum only, and they are looked
    for where the user says (`changes`), else in the current folder and in the folders `beside` the result.

    Raises:
        BadInput: a file is not there, has changed, or the recipe names one without a checksum.
    """
    named = {name for name in NAMES if getattr(recipe.options, name) is not None}
    if lacking := sorted(named - set(recipe.inputs)):
        raise BadInput(f"The recipe is damaged: it names a {lacking[0]} without its checksum.")
    if loose := sorted(set(recipe.inputs) - named):
        raise BadInput(f"The recipe is damaged: it has the checksum of a {loose[0]} that it does not name.")
    folders = [Path(), *beside]
    return {name: _found(name, recipe, changes.get(name), folders) for name in sorted(named)}


def _found(name: str, recipe: Recipe, given: str | Path | None, folders: list[Path]) -> str:
    stored = Path(str(getattr(recipe.options, name)).replace("\\", "/")).name
    places = [Path(given)] if given else [folder / stored for folder in folders]
    here = [path for path in places if _is_file(path)]
    where = flag_of(name)
    checksum = recipe.inputs[name]  # type: ignore[index]
    same = [path for path in here if sha256(path) == checksum]
    if same:
        return str(same[0])
    if given and not here:
        raise BadInput(f"{given}: there is no such file; say where the {name} that was used is with {where}.")
    if here:
        raise BadInput(
            f"{here[0]}: is not the {name} that was used, or has changed since; say with {where} where the "
            "original file is."
        )
    raise BadInput(f"{stored}: the {name} that was used is not here; say where it is with {where}.")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long, not permitted, or no name at all
        return False
