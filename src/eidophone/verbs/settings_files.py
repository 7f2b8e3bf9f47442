"""Settings files: options in a TOML file, or those of a result; and sweeps over lists of values."""

import difflib
import itertools
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eidophone.core.errors import BadInput
from eidophone.media.files import check_readable
from eidophone.models.cards import known
from eidophone.options.kinds import Options, flag_of, scaled_steps, takes_several
from eidophone.results.recipe import read_recipe
from eidophone.verbs import Verb
from eidophone.verbs.shared.inputs import NAMES

#: Options of a recipe that say where and in which batch it ran, not what it made.
_WHERE = ("device", "dtype", "threads", "batch_size", "samples", "count", "index")

#: What a TOML file may say about the output, by the name that `eidophone.running.Output` has for it.
OUTPUT = {
    **{name: name for name in ("out", "keep_arrays", "sound_format", "sound_rate", "sound_bits", "loudness")},
    **{name: name for name in ("stereo", "extend_band")},
    **{name: f"sound_{name}" for name in ("format", "rate", "bits")},
}


def read_settings(path: Path, verb: Verb, given: Mapping[str, Any]) -> dict[str, Any]:
    """The options in a settings file, without those that the given ones replace.

    A TOML file is the user's own: its relative paths start at the current folder, as on the command line. A
    result (a folder, record.json, PNG or WAV) may come from a stranger: it names no files, models by card only,
    and none of these is downloaded for it.

    Args:
        path: The file, or the folder of a result.
        verb: Which options there are.
        given: Options from the command line; they win.

    Raises:
        BadInput: it cannot be read, is for another verb, or holds something that is not an option.
    """
    toml = path.suffix.lower() == ".toml"
    found = _from_toml(path, verb) if toml else _from_result(path, verb, given)
    replaced = _replaced(verb, given)
    return {name: value for name, value in found.items() if name not in replaced} | dict(given)


def combinations(settings: Mapping[str, Any], options: type[Options]) -> list[dict[str, Any]]:
    """One run for each combination of the values in lists; the last list changes fastest.

    >>> from eidophone.verbs.see.options import SeeOptions
    >>> combinations({"start_s": [0, 1], "sound": "a.wav"}, SeeOptions)
    [{'start_s': 0, 'sound': 'a.wav'}, {'start_s': 1, 'sound': 'a.wav'}]
    """
    swept = swept_names(settings, options)
    values = itertools.product(*(settings[name] for name in swept))
    return [{**settings, **dict(zip(swept, chosen, strict=True))} for chosen in values]


def swept_names(settings: Mapping[str, Any], options: type[Options]) -> list[str]:
    """The options with a list of values, except those whose one value is a list.

    Raises:
        BadInput: a list without a value.
    """
    found = [
        name for name, value in settings.items() if isinstance(value, list) and name != "values"
        and name in options.model_fields and not takes_several(options.model_fields[name])
    ]  # fmt: skip
    if empty := [name for name in found if not settings[name]]:
        raise BadInput(f"{flag_of(empty[0])}: the list is empty; give at least one value.")
    return found


def _replaced(verb: Verb, given: Mapping[str, Any]) -> set[str]:
    """Options of a file that contradict given ones."""
    pairs = [("seconds", "width"), ("crop", "cutoff"), ("audio_weight", "audio_weights")]
    pairs += [(one.field, one.replaced_by) for one in verb.arguments if one.replaced_by]
    found = {other for a, b in pairs for name, other in ((a, b), (b, a)) if given.get(name)}
    return found | ({"image_prompt", "audio_prompt", "seed"} if given.get("example") else set())


def _from_toml(path: Path, verb: Verb) -> dict[str, Any]:
    check_readable(path, "a settings file")
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: is not valid TOML ({error}); correct it there.") from error
    _check_verb(path, table.pop("verb", verb.name), verb)
    fields, former = verb.options.model_fields, verb.options.FORMER
    found = {}
    for key, value in table.items():
        name = key.replace("-", "_")
        name = f"{name}_" if f"{name}_" in fields else name
        if name not in fields and name in OUTPUT:
            found[OUTPUT[name]] = _single(path, key, value)
            continue
        if isinstance(value, dict):
            raise BadInput(f"{path}: [{key}] is a table; write the options without headings.")
        if name not in fields and name not in former:
            raise BadInput(_unknown(path, key, verb))
        found[name] = value
    return found


def _single(path: Path, key: str, value: Any) -> Any:
    """A value about where results go, of which a run has one."""
    if not isinstance(value, str | int | float) or (
        key.replace("-", "_") == "out" and not isinstance(value, str)
    ):
        raise BadInput(f"{path}: {key} takes one value; got {value!r}.")
    return value


def _unknown(path: Path, key: str, verb: Verb) -> str:
    near = difflib.get_close_matches(key.replace("-", "_"), verb.options.model_fields, 1)
    hint = f"did you mean {near[0]}?" if near else f"see `eidophone {verb.name} --help-all`."
    return f"{path}: {verb.name} has no option {key!r}; {hint}"


def _from_result(path: Path, verb: Verb, given: Mapping[str, Any]) -> dict[str, Any]:
    recipe = read_recipe(path)
    _check_verb(path, recipe.verb, verb)
    recorded = recipe.options.plain()
    for name in NAMES:
        if recorded.pop(name, None) is not None and not (_replaced(verb, given) & {name} or given.get(name)):
            raise BadInput(
                f"{path}: was made from a file of its own; say with {_where(name, verb)} which one to use."
            )
    for name in verb.models:
        value = recorded.get(name)
        if isinstance(value, str) and value and name not in given and value not in known():
            raise BadInput(
                f"{path}: uses the model {value!r}, which is not one of the cards; say with {flag_of(name)} "
                "where it is."
            )
    kept = {name: value for name, value in verb.options.upgraded(recorded).items() if name not in _WHERE}
    models = {name: kept[name] for name in verb.models if name in kept}
    for name in verb.options.preset_for(models | dict(given)) if "preset" in given else ():
        kept.pop(name, None)  # a preset on the command line wins over what is recorded
    kept |= scaled_steps(kept, dict(given), verb.options.SCALED)
    here: dict[str, Any] = {"index": recipe.index, "count": 1} if "index" in verb.options.model_fields else {}
    if "offline" in verb.options.model_fields:
        here["offline"] = True  # only the user decides about downloads
    return {name: value for name, value in (kept | here).items() if value is not None}


def _where(name: str, verb: Verb) -> str:
    positional = {one.field: one.metavar for one in verb.arguments}
    return positional.get(name, flag_of(name))


def _check_verb(path: Path, named: object, verb: Verb) -> None:
    if named != verb.name:
        raise BadInput(
            f"{path}: holds settings of {named}, not of {verb.name}; run `eidophone {named}` with it."
        )
