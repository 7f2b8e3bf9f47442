"""Synonyms: words that no caption had, each with the known word closest to it (the stage `synonyms`).

A small text encoder knows little beyond its captions. Of twenty words that no caption had, it put three near
their meaning, and its teacher seventeen (docs/journal.md). So the teacher embeds every noun and verb of
WordNet (3.0, Debian wordnet-base; Princeton's licence) and interjections (interjections.py), each with its
definition, and WordNet says what is a kind of what. The score of a known word for an unknown one is

    the cosine of the teacher's embeddings, in the best of its first senses:
      DEFINED of the word with its definition, the rest of the word alone
    + SURE if its first sense is a close kind of the known word, or MAYBE if any sense is any kind of it.

An unknown word is read as the known word with the highest score, if that is at least ENOUGH. words.txt is
written into image/ and audio/, because the two models know different words.
"""

import collections
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from eidophone.media.files import write_text
from eidophone.models.synonyms import WORDS_FILE
from training.cache import cached_tensor
from training.config import Run
from training.data import fetch
from training.data.captions import STYLES
from training.data.examples import canvases, sound_phrases
from training.data.interjections import interjections
from training.data.nouns import counts, inflected, irregular, with_s
from training.data.pictures import concepts
from training.networks import text

ENOUGH, SURE, MAYBE = 0.42, 0.35, 0.2
DEFINED = 0.7
#: Number of senses of each part of speech that the teacher embeds.
ASKED = 2
#: Number of senses, and of steps up the hierarchy: a spaniel is a sporting dog, a hunting dog, a dog.
SENSES, STEPS, NEAR_STEPS = 3, 4, 2
CLEARLY = 4  # occurrences in WordNet's corpus
POINTERS = ("@", "@i")  # from a sense to the sense that it is a kind, or an instance, of
#: Words of captions that mean no picture and no sound.
BINDING = frozenset((
    "the", "and", "for", "its", "their", "with", "into", "over", "past", "down", "under", "inside", "from",
    "through", "while", "off", "out", "someone", "something", "nearby", "distance", "twice",
))  # fmt: skip
_WORD = re.compile(r"[a-z]+")
_REMARK = re.compile(r"^\s*\([^)]*\)")  # such as (literary)


@dataclass(frozen=True)
class Senses:
    """WordNet's nouns and verbs.

    Attributes:
        of: Senses of each word by part of speech, as ids of synonym sets, the most common first.
        kinds: The synonym sets that each one is a kind of.
        said: Definition of each synonym set.
    """

    of: dict[str, dict[str, list[str]]]
    kinds: dict[str, list[str]]
    said: dict[str, str]

    @classmethod
    def read(cls, folder: Path) -> "Senses":
        """Reads WordNet's files."""
        of: dict[str, dict[str, list[str]]] = collections.defaultdict(dict)
        kinds: dict[str, list[str]] = {}
        said: dict[str, str] = {}
        for part in ("noun", "verb"):
            for fields, _ in _lines(folder / f"index.{part}"):
                of[fields[0]][part] = [part + number for number in fields[-int(fields[2]) :]]
            for fields, meaning in _lines(folder / f"data.{part}"):
                start = 4 + 2 * int(fields[3], 16)
                pointers = [fields[start + 1 + 4 * n :][:2] for n in range(int(fields[start]))]
                kinds[part + fields[0]] = [part + number for sign, number in pointers if sign in POINTERS]
                said[part + fields[0]] = _REMARK.sub("", meaning).split(";")[0].strip()
        return cls(dict(of), kinds, said)

    def above(self, sense: str, steps: int) -> set[str]:
        """A sense and everything that it is a kind of, up to `steps` steps."""
        found, edge = {sense}, {sense}
        for _ in range(steps):
            edge = {kind for one in edge for kind in self.kinds[one]}
            found |= edge
        return found

    def meanings(self, word: str) -> list[str]:
        """The definitions of a word's first senses, each after the word."""
        return [
            f"{word}, {self.said[sense]}" for senses in self.of[word].values() for sense in senses[:ASKED]
        ]

    @cached_property
    def words(self) -> list[str]:
        """Lower-case words of at least three letters."""
        return sorted(w for w in self.of if w.isalpha() and w.isascii() and w.islower() and len(w) > 2)


def _lines(file: Path) -> Iterator[tuple[list[str], str]]:
    """Fields of each entry, and its definition if the file has one."""
    for line in file.read_text().splitlines():
        if not line.startswith(" "):
            fields, _, meaning = line.partition(" | ")
            yield fields.split(), meaning


def learned(run: Run, role: str) -> tuple[set[str], list[str]]:
    """All words in the captions of a model, and those among them that others may be read as."""
    if role == "audio":
        said = [
            word for phrases in sound_phrases(run).values() for phrase in phrases for word in _words(phrase)
        ]
        return set(said), sorted({word for word in said if len(word) > 2} - BINDING)
    taught = run["canvases"].get("concepts") or list(concepts())
    nouns = {_words(noun)[-1] for name in taught for noun in concepts()[name]["one"]}
    styles = {word for forms in STYLES.values() for form in forms for word in _words(form)}
    met = {word for caption in canvases(run)[1] for word in _words(caption)} | styles
    return met | nouns, sorted(nouns)


