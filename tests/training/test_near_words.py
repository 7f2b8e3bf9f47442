"""The recipe of the books of words, on a dictionary of five words."""

import gzip
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from benchmarks.pairs import SYNONYMS
from eidophone.models.synonyms import WORDS_FILE, read_synonyms
from training.data import fetch
from training.data.interjections import DIGITS, NAME, interjections
from training.data.pictures import concepts as picture_concepts
from training.data.sounds import concepts as sound_concepts
from training.synonyms import ENOUGH, Books, Senses, lines

#: animal 1 <- dog 2 <- hound 3; breeze 4; bark (verb) 5 <- yap (verb) 6
DATA = {
    "noun": [
        "1 03 n 01 animal 0 000 | a living thing",
        "2 03 n 01 dog 0 001 @ 1 n 0000 | barks",
        '3 03 n 02 hound 0 beagle 0 001 @ 2 n 0000 | (old) a dog that hunts; "release the hounds"',
        "4 03 n 01 breeze 0 000 | a little wind",
    ],
    "verb": ["5 03 v 01 bark 0 000 01 + 01 00 | loudly", "6 03 v 01 yap 0 001 @ 5 v 0000 01 + 01 00 | small"],
}
INDEX = {
    "noun": [
        "animal n 1 0 1 0 1",
        "dog n 1 0 1 0 2",
        "hound n 1 0 1 0 3",
        "beagle n 1 0 1 0 3",
        "breeze n 1 0 1 0 4",
    ],
    "verb": ["bark v 1 0 1 0 5", "yap v 1 0 1 0 6"],
}


@pytest.fixture
def senses(tmp_path: Path) -> Senses:
    for part in DATA:
        (tmp_path / f"data.{part}").write_text("\n".join(["  1 a licence", *DATA[part]]))
        (tmp_path / f"index.{part}").write_text("\n".join(INDEX[part]))
        (tmp_path / f"{part}.exc").write_text("")
    return Senses.read(tmp_path)


def books(senses: Senses, folder: Path, asked: list[str], alike: float) -> tuple[Books, torch.Tensor]:
    """Books in which every asked word has one likeness to the first of two targets, none to the other."""
    targets = torch.eye(2, 4)
    meanings = F.normalize(torch.tensor([[alike, 0, (1 - alike**2) ** 0.5, 0]]), dim=-1)
    return Books(senses, asked, meanings.expand(len(asked), -1), folder), targets


def test_a_kind_of_a_learned_thing_needs_little_likeness(senses: Senses, tmp_path: Path) -> None:
    made, meant = books(senses, tmp_path, ["hound", "beagle", "breeze"], 0.3)
    assert made.near({"dog"}, ["dog", "wind"], meant) == {"hound": "dog", "beagle": "dog"}


def test_likeness_alone_must_be_enough(senses: Senses, tmp_path: Path) -> None:
    for alike, expected in ((ENOUGH + 0.01, {"breeze": "wind"}), (ENOUGH - 0.01, {})):
        made, meant = books(senses, tmp_path, ["breeze"], alike)
        assert made.near(set(), ["wind", "dog"], meant) == expected


def test_the_best_of_several_senses_counts(senses: Senses, tmp_path: Path) -> None:
    meanings = torch.tensor([[0, 0, 1.0, 0], [ENOUGH + 0.01, 0, 0, 1], [0, 0, 1.0, 0]])
    made = Books(senses, ["breeze", "breeze", "beagle"], meanings, tmp_path)
    assert made.near(set(), ["wind", "cat"], torch.eye(2, 4)) == {"breeze": "wind"}


def test_meanings_are_without_remarks_and_examples(senses: Senses) -> None:
    assert senses.meanings("hound") == ["hound, a dog that hunts"]
    assert senses.meanings("yap") == ["yap, small"]


def test_interjections_come_with_their_english_meaning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = {
        "moo": "moo //mu// <interjection>\n1. \u30e2\u30fc\nsound made by a cow\n",
        "table": "table <n>\n\u53f0\na piece of furniture\n",
        "hmm": "hmm <interjection>\n\u3093\n",
    }
    folder, packed, index = tmp_path / "usr/share/dictd", b"", []
    folder.mkdir(parents=True)
    for word, entry in texts.items():
        index.append(f"{word}\t{digits(len(packed))}\t{digits(len(entry.encode()))}")
        packed += entry.encode()
    (folder / f"{NAME}.dict.dz").write_bytes(gzip.compress(packed))
    (folder / f"{NAME}.index").write_text("\n".join(index))
    monkeypatch.setattr(fetch, "debian", lambda _: tmp_path)
    assert interjections() == {"moo": ["sound made by a cow"]}


def digits(number: int) -> str:
    """A number as an index of dictd has it."""
    return DIGITS[number // 64] + DIGITS[number % 64]


def test_known_words_are_left_alone(senses: Senses, tmp_path: Path) -> None:
    made, meant = books(senses, tmp_path, ["hound", "beagle"], 0.9)
    assert made.near({"hound"}, ["dog", "wind"], meant) == {"beagle": "dog"}


def test_forms_are_read_as_the_same_form_where_that_is_known(senses: Senses, tmp_path: Path) -> None:
    made, _ = books(senses, tmp_path, [], 0.5)
    near = {"hound": "dog", "beagle": "dog", "yap": "bark"}
    forms = made.forms(near, {"dogs", "barking", "hounds"})
    assert forms["beagles"] == "dogs"
    assert "hounds" not in forms
    assert forms["yaping"] == "barking"
    assert forms["yaped"] == "bark"


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    near = {"hound": "dog", "beagle": "dog", "breeze": "wind"}
    (tmp_path / WORDS_FILE).write_text(lines(near))
    assert read_synonyms(tmp_path).near == near


@pytest.mark.parametrize("side", ["seen", "heard"])
def test_no_benchmark_word_stands_in_a_caption(side: str) -> None:
    """Else it would not be a word that was never met."""
    tables = picture_concepts().values()
    said = {
        "seen": [noun for table in tables for noun in table["one"] + table["many"]],
        "heard": [caption for concept in sound_concepts().values() for caption in concept.captions],
    }
    met = {word for phrase in said[side] for word in phrase.lower().split()}
    asked = {word for prompt, _ in SYNONYMS[side] for word in prompt.split()} - {"a", "at"}
    assert not asked & met
