"""Adapter over models shaped like DeepFloyd IF: U-Nets over pixels, text to small pixels, then larger ones.

A prompt's condition is made before the U-Net is loaded (`Loader.pixel`), because T5 is larger than it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from eidophone.core.errors import BadInput
from eidophone.diffusion.guidance import Guided, Window
from eidophone.diffusion.sampler import cumulative_alphas, noised
from eidophone.models.cards import quoted
from eidophone.models.source import DiffusionFiles
from eidophone.models.unet import NoisePredictor, guided_by

#: What stage I of IF draws, in pixels.
IF_SIDE = 64
#: Red, green, blue.
CHANNELS = 3


@dataclass(frozen=True)
class LowResCondition:
    """What a second stage sees beside the picture that it denoises.

    Attributes:
        picture: The small picture, enlarged and noised, shape (batch, 3, height, width).
        level: The timestep up to which it was noised.
    """

    picture: Tensor
    level: int


class OverPixels(NoisePredictor):
    """What both stages share; adapters over it are dataclasses.

    Class attributes:
        SEEN: channels that the network takes.
    """

    SEEN: ClassVar[int]

    def __post_init__(self) -> None:
        super().__post_init__()
        config = self.unet.config
        if config.in_channels != self.SEEN or config.out_channels not in (CHANNELS, 2 * CHANNELS):
            raise BadInput(
                f"{quoted(self.source.name)}: its U-Net takes {config.in_channels} channels and gives "
                f"{config.out_channels}, so it is no {self.source.role} model: one takes {self.SEEN} and "
                f"gives 3, or 6 with a learned variance."
            )

    @property
    def canvas(self) -> tuple[int, int]:
        """(height, width) in pixels that it was made for."""
        size = self.source.defaults.canvas or self.unet.config.sample_size or IF_SIDE
        height, width = (size, size) if isinstance(size, int) else size
        return int(height), int(width)

    @property
    def block_size(self) -> int:
        """Pixels by which height and width must divide."""
        return int(2 ** (len(self.unet.config.block_out_channels) - 1))


@dataclass(eq=False)
class PixelModel(OverPixels):
    """Stage I: a diffusion model from text to small pictures in [-1, 1].

    Attributes:
        source: Where it came from, and its advice.
        unet: Network of diffusers.
        schedule: Its `scheduler_config.json`.
        evaluations: U-Net evaluations so far, counted a sample (a batch of 4 counts 4).
    """

    SEEN: ClassVar[int] = CHANNELS
    source: DiffusionFiles
    unet: Any
    schedule: Mapping[str, Any]
    evaluations: int = 0

    def noise_of(self, pixels: Tensor, timestep: Tensor, condition: Tensor) -> Tensor:
        """The noise in the pixels, whatever the network predicts; in their format, on their device.

        Shape:
            - pixels: (batch, 3, height, width)
            - timestep: ()
            - condition: (1, tokens, width) for all of them, or (batch, tokens, width)
        """
        return self.predicted(pixels, timestep, condition)

    def guided(self, wanted: Tensor, unwanted: Tensor, scale: float, window: Window | None = None) -> Guided:
        """A denoiser with its prompts bound: conditions from `Loader.pixel`."""
        return guided_by(self.noise_of, wanted, unwanted, scale, window)


@dataclass(eq=False)
class UpscalerModel(OverPixels):
    """Stage II: sees a small picture, enlarged and noised, beside the one that it denoises.

    Attributes:
        source, unet, schedule, evaluations: As of stage I.
        noising: Schedule by which the small picture is noised.
    """

    SEEN: ClassVar[int] = 2 * CHANNELS
    source: DiffusionFiles
    unet: Any
    schedule: Mapping[str, Any]
    noising: Mapping[str, Any]
    evaluations: int = 0

    def beside(self, small: Tensor, size: tuple[int, int], level: int, noise: Tensor) -> LowResCondition:
        """The small picture as this model sees it.

        Args:
            small: In [-1, 1], shape (batch, 3, rows, columns).
            size: (height, width) of what is to come out.
            level: Timestep of `noising` up to which it is noised.
            noise: Unit normal, shape (batch, 3, *size).
        """
        large = F.interpolate(small, size, mode="bilinear", align_corners=True)
        signal = cumulative_alphas(self.noising)[level].to(large)
        return LowResCondition(noised(large, noise.to(large), signal), level)

    def noise_of(
        self, pixels: Tensor, timestep: Tensor, condition: Tensor, beside: LowResCondition
    ) -> Tensor:
        """As of stage I; several copies of a batch, one after another, all see the same beside them."""
        picture = beside.picture.repeat(len(pixels) // len(beside.picture), 1, 1, 1)
        levels = torch.full((len(pixels),), beside.level, device=self.device)
        return self.predicted(pixels, timestep, condition, picture, class_labels=levels)

    def guided(self, wanted: Tensor, unwanted: Tensor, scale: float, beside: LowResCondition) -> Guided:
        """A denoiser with its prompts and the small picture bound: conditions from `Loader.pixel`."""
        return guided_by(partial(self.noise_of, beside=beside), wanted, unwanted, scale)
