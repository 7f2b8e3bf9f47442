"""Laws of writing: all of it or nothing, and a clear word when it cannot be."""

import errno
import hashlib
import os
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eidophone.core.errors import BadInput, CannotWrite
from eidophone.media.files import check_readable, sha256, slug, write_atomically, write_text

Limit = Callable[[int], AbstractContextManager[None]]


def everything(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.rglob("*"))


def test_what_was_written_is_there_and_nothing_else(tmp_path: Path) -> None:
    seen = []

    def write(draft: Path) -> None:
        seen.append(draft)
        draft.write_bytes(b"new")

    target = tmp_path / "a" / "b" / "sound.wav"
    write_atomically(target, write)
    write_atomically(target, write)
    assert target.read_bytes() == b"new"
    assert everything(target.parent) == ["sound.wav"]
    assert all(draft.suffix == ".wav" and draft.parent == target.parent for draft in seen)
    assert len(set(seen)) == 2


@pytest.mark.parametrize("problem", [ValueError("no"), KeyboardInterrupt(), SystemExit(1), MemoryError()])
def test_a_failure_leaves_the_old_file_and_no_other(tmp_path: Path, problem: BaseException) -> None:
    (tmp_path / "x.png").write_bytes(b"old")

    def write(draft: Path) -> None:
        draft.write_bytes(b"half")
        raise problem

    with pytest.raises(type(problem)):
        write_atomically(tmp_path / "x.png", write)
    assert (tmp_path / "x.png").read_bytes() == b"old"
    assert everything(tmp_path) == ["x.png"]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EDQUOT, "disk quota"),
        (errno.EACCES, "no permission to write"),
        (errno.EROFS, "read-only"),
        (errno.EIO, "reports an error"),
        (errno.ENOTEMPTY, "has just written"),  # R35
        (errno.ENOSYS, os.strerror(errno.ENOSYS)),
    ],
)
def test_what_the_system_refuses_is_said_in_plain_words(tmp_path: Path, number: int, words: str) -> None:
    def write(draft: Path) -> None:
        draft.write_bytes(b"half")
        raise OSError(number, os.strerror(number))

    with pytest.raises(CannotWrite, match=words) as caught:
        write_atomically(tmp_path / "x.png", write)
    message = str(caught.value)
    assert str(tmp_path / "x.png") in message and message.endswith(".") and "\n" not in message
    assert everything(tmp_path) == []


def test_a_file_that_really_does_not_fit(tmp_path: Path, no_file_beyond: Limit) -> None:
    with no_file_beyond(1000), pytest.raises(CannotWrite, match="larger than this system allows"):
        write_atomically(tmp_path / "x.bin", lambda draft: draft.write_bytes(bytes(2000)) and None)
    assert everything(tmp_path) == []


def test_a_parent_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("I am not a folder")
    for target in (tmp_path / "file" / "x.png", tmp_path / "file" / "deeper" / "x.png"):
        with pytest.raises(CannotWrite, match="is a file, not a folder"):
            write_atomically(target, lambda draft: draft.write_bytes(b"x") and None)
    assert everything(tmp_path) == ["file"]


def test_a_folder_in_the_way_and_a_name_too_long(tmp_path: Path) -> None:
    (tmp_path / "x.png").mkdir()
    with pytest.raises(CannotWrite, match="a folder has this name"):
        write_atomically(tmp_path / "x.png", lambda draft: draft.write_bytes(b"x") and None)
    with pytest.raises(CannotWrite, match="name is too long"):
        write_atomically(tmp_path / ("x" * 300 + ".png"), lambda draft: draft.write_bytes(b"x") and None)
    assert everything(tmp_path) == ["x.png"]


@given(st.text())
def test_a_slug_is_a_safe_name_and_its_own_slug(text: str) -> None:
    name = slug(text)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
    assert len(name) <= 42
    assert slug(name) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Bell ringing", "bell-ringing"),
        ("../../etc/passwd", "etc-passwd"),
        ("Übung: café", "ubung-cafe"),
        ("con", "con-0"),
        ("a" * 100, "a" * 40),
        ("castle towers in the evening light of a long summer", "castle-towers-in-the-evening-light-of-a"),
    ],
)
def test_slugs(text: str, name: str) -> None:
    assert slug(text) == name


def test_texts_without_latin_letters_get_different_names() -> None:
    assert len({slug(""), slug("寺の鐘"), slug("犬")}) == 3


def test_sha256(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc" * 100_000)
    assert sha256(tmp_path / "x") == hashlib.sha256(b"abc" * 100_000).hexdigest()
    with pytest.raises(BadInput, match="gone"):
        sha256(tmp_path / "gone")


def test_what_no_decoder_needs_to_see(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    os.mkfifo(tmp_path / "pipe.wav")
    for name, words in [
        ("none.wav", "does not exist"),
        (".", "is a folder"),
        ("empty.wav", "is empty"),
        ("pipe.wav", "a pipe"),
    ]:
        with pytest.raises(BadInput, match=words):
            check_readable(tmp_path / name, "a sound")


def test_text_is_written_as_utf_8(tmp_path: Path) -> None:
    write_text(tmp_path / "new" / "a.txt", "Kadl\u010d\u00edk")
    assert (tmp_path / "new" / "a.txt").read_bytes() == "Kadl\u010d\u00edk".encode()
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["a.txt"]
