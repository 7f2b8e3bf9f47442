"""The recipe: everything that decides a result's bytes, as it is carried by PNG, WAV and record.json.

What is read is checked here: a file may come from anywhere.
"""

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from eidophone.core.errors import BadInput
from eidophone.media.audio import read_recipe_from_wav
from eidophone.media.files import check_readable
from eidophone.media.mel import MelSpec
from eidophone.media.picture import read_png_text

FORMAT = 1
#: Keyword of the PNG's text chunk.
KEYWORD = "eidophone"
RECORD_FILE = "record.json"


class _Checked(BaseModel):
    model_config = ConfigDict(strict=True)


class _Model(_Checked):
    name: str
    revision: str
    weights: str = ""


class _Recipe(_Checked):
    """The shape of a recipe; `pipelines.run` writes it."""

    format: Literal[1]
    verb: str
    index: int
    options: dict[str, Any]
    models: dict[
        Literal["image", "audio", "pixel", "upscaler", "captioner", "embedder", "text_embedder"], _Model
    ]
    vocoder: str
    mel_spec: dict[str, Any]
    versions: dict[str, str]
    inputs: dict[Literal["picture", "sound"], str] = {}


class _Score(_Checked):
    numbers: dict[str, float] = {}
    failed: dict[str, str] = {}


class _Record(_Checked):
    """The shape of a record.json; `records` writes it."""

    format: Literal[1]
    verb: str
    index: int
    captions: list[str]
    recipe: dict[str, Any]
    facts: dict[str, Any]
    files: dict[str, str]
    score: _Score = _Score()


def to_text(recipe: dict[str, Any]) -> str:
    """One line of JSON with sorted names: equal recipes are equal texts."""
    return json.dumps(recipe, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def recipe_in_png(path: Path) -> dict[str, Any] | None:
    """The recipe that a picture carries; None for any picture without one.

    Raises:
        BadInput: the file cannot be read, or it carries a recipe that cannot.
    """
    check_readable(path, "a picture")
    with path.open("rb") as file:
        if file.read(8) != b"\x89PNG\r\n\x1a\n":
            return None
    text = read_png_text(path).get(KEYWORD)
    return None if text is None else _checked_recipe(_parsed(text, path), path)


def read_recipe(path: Path) -> dict[str, Any]:
    """The recipe in a PNG, a WAV, a record.json, or the folder of a result.

    Raises:
        BadInput: there is none, or it was written by another format of this program.
    """
    path = _file_of(path)
    suffix = path.suffix.lower()
    if suffix == ".json":
        found: dict[str, Any] | None = read_record(path)["recipe"]
    elif suffix == ".wav":
        text = read_recipe_from_wav(path)
        found = None if text is None else _checked_recipe(_parsed(text, path), path)
    else:
        found = recipe_in_png(path)
    if found is None:
        raise BadInput(
            f"{path}: carries no recipe; give the PNG, the WAV or the folder of a result, "
            "as it was written (other programs drop the recipe when they save a file)."
        )
    return found


def _file_of(path: Path) -> Path:
    try:
        return path / RECORD_FILE if path.is_dir() else path
    except OSError as error:
        raise BadInput(f"{path}: cannot be opened ({error.strerror}); check the path.") from error


def read_record(path: Path) -> dict[str, Any]:
    """The record of a finished sample.

    Raises:
        BadInput: missing (the sample did not finish), damaged, or of another format.
    """
    check_readable(path, "a record")
    record = _parsed(path.read_bytes(), path)
    _check(_Record, record, path)
    _checked_recipe(record["recipe"], path)
    return record


def _parsed(text: str | bytes, path: Path) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(
            f"{path}: its recipe is damaged ({type(error).__name__}); make the result again."
        ) from error
    number = found.get("format") if isinstance(found, dict) else None
    if number != FORMAT:
        raise BadInput(f"{path}: its recipe has format {number!r}; this version reads {FORMAT}.")
    plain: dict[str, Any] = found
    return plain


def _checked_recipe(recipe: dict[str, Any], path: Path) -> dict[str, Any]:
    _check(_Recipe, recipe, path)
    MelSpec.from_dict(recipe["mel_spec"], str(path))
    return recipe


def _check(shape: type[BaseModel], given: dict[str, Any], path: Path) -> None:
    try:
        shape.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"{path}: its recipe is damaged at {place!r} ({first['msg'].lower()}).") from None
