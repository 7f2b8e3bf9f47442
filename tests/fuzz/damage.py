"""Ways to damage bytes, JSON and places on the disk. Every one takes its choices from the dice it is given."""

import json
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.fuzz.guard import PORT

#: Every kind of JSON value, and some of each that have made programs fail.
JSON_KINDS: tuple[str, ...] = (
    "null", "true", "0", "-1", "1", "1.5", "1e308", "-1e400", "NaN", "Infinity", "1" + "0" * 400, "1" + "0" * 5000,
    '""', '"x"', '"\\u001b[31mx\\nfake"', '"\\u0000"', '"\\ud800"', '"../bait/private.png"', '"/dev/zero"',
    json.dumps("x" * 5000), '"auffusion"', '"=1+1"', "[]", "[1]", '["a"]', "{}", '{"x": 1}',
    "[" * 3000 + "]" * 3000, "9223372036854775808", "65536", "1000000",
)  # fmt: skip
_MARK = "\ue000"
STRANGE_NAMES = (
    "esc\x1b[31mred{}", "line\nbreak{}", "\x1b]0;title\x07{}", "-dash{}", " blank {}", "..{}", "ü\u202etxt{}",
    "percent%s{}", "quote'\"{}", "[bold]{}", "a" * 200 + "{}", "\udcff\udcfe{}", "日本{}", "none",
)  # fmt: skip


def damaged_bytes(dice: random.Random, whole: bytes) -> bytes:
    """Damages the bytes of a file in one way."""
    return dice.choice(_BYTES)(dice, whole)


def _flip(dice: random.Random, whole: bytes) -> bytes:
    found = bytearray(whole)
    for _ in range(dice.choice((1, 3, 20, 200))):
        found[dice.randrange(len(found))] ^= 1 << dice.randrange(8)
    return bytes(found)


def _flip_header(dice: random.Random, whole: bytes) -> bytes:
    found = bytearray(whole)
    for _ in range(dice.choice((1, 2, 5))):
        found[dice.randrange(min(64, len(found)))] = dice.choice((0, 1, 127, 128, 255, dice.randrange(256)))
    return bytes(found)


def _huge_number(dice: random.Random, whole: bytes) -> bytes:
    found = bytearray(whole)
    place = dice.randrange(min(96, max(1, len(found) - 4)))
    number = dice.choice((0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, 0x00FFFFFF, 60_000_000, 0, 1))
    found[place : place + 4] = number.to_bytes(4, dice.choice(("little", "big")))
    return bytes(found)


def _cut(dice: random.Random, whole: bytes) -> bytes:
    return whole[: dice.randrange(len(whole))]


def _insert(dice: random.Random, whole: bytes) -> bytes:
    place = dice.randrange(len(whole))
    return whole[:place] + dice.randbytes(dice.choice((1, 4, 1000))) + whole[place:]


def _twice(_: random.Random, whole: bytes) -> bytes:
    return whole + whole


def _tail(dice: random.Random, whole: bytes) -> bytes:
    return whole + dice.choice((bytes(1000), dice.randbytes(1000), b"TAG" + bytes(125), b"{}"))


def _zeros(dice: random.Random, whole: bytes) -> bytes:
    """A block that was never written, as after a power cut."""
    place = dice.randrange(len(whole))
    length = min(len(whole) - place, dice.choice((16, 512, 4096, 1 << 20)))
    return whole[:place] + bytes(length) + whole[place + length :]


def _moved(dice: random.Random, whole: bytes) -> bytes:
    """A part of the file once more, at another place."""
    first, second = sorted(dice.randrange(len(whole)) for _ in range(2))
    place = dice.randrange(len(whole))
    return whole[:place] + whole[first:second] + whole[place:]


def _disguised(dice: random.Random, whole: bytes) -> bytes:
    """Behind the first bytes of another format."""
    head = dice.choice(
        (
            b"RIFF\x24\0\0\0WAVEfmt ",
            b"\x89PNG\r\n\x1a\n",
            b"OggS\0\2",
            b"ID3\4\0\0",
            b"PK\3\4",
            b"fLaC",
            b"GIF89a",
        )
    )
    return head + whole[dice.choice((0, len(head))) :]


def _other(dice: random.Random, _: bytes) -> bytes:
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"
    playlist = b"#EXTM3U\n#EXTINF:9,\n../bait/private.wav\n"
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><image href="../bait/private.png"/></svg>'
    remote = f"#EXTM3U\n#EXTINF:9,\nhttp://127.0.0.1:{PORT}/x.wav\n".encode()
    stream = f"<?xml version='1.0'?><MPD><BaseURL>http://127.0.0.1:{PORT}/</BaseURL></MPD>".encode()
    concat = b"ffconcat version 1.0\nfile '../bait/private.wav'\n"
    page = b"<!doctype html><html><body>Not found</body></html>"
    return dice.choice(
        (eps, playlist, remote, stream, svg, concat, page, b"", b"\x00", b"text\n" * 99, dice.randbytes(3000))
    )


_BYTES: tuple[Callable[[random.Random, bytes], bytes], ...] = (
    _flip, _flip, _flip_header, _flip_header, _huge_number, _huge_number, _cut, _cut, _insert, _twice, _tail, _other,
    _zeros, _moved, _disguised,
)  # fmt: skip


def damaged_json(dice: random.Random, given: Any) -> str:
    """The text of a JSON value with one to three fields replaced, removed or added."""
    given = json.loads(json.dumps(given))
    put: list[str] = []
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        places = list(_places(given))
        if not places:
            break
        holder, key = dice.choice(places)
        if dice.random() < 0.12:
            del holder[key]
            continue
        if dice.random() < 0.06 and isinstance(holder, dict):
            key = dice.choice(("picture", "sound", "x", "batch_size", "count", "image_model"))
        holder[key] = f"{_MARK}{len(put)}{_MARK}"
        put.append(dice.choice(JSON_KINDS))
        if not given:
            break
    text = json.dumps(given, ensure_ascii=False)
    for number, value in enumerate(put):
        text = text.replace(f'"{_MARK}{number}{_MARK}"', value)
    return text


def _places(given: Any) -> Iterator[tuple[Any, Any]]:
    """Every field at every depth, as its holder and its key."""
    keys = given if isinstance(given, dict) else range(len(given)) if isinstance(given, list) else ()
    for key in list(keys):
        yield given, key
        yield from _places(given[key])


def strange_place(dice: random.Random, folder: Path, good: Path) -> Path:
    """Puts something that is no plain good file into a folder, or only names it."""
    suffix = good.suffix
    kind = dice.choice(
        (
            "pipe",
            "dangling",
            "loop",
            "zero",
            "folder",
            "gone",
            "long",
            "nul",
            "name",
            "name",
            "name",
            "suffix",
        )
    )
    path = folder / f"x{suffix}"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "dangling":
        path.symlink_to(folder / "nowhere")
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "zero":
        path.symlink_to(dice.choice(("/dev/zero", "/dev/null", "/dev/full")))
    elif kind == "folder":
        path.mkdir()
    elif kind == "long":
        return folder / ("x" * dice.choice((300, 5000)) + suffix)
    elif kind == "nul":
        return folder / f"x\0{suffix}"
    elif kind in ("name", "suffix"):
        stem = dice.choice(STRANGE_NAMES).format(suffix) if kind == "name" else "x"
        path = folder / (
            stem if kind == "name" else f"x{dice.choice(('.png', '.wav', '.mp3', '.json', '.txt', ''))}"
        )
        path.write_bytes(good.read_bytes())
    return path
