"""Checks what visitors send: options through the verb's own rules, files and models by name only."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from eidophone.core.errors import BadInput
from eidophone.core.recipe import Recipe
from eidophone.models.cards import known
from eidophone.options.kinds import Options, flag_of
from eidophone.studio.settings import MACHINE_OPTIONS
from eidophone.verbs import Verb, verb_of
from eidophone.verbs.forms import LEFT_OUT, kind_of, replacement_of

#: Finds the file or folder of {"input": ID} or {"result": ID}.
Finder = Callable[[str], Path]
_MOST_TEXT = 2_000


def checked_options(
    verb: Verb, given: Mapping[str, Any], inputs: Finder, results: Finder, most_samples: int
) -> Options:
    """Options as a visitor sent them, checked.

    Args:
        verb: Whose options they are.
        given: By field. A file is given as {"input": ID} or {"result": ID}; a model by the name of its card.
        inputs, results: Find uploaded files and results by their ids.
        most_samples: Limit of `count`.

    Raises:
        BadInput: one sentence about the first mistake.
    """
    fields = verb.options.model_fields
    found: dict[str, Any] = {}
    for name, value in given.items():
        if name in LEFT_OUT:
            raise BadInput(f"{flag_of(name)} is for the command line; leave it out.")
        found[name] = value if name not in fields else _value(verb, name, value, inputs, results)
    options = verb.options.make(**found)
    count = getattr(options, "count", 1)
    if count > most_samples:
        raise BadInput(f"--count {count}: one job makes at most {most_samples} samples; start several jobs.")
    _check_prompts(verb, options)
    return options


def settings_of(recipe: Recipe) -> dict[str, Any]:
    """The settings of a recipe that can be used again here, as the body of a job.

    Files and models outside the installed cards are named in `left_out`, because a recipe knows only where
    they were on the machine that made it.

    Raises:
        BadInput: a verb that this version does not have.
    """
    verb = verb_of(recipe.verb)
    options, left_out = {}, []
    for name, value in recipe.options.plain().items():
        name = verb.options.FORMER.get(name, name)
        if name not in verb.options.model_fields or name in LEFT_OUT | MACHINE_OPTIONS:
            continue
        kind = kind_of(verb.options, name)
        if value in (None, "", []):
            continue
        if kind == "file" or (kind in ("model", "judges") and not _is_known(kind, value)):
            left_out.append(name)
        else:
            # a list goes back into one line of the form, as `texts_of` reads it
            options[name] = "; ".join(map(str, value)) if isinstance(value, list) else value
    for name, value in (("index", recipe.index), ("count", 1)):
        if name in verb.options.model_fields:
            options[name] = value
    return {"verb": recipe.verb, "options": options, "left_out": left_out}


def _value(verb: Verb, name: str, value: Any, inputs: Finder, results: Finder) -> Any:
    kind = kind_of(verb.options, name)
    if kind == "file":
        return None if value is None else file_of(name, value, inputs, results)
    if isinstance(value, str) and len(value) > _MOST_TEXT:
        raise BadInput(f"{flag_of(name)}: use at most {_MOST_TEXT:,} characters; got {len(value):,}.")
    if kind in ("model", "judges") and value is not None and value != "":
        return model_name(name, value, kind)
    return value


def model_name(name: str, value: Any, kind: str = "model") -> str:
    """The name of a model, or of judges, if the program or its user's card files bring it.

    Raises:
        BadInput: it is another name, a path or an address.
    """
    if not isinstance(value, str):
        raise BadInput(f"{flag_of(name)}: give a name as text.")
    if not _is_known(kind, value):
        raise BadInput(f"{flag_of(name)}: {value[:60]!r} is not known here; use the name of a card.")
    return value


def file_of(name: str, value: Any, inputs: Finder, results: Finder) -> Path:
    """The file that {"input": ID} or {"result": ID} names.

    Raises:
        BadInput: it is anything else, or there is no such file.
    """
    finders = {"input": inputs, "result": results}
    if not isinstance(value, dict) or len(value) != 1 or not finders.keys() & value.keys():
        raise BadInput(
            f'{flag_of(name)}: give {{"input": ID}} for an uploaded file or {{"result": ID}} for a result.'
        )
    ((source, given),) = value.items()
    if not isinstance(given, str):
        raise BadInput(f"{flag_of(name)}: an id is text.")
    return finders[source](given)


def _is_known(kind: str, value: Any) -> bool:
    """Whether a name, or each of the judges, is one that the program brings; never a path or an address."""
    if not isinstance(value, str):
        return False
    if kind == "model":
        return value in known()
    from eidophone.scoring.scorers import SCORERS

    names = [name.strip() for name in value.split(",")]
    return all(name == "none" or name in SCORERS.names() or name in known() for name in names)


def _check_prompts(verb: Verb, options: Options) -> None:
    if getattr(options, "scene", ()):
        return  # each scene has its own
    for argument in verb.arguments:
        empty = not str(getattr(options, argument.field) or "").strip()
        instead = replacement_of(argument)
        if empty and not (instead and getattr(options, instead)):
            what = argument.field.replace("_", " ")
            extra = f", or a {instead} of your own" if instead else ""
            raise BadInput(
                f"{verb.name} needs the {what} ({re.sub(', unless.*', '', argument.help)}){extra}."
            )
