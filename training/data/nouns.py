"""How often a word is a noun: a table for the captioners, from WordNet's counts (the stage `nouns`).

WordNet 3.0 (Debian wordnet-base; Princeton's licence) counts how often each sense occurs in a tagged corpus.
A word's share of noun senses is smoothed by half a count for each part of speech that it can be. The table
holds the words for which the rule by suffix (`nouns.by_suffix`) is far off.
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
#: Estimated share of a word's occurrences that are in one of its other forms.
VERB_FORM, PLURAL = 0.3, 0.3
FAR_OFF = 0.25
#: Where the table lies in the work folder; `install` puts it beside the captioners.
NOUNS_FILE = "nouns.txt"

#: Count by word and part of speech.
Counts = dict[str, dict[str, float]]


def counts(folder: Path) -> Counts:
    """Smoothed counts of every word that WordNet lists."""
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
    """Irregular forms by word."""
    found: dict[str, list[str]] = collections.defaultdict(list)
    for line in file.read_text().splitlines():
        form, word = line.split(" ")[:2]
        found[word].append(form)
    return found


def with_s(word: str) -> str:
    """The plural of a noun, or the third person of a verb."""
    return f"{word}es" if word.endswith(("s", "x", "z", "ch", "sh")) else f"{word}s"


def inflected(verb: str, exceptions: dict[str, list[str]]) -> Iterator[str]:
    """The other forms of a verb: says, saying, said."""
    stem = verb[:-1] if verb.endswith("e") and not verb.endswith(("ee", "ye", "oe")) else verb
    yield with_s(verb)
    yield f"{stem}ing"
    yield from exceptions.get(verb, [f"{stem}ed"])


def shares(folder: Path) -> dict[str, float]:
    """Share of noun senses of every word, plural and verb form."""
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
