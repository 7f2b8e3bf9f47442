"""The links of a chained Ogg file: streams that follow each other, as in a recorded radio programme.

libsndfile counts the first link only, and FFmpeg adds the delay of each encoder. Each link is a whole Ogg
file by itself, so `decode_sndfile` decodes them one by one, through `Span`.
"""

import io
from pathlib import Path
from typing import BinaryIO

_HEADER_BYTES = 27
_FIRST_PAGE = 2  # flag of a page that begins a stream


def links(path: Path) -> list[tuple[int, int]]:
    """Start and end of each link in bytes; empty if the file is not Ogg.

    Streams that play at the same time (sound and film) form one link.
    """
    starts: list[int] = []
    with path.open("rb") as file:
        size = file.seek(0, io.SEEK_END)
        at, in_headers = 0, False
        while (page := _page(file, at)) is not None:
            length, begins_stream = page
            if begins_stream and not in_headers:
                starts.append(at)
            in_headers = begins_stream
            at += length
    return list(zip(starts, [*starts[1:], size], strict=True)) if starts else []


def _page(file: BinaryIO, at: int) -> tuple[int, bool] | None:
    """Length of the page at this place, and whether it begins a stream; None if there is no page."""
    file.seek(at)
    header = file.read(_HEADER_BYTES)
    if len(header) < _HEADER_BYTES or header[:5] != b"OggS\0":
        return None
    table = file.read(header[26])
    return _HEADER_BYTES + header[26] + sum(table), bool(header[5] & _FIRST_PAGE)


class Span(io.RawIOBase):
    """Part of an open file as a file of its own; without a name, so no decoder goes by the suffix."""

    def __init__(self, file: BinaryIO, start: int = 0, end: int | None = None) -> None:
        super().__init__()
        self._file, self._start = file, start
        self._size = (file.seek(0, io.SEEK_END) if end is None else end) - start
        self._at = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Bytes from the start of the part."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Goes to a place in the part; never before its start."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        """Fills the buffer from here on; returns how many bytes it got."""
        target = memoryview(buffer).cast("B")
        wanted = max(0, min(len(target), self._size - self._at))
        try:
            self._file.seek(self._start + self._at)
            found = self._file.read(wanted)
        except OSError:  # libsndfile's callbacks must not raise; it takes this for the end of the file
            return 0
        target[: len(found)] = found
        self._at += len(found)
        return len(found)
