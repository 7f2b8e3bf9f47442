"""The key of a row: the same for the same settings, on every machine, whatever the order of the rows."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from eidophone.core.errors import BadInput
from eidophone.media.files import sha256
from eidophone.options.kinds import Options

#: Options that say where and how a sample is computed, or which samples of the row.
FREE = frozenset({"offline", "resume", "device", "threads", "batch_size", "count", "index", "samples"})
#: With the best of many, the number of samples decides which ones are kept.
CHOICE = frozenset({"count", "index"})
DIGITS = 16


def row_key(verb: str, options: Options, inputs: Mapping[str, str]) -> str:
    """16 hexadecimal digits of the SHA-256 of a verb and its options.

    Options at their defaults are left out, so that a new option in a later version changes no key. Input files count
    by their content, not by their place.

    Args:
        verb: Its name.
        options: Its options.
        inputs: Digests of the input files, by option.
    """
    free = FREE - CHOICE if getattr(options, "from_", None) is not None else FREE
    given = options.model_dump(mode="json", exclude_defaults=True)
    settings = {name: value for name, value in given.items() if name not in free} | dict(inputs)
    text = json.dumps({"verb": verb, "options": settings}, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


class Digests:
    """Digests of input files and of the folders of results, each computed once."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def __call__(self, path: str | Path) -> str:
        """The digest of a file, or of the picture and the sound of a result's folder.

        Raises:
            BadInput: it is not there or cannot be read.
        """
        text = str(path)
        if text not in self._known:
            self._known[text] = self._digest(Path(path))
        return self._known[text]

    @staticmethod
    def _digest(path: Path) -> str:
        try:
            folder = path.is_dir()
        except (OSError, ValueError) as error:
            raise BadInput(f"{path}: cannot be opened; check the path.") from error
        if not folder:
            return sha256(path)
        return hashlib.sha256(
            "".join(sha256(path / n) for n in ("picture.png", "sound.wav")).encode()
        ).hexdigest()
