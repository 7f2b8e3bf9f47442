"""A vocoder's folder, read without torch: where its weights are, and checked JSON settings."""

import json
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from eidophone.core.errors import BadInput
from eidophone.media.files import is_plain_file, read_limited

MOST_JSON_BYTES = 1 << 26
_NAMES = ("vocoder.safetensors", "vocoder.pt", "model.safetensors")

Settings = TypeVar("Settings", bound=BaseModel)


def vocoder_weights(folder: Path) -> Path | None:
    """The file of weights in a `vocoder/` folder, safetensors before pickle; None if there is none."""
    return next((folder / name for name in _NAMES if is_plain_file(folder / name)), None)


def read_json(path: Path) -> object:
    """The content of a JSON file, unchecked.

    Raises:
        BadInput: It cannot be read, is not a plain file, or is not JSON.
    """
    content = read_limited(path, "a JSON file", MOST_JSON_BYTES)
    try:
        found: object = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        why = str(error).splitlines()[0]
        raise BadInput(f"{path}: not readable as JSON ({why}); fetch the model again.") from error
    return found


def settings_of(kind: type[Settings], given: object, where: str) -> Settings:
    """Checks the content of a model's JSON file.

    Args:
        kind: The settings that it should hold.
        given: The content.
        where: The file, for messages.

    Raises:
        BadInput: Names the first wrong setting.
    """
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        rule = str(first["msg"]).removeprefix("Input ").removeprefix("Value error, ")
        if first["type"] == "missing":
            rule = "is missing"
        elif first["type"] == "model_type":
            rule = "must map names to values, {...}"
        what = f"{where}: {place}".rstrip(": ") + (" " if place else ": ") + rule
        raise BadInput(f"{what}; correct the file or fetch the model again.") from None
