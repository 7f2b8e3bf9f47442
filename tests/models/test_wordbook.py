"""Words that a model never met: what it reads in their place, and that it says so."""

import json
from pathlib import Path

import pytest
import torch

from eidophone.core.errors import BadInput
from eidophone.core.values import Caption
from eidophone.models.cards import package_folder
from eidophone.models.load import Loader
from eidophone.models.synonyms import WORDS_FILE, Synonyms, read_synonyms
from eidophone.verbs.paint.prompts import make_prompt

CPU = torch.device("cpu")
BOOK = Synonyms({"pooch": "dog", "pooches": "dogs", "woofing": "barking"})


def test_only_unknown_words_change() -> None:
    assert BOOK.understood("A Pooch, woofing at the pooches!") == "A dog, barking at the dogs!"
    assert BOOK.understood("a dog's poochlike bark") == "a dog's poochlike bark"
    assert BOOK.replaced("Pooch and dog") == {"pooch": "dog"}


def test_reading_twice_changes_nothing_more() -> None:
    for role in ("image", "audio"):
        near = read_synonyms(package_folder(f"tiny/{role}")).near
        assert len(near) > 1000
        assert not set(near.values()) & near.keys()


def test_a_book_of_lines_is_read_and_any_other_refused(tmp_path: Path) -> None:
    (tmp_path / WORDS_FILE).write_text("dog: pooch hound\ncat: feline\n")
    assert read_synonyms(tmp_path).near == {"pooch": "dog", "hound": "dog", "feline": "cat"}
    assert read_synonyms(tmp_path / "nowhere").near == {}
    (tmp_path / WORDS_FILE).write_text("no table\n")
    with pytest.raises(BadInput, match=r"words\.txt: not lines"):
        read_synonyms(tmp_path)


def test_two_models_leave_alone_what_either_knows() -> None:
    other = Synonyms({"pooch": "bark"})
    assert BOOK.common(other).near == {"pooch": "dog"}


@pytest.fixture(scope="module")
def tiny() -> dict:
    loader = Loader(CPU, torch.float32)
    return {role: loader.model("tiny", role) for role in ("image", "audio")}


@pytest.mark.parametrize(
    ("role", "unknown", "learned"),
    [
        ("image", "a painting of a poodle", "a painting of a dog"),
        ("image", "two parrots", "two birds"),
        ("audio", "a poodle", "a dog"),
    ],
)
def test_an_unknown_word_is_encoded_as_the_learned_one(
    role: str, unknown: str, learned: str, tiny: dict
) -> None:
    text = tiny[role].text
    assert text.padded(unknown) == text.padded(learned)
    assert torch.equal(text.encode(unknown), text.encode(learned))


def test_words_have_the_tokens_of_what_is_read_whatever_stands_around_them(tiny: dict) -> None:
    text = tiny["image"].text
    style, caption = "a schooner beside {}", Caption.from_text("a poodle, then rain")
    read = [text.synonyms.understood(said) for said in (style, caption.text)]
    assert read == ["a sailboat beside {}", "a dog, then rain"]
    alike = make_prompt(Caption.from_text(read[1]), read[0], text)
    assert make_prompt(caption, style, text).spans == alike.spans


def test_the_two_models_share_a_text_encoder_but_no_book(tiny: dict) -> None:
    assert tiny["image"].text.network is tiny["audio"].text.network
    assert tiny["image"].text.synonyms != tiny["audio"].text.synonyms


def test_the_command_line_says_what_is_read(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    from eidophone.cli.program import main

    out = tmp_path / "o"
    told = ["compose", "a painting of a poodle", "a dog barking", "--steps", "1", "--count", "1"]
    assert main([*told, "--out", str(out)]) == 0
    assert "The model does not know 'poodle'; it uses 'dog' instead." in capsys.readouterr().err
    record = json.loads((out / "0000" / "record.json").read_text())
    assert record["facts"]["read_as"] == {"poodle": "dog"}
