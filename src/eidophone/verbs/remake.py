"""The way back from a recipe: makes one sample again."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from eidophone.core.errors import BadInput
from eidophone.core.recipe import Recipe
from eidophone.core.values import Result
from eidophone.models.cards import known
from eidophone.options.kinds import Options
from eidophone.verbs import VERBS, Verb, verb_of
from eidophone.verbs.shared.context import Context
from eidophone.verbs.shared.inputs import NAMES, find_inputs


def options_of(recipe: Recipe, changes: Mapping[str, Any] | None = None) -> Options:
    """The options of a recipe, checked by its verb.

    Raises:
        BadInput: a verb that this version does not have, or options that the verb refuses.
    """
    return _verb(recipe).options.from_recorded(recipe.options.plain(), dict(changes or {}))


def remake(
    recipe: Recipe, changes: Mapping[str, Any], beside: Iterable[Path], context: Context
) -> Iterator[Result]:
    """Makes one sample again: the same bytes, on the same machine, with the same versions and models.

    The whole batch that the sample was part of runs again, because sums round by the size of a batch.

    Args:
        recipe: It may come from a stranger: models that only a recipe names are never downloaded, folders
            that only a recipe names are never opened, and input files need a checksum.
        changes: Options that the user changes, such as the device or where a file is now.
        beside: Folders where input files are looked for.
        context: Models and report.

    Raises:
        BadInput: an unknown verb or index, or an input file that is gone or has changed.
    """
    verb = _verb(recipe)
    moved = find_inputs(recipe, changes, beside)
    options = options_of(recipe, {**_guarded(recipe, verb, changes), **changes, **moved})
    if recipe.index not in (numbers := getattr(options, "numbers", (0,))):
        raise BadInput(
            f"The recipe is damaged: its run of {len(numbers)} samples has no sample {recipe.index}."
        )
    for result in verb.run(_only_its_batch(options, recipe.index), context):
        if result.index == recipe.index:
            # a file that lies elsewhere now keeps the name it had
            names = {name: Path(str(getattr(recipe.options, name))).name for name in NAMES if name in moved}
            yield replace(result, recipe=result.recipe.changed(options=names))
            return


def _verb(recipe: Recipe) -> Verb:
    if recipe.verb not in VERBS:
        raise BadInput(
            f"This recipe uses the verb {recipe.verb!r}, which this version does not support; update Eidophone."
        )
    return verb_of(recipe.verb)


def _only_its_batch(options: Options, index: int) -> Options:
    """The options of the batch that a sample is in, where the recipe names more than that."""
    count, size = getattr(options, "count", 1), getattr(options, "batch_size", None)
    if size is None or count <= size or getattr(options, "samples", ()):
        return options
    first: int = options.index  # type: ignore[attr-defined]
    start = first + (index - first) // size * size
    return options.model_copy(update={"index": start, "count": min(size, first + count - start)})


def _guarded(recipe: Recipe, verb: Verb, changes: Mapping[str, Any]) -> dict[str, Any]:
    """What keeps a stranger's recipe from reaching out: no network, no folder of its choice, no judges.

    Raises:
        BadInput: it names a folder or a file as a model, and the user does not say where that model is.
    """
    recorded = recipe.options.plain()
    for name in verb.models:
        value = recorded.get(name)
        if not isinstance(value, str) or not value or name in changes or value in known():
            continue
        flag = "--" + name.replace("_", "-")
        raise BadInput(
            f"The recipe uses the model {value!r}, which is not one of the cards; say with {flag} "
            "where it is."
        )
    guard: dict[str, Any] = {"offline": True, "judges": "none", "resume": False}
    return {name: value for name, value in guard.items() if name in verb.options.model_fields}
