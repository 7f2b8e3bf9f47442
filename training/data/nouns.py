"""Makes the captioners' table of how often a word is a noun, from WordNet's counts.

WordNet 3.0 (Debian wordnet-base; Princeton's licence) says of each sense how often it was met in a tagged
corpus. A word's share of noun senses, smoothed by half a count for each part of speech that it can be, is
kept where the rule by suffix (`nouns.by_suffix`) is far off.

`python -m training.nouns` writes src/eidophone/models/captioners/nouns.txt.
"""

import collections
from collections.abc import Iterator
from pathlib import Path

from eidophone.media.files import write_text
from eidophone.models.captioners.nouns import by_suffix
from training.config import Run
from training.data import fetch

KINDS = {"1": "noun", "2": "verb", "3": "adj", "4": "adv", "5": "adj"}
FILES = ("noun", "verb", "adj", "adv")
SMOOTHING = 0.5
#: Share of a word's meetings in one form of it: estimates.
VERB_FORM, PLURAL = 0.3, 0.3
FAR_OFF = 0.25
#: Where the table lies in the work folder; `install` puts it beside the captioners.
NOUNS_FILE = "nouns.txt"

#: Word to part of speech to count.
Counts = dict[str, dict[str, float]]


def counts(folder: Path) -> Counts:
    """Smoothed counts of every single word that WordNet lists."""
    found: Counts = collections.defaultdict(lambda: dict.fromkeys(FILES, 0.0))
    for kind in FILES:
        for line in (folder / f"index.{kind}").read_text().splitlines():
            if not line.startswith(" "):
                found[line.split(" ", 1)[0]][kind] += SMOOTHING
    for line in (folder / "cntlist.rev").read_text().splitlines():
        sense, _, times = line.split(" ")
        word, _, rest = sense.partition("%")
        found[word][KINDS[rest[0]]] += int(times)
    return {word: kinds for word, kinds in found.items() if word.isalpha() and word.islower()}


def irregular(file: Path) -> dict[str, list[str]]:
    """The forms that do not follow the rule, by the word."""
    found: dict[str, list[str]] = collections.defaultdict(list)
    for line in file.read_text().splitlines():
        form, word = line.split(" ")[:2]
        found[word].append(form)
    return found


def with_s(word: str) -> str:
    """A plural, or the third person."""
    return f"{word}es" if word.endswith(("s", "x", "z", "ch", "sh")) else f"{word}s"


def inflected(verb: str, exceptions: dict[str, list[str]]) -> Iterator[str]:
    """The forms of a verb beside its own: says, saying, said."""
    stem = verb[:-1] if verb.endswith("e") and not verb.endswith(("ee", "ye", "oe")) else verb
    yield with_s(verb)
    yield f"{stem}ing"
    yield from exceptions.get(verb, [f"{stem}ed"])


def shares(folder: Path) -> dict[str, float]:
    """Share of noun senses of each word and each form of a verb."""
    listed = counts(folder)
    exceptions, plurals = (irregular(folder / f"{kind}.exc") for kind in ("verb", "noun"))
    nouns: dict[str, float] = collections.defaultdict(float)
    others: dict[str, float] = collections.defaultdict(float)
    for word, kinds in listed.items():
        nouns[word] += kinds["noun"]
        others[word] += kinds["adj"] + kinds["adv"] + kinds["verb"] * VERB_FORM
        if kinds["verb"]:
            for form in inflected(word, exceptions):
                others[form] += kinds["verb"] * VERB_FORM
        if kinds["noun"]:
            for form in plurals.get(word, [with_s(word)]):
                nouns[form] += kinds["noun"] * PLURAL
    return {word: nouns[word] / (nouns[word] + others[word]) for word in nouns.keys() | others.keys()}


def make(run: Run) -> None:
    """The stage `nouns`."""
    if not run.packs:
        print("nouns: a smoke run has no dictionary")
        return
    folder = fetch.debian("wordnet-base") / "usr/share/wordnet"
    kept = {w: s for w, s in sorted(shares(folder).items()) if abs(s - by_suffix(w)) > FAR_OFF}
    text = "".join(f"{word} {share:.2f}\n" for word, share in kept.items())
    write_text(run.work / NOUNS_FILE, text)
    print(f"{len(kept)} words, {len(text)} bytes")
