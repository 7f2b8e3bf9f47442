"""Pictures that play, as results."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from eidophone.options import ComposeOptions, DistillOptions
from eidophone.pipelines.run import Studio, clip_of, kept_columns, play
from eidophone.values import Picture, Result


def played(
    pictures: Tensor,
    gray: Tensor,
    options: ComposeOptions | DistillOptions,
    studio: Studio,
    recipes: Sequence[dict[str, Any]],
    arrays: dict[str, Tensor],
) -> list[Result]:
    """What pictures show and what their grey canvas sounds like, each with its recipe.

    Args:
        pictures: (batch, 3, height, width) in [0, 1].
        gray: What is played, (batch, bands, columns) in [0, 1].
        options: A crop takes the same share of all.
        studio: Plays.
        recipes: One each.
        arrays: Further numbers to keep, each (batch, *).
    """
    sounds = play(gray, studio.vocoder, studio.mel_spec)
    width, kept = kept_columns(options, pictures.shape[-1])
    pictures, gray = pictures[..., :width], gray[..., : round(gray.shape[-1] * kept)]
    return [
        Result(
            verb=recipe["verb"],
            index=recipe["index"],
            picture=Picture(pictures[i].permute(1, 2, 0).contiguous().numpy()),
            spectrogram=gray[i].contiguous().numpy(),
            clip=(clip := clip_of(sounds[i], studio.mel_spec, kept)),
            recipe=recipe,
            captions=(options.image_prompt, options.audio_prompt),
            arrays={
                **{name: numbers[i].float().cpu().numpy() for name, numbers in arrays.items()},
                "picture": pictures[i].numpy(),
                "spectrogram": gray[i].numpy(),
                "sound": clip.samples[0],
            },
        )
        for i, recipe in enumerate(recipes)
    ]
