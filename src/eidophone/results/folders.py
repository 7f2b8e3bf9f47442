"""Names of the folders that runs go into."""

import datetime
from pathlib import Path

from eidophone.media.files import cannot_write, slug


def new_folder(root: Path, verb: str, words: str) -> Path:
    """Makes a folder ROOT/DATE-VERB-WORDS that was not there yet, so that two processes never get the same.

    Raises:
        CannotWrite: the root may not be written.
    """
    today = datetime.datetime.now(datetime.UTC).astimezone().date().isoformat()
    stem = f"{today}-{verb}-{slug(words)}"
    number = 1
    try:
        root.mkdir(parents=True, exist_ok=True)
        while True:
            folder = root / (stem if number == 1 else f"{stem}-{number}")
            try:
                folder.mkdir()
                return folder
            except FileExistsError:
                number += 1
    except OSError as error:
        raise cannot_write(root, error) from error
