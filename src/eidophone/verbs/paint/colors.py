"""Colours for grey paintings (Factorized Diffusion, ECCV 2024), by the pair of models of `colorize`.

Each drawing gets its own colours from its own words. Its grey values stay as they were painted, so a painting that
plays still plays the same.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eidophone.core.values import Picture
from eidophone.media.color import with_gray
from eidophone.models.cards import PIXEL
from eidophone.models.device import within_memory
from eidophone.models.load import Loader
from eidophone.models.weights import ModelFiles
from eidophone.options.kinds import Preset
from eidophone.verbs.colorize.options import ColorizeOptions, ColorizeSettings
from eidophone.verbs.colorize.stages import BLOCK, ColorizeStages, Frame
from eidophone.verbs.shared.models import DEFAULT_GUIDANCE

#: How a caption is put to a model that draws in colour.
PROMPT = "a colorful painting of {}"
#: The largest difference of channels in a picture that counts as grey.
GRAY = 1 / 255


def is_gray(picture: Picture) -> bool:
    """Whether a picture has no colours."""
    return bool(np.ptp(picture.pixels, axis=2).max() <= GRAY)


@dataclass(frozen=True)
class Drawing:
    """A part of a painting.

    Attributes:
        words: What it shows.
        columns: How wide it is, in pixels.
    """

    words: str
    columns: int


@dataclass(frozen=True)
class Colors:
    """The models that colour paintings; they are loaded when the first one is to be coloured.

    Attributes:
        loader: Loads them.
        name: Card, folder or hub id of both stages.
        preset: Of `colorize`, decides the number of steps.
    """

    loader: Loader
    name: str
    preset: Preset

    def sources(self) -> dict[str, ModelFiles]:
        """The files of both stages, by role.

        Raises:
            UnknownModel, WeightsAbsent: there are none.
        """
        return {role: self.loader.source(self.name, role) for role in PIXEL}

    def put_on(
        self,
        picture: Picture,
        drawings: Sequence[Drawing],
        index: int,
        seed: int,
        watch: Callable[[int, int], None],
    ) -> Picture:
        """The painting in colour, with the same grey values.

        Args:
            picture: A grey painting.
            drawings: Its parts, from left to right; together they are as wide as the painting.
            index, seed: Of the sample; they decide the colours.
            watch: Called with the number of finished drawings, and of all.

        Raises:
            EidophoneError: the models cannot be loaded, or draw no picture of this size.
        """
        texts = {f"drawing {n}": PROMPT.format(drawing.words) for n, drawing in enumerate(drawings)}
        edges = np.cumsum([0, *(drawing.columns for drawing in drawings)])
        parts = [picture.gray()[:, edges[n] : edges[n + 1]] for n in range(len(drawings))]
        with within_memory(1):
            model, conditions = self.loader.pixel(self.name, texts | {"negative prompt": ""})
            settings = self._settings(seed, model.source.defaults.image_guidance)
            stages = [
                ColorizeStages(
                    settings,
                    part,
                    Frame.of(part.shape[0], part.shape[1], model.canvas[0], max(BLOCK, model.block_size)),
                    {"prompt": conditions[name], "negative prompt": conditions["negative prompt"]},
                    lambda: None,
                )
                for name, part in zip(texts, parts, strict=True)
            ]
            small = [stage.small(model, index) for stage in stages]
            model = self.loader.upscaler(self.name)
            found = []
            for done, (stage, sketch) in enumerate(zip(stages, small, strict=True), 1):
                found.append(stage.large(model, sketch).pixels)
                watch(done, len(stages))
        return with_gray(Picture(np.concatenate(found, axis=1)), picture.gray())

    def _settings(self, seed: int, guidance: float | None) -> ColorizeSettings:
        options = ColorizeOptions.make(
            picture=Path("picture.png"), image_model=self.name, preset=self.preset, seed=seed
        )
        decided: dict[str, Any] = {
            "device": str(self.loader.device),
            "dtype": str(self.loader.dtype).removeprefix("torch."),
            "threads": 1,
            "image_guidance": guidance or DEFAULT_GUIDANCE,
        }
        return options.completed(ColorizeSettings, **decided)
