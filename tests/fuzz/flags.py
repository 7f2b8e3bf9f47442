"""Flags of every command with values at and beyond their limits, enumerated from the options."""

import typing
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from eidophone.options.commands import CaptionOptions, EvaluateOptions, MixOptions, ScoreOptions
from eidophone.options.kinds import Options, flag_of
from eidophone.verbs import VERBS

JUNK = (
    "", " ", "0", "-1", "1.5", "nan", "inf", "-inf", "1e309", "x", "9" * 25, "1" + "0" * 5000, "\x1b[31mred",
    "a\nb", "\udcff", "-5,3", ",", "../nowhere", "/dev/zero", "\0", "ü", "a" * 5000,
)  # fmt: skip
#: Names that a user means to reach a hub, or a set of runs that takes hours.
_LEFT_OUT = {"protocol", "out"}
#: Flags that no options stand behind, and that start no server, no processes and no network.
_PARSED = {
    "hear": ("--sound-format", "--sound-rate", "--sound-bits", "--loudness", "--config"),
    "batch": ("--workers", "--shard", "--engine", "--engine-option", "--retry"),
    "models check": ("--offline",),
    "examples": (),
}


def options_by_command() -> dict[str, type[Options]]:
    """The options of every command that has some."""
    commands: dict[str, type[Options]] = {name: VERBS[name].options for name in VERBS.names()}
    return commands | {
        "score": ScoreOptions, "evaluate": EvaluateOptions, "caption": CaptionOptions, "data mix": MixOptions,
    }  # fmt: skip


def bad_flags() -> list[tuple[str, str, str]]:
    """(command, flag, value) for every flag, in a fixed order."""
    found = []
    for command, options in options_by_command().items():
        for name, field in options.model_fields.items():
            if name in options.HIDDEN or name in _LEFT_OUT or field.annotation is bool:
                continue
            found += [(command, flag_of(name), value) for value in (*JUNK, *_limits(field))]
    return found + _parsed()


def _parsed() -> list[tuple[str, str, str]]:
    """Flags of the command line itself, and one that no command has."""
    found = []
    for command, flags in _PARSED.items():
        values = (*JUNK, "wav", "opus", "48000", "24", "-14", "2/1", "1/2", "ray", "a=b")
        found += [(command, flag, value) for flag in (*flags, "--json", "--nothing", "-") for value in values]
    return found


def _limits(field: FieldInfo) -> list[str]:
    """One step beyond each limit, and the lower limit itself; the upper one may take hours."""
    found: list[str] = []
    for rule in _rules(field):
        low, high = getattr(rule, "ge", None), getattr(rule, "le", None)
        found += [str(low), str(low - 1)] if low is not None else []
        found += [str(high + 1)] if high is not None else []
    return found


def _rules(field: FieldInfo) -> list[Any]:
    found = list(field.metadata)
    for part in typing.get_args(field.annotation):
        for rule in typing.get_args(part):
            found += [rule, *getattr(rule, "metadata", ())]
    return [rule for rule in found if not isinstance(rule, (type, Path))]
