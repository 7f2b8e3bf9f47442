"""Interjections and their meanings, for the synonyms: "ribbit", the sound made by a frog or toad.

WordNet has no interjections. FreeDict's English-Japanese dictionary (Debian dict-freedict-eng-jpn, CC BY-SA
3.0) has some, each with a short English gloss from Wiktionary.
"""

import gzip
import re
import string
from collections.abc import Iterator
from pathlib import Path

from training.data import fetch

PACKAGE, NAME = "dict-freedict-eng-jpn", "freedict-eng-jpn"
#: Digits of numbers in a dictd index.
DIGITS = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"
_NUMBERED = re.compile(r"\d+\.")


def number(digits: str) -> int:
    """Reads a number of a dictd index.

    >>> number("BA")
    64
    """
    found = 0
    for digit in digits:
        found = found * len(DIGITS) + DIGITS.index(digit)
    return found


def entries(folder: Path) -> Iterator[tuple[str, str]]:
    """Every word of a dictionary with its text, from the dictd files in a folder."""
    texts = gzip.decompress((folder / f"{NAME}.dict.dz").read_bytes())
    for line in (folder / f"{NAME}.index").read_text(encoding="utf-8").splitlines():
        word, begin, length = line.split("\t")[:3]
        start = number(begin)
        yield word, texts[start : start + number(length)].decode("utf-8")


def meanings(entry: str) -> list[str]:
    """The English glosses of an entry: they follow its first line and stand between the translations.

    >>> meanings("moo //mu//  <interjection>\\n1. \u30e2\u30fc\\nsound made by a cow\\n")
    ['sound made by a cow']
    """
    lines = (line.strip() for line in entry.splitlines()[1:])
    return [line for line in lines if line and line.isascii() and not _NUMBERED.match(line)]


def interjections() -> dict[str, list[str]]:
    """Interjections of one lower-case word, with their meanings."""
    found: dict[str, list[str]] = {}
    for word, entry in entries(fetch.debian(PACKAGE) / "usr/share/dictd"):
        plain = word.isascii() and word.isalpha() and word.islower()
        if plain and "<interjection>" in entry and (said := meanings(entry)):
            found.setdefault(word, []).extend(said)
    return found
