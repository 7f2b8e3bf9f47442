"""What a vocoder's folder holds, as far as that can be told without torch: weights, checked settings."""

import json
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from eidophone.core.errors import BadInput

_NAMES = ("vocoder.safetensors", "vocoder.pt", "model.safetensors")

Settings = TypeVar("Settings", bound=BaseModel)


def vocoder_weights(folder: Path) -> Path | None:
    """The weights in a `vocoder/` folder, safetensors before pickle; None if there are none."""
    return next((folder / name for name in _NAMES if (folder / name).exists()), None)


def read_json(path: Path) -> object:
    """What a JSON file says, unchecked.

    Raises:
        BadInput: it cannot be read, or is not JSON.
    """
    try:
        found: object = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        why = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise BadInput(f"{path}: not readable as JSON ({why}); fetch the model again.") from error
    return found


def settings_of(kind: type[Settings], given: object, where: str) -> Settings:
    """Checks what a model's JSON file says.

    Raises:
        BadInput: the first thing that cannot be; `where` says in which file.
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
            rule = "must hold names with values, {...}"
        what = f"{where}: {place}".rstrip(": ") + (" " if place else ": ") + rule
        raise BadInput(f"{what}; correct the file or fetch the model again.") from None
