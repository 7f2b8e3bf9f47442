"""Laws of printing: nothing that a stranger wrote reaches the terminal as a command."""

import os
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eidophone.core.text import printable

ANYTHING = st.text(st.characters(codec=None, exclude_categories=()))


@given(ANYTHING)
def test_no_control_character_is_left(text: str) -> None:
    # R8, R10
    shown = printable(text)
    assert not {unicodedata.category(c) for c in shown} & {"Cc", "Cs", "Zl", "Zp"}
    overrides = {"LRO", "RLO", "LRE", "RLE", "PDF", "LRI", "RLI", "FSI", "PDI"}
    assert not {unicodedata.bidirectional(c) for c in shown} & overrides
    shown.encode("utf-8")
    assert printable(shown) == shown
    assert len(shown.splitlines()) <= 1


@given(st.text(st.characters(categories=["L", "N", "P", "S", "M", "Zs"])))
def test_words_of_every_script_stay(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("a\r\nb\tc\0", r"a\r\nb\tc\x00"),
        ("\x9b31m", r"\x9b31m"),
        ("gpj.\u202egnp.exe", r"gpj.\u202egnp.exe"),
        (os.fsdecode(b"caf\xe9.wav"), r"caf\xe9.wav"),
        ("👩‍🎤 鐘 café \\n", "👩‍🎤 鐘 café \\n"),
    ],
)
def test_examples(text: str, shown: str) -> None:
    assert printable(text) == shown
