"""Flags made from options, so that a setting is written once."""

import argparse
import difflib
import re
import types
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from pydantic import AfterValidator
from pydantic.fields import FieldInfo

from eidophone.core.catalog import Catalog
from eidophone.core.text import printable, shortened
from eidophone.options.kinds import Group, Options, flag_of, takes_several

#: Headings of the help, in order.
TITLES: dict[Group, str] = {
    "prompts": "prompts and inputs",
    "own": "your own picture and sound",
    "samples": "samples",
    "sampling": "sampling",
    "canvas": "canvas",
    "sound": "sound",
    "training": "optimisation",
    "models": "models",
    "judges": "judges",
    "people": "questionnaire",
    "machine": "machine",
}

#: Flags that may give a verb's positional arguments.
PROMPT_FLAGS = ("--example", "--config", "--scene")


def folder_name(text: str) -> str:
    """The name of a folder to write to, as argparse takes a type.

    Raises:
        argparse.ArgumentTypeError: no record could hold the name, or no file system.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError(f"{text!a} is not valid UTF-8 text; choose another name") from None
    if "\0" in text:
        raise argparse.ArgumentTypeError(f"{text!a} holds a character that no name can; choose another name")
    return text


def out_folder(text: str) -> Path:
    """The same as a path."""
    return Path(folder_name(text))


class Parser(argparse.ArgumentParser):
    """A parser that says what is wrong in one sentence, without the usage, and suggests the nearest flag."""

    def __init__(self, *args: Any, **more: Any) -> None:
        more.setdefault("allow_abbrev", False)
        super().__init__(*args, **more)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse, but a verb refuses what it does not know itself, so that the message names its help."""
        if any(word.split("=")[0] in PROMPT_FLAGS for word in args or ()):
            self._loosen_arguments()
        found, left = super().parse_known_args(args, namespace)
        if left:
            self.error(f"unrecognized arguments: {' '.join(left)}")
        return found, left

    def _loosen_arguments(self) -> None:
        """Positional arguments may be left out, because a flag gives them; the command checks what it lacks."""
        for action in self._positionals._group_actions:
            if not isinstance(action, argparse._SubParsersAction) and action.nargs in (None, "+"):
                action.nargs = "?" if action.nargs is None else "*"
                action.required, action.default = False, argparse.SUPPRESS

    def error(self, message: str) -> NoReturn:
        """Prints the sentence and exits with 2."""
        message = printable(shortened(self._with_suggestion(message)))
        self.exit(2, f"eidophone: {message.rstrip('.')}; see `{self.prog} --help`.\n")

    def _with_suggestion(self, message: str) -> str:
        unknown = re.match(r"unrecognized arguments: (--[\w-]+)", message)
        if unknown:
            flags = [flag for action in self._actions for flag in action.option_strings]
            near = difflib.get_close_matches(unknown[1], flags, 1)
            return f"there is no flag {unknown[1]}" + (f"; did you mean {near[0]}?" if near else "")
        verb = re.search(r"invalid choice: '([^']*)' \(choose from (.*)\)", message)
        if verb:
            names = re.findall(r"[\w-]+", verb[2])
            near = difflib.get_close_matches(verb[1], names, 1)
            hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(names)}"
            return f"there is no {verb[1]!r}{hint}"
        return message


def add_flags(parser: argparse.ArgumentParser, options: type[Options], *, full: bool = True) -> None:
    """One flag for each field that is not positional, under its heading.

    Args:
        parser: A flag that is not given stays out of its namespace.
        options: The fields.
        full: Show all flags in the help; otherwise only the common ones.
    """
    shown = {**{k: f.default for k, f in options.model_fields.items()}, **options.PRESETS.get("fast", {})}
    groups: dict[str, Any] = {}
    for group, title in TITLES.items():
        for name, field in options.model_fields.items():
            facts = _facts(field)
            if name in options.HIDDEN or facts.get("group", "sampling") != group:
                continue
            visible = full or bool(facts.get("common"))
            if visible and title not in groups:
                groups[title] = parser.add_argument_group(title)
            place = groups[title] if visible else parser
            _add_flag(place, name, field, _help(field, shown[name]) if visible else argparse.SUPPRESS)
    for old, new in options.FORMER.items():
        if new in options.model_fields and old not in options.model_fields:
            parser.add_argument(flag_of(old), dest=old, default=argparse.SUPPRESS, help=argparse.SUPPRESS)


def _facts(field: FieldInfo) -> dict[str, Any]:
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}


def _add_flag(place: Any, name: str, field: FieldInfo, help_text: str) -> None:
    if field.annotation is bool:
        place.add_argument(
            flag_of(name),
            dest=name,
            action=argparse.BooleanOptionalAction,
            default=argparse.SUPPRESS,
            help=help_text,
        )
        return
    place.add_argument(
        flag_of(name),
        dest=name,
        action="append" if takes_several(field) else "store",
        default=argparse.SUPPRESS,
        metavar=metavar_of(field),
        help=help_text,
    )


def _help(field: FieldInfo, default: Any) -> str:
    text = (field.description or "").replace("%", "%%")
    says_already = "(default" in text
    empty = default is None or default in ("", ()) or field.is_required()
    if isinstance(default, bool):
        return f"{text} (default: {'yes' if default else 'no'})"
    return text if says_already or empty else f"{text} (default: {default})"


def metavar_of(field: FieldInfo) -> str:
    """What stands for a value in the help.

    >>> from eidophone.verbs.compose.options import ComposeOptions
    >>> fields = ComposeOptions.model_fields
    >>> metavar_of(fields["steps"]), metavar_of(fields["audio_weight"]), metavar_of(fields["preset"])
    ('N', 'X', '{paper,fast,draft}')
    """
    choices = _choices(field.annotation) or _named(field)
    if choices:
        return "{" + ",".join(choices) + "}"
    kinds = _kinds(field.annotation)
    return next((name for kind, name in ((int, "N"), (float, "X"), (Path, "PATH")) if kind in kinds), "TEXT")


def _kinds(annotation: Any) -> set[Any]:
    """The plain types that a field takes, inside unions and annotations."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _kinds(inner[0])
    if origin in (typing.Union, types.UnionType):
        return set().union(*(_kinds(kind) for kind in inner))
    return {annotation}


def _choices(annotation: Any) -> tuple[str, ...]:
    if typing.get_origin(annotation) is typing.Literal:
        return typing.get_args(annotation)
    return ()


def _named(field: FieldInfo) -> tuple[str, ...]:
    """The names of a catalog that a field takes one of."""
    found: Sequence[Any] = [*field.metadata]
    for part in typing.get_args(field.annotation):
        found = [*found, *typing.get_args(part)]
    for rule in found:
        catalog = getattr(rule.func, "__self__", None) if isinstance(rule, AfterValidator) else None
        if isinstance(catalog, Catalog):
            return catalog.names()
    return ()


def given_settings(arguments: argparse.Namespace, options: type[Options]) -> dict[str, Any]:
    """The settings that the user gave, by field; former names too."""
    known = {*options.model_fields, *options.FORMER}
    return {name: value for name, value in vars(arguments).items() if name in known}
