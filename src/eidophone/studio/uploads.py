"""Pictures and sounds of visitors: limited, decoded before they are kept, stored under random names."""

import contextlib
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

from eidophone.core.errors import BadInput
from eidophone.media.files import is_plain_file
from eidophone.media.picture import read_picture
from eidophone.media.stream import read_blocks

Kind = Literal["picture", "sound"]
#: A longer sound is refused.
MOST_SECONDS = 30 * 60
_ID_BYTES = 12


class TooLarge(BadInput):
    """An upload beyond the limit."""


class Inputs:
    """Uploaded files, by id.

    Args:
        folder: Where they lie; made when the first one comes.
        most_bytes: Of one file.
        most_bytes_of_all: The oldest files go when there are more.
    """

    def __init__(self, folder: Path, most_bytes: int, most_bytes_of_all: int) -> None:
        self._folder, self._most, self._most_of_all = folder, most_bytes, most_bytes_of_all

    async def receive(self, body: AsyncIterator[bytes]) -> Path:
        """Writes a body to a draft, whose name is random.

        Raises:
            TooLarge: beyond the limit.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        draft = self._folder / f".part-{secrets.token_hex(_ID_BYTES)}"
        size = 0
        try:
            with draft.open("wb") as file:
                async for block in body:
                    size += len(block)
                    if size > self._most:
                        raise TooLarge(
                            f"The file is larger than {self._most // 2**20} MiB; send a smaller one."
                        )
                    file.write(block)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        return draft

    def keep(self, draft: Path) -> dict[str, Any]:
        """Decodes a draft; gives it an id if it is a picture or a sound, removes it otherwise.

        Raises:
            BadInput: it is neither; the message says why.
        """
        try:
            facts = _facts(draft)
            result_id = secrets.token_hex(_ID_BYTES)
            draft.rename(self._folder / result_id)
        finally:
            draft.unlink(missing_ok=True)
        self._make_room()
        return {"id": result_id, **facts}

    def find(self, input_id: str) -> Path:
        """The file of an id.

        Raises:
            BadInput: there is none; ids are compared with the names that exist, and no path is made of them.
        """
        for path in self._files():
            if path.name == input_id:
                return path
        raise BadInput("This uploaded file is no longer here; upload it again.")

    def _files(self) -> list[Path]:
        if not self._folder.is_dir():
            return []
        return [p for p in self._folder.iterdir() if not p.name.startswith(".") and is_plain_file(p)]

    def _make_room(self) -> None:
        left = self._most_of_all
        for path in sorted(self._files(), key=lambda p: p.stat().st_mtime, reverse=True):
            left -= path.stat().st_size
            if left < 0:
                with contextlib.suppress(OSError):
                    path.unlink()


def _facts(path: Path) -> dict[str, Any]:
    """What a file is.

    Raises:
        BadInput: neither a picture nor a sound.
    """
    try:
        picture = read_picture(path)
    except BadInput as error:
        not_a_picture = error
    else:
        height, width = picture.pixels.shape[:2]
        return {"kind": "picture", "width": width, "height": height}
    try:
        return {"kind": "sound", "seconds": round(_seconds(path), 3)}
    except TooLarge:
        raise
    except BadInput as error:
        raise BadInput("This file is neither a picture nor a sound that Eidophone can read.") from (
            not_a_picture or error
        )


def _seconds(path: Path) -> float:
    seconds = 0.0
    for block in read_blocks(path):
        seconds += block.duration_s
        if seconds > MOST_SECONDS:
            raise TooLarge(f"The sound is longer than {MOST_SECONDS // 60} minutes; send a part of it.")
    return seconds
