"""The table of both publications names only what exists: commands, flags, choices, models, examples, links."""

import re
import shlex
from pathlib import Path

import pytest

from eidophone.cli.program import build_parser
from eidophone.models.cards import known
from eidophone.options.examples import example, examples
from eidophone.verbs import VERBS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "published.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("|") and not line.startswith(("|---", "| published"))
]
COMMANDS = {*VERBS.names(), "caption", "score", "evaluate", "data", "film"}


def named() -> list[str]:
    """Every command line in the last two columns."""
    spans = [span for row in ROWS for cell in row[1:] for span in re.findall(r"`([^`]+)`", cell)]
    return sorted(
        {span.removeprefix("eidophone ") for span in spans if span.split()[0] in {*COMMANDS, "eidophone"}}
    )


def flags_of(command: list[str]) -> dict[str, object]:
    """The flags of a command, each with its choices as the help shows them."""
    parser = build_parser(True)
    for word in command:
        (below,) = (a for a in parser._actions if a.choices and hasattr(a, "_parser_class"))
        parser = below.choices[word]
    return {flag: action for action in parser._actions for flag in action.option_strings}


@pytest.mark.parametrize("line", named())
def test_every_flag_exists_and_takes_what_the_table_gives_it(line: str) -> None:
    words = shlex.split(line)
    command = words[:2] if words[0] in ("data", "models") else words[:1]
    flags = flags_of(command)
    for place, word in enumerate(words):
        if not word.startswith("--"):
            continue
        assert word in flags, f"{command} has no {word}"
        value = words[place + 1] if place + 1 < len(words) else ""
        choices = re.fullmatch(r"\{(.*)\}", str(flags[word].metavar or ""))
        if choices:
            assert value in choices[1].split(","), f"{word} {value}"
        if word.endswith("-model") or word in ("--captioner", "--embedder", "--text-embedder", "--judges"):
            assert value in known(), f"{word} {value}"
        if word == "--example":
            assert example(command[0], value)


@pytest.mark.parametrize("line", [one for one in named() if one.split()[0] in VERBS.names()])
def test_every_setting_is_accepted(line: str) -> None:
    """With stand-ins for the arguments that a line leaves out."""
    words = shlex.split(line)
    verb, given = VERBS[words[0]], words[1:]
    if not given or given[0].startswith("-"):
        given = ["a" for argument in verb.arguments if not argument.replaced_by] + given
        given = ["a", "b", *given] if any(a.replaced_by for a in verb.arguments) else given
    if "--out" in given:
        given = given[: given.index("--out")]
    arguments = vars(build_parser(True).parse_args([verb.name, *given]))
    settings = {name: value for name, value in arguments.items() if name in verb.options.model_fields}
    if isinstance(sounds := settings.get("sound"), list):
        settings["sound"] = sounds[0]
    verb.options.make(**settings)


def test_no_row_is_empty_and_none_is_left_open() -> None:
    assert len(ROWS) > 70
    for row in ROWS:
        assert len(row) == 3 and row[0] and row[1], row
    assert "@@" not in PAGE and "TODO" not in PAGE


def test_what_is_not_here_says_why() -> None:
    for row in ROWS:
        if "not here" in row[1]:
            assert len(row[2].split()) >= 4, row


def test_the_numbers_of_examples_are_right() -> None:
    assert "22 named examples: 11 denoise, 7 imprint, 4 distill" in PAGE
    counts = [sum(one.verb == verb for one in examples()) for verb in ("compose", "imprint", "distill")]
    assert counts == [11, 7, 4]
