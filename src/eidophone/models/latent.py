"""Adapter for models over VAE latents, whatever their denoising network is.

Nothing outside `models` touches a network of diffusers or transformers except through this adapter and those in
`pixel`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from eidophone.core.errors import EidophoneError
from eidophone.diffusion.guidance import Guided, Window
from eidophone.models.cards import quoted
from eidophone.models.files import DiffusionFiles
from eidophone.models.predictor import NoisePredictor, Predicting, guided_by
from eidophone.models.pretrained import running
from eidophone.models.text import TextEncoder


@dataclass(eq=False)
class LatentModel(Predicting):
    """One diffusion model over VAE latents, in one role: a `DiffusionModel`.

    Attributes:
        source: Its files and default settings.
        network: Denoises; a U-Net or a transformer, called as its family does.
        vae: The VAE of diffusers.
        text: Its text encoder.
        schedule: Its noise schedule, and what the network predicts.
        small_decoder: Decodes latents for previews, where there is one; see `models.small_decoder`.
        predictor: The network as a predictor of noise.
    """

    source: DiffusionFiles
    network: Any
    vae: Any
    text: TextEncoder
    schedule: Mapping[str, Any]
    small_decoder: Any = None
    predictor: NoisePredictor = field(init=False)

    def __post_init__(self) -> None:
        self.predictor = NoisePredictor(self.source, self.network, self.schedule)

    @property
    def vae_scale_factor(self) -> int:
        """Pixels per latent cell, in each direction."""
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))

    def latent_shape(self, height: int, width: int) -> tuple[int, int, int]:
        """(channels, rows, columns) of a canvas in pixels."""
        return (
            int(self.network.config.in_channels),
            height // self.vae_scale_factor,
            width // self.vae_scale_factor,
        )

    def noise_of(self, latents: Tensor, timestep: Tensor, condition: Tensor, **more: Any) -> Tensor:
        """The noise in the latents, whatever the network predicts; float32, on the latents' device.

        Shape:
            - latents: (batch, channels, rows, columns)
            - timestep: ()
            - condition: (1, tokens, width) for all of them, or (batch, tokens, width)

        Further inputs of the network are passed on.
        """
        return self.predictor(latents, timestep, condition, **more)

    def guided(self, wanted: Tensor, unwanted: Tensor, scale: float, window: Window | None = None) -> Guided:
        """A denoiser with its prompts bound; the conditions come from `text.encode`."""
        return guided_by(self.noise_of, wanted, unwanted, scale, window, self.predictor.reuse)

    def encode(self, pictures: Tensor, noise: Tensor | None = None) -> Tensor:
        """Pictures to latents, with gradients; float32, on the pictures' device.

        Args:
            pictures: In [0, 1], (batch, 3, height, width).
            noise: Unit normal, as the latents; draws from the distribution that the VAE gives. None: its mean.
        """
        with running(f"{quoted(self.source.name)}: its VAE"):
            code = self.vae.encode((pictures * 2 - 1).to(self.vae.device, self.vae.dtype)).latent_dist
        raw = code.mean if noise is None else code.mean + code.std * noise.to(code.mean)
        latents: Tensor = (raw - (self.vae.config.shift_factor or 0)) * self.vae.config.scaling_factor
        return latents.to(pictures)

    def decode(self, latents: Tensor) -> Tensor:
        """Latents to pictures in [0, 1], float32, on the CPU.

        Shape:
            - Input: (batch, channels, rows, columns)
            - Output: (batch, 3, height, width)

        Raises:
            EidophoneError: the picture is not finite; the message says whether the number format is to blame.
        """
        raw = latents.to(self.vae.device, self.vae.dtype) / self.vae.config.scaling_factor
        with running(f"{quoted(self.source.name)}: its VAE"):
            picture = self.vae.decode(raw + (self.vae.config.shift_factor or 0))[0]
        picture = (picture.float() / 2 + 0.5).cpu()
        if not torch.isfinite(picture).all():
            raise EidophoneError(self._not_finite(latents))
        clamped: Tensor = picture.clamp(0, 1)
        return clamped

    def _not_finite(self, latents: Tensor) -> str:
        """Why a picture is not finite, although all weights are: mostly a number format that is too narrow."""
        name = quoted(self.source.name)
        kind = str(self.vae.dtype).removeprefix("torch.")
        if self.vae.dtype != torch.float32:
            return f"{name}: the picture has values that are not numbers in {kind}; use --dtype float32."
        which = "latents" if not torch.isfinite(latents).all() else "picture"
        return f"{name}: the {which} grew beyond all numbers; use a lower guidance scale, or another model."
