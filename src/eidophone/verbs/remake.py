"""The pipelines by the name of their verb, and the way back from a recipe."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from eidophone.core.errors import BadInput
from eidophone.core.events import Progress, silent
from eidophone.core.values import Result
from eidophone.models.cards import known
from eidophone.options.kinds import Options
from eidophone.verbs import VERBS
from eidophone.verbs.colorize.pipeline import colorize
from eidophone.verbs.compose.pipeline import compose
from eidophone.verbs.distill.pipeline import distill
from eidophone.verbs.hear.pipeline import hear
from eidophone.verbs.imprint.pipeline import imprint
from eidophone.verbs.paint.pipeline import paint
from eidophone.verbs.see.pipeline import see
from eidophone.verbs.shared.inputs import found_again

PIPELINES: dict[str, Callable[..., Iterator[Result]]] = {
    "compose": compose,
    "imprint": imprint,
    "colorize": colorize,
    "distill": distill,
    "paint": paint,
    "hear": hear,
    "see": see,
}


#: Options that name a model.
MODEL_NAMES = ("image_model", "upscaler", "audio_model", "captioner", "embedder", "text_embedder")


def remake(
    recipe: dict[str, Any], changes: dict[str, Any], beside: Iterable[Path] = (), progress: Progress = silent
) -> Iterator[Result]:
    """Makes one sample again from its recipe: the same bytes, on the same machine, with the same versions.

    The whole batch that the sample was part of runs again, because sums round by the size of a batch.

    Args:
        recipe: From `recipe.read_recipe`.
        changes: Options to change, such as the device or where an input file is now.
        beside: Folders in which input files are looked for.

    Raises:
        BadInput: an unknown verb or index, or an input file that is gone or has changed.
    """
    verb, index = recipe["verb"], recipe["index"]
    if verb not in PIPELINES:
        raise BadInput(
            f"The recipe is of the verb {verb!r}, which this version does not have; update Eidophone."
        )
    moved = found_again(recipe, changes, beside)
    options: Options = VERBS[verb].make(**{**recipe["options"], **_trusted(recipe, verb), **changes, **moved})
    if index not in (numbers := getattr(options, "numbers", (0,))):
        raise BadInput(
            f"The recipe is damaged: sample {index} is not among the {len(numbers)} from {numbers[0]} on."
        )
    names = {name: recipe["options"][name] for name in moved}
    for result in PIPELINES[verb](options, progress):
        if result.index == index:  # a file that lies elsewhere now keeps the name it had
            again = {**result.recipe, "options": {**result.recipe["options"], **names}}
            yield replace(result, recipe=again)


def _trusted(recipe: dict[str, Any], verb: str) -> dict[str, Any]:
    """A recipe may come from anywhere: models that are no cards are looked for here and never fetched.

    Nor is a result judged that is made again.
    """
    named = [recipe["options"].get(name, "") for name in MODEL_NAMES]
    foreign = any(isinstance(name, str) and name and name not in known() for name in named)
    told = {"offline": True} if foreign else {}
    return {n: v for n, v in (told | {"judges": "none"}).items() if n in VERBS[verb].model_fields}
