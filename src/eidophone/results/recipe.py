"""Reads the recipe that a PNG, a WAV, a record.json or the folder of a result carries."""

from pathlib import Path

from eidophone.core.errors import BadInput
from eidophone.core.recipe import Recipe, Record, read_model
from eidophone.media.audio import read_recipe_from_wav
from eidophone.media.files import check_no_link, check_readable
from eidophone.media.mel import MelSpec
from eidophone.media.picture import read_png_text

#: Keyword of the PNG's text chunk.
KEYWORD = "eidophone"
RECORD_FILE = "record.json"
_PNG = b"\x89PNG\r\n\x1a\n"


def recipe_in_png(path: Path) -> Recipe | None:
    """The recipe that a picture carries; None for any picture without one.

    Raises:
        BadInput: the file cannot be read, or its recipe is damaged.
    """
    check_readable(path, "a picture")
    with path.open("rb") as file:
        if file.read(len(_PNG)) != _PNG:
            return None
    text = read_png_text(path).get(KEYWORD)
    return None if text is None else _recipe(text, path)


def read_recipe(path: Path) -> Recipe:
    """The recipe in a PNG, a WAV, a record.json, or the folder of a result.

    Raises:
        BadInput: there is none, or another version of the format wrote it.
    """
    path = _file_of(path)
    suffix = path.suffix.lower()
    if suffix == ".json":
        found: Recipe | None = read_record(path).recipe
    elif suffix == ".wav":
        text = read_recipe_from_wav(path)
        found = None if text is None else _recipe(text, path)
    else:
        found = recipe_in_png(path)
    if found is None:
        raise BadInput(
            f"{path}: carries no recipe; give the PNG, the WAV or the folder of a result as Eidophone wrote "
            "it (most other programs drop the recipe when they save a file)."
        )
    return found


def read_record(path: Path) -> Record:
    """The record of a finished sample.

    Raises:
        BadInput: missing (the sample did not finish), damaged, or of another format.
    """
    check_no_link(path)
    check_readable(path, "a record")
    record = read_model(Record, path.read_bytes(), str(path))
    MelSpec.from_dict(record.recipe.mel_spec, str(path))
    return record


def _recipe(text: str, path: Path) -> Recipe:
    recipe = read_model(Recipe, text, str(path))
    MelSpec.from_dict(recipe.mel_spec, str(path))
    return recipe


def _file_of(path: Path) -> Path:
    try:
        return path / RECORD_FILE if path.is_dir() else path
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise BadInput(f"{path}: cannot be opened ({why}); check the path.") from error
