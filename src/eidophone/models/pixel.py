"""Adapter for models in DeepFloyd IF's layout: U-Nets over pixels in two stages.

Stage I goes from text to a small picture, stage II from that to a large one. Prompts are encoded before the
U-Net is loaded (`Loader.pixel`), because T5 is larger than the U-Net.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from eidophone.core.errors import BadInput
from eidophone.diffusion.guidance import Guided
from eidophone.diffusion.sampler import cumulative_alphas, noised
from eidophone.models.cards import quoted
from eidophone.models.files import DiffusionFiles
from eidophone.models.networks.config import sample_size_of
from eidophone.models.predictor import Asked, NoisePredictor, Predicting, guided_by

#: Side of the pictures that stage I of IF was trained on, in pixels.
IF_SIDE = 64
#: Red, green, blue.
CHANNELS = 3


@dataclass(frozen=True)
class LowResCondition:
    """The low-resolution condition of stage II.

    Attributes:
        picture: The small picture, enlarged and with noise, shape (batch, 3, height, width).
        level: The timestep of that noise.
    """

    picture: Tensor
    level: int


@dataclass(frozen=True)
class WithVariance:
    """Classifier-free guidance that keeps the learned variance: a `Denoiser` with twice the channels.

    The noise is guided; the variance is that of the wanted prompt, unguided, as IF's own pipelines take it.

    Attributes:
        guided: Over answers of a network with the variance behind the noise.
    """

    guided: Guided

    def __call__(self, latents: Tensor, timestep: Tensor) -> Tensor:
        """(batch, channels, *), () -> noise and variance, (batch, 2 channels, *)."""
        channels = latents.shape[1]
        unwanted, wanted = self.guided.answers(latents, timestep)
        noise, without = wanted[:, :channels], unwanted[:, :channels]
        return torch.cat([without + self.guided.scale * (noise - without), wanted[:, channels:]], 1)


@dataclass(eq=False)
class PixelModel(Predicting):
    """One stage of a cascade over pixels in [-1, 1]: a `DiffusionModel`.

    Attributes:
        source: Its files and default settings.
        network: A U-Net of diffusers.
        schedule: Its `scheduler_config.json`.
        noising: Of stage II: the noise schedule of the small picture that it enlarges. None: this is stage I.
        predictor: The network as a predictor of noise.
    """

    source: DiffusionFiles
    network: Any
    schedule: Mapping[str, Any]
    noising: Mapping[str, Any] | None = None
    predictor: NoisePredictor = field(init=False)

    def __post_init__(self) -> None:
        self.predictor = NoisePredictor(self.source, self.network, self.schedule)
        config, seen = self.network.config, CHANNELS if self.noising is None else 2 * CHANNELS
        if config.in_channels != seen or config.out_channels not in (CHANNELS, 2 * CHANNELS):
            raise BadInput(
                f"{quoted(self.source.name)}: its U-Net has {config.in_channels} input and "
                f"{config.out_channels} output channels, but the {self.source.role} role needs {seen} "
                f"input channels and 3 output channels (6 with a learned variance); choose another model."
            )

    # --- facts ---------------------------------------------------------------------------------------

    @property
    def canvas(self) -> tuple[int, int]:
        """(height, width) in pixels of what it draws by default, from its card."""
        return self.source.defaults.canvas or self.trained_size

    @property
    def trained_size(self) -> tuple[int, int]:
        """(height, width) in pixels of the pictures that the U-Net was trained on, from its own settings."""
        return sample_size_of(self.network.config, quoted(self.source.name), IF_SIDE)

    @property
    def learns_variance(self) -> bool:
        """Whether the network predicts a variance beside the noise."""
        return bool(self.network.config.out_channels == 2 * CHANNELS)

    @property
    def block_size(self) -> int:
        """Height and width must be multiples of this number of pixels."""
        return int(2 ** (len(self.network.config.block_out_channels) - 1))

    # --- denoising -----------------------------------------------------------------------------------

    def beside(self, small: Tensor, size: tuple[int, int], level: int, noise: Tensor) -> LowResCondition:
        """The low-resolution condition of stage II that a small picture gives.

        Args:
            small: In [-1, 1], shape (batch, 3, rows, columns).
            size: (height, width) of the large picture.
            level: Timestep of its noise in `noising`.
            noise: Unit normal, shape (batch, 3, *size).
        """
        assert self.noising is not None, "stage I enlarges nothing"
        large = F.interpolate(small, size, mode="bilinear", align_corners=True)
        alpha = cumulative_alphas(self.noising)[level].to(large)
        return LowResCondition(noised(large, noise.to(large), alpha), level)

    def noise_of(
        self,
        pixels: Tensor,
        timestep: Tensor,
        condition: Tensor,
        beside: LowResCondition | None = None,
        *,
        variance: bool = False,
    ) -> Tensor:
        """The noise in the pixels, whatever the network predicts; dtype and device of `pixels`.

        Args:
            pixels: (batch, 3, height, width).
            timestep: ().
            condition: (1, tokens, width) for all of them, or (batch, tokens, width).
            beside: Of stage II. Repeated copies of a batch share it.
            variance: Keep the learned variance, in further channels behind the noise.
        """
        if beside is None:
            return self.predictor(pixels, timestep, condition, variance=variance)
        picture = beside.picture.repeat(len(pixels) // len(beside.picture), 1, 1, 1)
        levels = torch.full((len(pixels),), beside.level, device=self.device)
        return self.predictor(pixels, timestep, condition, picture, variance=variance, class_labels=levels)

    def guided(
        self, wanted: Tensor, unwanted: Tensor, scale: float, beside: LowResCondition | None = None
    ) -> Guided:
        """A denoiser with its prompts bound; the conditions come from `Loader.pixel`."""
        return guided_by(self._with(beside), wanted, unwanted, scale)

    def guided_with_variance(
        self, wanted: Tensor, unwanted: Tensor, scale: float, beside: LowResCondition | None = None
    ) -> WithVariance:
        """The same with the learned variance behind the noise."""
        return WithVariance(guided_by(self._with(beside, variance=True), wanted, unwanted, scale))

    def _with(self, beside: LowResCondition | None, **how: Any) -> Asked:
        if beside is not None:
            how["beside"] = beside
        return partial(self.noise_of, **how) if how else self.noise_of
