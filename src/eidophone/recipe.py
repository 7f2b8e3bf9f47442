"""The recipe: everything that decides a result's bytes, as it is carried by PNG, WAV and record.json."""

import json
from pathlib import Path
from typing import Any

from eidophone.errors import BadInput
from eidophone.media.audio import read_recipe_from_wav
from eidophone.media.picture import read_png_text

FORMAT = 1
#: Keyword of the PNG's text chunk.
KEYWORD = "eidophone"
RECORD_FILE = "record.json"


def to_text(recipe: dict[str, Any]) -> str:
    """One line of JSON with sorted names: equal recipes are equal texts."""
    return json.dumps(recipe, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def recipe_in_png(path: Path) -> dict[str, Any] | None:
    """The recipe that a picture carries; None for any picture without one.

    Raises:
        BadInput: it carries one that cannot be read.
    """
    with path.open("rb") as file:
        if file.read(8) != b"\x89PNG\r\n\x1a\n":
            return None
    text = read_png_text(path).get(KEYWORD)
    return None if text is None else _parsed(text, path)


def read_recipe(path: Path) -> dict[str, Any]:
    """The recipe in a PNG, a WAV, a record.json, or the folder of a result.

    Raises:
        BadInput: there is none, or it was written by another format of this program.
    """
    if path.is_dir():
        path = path / RECORD_FILE
    suffix = path.suffix.lower()
    if suffix == ".json":
        return read_record(path)["recipe"]  # type: ignore[no-any-return]
    if suffix == ".wav":
        text = read_recipe_from_wav(path)
        found = None if text is None else _parsed(text, path)
    elif path.exists() and suffix != ".png":
        raise BadInput(
            f"{path}: no recipe can be read from it; give the PNG, the WAV or the folder of a result."
        )
    else:
        found = recipe_in_png(path) if path.exists() else None
        if not path.exists():
            raise BadInput(f"{path} does not exist; check the path.")
    if found is None:
        raise BadInput(
            f"{path}: carries no recipe, so it was not made here or was saved again by another program."
        )
    return found


def read_record(path: Path) -> dict[str, Any]:
    """The record of a finished sample.

    Raises:
        BadInput: missing (the sample did not finish), damaged, or of another format.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadInput(
            f"{path.parent}: holds no {path.name}, so no finished sample; check the path."
        ) from error
    record = _parsed(text, path)
    if not isinstance(record.get("recipe"), dict):
        raise BadInput(f"{path}: holds no recipe; it is damaged.")
    return record


def _parsed(text: str, path: Path) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise BadInput(f"{path}: its recipe is damaged ({error}).") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        number = found.get("format") if isinstance(found, dict) else None
        raise BadInput(f"{path}: its recipe has format {number}; this version reads {FORMAT}.")
    return found
