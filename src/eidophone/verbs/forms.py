"""Descriptions of a verb's options, made from the options, from which the page builds its form."""

import types
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import AfterValidator
from pydantic.fields import FieldInfo

from eidophone.core.catalog import Catalog
from eidophone.options.kinds import Group, Options, flag_of
from eidophone.verbs import Argument, Verb

#: Options that make no sense here: the Studio chooses folders and samples itself, takes no files of weights, and
#: records in the browser instead of with the server's microphone.
LEFT_OUT = frozenset({"resume", "samples", "lora", "audio_lora", "lora_scale", "record"})
#: What kind of file an option takes.
ACCEPTS = {"picture": "picture", "mask": "picture", "sound": "sound"}
_BOUNDS = {"ge": "minimum", "le": "maximum", "gt": "above", "lt": "below"}


def form_of(verb: Verb) -> dict[str, Any]:
    """A verb's arguments, presets and options by group, as plain JSON values."""
    fields = verb.options.model_fields
    arguments = [
        {**_described(verb.options, a.field), "help": a.help, "replaced_by": replacement_of(a) or None}
        for a in verb.arguments
    ]
    groups = []
    taken = {a.field for a in verb.arguments} | LEFT_OUT
    for group in typing.get_args(Group):
        names = [name for name in fields if name not in taken and _facts(fields[name])["group"] == group]
        if names:
            groups.append({"name": group, "options": [_described(verb.options, name) for name in names]})
    return {
        "verb": verb.name,
        "summary": verb.summary,
        "arguments": arguments,
        "presets": _presets(verb.options),
        "groups": groups,
    }


def replacement_of(argument: Argument) -> str:
    """The option that may stand in place of an argument in a form; "" if there is none."""
    return "" if argument.replaced_by in LEFT_OUT else argument.replaced_by


def kind_of(options: type[Options], name: str) -> str:
    """What an option takes: "flag", "file", "choice", "integer", "number", "model", "judges" or "text"."""
    field = options.model_fields[name]
    kinds = set(_plain_kinds(field.annotation))
    if Path in kinds:
        return "file"
    if bool in kinds:
        return "flag"
    if choices_of(field):
        return "choice"
    if int in kinds or float in kinds:
        return "number" if float in kinds else "integer"
    if name == "judges":
        return "judges"
    return "model" if names_a_model(name) else "text"


def names_a_model(name: str) -> bool:
    """Whether an option of this name takes a model; the text of such an option may be a path or an address."""
    return name.endswith("_model") or name in {"captioner", "embedder", "text_embedder", "upscaler"}


def choices_of(field: FieldInfo) -> tuple[str, ...]:
    """The values that a field takes, if they can be listed: of a `Literal`, or the names of a catalog."""
    for kind in _inside(field.annotation):
        if typing.get_origin(kind) is typing.Literal:
            return typing.get_args(kind)
    for rule in [*field.metadata, *(r for k in _inside(field.annotation) for r in typing.get_args(k)[1:])]:
        catalog = getattr(rule.func, "__self__", None) if isinstance(rule, AfterValidator) else None
        if isinstance(catalog, Catalog):
            return catalog.names()
    return ()


def _described(options: type[Options], name: str) -> dict[str, Any]:
    field = options.model_fields[name]
    facts = _facts(field)
    default = options.PRESETS.get("fast", {}).get(name, None if field.is_required() else field.default)
    return {
        "name": name,
        "flag": flag_of(name),
        "help": field.description or "",
        "kind": kind_of(options, name),
        "accepts": ACCEPTS.get(name),
        "choices": list(choices_of(field)) or None,
        "default": default if isinstance(default, bool | int | float | str) else None,
        "optional": types.NoneType in set(_plain_kinds(field.annotation)),
        "required": field.is_required(),
        "common": bool(facts["common"]),
        **_bounds(field),
    }


def _facts(field: FieldInfo) -> dict[str, Any]:
    given = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    return {"group": "sampling", "common": False, **given}


def _presets(options: type[Options]) -> dict[str, dict[str, Any]]:
    if "preset" not in options.model_fields:
        return {}
    names = choices_of(options.model_fields["preset"])
    return {name: options.PRESETS.get(name, {}) for name in names}


def _bounds(field: FieldInfo) -> dict[str, float]:
    rules: Sequence[Any] = [*field.metadata]
    for kind in _inside(field.annotation):
        for part in typing.get_args(kind)[1:]:
            rules = [*rules, *getattr(part, "metadata", [part])]
    return {
        key: getattr(rule, bound)
        for rule in rules
        for bound, key in _BOUNDS.items()
        if isinstance(getattr(rule, bound, None), int | float)
    }


def _inside(annotation: Any) -> Iterator[Any]:
    """An annotation and what stands inside its unions."""
    yield annotation
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        yield from _inside(typing.get_args(annotation)[0])
    elif origin in (typing.Union, types.UnionType):
        for kind in typing.get_args(annotation):
            yield from _inside(kind)


def _plain_kinds(annotation: Any) -> Iterator[Any]:
    return (kind for kind in _inside(annotation) if typing.get_origin(kind) is None)
