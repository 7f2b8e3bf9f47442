"""Words that a small model never met, each with the nearest one that it learned.

A text encoder of a few megabytes knows little beyond its captions. What lies near to what is better known to
large encoders and dictionaries, and a table can say it (training/synonyms.py makes it).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from eidophone.core.errors import BadInput

#: In a model's folder: lines of `learned: word word ...`.
WORDS_FILE = "words.txt"
_WORD = re.compile(r"[A-Za-z]+")


@dataclass(frozen=True)
class Synonyms:
    """What a model reads in place of words that it never met.

    Attributes:
        near: Learned words by unknown ones, small letters. A learned word is never a key.
    """

    near: Mapping[str, str] = field(default_factory=dict)

    def understood(self, prompt: str) -> str:
        """The prompt in words that the model learned, as far as the book goes.

        >>> Synonyms({"pooch": "dog"}).understood("a Pooch, barking")
        'a dog, barking'
        """
        return _WORD.sub(lambda met: self.near.get(met[0].lower(), met[0]), prompt)

    def replaced(self, prompt: str) -> dict[str, str]:
        """The words of a prompt that the model never met, and what it reads in their place."""
        met = (word.lower() for word in _WORD.findall(prompt))
        return {word: self.near[word] for word in met if word in self.near}

    def common(self, other: "Synonyms") -> "Synonyms":
        """What neither of two models ever met, as this one reads it."""
        return Synonyms({word: near for word, near in self.near.items() if word in other.near})


def read_synonyms(folder: Path) -> Synonyms:
    """The book in a model's folder; an empty one where there is none.

    Raises:
        BadInput: a file that is no such table.
    """
    file = folder / WORDS_FILE
    if not file.is_file():
        return Synonyms()
    near: dict[str, str] = {}
    try:
        for line in file.read_text(encoding="utf-8").splitlines():
            learned, words = line.split(":")
            near |= dict.fromkeys(words.split(), learned)
    except (ValueError, OSError) as error:
        raise BadInput(
            f"{file}: not lines of `learned: word word ...`; fetch the model again, or delete the file."
        ) from error
    return Synonyms(near)
