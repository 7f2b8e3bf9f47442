"""Flags made from options, so that a setting is written once."""

import argparse
import types
import typing
from pathlib import Path
from typing import Any, NoReturn

from pydantic.fields import FieldInfo

from eidophone.options.kinds import Options, flag_of


class Parser(argparse.ArgumentParser):
    """A parser that says what is wrong in one sentence, without the usage."""

    def error(self, message: str) -> NoReturn:
        """Prints the sentence and exits with 2."""
        self.exit(2, f"eidophone: {message}; see `{self.prog} --help`.\n")


def add_flags(parser: argparse.ArgumentParser, options: type[Options]) -> None:
    """One flag for each field that is not positional; a flag that is not given stays out of the namespace."""
    shown = {**{k: f.default for k, f in options.model_fields.items()}, **options.PRESETS.get("fast", {})}
    for name, field in options.model_fields.items():
        if name in options.HIDDEN:
            continue
        help_text = _help(field, shown[name])
        if field.annotation is bool:
            parser.add_argument(
                flag_of(name),
                dest=name,
                action=argparse.BooleanOptionalAction,
                default=argparse.SUPPRESS,
                help=help_text,
            )
        else:
            parser.add_argument(
                flag_of(name),
                dest=name,
                default=argparse.SUPPRESS,
                metavar=_metavar(field.annotation),
                help=help_text,
            )


def _help(field: FieldInfo, default: Any) -> str:
    text = (field.description or "").replace("%", "%%")
    says_already = "(default" in text
    empty = default is None or default == "" or field.is_required()
    if isinstance(default, bool):
        return f"{text} (default: {'yes' if default else 'no'})"
    return text if says_already or empty else f"{text} (default: {default})"


def _metavar(annotation: Any) -> str:
    """What stands for a value in the help.

    >>> _metavar(typing.Annotated[int, "a rule"] | None), _metavar(float), _metavar(Path | None)
    ('N', 'X', 'PATH')
    """
    choices = _choices(annotation)
    if choices:
        return "{" + ",".join(choices) + "}"
    kinds = _kinds(annotation)
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


def given_settings(arguments: argparse.Namespace, options: type[Options]) -> dict[str, Any]:
    """The settings that the user gave, by field."""
    return {name: value for name, value in vars(arguments).items() if name in options.model_fields}
