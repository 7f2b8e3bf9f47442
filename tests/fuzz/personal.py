"""Looks for words in a file and in everything that it packs: text chunks, archives, tables, embedded pictures."""

import base64
import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import av

_DATA = re.compile(rb"base64,([A-Za-z0-9+/=]{40,})")
_PNG = b"\x89PNG\r\n\x1a\n"


def traces(path: Path, words: Sequence[str]) -> list[str]:
    """Those words that a file holds, in UTF-8 or UTF-16."""
    parts = [path.name.encode(), *unpacked(path.read_bytes())]
    forms = {word: (word.encode(), word.encode("utf-16-le")) for word in words}
    return [
        word for word, spelled in forms.items() if any(form in part for part in parts for form in spelled)
    ]


def unpacked(content: bytes) -> Iterator[bytes]:
    """The content, and that of everything in it."""
    yield content
    if content.startswith(_PNG):
        yield from _chunks(content)
    elif content.startswith(b"PK\3\4"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                yield name.encode()
                yield from unpacked(archive.read(name))
    elif content.startswith(b"PAR1"):
        from pyarrow import parquet

        table = parquet.read_table(io.BytesIO(content))
        yield str(table.to_pylist()).encode() + str(table.schema.metadata).encode()
    elif content[4:8] == b"ftyp":
        with av.open(io.BytesIO(content)) as film:
            yield str([film.metadata, *(stream.metadata for stream in film.streams)]).encode()
    for found in _DATA.finditer(content):
        yield from unpacked(base64.b64decode(found[1]))


def _chunks(content: bytes) -> Iterator[bytes]:
    """The compressed texts of a PNG; plain ones are found without."""
    at = len(_PNG)
    while at + 8 <= len(content):
        length, kind = int.from_bytes(content[at : at + 4], "big"), content[at + 4 : at + 8]
        body = content[at + 8 : at + 8 + length]
        if kind == b"zTXt":
            yield zlib.decompress(body.split(b"\0", 1)[1][1:])
        elif kind == b"iTXt" and body.split(b"\0", 1)[1][:1] == b"\1":
            yield zlib.decompress(body.split(b"\0", 1)[1][2:].split(b"\0", 2)[2])
        at += length + 12
