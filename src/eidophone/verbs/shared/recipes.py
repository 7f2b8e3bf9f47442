"""Writes recipes: everything that decides a sample's bytes."""

import functools
import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from eidophone.core.recipe import FORMAT, Recipe
from eidophone.media.mel import MelSpec
from eidophone.models.weights import ModelFiles
from eidophone.options.groups import DrawOptions, SampleOptions
from eidophone.options.kinds import Options
from eidophone.verbs.shared.models import LoadedModels
from eidophone.version import VERSION

#: Options that may hold a path.
PATHS = (
    "image_model", "audio_model", "upscaler", "captioner", "embedder", "text_embedder", "picture", "sound", "mask",
)  # fmt: skip
_COMPUTING = ("torch", "diffusers", "transformers", "numpy", "soxr", "pillow", "av")


def recipe_of(
    verb: str, options: Options, sources: Mapping[str, ModelFiles], spec: MelSpec, vocoder: str = ""
) -> Recipe:
    """The recipe of a verb that draws no samples.

    Args:
        verb: Its name.
        options: Completed settings; those in `NOT_IN_RECIPE` decide no bytes and are left out.
        sources: The models, by role.
        spec: Of the mel picture.
        vocoder: Name of the vocoder; empty if nothing was played.
    """
    decide = {
        name: _shareable(name, value)
        for name, value in options.plain().items()
        if name not in options.NOT_IN_RECIPE
    }
    return Recipe.model_validate(
        {
            "format": FORMAT,
            "eidophone": VERSION,
            "verb": verb,
            "index": 0,
            "options": decide,
            "models": {role: source.describe() for role, source in sources.items()},
            "vocoder": vocoder,
            "mel_spec": spec.to_dict(),
            "versions": versions(),
        }
    )


def sample_recipe(
    verb: str, options: SampleOptions, loaded: LoadedModels, batch: Sequence[int], index: int
) -> Recipe:
    """The recipe of one sample of a batch.

    The options name exactly the batch that the sample was made in, because sums over a batch round
    differently from sums over one; so the recipe is the same whatever else the run made.
    """
    ran = options.model_copy(update={"count": len(batch), "batch_size": len(batch)} | _named(batch))
    recipe = recipe_of(verb, ran, loaded.sources, loaded.mel_spec, loaded.vocoder.name)
    return recipe.changed(index=index, seed=options.seed + index)


def single_recipe(
    verb: str,
    options: DrawOptions,
    index: int,
    sources: Mapping[str, ModelFiles],
    spec: MelSpec,
    vocoder: str = "",
) -> Recipe:
    """The recipe of a sample that is made alone."""
    ran = options.model_copy(update={"index": index, "count": 1, "samples": ()})
    return recipe_of(verb, ran, sources, spec, vocoder).changed(index=index, seed=options.seed + index)


def _shareable(name: str, value: Any) -> Any:
    """Without the user's folders: of a path, only the name."""
    if name in PATHS and isinstance(value, str) and ("/" in value or os.sep in value):
        path = Path(value).expanduser()
        return path.name if path.exists() else value  # a hub id has a slash, too
    return value


def _named(batch: Sequence[int]) -> dict[str, Any]:
    """The samples of a batch: the first one and their count where they follow one another."""
    inline = list(batch) == list(range(batch[0], batch[0] + len(batch)))
    return {"index": batch[0], "samples": () if inline else tuple(batch)}


@functools.cache
def _versions() -> tuple[tuple[str, str], ...]:
    found = [("eidophone", VERSION), ("python", platform.python_version())]
    return (*found, *((name, version(name)) for name in _COMPUTING))


def versions() -> dict[str, str]:
    """Versions of what computes."""
    return dict(_versions())