def _words(phrase: str) -> list[str]:
    return _WORD.findall(phrase.lower())


@dataclass(frozen=True)
class Books:
    """What is needed to make lists of synonyms.

    Attributes:
        senses: Senses of all words of WordNet.
        asked: The word that each row of `meanings` belongs to; rows of a word are adjacent.
        meanings: The teacher's embeddings, one row for each sense; a product with them is a likeness.
        folder: WordNet's files.
    """

    senses: Senses
    asked: list[str]
    meanings: Tensor
    folder: Path

    @classmethod
    def open(cls, run: Run) -> "Books":
        """Embeds every noun and verb that is not mostly an adjective; cached in the work folder."""
        folder = fetch.debian("wordnet-base") / "usr/share/wordnet"
        senses, listed = Senses.read(folder), counts(folder)
        means = {word: senses.meanings(word) for word in senses.words if not _describes(listed[word])}
        for word, meanings in interjections().items():
            means.setdefault(word, [f"{word}, {meaning}" for meaning in meanings])
        asked = [word for word, meanings in means.items() for _ in meanings]

        def _taught() -> Tensor:
            row = {word: n for n, word in enumerate(means)}
            alone = text.teacher_embeddings(list(means))[[row[word] for word in asked]]
            defined = text.teacher_embeddings(
                [meaning for meanings in means.values() for meaning in meanings]
            )
            return torch.lerp(alone, defined, DEFINED).half()

        return cls(senses, asked, cached_tensor(run.work / "synonyms.pt", _taught).float(), folder)

    def near(self, known: set[str], targets: Sequence[str], meant: Tensor) -> dict[str, str]:
        """The target that each unknown word is read as, if there is one.

        Args:
            known: Words to leave alone.
            targets: Known words that others may be read as.
            meant: The teacher's embeddings of the targets, unit vectors.
        """
        reached, found, row = self._reached(targets), dict[str, str](), 0
        for word, group in itertools.groupby(self.asked):
            begin, row = row, row + len(list(group))
            if word in known:
                continue
            alike = (self.meanings[begin:row] @ meant.T).amax(0)
            for target, more in self._kinship(word, reached).items():
                alike[target] += more
            best = int(alike.argmax())
            if alike[best] >= ENOUGH:
                found[word] = targets[best]
        return found

    def _reached(self, targets: Sequence[str]) -> dict[str, set[int]]:
        """The targets of each synonym set that is a first sense of theirs."""
        reached: dict[str, set[int]] = collections.defaultdict(set)
        for number, target in enumerate(targets):
            for senses in self.senses.of.get(target, {}).values():
                reached[senses[0]].add(number)
        return reached

    def _kinship(self, word: str, reached: dict[str, set[int]]) -> dict[int, float]:
        """The bonus for each target that a word is a kind of."""
        found: dict[int, float] = {}
        for senses in self.senses.of.get(word, {}).values():
            for place, sense in enumerate(senses[:SENSES]):
                close = self.senses.above(sense, NEAR_STEPS) if place == 0 else set()
                for kind in self.senses.above(sense, STEPS):
                    for target in reached.get(kind, ()):
                        found[target] = max(found.get(target, 0.0), SURE if kind in close else MAYBE)
        return found

    def forms(self, near: dict[str, str], known: set[str]) -> dict[str, str]:
        """Adds plurals and verb forms, each read as the same form of the known word if that is known."""
        plurals, verbs = (irregular(self.folder / f"{kind}.exc") for kind in ("noun", "verb"))
        found = dict(near)
        for word, target in near.items():
            many = (plurals.get(noun, [with_s(noun)]) for noun in (word, target))
            pairs = list(zip(*many, strict=False))
            if "verb" in self.senses.of.get(word, {}):
                pairs += zip(inflected(word, verbs), inflected(target, verbs), strict=False)
            for form, wanted in pairs:
                if form not in known and form.isalpha():
                    found.setdefault(form, wanted if wanted in known else target)
        return found


def _describes(kinds: dict[str, float]) -> bool:
    """Whether a word is clearly more often an adjective or adverb than a noun or verb."""
    return kinds["adj"] + kinds["adv"] > kinds["noun"] + kinds["verb"] + CLEARLY


def lines(near: dict[str, str]) -> str:
    """The list as it is stored: a line for each known word."""
    groups: dict[str, list[str]] = collections.defaultdict(list)
    for word, target in sorted(near.items()):
        groups[target].append(word)
    return "".join(f"{target}: {' '.join(words)}\n" for target, words in sorted(groups.items()))


def book(run: Run, books: Books, role: str) -> dict[str, str]:
    """The synonyms of a model."""
    known, targets = learned(run, role)
    return books.forms(books.near(known, targets, text.teacher_embeddings(targets)), known)


def make(run: Run) -> None:
    """The stage `synonyms`."""
    if not run.packs:
        print("synonyms: a smoke run has no dictionary")
        return
    books = Books.open(run)
    for role in ("image", "audio"):
        near = book(run, books, role)
        write_text(run.family / role / WORDS_FILE, lines(near))
        print(f"{role}: {len(near)} words read as {len(set(near.values()))}")
