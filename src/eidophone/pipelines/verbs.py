"""The pipelines by the name of their verb, and the way back from a recipe."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from eidophone.errors import BadInput
from eidophone.media.files import sha256
from eidophone.options import VERBS, Options
from eidophone.pipelines.compose import compose
from eidophone.pipelines.hear import hear
from eidophone.pipelines.imprint import imprint
from eidophone.pipelines.run import Progress, silent
from eidophone.pipelines.see import see
from eidophone.values import Result

PIPELINES: dict[str, Callable[..., Iterator[Result]]] = {
    "compose": compose,
    "imprint": imprint,
    "hear": hear,
    "see": see,
}


def remake(recipe: dict[str, Any], changes: dict[str, Any], progress: Progress = silent) -> Iterator[Result]:
    """Makes one sample again from its recipe: the same bytes, on the same machine, with the same versions.

    The whole batch that the sample was part of runs again, because sums round by the size of a batch.

    Args:
        recipe: From `recipe.read_recipe`.
        changes: Options to change, such as the device.

    Raises:
        BadInput: an unknown verb, or an input file that is gone or has changed.
    """
    verb = recipe.get("verb", "")
    if verb not in PIPELINES:
        raise BadInput(
            f"The recipe is of the verb {verb!r}, which this version does not have; update Eidophone."
        )
    options: Options = VERBS[verb].make(**{**recipe["options"], **changes})
    for name, checksum in recipe.get("inputs", {}).items():
        path = Path(getattr(options, name))
        if sha256(path) != checksum:
            raise BadInput(f"{path}: has changed since the recipe was written; bring the first version back.")
    for result in PIPELINES[verb](options, progress):
        if result.index == recipe["index"]:
            yield result
