"""Is a sound file complete? Compares the length that its header states with its size, without decoding.

Most decoders play the first half of a cut file and say nothing. This module reads the one number in each
container that says how long the file should be.

Detected: WAV, RF64, AIFF, AU, MP4/M4A (box sizes), Ogg (a last page that is cut), MP3 with a Xing or
Info header (nearly every encoder writes one). Not detected here: FLAC (its decoder notices), Matroska
(its reader notices), MP3 without such a header, raw AAC, CAF, W64, and an Ogg file that was cut exactly
between two pages.
"""

import struct
from pathlib import Path
from typing import BinaryIO

GET_IT_AGAIN = "copy or download it again"
CUT_SHORT = f"is cut short or damaged; {GET_IT_AGAIN}."
SPLICED = "changes its sample rate or its number of channels partway; convert it to WAV first."

LARGEST_OGG_PAGE = 65_307
# A program that writes to a pipe does not know the length and writes a placeholder: a number near 2 or
# 4 GiB (a mebibyte below leaves room for headers), or a huge round one.
_PLACEHOLDER_TOPS = (1 << 31, 1 << 32)
_BELOW_TOP, _ABOVE_TOP = 1 << 20, 1 << 12
_LEAST_ROUND, _ROUND = 1_900_000_000, 1000


def missing_bytes(path: Path) -> int:
    """How many bytes the header promises beyond the end of the file; 0 if none, or if it does not say."""
    size = path.stat().st_size
    with path.open("rb") as file:
        try:
            return max(0, _promised_size(file, size) - size)
        except struct.error:
            # Too short to hold its own header: the decoder has the better message.
            return 0


def has_lost_length(path: Path) -> bool:
    """Whether a WAV file says that it holds no sound, although sound follows its header.

    A recorder that loses power writes such files. What follows is sound unless it is a row of whole chunks.
    """
    with path.open("rb") as file:
        try:
            if not _is_wav(file.read(12)) or _data_length(file) != 0:
                return False
        except struct.error:
            return False
        rest_from = file.tell()
        end = file.seek(0, 2)
        return rest_from < end and not _is_row_of_chunks(file, rest_from, end)


def starts_like_mpeg(path: Path) -> bool:
    """Whether the file begins with an ID3 tag or the frame mark of MPEG audio: MP3 or raw AAC."""
    with path.open("rb") as file:
        head = file.read(3)
    return head == b"ID3" or (head[:1] == b"\xff" and len(head) == 3 and head[1] >= 0xE0)


def _is_wav(head: bytes) -> bool:
    return head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE"


def _is_placeholder(length: int) -> bool:
    """Whether a length of data means "unknown"."""
    near_top = any(-_BELOW_TOP <= length - top <= _ABOVE_TOP for top in _PLACEHOLDER_TOPS)
    return length == 0 or near_top or (length >= _LEAST_ROUND and length % _ROUND == 0)


def _promised_size(file: BinaryIO, size: int) -> int:
    head = file.read(12)
    if _is_wav(head):
        length = _data_length(file)
        return 0 if _is_placeholder(length) else file.tell() + length
    if head[:4] == b"FORM":
        length = struct.unpack(">I", head[4:8])[0]
        return 0 if _is_placeholder(length) else 8 + length
    if head[:4] == b".snd":
        start, length = struct.unpack(">II", head[4:12])
        return 0 if _is_placeholder(length) else int(start + length)
    if head[4:8] == b"ftyp":
        return _last_box_end(file, size)
    if head[:4] == b"OggS":
        return _last_page_end(file, size)
    return _mp3_end(file, head)


def _data_length(file: BinaryIO) -> int:
    """Length of a WAV file's data chunk, with the file at its content; RF64 keeps it in its ds64 chunk."""
    long_length = 0
    while True:
        kind, length = struct.unpack("<4sI", file.read(8))
        if kind == b"ds64":
            content = file.read(length + length % 2)
            long_length = struct.unpack("<Q", content[8:16])[0]
        elif kind == b"data":
            return int(long_length) if length == 0xFFFFFFFF and long_length else int(length)
        else:
            file.seek(length + length % 2, 1)


def _is_row_of_chunks(file: BinaryIO, at: int, end: int) -> bool:
    """Whether RIFF chunks with readable names fill the file exactly from here to its end."""
    while at + 8 <= end:
        file.seek(at)
        kind, length = struct.unpack("<4sI", file.read(8))
        if not kind.decode("latin-1").isprintable():
            return False
        at += 8 + length + length % 2
    return end - 1 <= at <= end + 1


def _last_box_end(file: BinaryIO, size: int) -> int:
    """MP4 is a row of boxes; the end of the last one that begins inside the file."""
    end = 0
    while end + 8 <= size:
        file.seek(end)
        length = struct.unpack(">I4x", file.read(8))[0]
        if length == 1:
            length = struct.unpack(">Q", file.read(8))[0]
        if length < 8:  # 0: up to the end of the file
            return 0
        end += length
    return end


def _last_page_end(file: BinaryIO, size: int) -> int:
    """Where the last Ogg page should end: a page lists the sizes of its parts."""
    start = max(0, size - LARGEST_OGG_PAGE)
    file.seek(start)
    tail = file.read()
    page = tail.rfind(b"OggS\0")
    if page < 0:
        return 0
    parts = tail[page + 26] if len(tail) > page + 26 else 255
    table = tail[page + 27 : page + 27 + parts]
    return start + page + 27 + parts + sum(table)


def _mp3_end(file: BinaryIO, head: bytes) -> int:
    """The Xing (or Info) header in the first MP3 frame counts the bytes that follow the ID3 tag."""
    start = 0
    if head[:3] == b"ID3":
        digits = head[6:10]
        start = 10 + sum((digit & 0x7F) << shift for digit, shift in zip(digits, (21, 14, 7, 0), strict=True))
    file.seek(start)
    frame = file.read(256)
    mark = max(frame.find(b"Xing"), frame.find(b"Info"))
    if mark < 0 or frame[:1] != b"\xff":
        return 0
    flags = struct.unpack(">I", frame[mark + 4 : mark + 8])[0]
    if not flags & 2:
        return 0
    field = mark + (12 if flags & 1 else 8)
    return start + int(struct.unpack(">I", frame[field : field + 4])[0])
