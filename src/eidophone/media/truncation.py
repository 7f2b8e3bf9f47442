"""Is a sound file all there? Its own header against its size, without decoding anything.

Decoders are forgiving: most of them play the first half of a cut file and say nothing. These few
lines look for the one number in each container that says how long the file should be.

Found out: WAV, RF64, AIFF, AU, MP4/M4A (box sizes), Ogg (a last page that is cut), MP3 with a Xing or
Info header (nearly every encoder writes one). Not found out here: FLAC (its decoder notices), Matroska
(its reader notices), MP3 without such a header, raw AAC, CAF, W64, and an Ogg file that was cut exactly
between two pages.
"""

import struct
from pathlib import Path
from typing import BinaryIO

# What programs write for "I was streaming and do not know": ffmpeg, sox, and those that wrote nothing.
UNKNOWN_SIZES = {0, 0xFFFFFFFF, 0x7FFFF000, 0x7FFFFFFF}
LARGEST_OGG_PAGE = 65_307


def missing_bytes(path: Path) -> int:
    """How many bytes the header promises beyond the end of the file; 0 if none, or if it does not say."""
    size = path.stat().st_size
    with path.open("rb") as file:
        try:
            return max(0, _promised_size(file, size) - size)
        except struct.error:
            # Too short to hold its own header: the decoder has the better words for that.
            return 0


def starts_like_mpeg(path: Path) -> bool:
    """Whether the file begins with an ID3 tag or the frame mark of MPEG audio: MP3 or raw AAC."""
    with path.open("rb") as file:
        head = file.read(3)
    return head == b"ID3" or (head[:1] == b"\xff" and len(head) == 3 and head[1] >= 0xE0)


def _promised_size(file: BinaryIO, size: int) -> int:
    head = file.read(12)
    if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
        return _wav_end(file)
    if head[:4] == b"FORM":
        return 8 + int(struct.unpack(">I", head[4:8])[0])
    if head[:4] == b".snd":
        start, length = struct.unpack(">II", head[4:12])
        return 0 if length in UNKNOWN_SIZES else int(start + length)
    if head[4:8] == b"ftyp":
        return _last_box_end(file, size)
    if head[:4] == b"OggS":
        return _last_page_end(file, size)
    return _mp3_end(file, head)


def _wav_end(file: BinaryIO) -> int:
    """Where the data chunk should end; RF64 keeps that length in 64 bits, in its ds64 chunk."""
    long_size = 0
    while True:
        kind, length = struct.unpack("<4sI", file.read(8))
        if kind == b"ds64":
            long_size = struct.unpack("<Q", file.read(length)[8:16])[0]
        elif kind == b"data":
            if length == 0xFFFFFFFF and long_size:
                length = long_size
            return 0 if length in UNKNOWN_SIZES else file.tell() + int(length)
        else:
            file.seek(length + length % 2, 1)


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
    """An Ogg page lists the sizes of its parts, so a cut page gives itself away."""
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
